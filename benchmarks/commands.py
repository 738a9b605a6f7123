"""The commands that are compared: ours, the vendors' command lines and the least script on each SDK."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.measure import Argv
from benchmarks.place import HOME_REGION, RUNCANCEL, SCRIPTS, Place, tools

OURS = "ours"
"""Who runs the command that is measured."""
TARGETS = {"running": 9, "pending": 3}
TYPER = "a bare Typer program"
PROVIDERS = ("aws", "tencent", "alibaba")
_SDKS = {"aws": "boto3", "tencent": "the product's SDK", "alibaba": "the typed SDK"}
_TOOLS = {"aws": ("aws v1", "aws v2"), "tencent": ("tccli",), "alibaba": ("aliyun",)}
_JUDGES = {
    "aws": {"aws v2": "aws", "aws v1": "aws v1"},
    "tencent": {"tccli": "tencent"},
    "alibaba": {"a script on the typed SDK": "alibaba"},
}
"""Against whom the budgets of each cloud are, with the beginning of their keys. Version 1 of `aws` is in a package."""
_PATIENT = {"status": (), "cancel": ("--lookup-timeout", "600s")}
"""On a simulated processor a reading takes many seconds. After 15 s a cancel would go without it."""
_STARTS: Mapping[str, tuple[str, Sequence[str], Mapping[str, str]]] = {
    "`--version`": ("version", ["--version"], {}),
    "`--help`": ("help", ["--help"], {}),
    "`cancel --help`": ("", ["cancel", "--help"], {}),
    "completing a verb": ("completion", [], {"_RUNCANCEL_COMPLETE": "bash", "_RUNCANCEL_LINE": "runcancel ca"}),
}
"""What is started, with the key of its budget, its words and its variables."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`commands` by who runs them; each call makes the argv of a new try. `budgets` has the key of a budget by peer.

    `codes` are the exit codes that count as done.
    """

    what: str
    commands: Mapping[str, Callable[[], Argv]]
    variables: Mapping[str, str] = field(default_factory=dict)
    budgets: Mapping[str, str] = field(default_factory=dict)
    codes: Sequence[int] = (0,)


def comparisons(place: Place) -> list[Comparison]:
    """One process each, for every peer that is installed."""
    requests = (("status", ()), ("cancel", ("--no-wait",)))
    return [
        *(_start(what) for what in _STARTS),
        *(_request(place, provider, verb, options) for provider in PROVIDERS for verb, options in requests),
    ]


def sequences(place: Place) -> list[Comparison]:
    """A whole `cancel` against what a careful person types: cancel, wait as long as ours does at least, look."""
    return [one for provider in PROVIDERS if (one := _sequence(place, provider)) is not None]


def _start(what: str) -> Comparison:
    key, words, variables = _STARTS[what]
    commands: dict[str, Callable[[], Argv]] = {
        OURS: lambda: [RUNCANCEL, *words],
        TYPER: lambda: [sys.executable, SCRIPTS / "typer_hello.py"],
    }
    return Comparison(what=what, commands=commands, variables=variables, budgets={TYPER: key} if key else {})


def _request(place: Place, provider: str, verb: str, options: Sequence[str]) -> Comparison:
    """One run. The others do not read before they cancel; ours does."""
    commands: dict[str, Callable[[], Argv]] = {
        OURS: lambda: [RUNCANCEL, verb, _fresh(place, provider), *options, *_PATIENT[verb]],
        f"a script on {_SDKS[provider]}": partial(_script, place, provider, verb),
    }
    commands |= {name: partial(_request_by, place, provider, path, verb) for name, path in _tools(provider).items()}
    words = " ".join((verb, *options))
    judges = {peer: key for peer, key in _JUDGES[provider].items() if peer in commands}
    return Comparison(
        what=f"`{words}`, {provider}",
        commands=commands,
        budgets={peer: f"{key} {verb}" for peer, key in judges.items()},
    )


def _sequence(place: Place, provider: str) -> Comparison | None:
    def theirs(tool: str) -> Argv:
        id = _id(_fresh(place, provider))
        cancel, read = (" ".join(_quoted(_tool(place, provider, tool, verb, id))) for verb in ("cancel", "status"))
        return ["bash", "-c", f"{cancel} && sleep 0.5 && {read}"]

    peers = {f"{name}, sleep 0.5, {name}": partial(theirs, path) for name, path in _tools(provider).items()}
    if not peers:
        return None
    return Comparison(
        what=f"`cancel`, {provider}",
        commands={OURS: lambda: [RUNCANCEL, "cancel", _fresh(place, provider)], **peers},
        codes=(0, 3, 8),
    )


def _tools(provider: str) -> dict[str, str]:
    there = tools()
    return {name: there[name] for name in _TOOLS[provider] if name in there}


def _fresh(place: Place, provider: str) -> str:
    """The reference of a run that nobody touched yet."""
    (id,) = place.add(provider, targets=TARGETS)
    return f"{provider}:{HOME_REGION[provider]}:{'command' if provider == 'aws' else 'invocation'}/{id}"


def _id(ref: str) -> str:
    return ref.rpartition("/")[2]


def _request_by(place: Place, provider: str, tool: str, verb: str) -> Argv:
    return _tool(place, provider, tool, verb, _id(_fresh(place, provider)))


def _script(place: Place, provider: str, verb: str) -> Argv:
    return [sys.executable, SCRIPTS / f"{provider}_sdk.py", verb, _id(_fresh(place, provider))]


def _tool(place: Place, provider: str, tool: str, verb: str, id: str) -> list[str]:
    """One request by the vendor's command line."""
    if provider == "aws":  # v2 before 2.13 does not read AWS_ENDPOINT_URL
        operation = {"status": "list-commands", "cancel": "cancel-command"}[verb]
        return [tool, "ssm", operation, "--command-id", id, "--endpoint-url", place.box.url]
    if provider == "tencent":
        named = {
            "status": ["DescribeInvocations", "--InvocationIds", f'["{id}"]'],
            "cancel": ["CancelInvocation", "--InvocationId", id],
        }
        return [tool, "tat", *named[verb], "--endpoint", place.box.url]
    operation = {"status": "DescribeInvocations", "cancel": "StopInvocation"}[verb]
    host = place.box.url.removeprefix("http://")
    return [tool, "ecs", operation, "--InvokeId", id, "--endpoint", host, "--insecure"]


def _quoted(argv: Sequence[str]) -> list[str]:
    return [f"'{word}'" for word in argv]
