"""Options that several verbs have: how they are declared, and what they come to."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from runcancel import environment
from runcancel.cli.bundles import Bundle, Offers
from runcancel.config.references import nearest
from runcancel.errors import UsageError
from runcancel.model.states import State, Verdict
from runcancel.model.triggers import TriggerVerdict
from runcancel.providers import PROVIDERS, provider
from runcancel.render import FORMATS, QUERYABLE
from runcancel.render.screens.terminal import Color

if TYPE_CHECKING:
    from runcancel.model.queries import Query
    from runcancel.render.formats.query import Expression

_NOT_OVER = frozenset(state for state in State if not state.over)


def _kinds() -> list[str]:
    return list(dict.fromkeys(kind.name for name in PROVIDERS for kind in provider(name).kinds))


Contexts = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        "-c",
        metavar="NAME",
        help="A configured context or group (repeatable, comma list).",
    ),
    Offers("contexts"),
]
Providers = Annotated[
    list[str] | None,
    typer.Option(
        "--provider",
        "-p",
        metavar="NAME",
        help="Only this provider (repeatable).",
    ),
    Offers(lambda: list(PROVIDERS)),
]
Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="The vendor's own credential profile.")]
Regions = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        "-r",
        metavar="NAME",
        help="Region (repeatable, comma list, provider:region, all).",
    ),
    Offers("regions"),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FORMAT",
        help=f"One of {', '.join(FORMATS)}.",
    ),
    Offers(lambda: list(FORMATS)),
]
JmesPath = Annotated[
    str | None,
    typer.Option("--query", metavar="JMESPATH", help="Filter the JSON document by a JMESPath expression."),
]
Columns = Annotated[
    str | None, typer.Option("--columns", metavar="NAMES", help="Tables, tsv, csv: only these columns, in this order.")
]
Sort = Annotated[
    str | None, typer.Option("--sort", metavar="NAMES", help="Tables, tsv, csv: sort by columns; NAME:desc descends.")
]
NoHeaders = Annotated[bool, typer.Option("--no-headers", help="Tables, tsv, csv: no header line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the source of each setting.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show every request, without secrets, on stderr.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Never prompt.")]
Colors = Annotated[
    str | None,
    typer.Option("--color", metavar="WHEN", help="auto, always or never."),
    Offers(lambda: list(Color)),
]
WaitPolicy = Annotated[
    str | None,
    typer.Option("--timeout", metavar="TIME", help="Time limit for retries of reads [15s; throttled: 60s]."),
]


class Everywhere(Bundle, frozen=True, kw_only=True):
    """What every verb takes: where to connect, what to print."""

    context: Contexts = None
    provider: Providers = None
    profile: Profile = None
    region: Regions = None
    output: Output = None
    query: JmesPath = None
    columns: Columns = None
    sort: Sort = None
    no_headers: NoHeaders = False
    quiet: Quiet = False
    verbose: Verbose = False
    debug: Debug = False
    no_input: NoInput = False
    color: Colors = None
    timeout: WaitPolicy = None


References = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REF...]", help="Runs: [context@][provider:][region:][kind/]id."),
    Offers("references"),
]
ReferenceFile = Annotated[
    str | None, typer.Option("--from", "-f", metavar="FILE", help="Read references from a file; - is stdin.")
]
OfOperation = Annotated[
    str | None,
    typer.Option(
        "--operation",
        metavar="ID",
        help="The runs of an earlier operation; last is the newest.",
    ),
    Offers("operations"),
]
Targets = Annotated[
    list[str] | None, typer.Option("--target", "-t", metavar="ID", help="Only this target (repeatable).")
]
Status = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        metavar="STATE",
        help="Only runs in this state, or all (repeatable).",
    ),
    Offers(lambda: [*State, "all"]),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help="Only this kind (repeatable)."),
    Offers(_kinds),
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Only runs with exactly this name, comment or document.")
]
NameGlob = Annotated[
    str | None,
    typer.Option("--name-glob", metavar="GLOB", help="Only runs whose name, comment or document matches: patch-*."),
]
Document = Annotated[
    str | None,
    typer.Option("--document", metavar="NAME", help="Only runs of exactly this document or command (c-…, cmd-…)."),
]
Script = Annotated[
    str | None, typer.Option("--script", metavar="TEXT", help="Only runs whose script or parameters contain this text.")
]
IncludeSchedules = Annotated[
    bool,
    typer.Option("--include-schedules", help="With --kind oos: also runs that are schedules themselves."),
]
StartedBy = Annotated[
    str | None,
    typer.Option("--started-by", metavar="TEXT", help="Only runs whose starter contains this text (automation, oos)."),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only runs started at or after: 2h, a date, epoch seconds."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only runs started at or before.")]
OlderThan = Annotated[
    str | None, typer.Option("--older-than", metavar="TIME", help="Only runs started longer ago than this, as in 2h.")
]
Timeout = Annotated[str | None, typer.Option("--timeout", metavar="TIME", help="Time limit for watching [60s].")]
GiveUpAfter = Annotated[
    str | None,
    typer.Option("--give-up-after", metavar="TIME", help="Time limit for retries when throttled or unreachable [10m]."),
]
LookupTimeout = Annotated[
    str | None,
    typer.Option("--lookup-timeout", metavar="TIME", help="Time limit for reading runs before the cancel [15s]."),
]
MOST = 1_000_000_000
"""The largest number that an option takes: more has no cloud."""

Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", min=0, max=MOST, help="Show at most N rows; 0 means all (default off a terminal)."
    ),
]
AcceptReported = Annotated[
    bool, typer.Option("--accept-reported", help="Count a stop that the cloud only reports as stopped.")
]


class Filters(Bundle, frozen=True, kw_only=True):
    """Which runs a search finds."""

    status: Status = None
    kind: Kinds = None
    name: Name = None
    name_glob: NameGlob = None
    document: Document = None
    script: Script = None
    started_by: StartedBy = None
    since: Since = None
    until: Until = None
    older_than: OlderThan = None
    include_schedules: IncludeSchedules = False

    @property
    def any(self) -> bool:
        """Whether a filter was given."""
        return self != Filters()

    def query(self) -> "Query":
        """The filters as one value. Raises `UsageError` for an empty value, an unknown word or a wrong time."""
        now = datetime.now(UTC)
        ends = [
            None if self.until is None else environment.moment("--until", self.until, now),
            None if self.older_than is None else environment.past("--older-than", self.older_than, now),
        ]
        since = None if self.since is None else environment.moment("--since", self.since, now)
        until = min((end for end in ends if end is not None), default=None)
        if since is not None and until is not None and since > until:
            option = "--until" if self.until is not None else "--older-than"
            raise UsageError(f"--since is later than {option}, so that no run can match; nothing was sent")
        kinds_there = kinds(self.kind)
        environment.check_partner(
            "--include-schedules", "--kind oos", is_given=self.include_schedules, is_there="oos" in kinds_there
        )
        from runcancel.model.queries import Query  # named runs are not searched

        return Query(
            states=states(self.status),
            kinds=kinds_there,
            name=None if self.name is None else environment.plain("--name", self.name),
            name_glob=None if self.name_glob is None else environment.plain("--name-glob", self.name_glob),
            document=None if self.document is None else environment.plain("--document", self.document),
            script=None if self.script is None else environment.plain("--script", self.script),
            started_by=None if self.started_by is None else environment.plain("--started-by", self.started_by),
            since=since,
            until=until,
            include_schedules=self.include_schedules,
        )


def states(words: Sequence[str] | None, *, default: frozenset[State] = _NOT_OVER) -> frozenset[State]:
    """States out of `--status`: nothing given is `default`, `all` is the empty set, which means any."""
    if words is None or not words:
        return default
    names = known_words("--status", words, [*State, "all"])
    return frozenset() if "all" in names else frozenset(State(word) for word in names)


NO_RESULT = "no-result"
VERDICTS = list(dict.fromkeys(map(str, (*Verdict, *TriggerVerdict, NO_RESULT))))
"""What `history --status` accepts."""


def verdicts(words: Sequence[str] | None) -> frozenset[str]:
    """The keys of `counts` that `--status` selects, none for all of them. Runs without a result have `unjudged`."""
    return frozenset("unjudged" if word == NO_RESULT else word for word in known_words("--status", words, VERDICTS))


def kinds(words: Sequence[str] | None) -> frozenset[str]:
    """Kinds out of `--kind`; empty means any."""
    return frozenset(known_words("--kind", words, _kinds()))


def check_kinds(kinds: frozenset[str], providers: Iterable[str]) -> None:
    """Raise `UsageError` when none of the providers has one of these kinds: nothing could ever be found."""
    names = tuple(dict.fromkeys(providers))
    there = list(dict.fromkeys(kind.name for name in names for kind in provider(name).kinds))
    if kinds and kinds.isdisjoint(there):
        raise UsageError(
            f"--kind {','.join(sorted(kinds))} is not a kind of {' or '.join(names)} (kinds: {', '.join(there)}); "
            "nothing was sent"
        )


def targets(ids: Sequence[str] | None) -> tuple[str, ...]:
    """Target ids, each once. Raises `UsageError` for an empty one."""
    return tuple(dict.fromkeys(environment.plain("--target", one) for one in ids or ()))


def known_words(flag: str, words: Iterable[str] | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """The words of an option, repeated or in comma lists. Raises `UsageError` for one that is not known."""
    parts = [environment.plain(flag, part.strip()) for value in words or () for part in value.split(",")]
    for word in parts:
        if word not in allowed:
            raise UsageError(
                f"{flag} does not accept “{word}”. Expected one of: {', '.join(allowed)}{nearest(word, allowed)}; "
                "nothing was sent"
            )
    return tuple(parts)


def read_query(text: str) -> "Expression":
    """`--query` as an expression. Raises `UsageError`."""
    from runcancel.render.formats.query import Expression

    return Expression(text)


def format_of(output: str | None, *, query: str | None, environ: Mapping[str, str], default: str) -> str:
    """The format: `--output`, its variable, or the default, which is json for what a query finds.

    A variable that does not go with a query does not apply to it. Raises `UsageError`.
    """
    format = one_of("--output", output, environ, FORMATS, default if query is None else "json")
    if query is None or format in QUERYABLE:
        return format
    if output is None:
        return "json"
    raise UsageError(
        f"--query does not work with -o {format}. It works with: {', '.join(QUERYABLE)}; nothing was sent",
        hint="leave out -o to get JSON",
    )


def one_of(flag: str, value: str | None, environ: Mapping[str, str], words: Sequence[str], default: str) -> str:
    """The flag, its variable or the default, when it is one of the words. Raises `UsageError`."""
    choice = environment.text(flag, value, environ)
    if choice.value is None:
        return default
    if choice.value not in words:
        raise UsageError(
            f"{choice.origin} is “{choice.value}”. Expected one of: {', '.join(words)}{nearest(choice.value, words)}; "
            "nothing was sent"
        )
    return choice.value
