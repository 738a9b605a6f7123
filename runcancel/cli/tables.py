"""Facts as tables: one source of the help topics, of the manual pages and of the marked parts of the pages.

The cells are plain text. `tests/parts.py` writes them as Markdown.
"""

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from runcancel.config import settings
from runcancel.environment import variable
from runcancel.errors import INTERRUPTED, MEANINGS
from runcancel.model import meanings
from runcancel.model.runs import Kind
from runcancel.model.states import Guarantee
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.base import PolicyScope, Provider
from runcancel.providers.common.authorities import CA_VARIABLES

_PROMISE = "A cancel here "


class Table(Struct, frozen=True, kw_only=True):
    """Titles of columns, and rows with a cell for each of them."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def exit_codes() -> Table:
    """Every exit code and its meaning."""
    rows = [(str(int(code)), meaning) for code, meaning in MEANINGS.items()]
    return Table(titles=("code", "meaning"), rows=(*rows, ("129, 130, 143", INTERRUPTED)))


def words(title: str) -> Table:
    """The words of one kind, such as `Verdict`, and what each means."""
    return Table(titles=(title.lower(), "meaning"), rows=meanings.WORDS[title])


def cancels() -> Table:
    """What a cancel does to each kind of run."""
    rows = ((f"{cloud.name} {kind.name}", kind.action, kind.guarantee, promise(kind)) for cloud, kind in _kinds())
    return Table(titles=("provider, kind", "operation", "guarantee", "what a cancel does"), rows=tuple(rows))


def promise(kind: Kind) -> str:
    """What a cancel does to a kind of run, without the words with which the plan begins the sentence."""
    return kind.promise.removeprefix(_PROMISE)


_RUNNING: Mapping[Guarantee, str] = {
    Guarantee.STOPS_RUNNING: "become terminated",
    Guarantee.BEST_EFFORT: "may stop; the cloud promises nothing",
    Guarantee.PENDING_ONLY: "keep running; a stop is reported if it is seen",
}


def guarantees() -> Table:
    """The guarantees, the kinds of run that have each, and what becomes of targets."""
    rows = []
    for guarantee, running in _RUNNING.items():
        kinds = ", ".join(f"{cloud.name} {kind.name}" for cloud, kind in _kinds() if kind.guarantee is guarantee)
        rows.append((str(guarantee), kinds, "become cancelled", running))
    return Table(titles=("guarantee", "kinds", "pending targets", "running targets"), rows=tuple(rows))


_FLAGS = (
    ("context", "-c; lists split at commas"),
    ("provider", "-p; lists split at commas"),
    ("profile", "--profile"),
    ("region", "-r; lists split at commas"),
    ("output", "-o"),
    ("color", "--color"),
    ("timeout", "--timeout"),
    ("give-up-after", "--give-up-after"),
    ("lookup-timeout", "--lookup-timeout"),
    ("quiet", "-q, as 1 or 0"),
    ("verbose", "-v, as 1 or 0"),
    ("debug", "--debug, as 1 or 0"),
    ("no-input", "--no-input, as 1 or 0"),
)
_OTHER_VARIABLES = (
    ("RUNCANCEL_JOURNAL_URL", "the team journal: postgresql://HOST/DATABASE; empty: none"),
    ("NO_COLOR, CLICOLOR, FORCE_COLOR, TERM=dumb", "colour on or off"),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME", "location of configuration and journal"),
    ("HTTPS_PROXY, ALL_PROXY, NO_PROXY", "proxy of requests to the clouds; also in small letters"),
    (", ".join(CA_VARIABLES), "trusted certificates; the first that is set counts"),
)


def variables() -> Table:
    """The environment variables that are not a vendor's own."""
    flags = ((variable(flag), meaning) for flag, meaning in _FLAGS)
    return Table(titles=("variable", "the same as"), rows=(*flags, *_OTHER_VARIABLES))


def vendor_variables(name: str) -> Table:
    """The sources of credentials, profile and endpoint of one cloud."""
    cloud = provider(name)
    return Table(
        titles=("setting", cloud.title),
        rows=(
            ("credentials", cloud.credentials),
            ("profile", ", ".join(("--profile", *cloud.profile_variables))),
            ("region", ", ".join(("-r", variable("region"), *cloud.region_variables))),
            ("endpoint", ", ".join(settings.endpoint_variables(name))),
            ("identity URL", f"{variable(name)}_STS_ENDPOINT_URL"),
            *([("site", f"{variable(name)}_SITE ({' or '.join(cloud.sites)})")] if cloud.sites else []),
        ),
    )


def permissions() -> Table:
    """The permissions to read and to cancel each kind of run, as the policies of this program have them."""
    rows = []
    for cloud, kind in _kinds():
        policy = cloud.policy(PolicyScope(read_only=True, kinds=frozenset({kind.name}))).policy
        statements = policy.get("Statement") or policy["statement"]
        actions = dict.fromkeys(action for one in statements for action in one.get("Action") or one["action"])
        reads = ", ".join(action for action in actions if not action.endswith(_OF_EVERY_KIND))
        rows.append((f"{cloud.name} {kind.name}", reads, kind.permission))
    return Table(titles=("provider, kind", "list and read", "cancel"), rows=tuple(rows))


_OF_EVERY_KIND = (":GetCallerIdentity", ":DescribeRegions")


_FORMATS = (
    ("table", "for people; the default on a terminal"),
    ("wide", "the same with every column"),
    ("tsv", "a header and a line per row, with the columns of wide; the default in a pipe"),
    ("csv", "the same for spreadsheets (RFC 4180); no cell is read as a formula"),
    ("json", "one document, also on failure and on a signal"),
    ("yaml", "the same document"),
    ("jsonl", "a line as it happens, each with a type; the last has type end"),
    ("ref", "references alone, for the next command"),
)


def formats() -> Table:
    """The formats of `-o`."""
    return Table(titles=("-o", "what it is"), rows=_FORMATS)


def triggers() -> Table:
    """The kinds of trigger, and the API that switches each; no API where this program never changes one."""
    rows = []
    for name in PROVIDERS:
        for kind in provider(name).trigger_kinds:
            switch = ", ".join(dict.fromkeys((kind.action, kind.enable_action))) if kind.switchable else ""
            rows.append((kind.form, f"{name} {kind.title}", switch))
    return Table(titles=("reference", "trigger", "switch"), rows=tuple(rows))


TABLES: Mapping[str, Callable[[], Table]] = {
    "exit-codes": exit_codes,
    "cancels": cancels,
    "guarantees": guarantees,
    "variables": variables,
    "permissions": permissions,
    "formats": formats,
    "triggers": triggers,
}
"""Name of a marked part of a page -> its table."""


def _kinds() -> Iterator[tuple[Provider, Kind]]:
    for name in PROVIDERS:
        cloud = provider(name)
        yield from ((cloud, kind) for kind in cloud.kinds)
