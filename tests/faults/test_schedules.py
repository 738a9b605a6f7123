"""Faults on the way of a cancel that ends schedules: a timer of OOS and a periodic invocation of Alibaba Cloud."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outside import OOS_TIMER, Done, Outside, id_of

from runcancel.sandbox.alibaba.invocations import Invocation

from .campaigns import Campaign, any_fault, grid_rules, requests_in_words, struck
from .cases import ANYWHERE
from .trigger_oracle import stream_lies

READS = ("ListExecutions", "ListTaskExecutions", "DescribeInvocations")
CANCELS = ("CancelExecution", "StopInvocation")
_TWO_DAYS = 2 * 86_400.0
_ACTIVE = frozenset({"pending", "scheduled", "running", "cancelling"})
_REFUSES = ("expired", "skew", "denied")
_HIDES = ("missing-rows", "late-rows", "empty-page", "unknown-word", "odd-type", "repeat-token")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One cancel of both schedules."""

    seed: int
    faults: tuple[str, ...]
    timeout: str

    def __str__(self) -> str:
        faults = "".join(f"\n  {rule}" for rule in self.faults)
        return f"seed {self.seed}: cancel of schedules --timeout {self.timeout}\nfaults{faults}"


@dataclass(frozen=True, kw_only=True)
class Played:
    """A case, and how often each schedule started something in the two days after the cancel and after the resume."""

    case: Case
    done: Done
    requests: list[Any]
    truth: Mapping[str, Any]
    started: Mapping[str, int]
    resumed: Done | None
    truth_resumed: Mapping[str, Any]
    started_resumed: Mapping[str, int]

    def __str__(self) -> str:
        requests = requests_in_words(self.requests)
        return f"{self.case}\nrequests\n{requests}\n{self.done}\nstarted {self.started}\nRESUMED {self.resumed}"


def case(seed: int) -> Case:
    """The case of a seed."""
    dice = random.Random(f"schedules {seed}")
    return Case(
        seed=seed,
        faults=tuple(_fault(dice) for _ in range(dice.choice((1, 1, 2, 3)))),
        timeout=dice.choice(("1", "2", "4")),
    )


def _fault(dice: random.Random) -> str:
    fault = any_fault(dice)
    action = dice.choice((*READS, *CANCELS) if fault in ANYWHERE else READS)
    afters, times = ("", "", ",after=1", ",after=2"), ("", "", "*1", "*2", "*3")
    return struck(dice, "alibaba", action, fault, afters=afters, times=times)


def grid() -> Iterator[Case]:
    """Every fault at every action, once and for ever."""
    for action in (*READS, *CANCELS):
        for rule, seed, timeout in grid_rules("schedules", "alibaba", action, reads=action in READS):
            yield Case(seed=seed, faults=(rule,), timeout=timeout)


def play(case: Case, home: Path) -> Played:
    """Cancel both with the faults, let two days go by, resume without faults, let two days go by."""
    with Outside(home, seed=1) as outside:
        daily = outside.add("alibaba", repeat="Period", frequency="rate(1d)", targets={"scheduled": 3}, runs_for=60)
        refs = (OOS_TIMER, daily)
        outside.box.log.clear()
        outside.faults(*case.faults)
        patience = ("--timeout", case.timeout, "--give-up-after", "8", "--lookup-timeout", "15")
        done = outside.run("cancel", *refs, *patience, "-o", "json", patience=300)
        requests, truth = outside.requests(), _truths(outside, refs)
        outside.faults()
        started = _started(outside, refs)
        operation = done.document.get("operation")
        resumed = None if operation is None else outside.run("cancel", "--resume", operation, "-o", "json")
        return Played(
            case=case,
            done=done,
            requests=requests,
            truth=truth,
            started=started,
            resumed=resumed,
            truth_resumed=_truths(outside, refs),
            started_resumed=_started(outside, refs),
        )


