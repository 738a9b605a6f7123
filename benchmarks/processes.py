"""One question, one process: ours against the vendors' command lines and the least script on each SDK."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.measure import Argv, Ratio, cpu, interleaved, median, ratio, wall
from benchmarks.place import HOME_REGION, RUNCANCEL, SCRIPTS, Place, sandbox, tools

TARGETS = {"running": 9, "pending": 3}
TYPER = "a bare typer program"
PROVIDERS = ("aws", "tencent", "alibaba")
SDKS = {"aws": "boto3", "tencent": "the product's SDK", "alibaba": "the typed SDK"}
TOOLS = {"aws": ("aws v1", "aws v2"), "tencent": ("tccli",), "alibaba": ("aliyun",)}
STARTS = {
    "`--version`": (["--version"], {}),
    "`--help`": (["--help"], {}),
    "`cancel --help`": (["cancel", "--help"], {}),
    "completing a verb": ([], {"_RUNCANCEL_COMPLETE": "bash", "_RUNCANCEL_LINE": "runcancel ca"}),
}
BUDGETS = {("`--version`", TYPER): 1.3}
TOOL_BUDGETS = {"aws v2": 0.75, "tccli": 0.5}
SDK_BUDGETS = {"alibaba": 0.75}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison. `ours` and `theirs` are medians in seconds; `budget` is what the ratio may be, if any."""

    what: str
    peer: str
    wall: Ratio
    cpu: Ratio
    ours: float
    theirs: float
    budget: float | None


def compared(*, rounds: int) -> list[Row]:
    """Every comparison for which the peer is installed."""
    with sandbox() as place:
        rows = [row for what in STARTS for row in _start(place, what, rounds=rounds)]
        for provider in PROVIDERS:
            for verb, options in (("status", []), ("cancel", ["--no-wait"])):
                rows += _asked(place, provider, verb, options, rounds=rounds)
            rows += _seen_stopped(place, provider, rounds=rounds)
    return rows


def _start(place: Place, what: str, *, rounds: int) -> list[Row]:
    words, extra = STARTS[what]
    commands: dict[str, Callable[[], Argv]] = {
        "ours": lambda: [RUNCANCEL, *words],
        TYPER: lambda: [sys.executable, str(SCRIPTS / "typer_hello.py")],
    }
    return _rows(what, commands, {**place.environ, **extra}, budgets=BUDGETS, rounds=rounds)


def _asked(place: Place, provider: str, verb: str, options: Sequence[str], *, rounds: int) -> list[Row]:
    """One run. The others do not look before they cancel; ours does."""
    commands: dict[str, Callable[[], Argv]] = {
        "ours": lambda: [RUNCANCEL, verb, _fresh(place, provider), *options],
        f"a script on {SDKS[provider]}": partial(_script, place, provider, verb),
    }
    commands |= {name: partial(_asked_by, place, provider, path, verb) for name, path in _tools(provider).items()}
    what = f"`{verb}{' --no-wait' if options else ''}`, {provider}"
    budgets = {(what, name): TOOL_BUDGETS.get(name) for name in TOOLS[provider]}
    budgets[what, f"a script on {SDKS[provider]}"] = SDK_BUDGETS.get(provider)
    return _rows(what, commands, place.environ, budgets=budgets, rounds=rounds)


def _seen_stopped(place: Place, provider: str, *, rounds: int) -> list[Row]:
    """A whole `cancel` against what a careful person types: cancel, wait as long as ours does at least, look."""

    def theirs(tool: str) -> Argv:
        id = _id(_fresh(place, provider))
        asks, looks = (" ".join(_quoted(_tool(place, provider, tool, verb, id))) for verb in ("cancel", "status"))
        return ["bash", "-c", f"{asks} && sleep 0.5 && {looks}"]

    peers = {f"{name}, sleep 0.5, {name}": partial(theirs, path) for name, path in _tools(provider).items()}
    if not peers:
        return []
    commands: dict[str, Callable[[], Argv]] = {
        "ours": lambda: [RUNCANCEL, "cancel", _fresh(place, provider)],
        **peers,
    }
    return _rows(f"`cancel`, {provider}", commands, place.environ, budgets={}, rounds=rounds, codes=(0, 3, 8))


def _rows(
    what: str,
    commands: dict[str, Callable[[], Argv]],
    environ: dict[str, str],
    *,
    budgets: dict[tuple[str, str], float | None] | dict[tuple[str, str], float],
    rounds: int,
    codes: Sequence[int] = (0,),
) -> list[Row]:
    samples = interleaved(commands, environ, rounds=rounds, codes=codes)
    ours = samples.pop("ours")
    return [
        Row(
            what=what,
            peer=peer,
            wall=ratio(ours, theirs, of=wall),
            cpu=ratio(ours, theirs, of=cpu),
            ours=median(ours, of=wall),
            theirs=median(theirs, of=wall),
            budget=budgets.get((what, peer)),
        )
        for peer, theirs in samples.items()
    ]


def _tools(provider: str) -> dict[str, str]:
    there = tools()
    return {name: there[name] for name in TOOLS[provider] if name in there}


def _asked_by(place: Place, provider: str, tool: str, verb: str) -> Argv:
    return _tool(place, provider, tool, verb, _id(_fresh(place, provider)))


def _fresh(place: Place, provider: str) -> str:
    """The reference of a run that nobody touched yet."""
    (id,) = place.add(provider, targets=TARGETS)
    return f"{provider}:{HOME_REGION[provider]}:{'command' if provider == 'aws' else 'invocation'}/{id}"


def _id(ref: str) -> str:
    return ref.rpartition("/")[2]


def _script(place: Place, provider: str, verb: str) -> Argv:
    return [sys.executable, str(SCRIPTS / f"{provider}_sdk.py"), verb, _id(_fresh(place, provider))]


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
