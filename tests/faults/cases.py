"""What a campaign does: one command over pretended runs with faults on the way, all of it out of one seed."""

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outside import Done, Outside

READS: Mapping[str, tuple[str, ...]] = {
    "aws/command": ("ListCommands", "ListCommandInvocations"),
    "aws/automation": ("GetAutomationExecution", "DescribeAutomationExecutions"),
    "aws/maintenance-window": (
        "GetMaintenanceWindowExecution",
        "DescribeMaintenanceWindowExecutionTasks",
        "DescribeMaintenanceWindowExecutionTaskInvocations",
        "DescribeMaintenanceWindows",
        "DescribeMaintenanceWindowExecutions",
    ),
    "alibaba/invocation": ("DescribeInvocations",),
    "tencent/invocation": ("DescribeInvocations", "DescribeInvocationTasks"),
}
ASKS: Mapping[str, str] = {
    "aws/command": "CancelCommand",
    "aws/automation": "StopAutomationExecution",
    "aws/maintenance-window": "CancelMaintenanceWindowExecution",
    "alibaba/invocation": "StopInvocation",
    "tencent/invocation": "CancelInvocation",
}
AROUND = ("GetCallerIdentity", "DescribeRegions")

ANYWHERE = (
    *("throttle", "throttle,retry_after=150", "http-500", "http-503", "http-500,html=true", "http-503,html=true"),
    *("http-500,effect=true", "denied", "expired", "skew", "error", "drop-before", "drop-after", "latency,ms=150"),
    *("drip,seconds=0.4", "half-json", "cut", "html-200", "html-200,effect=true", "empty-object-200"),
    *("empty-object-200,effect=true", "empty-body-200", "empty-body-200,effect=true", "charset", "odd-type"),
    *("no-request-id",),
)
ON_READS = (
    *("unknown-word", "missing-rows", "late-rows", "empty-page", "duplicate-page,rows=3", "empty-token"),
    *("repeat-token", "repeat-page"),
)
ON_ASKS = ("not-stoppable", "stubborn", "ended-between", "foreign-echo", "error,effect=true")
HANGING = "hang,seconds=60"

PARTS = frozenset({"aws/command", "alibaba/invocation", "tencent/invocation"})
"""Kinds that can be cancelled for some targets only."""

