"""`cancel --disable-triggers` with faults on the way: cases out of seeds, how one is played, and what must be true."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.test_returning import of_invoker, of_window
from outside import Done, Outside, id_of

from .campaigns import any_fault, grid_rules, requests_in_words, struck
from .cases import ANYWHERE
from .trigger_cases import Case as TriggerCase
from .trigger_cases import Played as TriggersPlayed
from .trigger_cases import restored, truths
from .trigger_oracle import outcome_lies, stream_lies

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "aws": (
        *("DescribeMaintenanceWindows", "DescribeMaintenanceWindowExecutions", "GetMaintenanceWindow"),
        *("DescribeMaintenanceWindowTasks", "DescribeMaintenanceWindowTargets", "UpdateMaintenanceWindow"),
        "CancelMaintenanceWindowExecution",
    ),
    "tencent": (
        *("DescribeInvokers", "DescribeInvokerRecords", "DescribeCommands", "DisableInvoker", "CancelInvocation"),
    ),
}
"""What strikes the triggers of a run and its cancel, and no reading of the run itself."""

SWITCHES = frozenset({"UpdateMaintenanceWindow", "DisableInvoker"})
CANCELS = frozenset({"CancelMaintenanceWindowExecution", "CancelInvocation"})
_ACTIVE = frozenset({"pending", "delivering", "delayed", "scheduled", "running", "cancelling"})
_NOTES = ("could not be read", "is not disabled", "may start again", "were not searched", "may come back", "comes back")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One `cancel --disable-triggers` of a run of each cloud."""

    seed: int
    faults: tuple[str, ...]
    timeout: str

    def __str__(self) -> str:
        faults = "".join(f"\n  {rule}" for rule in self.faults)
        return f"seed {self.seed}: cancel --disable-triggers --timeout {self.timeout}\nfaults{faults}"


@dataclass(frozen=True, kw_only=True)
class Played:
    """A case and all that can be known about it afterwards; states say which triggers were really enabled."""

    case: Case
    triggers: Mapping[str, str]  # run -> its trigger
    done: Done
    requests: list[Any]
    at_first: Mapping[str, bool]
    after: Mapping[str, bool]
    runs: Mapping[str, Any]
    resumed: Done | None
    after_resume: Mapping[str, bool]
    runs_after_resume: Mapping[str, Any]
    restored: Done | None
    at_last: Mapping[str, bool]

    def __str__(self) -> str:
        requests = requests_in_words(self.requests)
        return f"{self.case}\nrequests\n{requests}\n{self.done}\nRESUMED {self.resumed}\nRESTORED {self.restored}"


def case(seed: int) -> Case:
    """The case of a seed."""
    dice = random.Random(f"both {seed}")
    faults = tuple(_fault(dice) for _ in range(dice.choice((1, 1, 2, 2, 3))))
    return Case(seed=seed, faults=faults, timeout=dice.choice(("1", "2", "4")))


def _fault(dice: random.Random) -> str:
    provider = dice.choice(sorted(ACTIONS))
    fault = any_fault(dice)
    action = dice.choice([one for one in ACTIONS[provider] if fault in ANYWHERE or one not in SWITCHES | CANCELS])
    return struck(dice, provider, action, fault)


def grid() -> Iterator[Case]:
    """Every fault at every action, once and for ever."""
    for provider, actions in ACTIONS.items():
        for action in actions:
            for rule, seed, timeout in grid_rules("both", provider, action, reads=action not in SWITCHES | CANCELS):
                yield Case(seed=seed, faults=(rule,), timeout=timeout)


def play(case: Case, home: Path, *, patience: float = 300.0) -> Played:
    """Run the command of a case in a world of its own; then, without faults, resume it and restore what it disabled."""
    with Outside(home, seed=1) as outside:
        refs = (of_window(outside), of_invoker(outside))
        found = outside.json("status", *refs, "--trigger")["runs"]
        triggers = {run["ref"]: run["trigger"] for run in found}
        at_first = truths(outside)
        outside.box.log.clear()
        outside.faults(*case.faults)
        patient = ("--timeout", case.timeout, "--give-up-after", "8", "--lookup-timeout", "15")
        done = outside.run("cancel", *refs, "--disable-triggers", *patient, "-o", "json", patience=patience)
        requests, after, runs = outside.requests(), truths(outside), _truths(outside, refs)
        outside.faults()
        operation = done.document.get("operation")
        resumed = None if operation is None else outside.run("cancel", "--resume", operation, "-o", "json")
        after_resume, runs_after_resume = truths(outside), _truths(outside, refs)
        enabled = None if operation is None else restored(outside, operation)
        return Played(
            case=case,
            triggers=triggers,
            done=done,
            requests=requests,
            at_first=at_first,
            after=after,
            runs=runs,
            resumed=resumed,
            after_resume=after_resume,
            runs_after_resume=runs_after_resume,
            restored=enabled,
            at_last=truths(outside),
        )


def _truths(outside: Outside, refs: tuple[str, ...]) -> dict[str, Any]:
    return {ref: outside.truth(ref) for ref in refs}


def lies(played: Played) -> list[str]:
    """Every broken promise, in words; empty when there is none."""
    return list(_all(played))