def _truths(outside: Outside, refs: Sequence[str]) -> dict[str, Any]:
    return {ref: outside.truth(ref) for ref in refs}


def _started(outside: Outside, refs: Sequence[str]) -> dict[str, int]:
    """How much each schedule starts in the next two days."""
    before = _rounds(outside, refs)
    outside.box.clock.advance(10.0)  # what was being cancelled has ended
    for _ in range(2):
        outside.box.clock.advance(_TWO_DAYS / 2)
        outside.truth(refs[0])
    after = _rounds(outside, refs)
    return {ref: after[ref] - before[ref] for ref in refs}


def _rounds(outside: Outside, refs: Sequence[str]) -> dict[str, int]:
    with outside.box.world.lock:
        book = outside.box.world.book("alibaba", 0, "cn-hangzhou")
        found = {}
        for ref in refs:
            run = book.runs[id_of(ref)]
            started = [target for target in run.targets if target.life.started(outside.box.clock.now()) is not None]
            past = sum(map(len, run.past.values())) if isinstance(run, Invocation) else 0
            children = sum(one.parent == run.id for one in book.runs.values())
            found[ref] = children + past + (len(started) if isinstance(run, Invocation) else 0)
    return found


def lies(played: Played) -> list[str]:
    """Every broken promise, in words; empty when there is none."""
    return list(_all(played))


def _all(played: Played) -> Iterator[str]:
    yield from stream_lies(played.done, played.requests)
    outcomes = {one["run"]: one for one in played.done.document["outcomes"]}
    for ref, truth in played.truth.items():
        if ref not in outcomes:
            yield f"{ref}: no outcome"
            continue
        yield from (f"{ref}: {lie}" for lie in _outcome(played, ref, outcomes[ref]["verdict"], truth))
    if played.resumed is None:
        return
    yield from (f"the resume: {lie}" for lie in stream_lies(played.resumed, ()))
    if played.resumed.code not in (0, 3, 8):
        yield f"the resume ended with {played.resumed.code}"
    for ref, outcome in outcomes.items():
        if outcome["before"] is not None and played.started_resumed[ref]:
            yield f"{ref}: it started {played.started_resumed[ref]} more after the resume"


def _outcome(played: Played, ref: str, verdict: str, truth: Any) -> Iterator[str]:
    requests = [one for one in played.requests if one["action"] in CANCELS and id_of(ref) in one["params"].values()]
    effective = any(one["effective"] for one in requests)
    states = {target["state"] for target in truth["targets"]}
    if verdict in ("stopped", "reported") and (states & _ACTIVE or played.started[ref]):
        yield f"said {verdict}, and it is {sorted(states)} and started {played.started[ref]} more"
    if f"{ref} was a schedule" in played.done.err and played.started[ref]:
        yield "said that it was a schedule, and it goes on"
    if verdict in ("failed", "skipped", "ended") and effective:
        yield f"said {verdict}, and the cancel was accepted"
    if verdict in ("requested", "partial", "stopped", "reported") and not effective:
        yield f"said {verdict}, and no cancel had effect"
    kinds = [one.partition("=")[2] for one in played.case.faults]
    if not requests and not any(one.startswith((*_REFUSES, *_HIDES)) for one in kinds):
        yield "never sent, and nothing stood in its way"


_CAMPAIGN = Campaign(
    case=case,
    grid=grid,
    play=play,
    lies=lies,
    figures=lambda _: {"cancels of schedules run with faults on the way": 1},
    at_once=4,
)


def test_whatever_fails_on_the_way_no_schedule_goes_on_that_is_reported_stopped(
    tmp_path: Path, soak: int, first_seed: int
) -> None:
    _CAMPAIGN.judge_random(tmp_path, first=first_seed, soak=soak, few=2)


def test_every_fault_at_every_action_of_schedules(tmp_path: Path, soak: int, *, whole_grid: bool) -> None:
    _CAMPAIGN.judge_grid(tmp_path, soak=soak, whole=whole_grid, few=3, dice=13)