_READING = ("--timeout", "4s")  # for reads that fail for ever
VERBS = ("cancel",) * 5 + ("filter", "target", "dry-run", "status", "invocations", "list", "regions", "wait")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One command. `runs` are specs for `Outside.add`; `faults` are rules in force from its start."""

    seed: int
    verb: str
    runs: tuple[tuple[str, Mapping[str, Any]], ...]
    faults: tuple[str, ...]
    limits: bool
    timeout: str
    wait: bool = True
    resume: bool = False  # afterwards, when nothing fails any more

    def __str__(self) -> str:
        runs = "\n".join(f"  {kind} {dict(spec)}" for kind, spec in self.runs)
        faults = "\n".join(f"  {rule}" for rule in self.faults)
        return f"seed {self.seed}: {self.verb} --timeout {self.timeout}\nruns\n{runs}\nfaults\n{faults}"

    @property
    def kinds_of_faults(self) -> frozenset[str]:
        """The bare kinds of the faults."""
        return frozenset(rule.partition("=")[2].partition(",")[0].partition("*")[0] for rule in self.faults)


@dataclass(frozen=True, kw_only=True)
class Played:
    """A case and all that can be known about it afterwards."""

    case: Case
    refs: tuple[str, ...]
    selected: tuple[str, ...] = ()  # targets named with --target
    done: Done
    requests: list[Any]
    writes: list[Any]
    truth: Mapping[str, Any]
    resumed: Done | None = None
    truth_resumed: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        asked = "\n".join(
            f"  {one['action']} {one['error'] or one['status']} {'effective ' if one['effective'] else ''}"
            f"{','.join(one['faults'])}"
            for one in self.requests
        )
        return f"{self.case}\nrequests\n{asked}\n{self.done}"


def case(seed: int, *, hanging: float = 0.0) -> Case:
    """The case of a seed. `hanging` is the chance of sockets that never answer, which cost 20 s each."""
    dice = random.Random(seed)
    verb = dice.choice(VERBS)
    kinds = dice.sample(sorted(ASKS), k=1 if verb == "target" else dice.randint(1, 3))
    if verb == "target":
        kinds = [dice.choice(sorted(PARTS))]
    runs = tuple((kind, _run(dice, kind)) for kind in kinds for _ in range(_many(dice, verb)))
    faults = tuple(_fault(dice, verb, kinds) for _ in range(dice.choice((1, 1, 2, 2, 3))))
    if dice.random() < hanging:
        faults = (*faults, _place(dice, verb, kinds, HANGING, "*1"))
    return Case(
        seed=seed,
        verb=verb,
        runs=runs,
        faults=faults,
        limits=dice.random() < 0.5,
        timeout=dice.choice(("0", "1", "2", "4")),
        wait=dice.random() < 0.9,
        resume=verb in ("cancel", "filter", "target") and dice.random() < 0.4,
    )


def _many(dice: random.Random, verb: str) -> int:
    return 1 if verb == "target" else dice.randint(1, 3)


def grid() -> Iterator[Case]:
    """Every fault at every action where it makes sense, once and for ever, each under a verb that asks for it."""
    for kind in sorted(ASKS):
        provider = kind.partition("/")[0]
        for action in (*READS[kind], ASKS[kind], *AROUND):
            asks = action == ASKS[kind]
            fitting = ON_ASKS if asks else () if action in AROUND else ON_READS
            for fault in (*ANYWHERE, *fitting):
                for times in ("*1", ""):
                    text = f"{provider}:{action}={written(fault, provider, times)}"
                    yield _of_grid(
                        random.Random(text), kind, text, _VERBS_FOR.get(action, ("cancel",) if asks else VERBS)
                    )


_VERBS_FOR: Mapping[str, tuple[str, ...]] = {
    "GetCallerIdentity": ("filter", "dry-run"),
    "DescribeRegions": ("regions",),
    "DescribeMaintenanceWindows": ("list", "filter"),
    "DescribeMaintenanceWindowExecutions": ("list", "filter"),
    "DescribeInvocationTasks": ("invocations",),
}


def _of_grid(dice: random.Random, kind: str, fault: str, verbs: tuple[str, ...]) -> Case:
    verb = dice.choice([verb for verb in verbs if verb != "target" or kind in PARTS])
    return Case(
        seed=dice.randint(1_000_000, 9_999_999),
        verb=verb,
        runs=tuple((kind, _run(dice, kind)) for _ in range(1 if verb == "target" else 2)),
        faults=(fault,),
        limits=dice.random() < 0.5,
        timeout=dice.choice(("1", "2")),
        resume=verb in ("cancel", "target"),
    )


def _run(dice: random.Random, kind: str) -> dict[str, Any]:
    """Nothing begins or ends by itself while the case lasts."""
    most = 130 if dice.random() < 0.25 and kind in PARTS else 6
    states = dice.sample(("pending", "running", "succeeded", "failed"), k=dice.randint(1, 3))
    if kind == "aws/automation":
        states = ["succeeded", "running", "pending"]
        most = 3
    if not {"pending", "running"} & set(states) and dice.random() < 0.8:
        states.append("running")
    targets = {state: dice.randint(1, most) for state in states}
    if kind == "aws/automation":
        targets["running"] = 1
    fanout = {"fanout": True} if kind == "aws/automation" and dice.random() < 0.3 else {}
    stays = {"terminates": False} if kind == "alibaba/invocation" and dice.random() < 0.5 else {}
    return {"targets": targets, "runs_for": 1e6, "waits_for": 1e6, "name": "job", **fanout, **stays}


def _fault(dice: random.Random, verb: str, kinds: list[str]) -> str:
    pool = dice.choice((ANYWHERE, ANYWHERE, ON_READS, ON_ASKS if verb in ("cancel", "filter", "target") else ON_READS))
    return _place(dice, verb, kinds, dice.choice(pool), dice.choice(("", "", "*1", "*1", "*2", "*3")))


def _place(dice: random.Random, verb: str, kinds: list[str], fault: str, times: str) -> str:
    """Where it strikes: one action of one cloud, or all; at once or only later."""
    kind = dice.choice(kinds)
    provider = kind.partition("/")[0]
    actions = [*READS[kind]]
    if verb in ("cancel", "filter", "target"):
        actions = [*actions, ASKS[kind], ASKS[kind], ASKS[kind]]
    if verb in ("filter", "dry-run", "regions"):
        actions = [*actions, *AROUND]
    if fault in ON_ASKS:
        actions = [ASKS[kind]]
    action = dice.choice([*actions, "*"]) if fault in ANYWHERE else dice.choice(actions)
    after = dice.choice(("", "", "", ",after=1", ",after=2", ",after=4"))
    return f"{provider}:{action}={written(fault, provider, times)}{after}"


def written(fault: str, provider: str, times: str) -> str:
    """The fault in the words of the sandbox, with what its cloud calls an internal error."""
    name, comma, options = fault.partition(",")
    if name == "error":
        status = 200 if provider == "tencent" else 500
        options = ",".join(part for part in (options, f"code=InternalError,status={status}") if part)
        comma = ","
    return f"{name}{times}{comma}{options}"


def play(case: Case, home: Path, *, patience: float = 60.0) -> Played:
    """Run the command of a case in a world of its own."""
    with Outside(home, fleet=False, limits=case.limits, seed=case.seed) as outside:
        refs = tuple(_added(outside, kind, spec) for kind, spec in case.runs)
        named = tuple(outside.targets(refs[0])[::2]) if case.verb == "target" else ()
        outside.faults(*case.faults)
        began = time.monotonic()
        done = outside.run(*_argv(case, refs, named), patience=patience)
        requests = outside.requests()
        seconds = time.monotonic() - began
        outside.faults()
        truth = {ref: outside.truth(ref) for ref in refs}
        writes = outside.writes()
        resumed = _resumed(outside, done, patience) if case.resume else None
        return Played(
            case=case,
            refs=refs,
            selected=named,
            done=done,
            requests=requests,
            writes=writes,
            truth=truth,
            resumed=resumed,
            truth_resumed={ref: outside.truth(ref) for ref in refs} if resumed is not None else {},
            seconds=seconds,
        )


def _resumed(outside: Outside, done: Done, patience: float) -> Done | None:
    operation = done.document.get("operation")
    if operation is None:
        return None
    return outside.run("cancel", "--resume", operation, "--timeout", "8", "-o", "json", patience=patience)


def _added(outside: Outside, kind: str, spec: Mapping[str, Any]) -> str:
    provider, _, name = kind.partition("/")
    return outside.add(provider, name, **spec)


def _argv(case: Case, refs: tuple[str, ...], named: tuple[str, ...]) -> tuple[str, ...]:
    providers = [word for name in dict.fromkeys(ref.partition(":")[0] for ref in refs) for word in ("-p", name)]
    named_kinds = dict.fromkeys(kind.partition("/")[2] for kind, _ in case.runs)
    kinds = [word for name in named_kinds for word in ("--kind", name)]
    patience = ("--give-up-after", "8", "--lookup-timeout", "6")
    watch = ("--timeout", case.timeout, *patience, *(() if case.wait else ("--no-wait",)))
    argv = {
        "cancel": ("cancel", *refs, *watch),
        "filter": ("cancel", "--status", "pending,running", *kinds, *providers, "--confirm", _open_runs(case), *watch),
        "target": ("cancel", *refs, *(word for one in named for word in ("--target", one)), *watch),
        "dry-run": ("cancel", *refs, "--dry-run"),
        "status": ("status", *refs, *_READING),
        "invocations": ("invocations", *refs, *_READING),
        "list": ("list", *providers, "--limit", "0", *_READING),
        "regions": ("list", *providers, "-r", "all", *_READING),
        "wait": ("wait", *refs, "--for", "stopped", "--timeout", case.timeout),
    }[case.verb]
    return (*argv, "-o", "json")


def _open_runs(case: Case) -> str:
    """How many runs a filter should find; others that windows have started make a refusal out of it."""
    return str(sum(bool({"pending", "running"} & spec["targets"].keys()) for _, spec in case.runs))