def _all(played: Played) -> Iterator[str]:
    yield from stream_lies(played.done, played.requests)
    document = played.done.document
    if not document["outcomes"]:
        yield f"no outcome, exit {played.done.code}"
        return
    counts = Counter(one["run"] for one in document["outcomes"])
    yield from (f"{ref}: {counts[ref]} outcomes" for ref in played.triggers if counts[ref] != 1)
    for one in document["outcomes"]:
        yield from (f"{one['run']}: {lie}" for lie in _of_run(played, one))
    yield from _of_triggers(played)
    yield from (f"{ref}: a trigger held it up" for ref in held_up(played))
    yield from (f"{one['action']} was sent" for one in played.requests if one["action"] in _NEVER)
    if played.resumed is not None:
        yield from _resumed(played, played.resumed)
    if played.restored is not None:
        yield from (f"the restore: {lie}" for lie in stream_lies(played.restored, ()))
        if played.restored.code != 0:
            yield f"the restore ended with {played.restored.code}"
    yield from (
        f"{ref}: at last it is {'enabled' if state else 'disabled'}"
        for ref, state in played.at_last.items()
        if state is not played.at_first[ref]
    )
    expected = _code(document)
    if played.done.code != expected:
        yield f"exit {played.done.code}, by the table {expected}"


_NEVER = frozenset({"EnableInvoker", "DisableRule", "EnableRule"})


def _sent(played: Played, ref: str) -> list[Any]:
    """The requests to cancel a run."""
    id = id_of(ref)
    return [one for one in played.requests if one["action"] in CANCELS and id in one["params"].values()]


def held_up(played: Played) -> list[str]:
    """Runs for which no cancel left: nothing here strikes their own readings, so nothing may keep it back.

    Credentials that are refused for the triggers are refused for the runs of that cloud, too.
    """
    return [ref for ref in played.triggers if not _sent(played, ref) and not _refused(played, ref)]


def _refused(played: Played, ref: str) -> bool:
    cloud = ref.partition(":")[0]
    faults = [one.partition("=")[2] for one in played.case.faults if one.partition(":")[0] == cloud]
    return any(one.startswith(("expired", "skew")) for one in faults)


def _of_run(played: Played, outcome: Any) -> Iterator[str]:
    ref, verdict = outcome["run"], outcome["verdict"]
    if ref not in played.runs:
        yield "it was not selected"
        return
    effective = any(one["effective"] for one in _sent(played, ref))
    states = {target["state"] for target in played.runs[ref]["targets"]}
    if verdict == "stopped" and states & _ACTIVE:
        yield f"said stopped, and it is {sorted(states)}"
    if verdict in ("failed", "skipped") and effective:
        yield f"said {verdict}, and the cancel was accepted"
    if verdict in ("stopped", "partial", "requested") and not effective:
        yield f"said {verdict}, and no cancel had effect"
    if verdict == "ended" and states & _ACTIVE:  # on a slow machine it ends by itself
        yield f"said ended, and it is {sorted(states)}"


def _of_triggers(played: Played) -> Iterator[str]:
    """What is claimed of triggers is true, and what is not claimed is reported."""
    document = played.done.document
    triggers = TriggersPlayed(
        case=TriggerCase(
            seed=played.case.seed,
            story="disable",
            picks=(),
            drifted=(),
            faults=played.case.faults,
            limits=False,
            timeout=played.case.timeout,
        ),
        refs=tuple(played.triggers.values()),
        drifted=frozenset(),
        done=played.done,
        requests=played.requests,
        at_first=played.at_first,
        before=played.at_first,
        after=played.after,
        resumed=None,
        after_resume=played.after_resume,
        restored=None,
        at_last=played.at_last,
    )
    known = {one["trigger"] for one in document["triggers"]}
    for one in document["triggers"]:
        yield from (f"{one['trigger']}: {lie}" for lie in outcome_lies(triggers, one))
    for ref in set(played.triggers.values()) - known:
        if not any(note in played.done.err for note in _NOTES):
            yield f"{ref}: it starts more runs, and nothing reports it"
    changed = {ref for ref, state in played.after.items() if state is not played.at_first[ref]}
    yield from (f"{ref}: changed, and nothing reports it" for ref in changed - known)


def _resumed(played: Played, again: Done) -> Iterator[str]:
    """When nothing fails any more, a resume ends what the operation holds, and says so."""
    yield from (f"the resume: {lie}" for lie in stream_lies(again, ()))
    if again.code not in (0, 3):
        yield f"the resume ended with {again.code}"
    for one in played.done.document["triggers"]:
        if one["verdict"] != "skipped" and played.after_resume[one["trigger"]]:
            yield f"{one['trigger']}: the resume left it enabled"
    for ref, truth in played.runs_after_resume.items():
        if any(target["state"] in ("pending", "delivering", "delayed") for target in truth["targets"]):
            yield f"{ref}: the resume left targets that had not started"


def _code(document: Any) -> int:
    """The exit code by the table in docs/exit-codes.md, over runs and triggers."""
    verdicts = [one["verdict"] for one in (*document["outcomes"], *document["triggers"])]
    bad = sum(one in ("failed", "skipped", "drifted") for one in verdicts)
    if "partial" in verdicts or 0 < bad < len(verdicts):
        return 3
    if bad:
        return 1
    if {"in-doubt", "requested", "reported"} & set(verdicts):
        return 8
    return 0 if document["complete"] else 7
