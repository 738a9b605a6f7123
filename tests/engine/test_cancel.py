"""Plan, ask, watch, judge: with clouds in memory and a clock moved by hand."""

import signal
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from queue import SimpleQueue
from typing import TypeVar

import pytest
from fakes import (
    COMMAND,
    PATCH,
    SCRIPT,
    WINDOW,
    FakeCloud,
    FakeClouds,
    HandClock,
    Life,
    Reply,
    Told,
    hand_workers,
    row,
    seen,
)
from msgspec import structs

from runcancel.config import references
from runcancel.engine.cancel import Admit, CancelSetup, carry_out
from runcancel.engine.events import CombinedProgress, Shielded
from runcancel.engine.planning import plan
from runcancel.engine.retry import WaitPolicy
from runcancel.engine.tracker import RunTracker, Step
from runcancel.errors import CloudError, Interrupted, Refused
from runcancel.model.leases import Claim, Lease
from runcancel.model.outcomes import CancelResponse, Outcome, PlanItem
from runcancel.model.runs import Invocation, Ref, Run, Snapshot
from runcancel.model.states import Effect, Reason, State, Verdict
from runcancel.providers.base import Cloud
from runcancel.runtime.throttle import StoppableClock
from runcancel.runtime.workers import Workers

AUTOMATION = "aws:us-east-2:automation/6a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d"
P, R, C = State.PENDING, State.RUNNING, State.CANCELLING
X, T, S = State.CANCELLED, State.TERMINATED, State.SUCCEEDED
WATCH, NO_WAIT, LOOK_ONCE = WaitPolicy(), WaitPolicy(wait=False), WaitPolicy(timeout=0)
Fleet = tuple[State, Mapping[str, State]]
Item = TypeVar("Item")


def life(ref: str, *, before: Fleet, after: Fleet, takes: float = 0.0, between: Fleet | None = None) -> Life:
    """A run that stands at `before`, and `takes` seconds after a cancel at `after`."""

    def at(since: float | None) -> Snapshot:
        if since is None:
            return seen(ref, *before)
        return seen(ref, *(after if since >= takes else between or before))

    return at


def stops(ref: str, takes: float = 0.0) -> Life:
    return life(ref, before=(R, {"a": P, "b": R}), after=(X, {"a": X, "b": T}), takes=takes)


def deaf(ref: str) -> Life:
    return life(ref, before=(R, {"a": R}), after=(R, {"a": R}))


class Stage:
    """Runs in memory, a cancel of all of them, and what it did."""

    def __init__(self, lives: Mapping[str, Life], replies: Mapping[str, Sequence[Reply]] | None = None) -> None:
        self.clock: HandClock
        self.clock, self.workers = hand_workers()
        self.lives = lives
        self.clouds: dict[str, FakeCloud] = {}
        for ref in lives:
            scope = references.full(ref).scope
            known = {one: each for one, each in lives.items() if references.full(one).scope == scope}
            told = {one: each for one, each in (replies or {}).items() if references.full(one).scope == scope}
            self.clouds[str(scope)] = FakeCloud(self.clock, known, told)
        self.told = Told()
        self.outcomes: list[Outcome] = []

    def items(self, targets: Sequence[str] = ()) -> list[PlanItem]:
        snapshots = [each(None) for each in self.lives.values()]
        return [plan(one, targets) for one in snapshots if isinstance(one, Snapshot)]

    def carry_out(self, patience: WaitPolicy = WATCH, *, targets: Sequence[str] = ()) -> list[Outcome]:
        return self.carry(self.items(targets), patience)

    def carry(
        self, items: Sequence[PlanItem], patience: WaitPolicy = WATCH, *, admit: Admit | None = None
    ) -> list[Outcome]:
        clouds: dict[str, Cloud] = dict(self.clouds)
        connected = FakeClouds(clouds, self.workers)
        for outcome in carry_out(items, self.setup(connected, patience, admit)):
            self.outcomes.append(outcome)
        return self.outcomes

    def setup(self, clouds: FakeClouds, patience: WaitPolicy = WATCH, admit: Admit | None = None) -> CancelSetup:
        return CancelSetup(clouds=clouds, workers=self.workers, policy=patience, progress=self.told, admit=admit)

    def one(self, patience: WaitPolicy = WATCH, *, targets: Sequence[str] = ()) -> Outcome:
        (outcome,) = self.carry_out(patience, targets=targets)
        return outcome

    @property
    def log(self) -> list[tuple[str, tuple[str, ...]]]:
        (cloud,) = self.clouds.values()
        return cloud.log

    @property
    def moments(self) -> list[float]:
        """Seconds after the first request, per request."""
        (cloud,) = self.clouds.values()
        return [round(moment - cloud.moments[0], 3) for moment in cloud.moments]

    @property
    def took(self) -> float:
        return self.clock.now - 1000.0

    def verbs(self) -> str:
        return " ".join(verb for verb, _ in self.log)


def effects(outcome: Outcome) -> dict[str | None, Effect]:
    return {one.target: one.effect for one in outcome.invocations}


def error(reason: Reason) -> CloudError:
    return CloudError(reason, f"the cloud said {reason}", request_id="req-9")


def refusing(reason: Reason, *, works: bool = False, ids: tuple[str, ...] = ()) -> Reply:
    return Reply(ids=ids, error=error(reason), works=works)


@pytest.mark.parametrize(
    ("fleet", "targets", "ask", "why"),
    [
        ((R, {"a": R}), (), True, "it is running"),
        ((P, {}), (), True, "it is pending"),
        ((State.SCHEDULED, {"a": State.SCHEDULED}), (), True, "it is scheduled"),
        ((State.UNKNOWN, {"a": R}), (), True, "it is unknown"),
        ((S, {"a": S}), (), False, "it has ended (succeeded)"),
        ((X, {"a": X}), (), False, "it has ended (cancelled)"),
        ((X, {"a": R}), (), True, "its state is cancelled, but a target is running"),
        ((X, {"a": C}), (), False, "already being cancelled"),
        ((C, {"a": C, "b": S}), (), False, "already being cancelled"),
        ((C, {"a": C, "b": R}), (), True, "its state is cancelling, but a target is running"),
        ((C, {"a": C, "b": P}), (), True, "its state is cancelling, but a target is pending"),
        ((C, {"a": C, "b": State.UNKNOWN}), (), True, "its state is cancelling, but a target is unknown"),
        ((C, {"a": C, "b": R}), ("a",), False, "already being cancelled"),
        ((C, {"a": C, "b": R}), ("b",), True, "its state is cancelling, but a target is running"),
        ((C, {}), (), False, "already being cancelled"),
        ((R, {"a": S}), (), True, "it is running"),
        ((R, {"a": S, "b": R}), ("a",), False, "every selected target has ended"),
        ((R, {"a": S, "b": R}), ("a", "b"), True, "it is running"),
        ((C, {"a": S, "b": R}), ("a",), False, "every selected target has ended"),
    ],
)
def test_what_is_asked_and_why(fleet: Fleet, targets: tuple[str, ...], ask: bool, why: str) -> None:
    item = plan(seen(PATCH, *fleet), targets)

    assert (item.ask, why in item.why) == (ask, True)
    assert [one.target for one in item.invocations] == [name for name in fleet[1] if not targets or name in targets]


@pytest.mark.parametrize(
    ("ref", "ask"), [(PATCH, True), (SCRIPT, True), (COMMAND, True), (WINDOW, False), (AUTOMATION, False)]
)
@pytest.mark.parametrize(("targets", "count"), [({"a": C, "b": P}, 2), ({"a": C}, 2)])
def test_a_run_of_which_one_target_is_being_stopped_is_cancelled(
    ref: str, ask: bool, targets: Mapping[str, State], count: int
) -> None:
    snapshot = seen(ref, C, targets, target_count=count)

    assert (plan(snapshot).ask, snapshot.run.cancellable) == (ask, ask)


def test_a_plan_says_what_the_guarantee_lets_one_expect() -> None:
    item = plan(seen(WINDOW, R, {"a": P, "b": R}, target_count=7))

    assert [one.expected for one in item.invocations] == [Effect.CANCELLED, Effect.KEPT_RUNNING]
    assert (item.not_listed, item.counts) == (5, {P: 1, R: 1})
    assert "Running tasks run to completion" in item.promise


def test_all_are_asked_before_any_is_watched() -> None:
    others = [f"tencent:ap-guangzhou:invocation/inv-0000000{number}" for number in range(5)]
    stage = Stage({ref: stops(ref) for ref in others})

    outcomes = stage.carry_out()

    assert stage.verbs() == "cancel cancel cancel cancel cancel read"
    assert stage.log[-1][1] == tuple(references.full(ref).id for ref in others)
    assert [one.verdict for one in outcomes] == [Verdict.STOPPED] * 5
    assert stage.told.words[:6] == ["planned"] + ["responded"] * 5
    assert stage.told.words[-1] == "closed"
    assert stage.told.words.count("judged") == 5


def test_what_was_seen_is_told_for_every_target() -> None:
    outcome = Stage({PATCH: stops(PATCH, takes=2.0)}).one()

    assert effects(outcome) == {"a": Effect.CANCELLED, "b": Effect.TERMINATED}
    assert (outcome.verdict, outcome.before, outcome.after) == (Verdict.STOPPED, R, T)
    assert outcome.request_ids == ("req-1",)
    assert outcome.seconds is not None
    assert 2.0 <= outcome.seconds < 2.7


def test_a_run_that_was_over_is_ended_and_nothing_is_sent() -> None:
    stage = Stage({PATCH: life(PATCH, before=(S, {"a": S}), after=(S, {"a": S}))})

    outcome = stage.one()

    assert (outcome.verdict, outcome.request_ids, stage.log) == (Verdict.ENDED, (), [])
    assert [(one.effect, one.confirmed) for one in outcome.invocations] == [(Effect.ALREADY_ENDED, True)]


def test_a_run_whose_listed_targets_have_ended_is_asked_all_the_same() -> None:
    more = life(COMMAND, before=(R, {"a": S}), after=(X, {"a": S, "b": X}))

    stage = Stage({COMMAND: more})
    outcome = stage.one()

    assert stage.verbs() == "cancel read"
    assert (outcome.verdict, effects(outcome)) == (
        Verdict.STOPPED,
        {"a": Effect.ALREADY_ENDED, "b": Effect.CANCELLED},
    )


@pytest.mark.parametrize("targets", [({"a": C}, {"a": X}), ({}, {}), ({"a": S}, {"a": S})])
def test_a_run_that_is_being_cancelled_is_watched_and_not_asked_again(
    targets: tuple[Mapping[str, State], Mapping[str, State]],
) -> None:
    before, after = targets
    looks = iter([(C, before), (C, before), (X, after)])  # the first is the plan's
    stage = Stage({PATCH: lambda since: seen(PATCH, *next(looks))})

    outcome = stage.one()

    assert stage.verbs() == "read read"
    assert outcome.verdict is Verdict.STOPPED
    assert (outcome.request_ids, outcome.seconds) == ((), None)


def test_selected_targets_are_sent_and_they_alone_decide() -> None:
    part = life(PATCH, before=(R, {"a": R, "b": R}), after=(R, {"a": T, "b": R}))
    stage = Stage({PATCH: part})

    outcome = stage.one(targets=("a",))

    assert stage.log[0] == ("cancel", ("inv-ib2lld37", "a"))
    assert (outcome.verdict, effects(outcome)) == (Verdict.STOPPED, {"a": Effect.TERMINATED})


def test_targets_that_have_ended_are_not_sent() -> None:
    part = life(PATCH, before=(R, {"a": R, "b": S, "c": P}), after=(X, {"a": T, "b": S, "c": X}))
    stage = Stage({PATCH: part})

    outcome = stage.one(targets=("a", "b", "c"))

    assert stage.log[0] == ("cancel", ("inv-ib2lld37", "a", "c"))
    assert effects(outcome) == {"a": Effect.TERMINATED, "b": Effect.ALREADY_ENDED, "c": Effect.CANCELLED}


def test_a_target_that_runs_again_is_sent() -> None:
    rows = [row("a", S, id="x"), row("a", R, id="y"), row("b", R, id="z")]
    stage = Stage({PATCH: lambda since: seen(PATCH, R, rows)})

    stage.one(LOOK_ONCE, targets=("a",))

    assert stage.log[0] == ("cancel", ("inv-ib2lld37", "a"))


@pytest.mark.parametrize(("ids", "verdict"), [(("req-1",), Verdict.PARTIAL), ((), Verdict.FAILED)])
@pytest.mark.parametrize("reason", [Reason.INVALID, Reason.NOT_FOUND])
def test_targets_that_the_cloud_refuses_are_not_sent_again(
    reason: Reason, ids: tuple[str, ...], verdict: Verdict
) -> None:
    refusal = CloudError(reason, "no such instance", targets=("b",))
    after = (R, {"a": T if ids else R, "b": R})
    stage = Stage(
        {PATCH: life(PATCH, before=(R, {"a": R, "b": R}), after=after)}, {PATCH: [Reply(ids=ids, error=refusal)]}
    )

    outcome = stage.one(targets=("a", "b"))

    assert sum(verb == "cancel" for verb, _ in stage.log) == 1
    assert outcome.verdict is verdict
    assert effects(outcome) == {"a": Effect.TERMINATED if ids else Effect.UNKNOWN, "b": Effect.UNKNOWN}


def test_a_tasks_placeholder_is_replaced_by_its_rows() -> None:
    before = seen(WINDOW, R, [row("i-1", R, id="x", task="t1"), row("", P, id="t2", task="t2")])
    after = seen(WINDOW, X, [row("i-1", S, id="x", task="t1"), row("i-2", X, id="y", task="t2")])

    outcome = Stage({WINDOW: lambda since: before if since is None else after}).one()

    assert outcome.verdict is Verdict.STOPPED
    assert [(one.id, one.effect) for one in outcome.invocations] == [
        ("x", Effect.ALREADY_ENDED),
        ("y", Effect.CANCELLED),
    ]


def test_targets_that_are_never_listed_are_said() -> None:
    outcome = Stage({WINDOW: lambda since: seen(WINDOW, R if since is None else X, {}, target_count=4)}).one()

    assert (outcome.verdict, outcome.not_listed) == (Verdict.REPORTED, 4)
    assert [(one.effect, one.confirmed) for one in outcome.invocations] == [(Effect.CANCELLED, False)]


def test_a_window_whose_running_tasks_go_on_is_partial_in_seconds() -> None:
    going_on = life(WINDOW, before=(R, {"a": P, "b": R}), after=(C, {"a": X, "b": R}))
    stage = Stage({WINDOW: going_on})

    outcome = stage.one(WaitPolicy(timeout=3600))

    assert outcome.verdict is Verdict.PARTIAL
    assert effects(outcome) == {"a": Effect.CANCELLED, "b": Effect.KEPT_RUNNING}
    assert 3.0 <= stage.took <= 4.0
    assert stage.log.count(stage.log[-1]) >= 3


def test_what_is_seen_cancelling_begins_the_three_seconds_anew() -> None:
    slow = life(
        SCRIPT,
        before=(R, {"a": R, "b": R}),
        between=(R, {"a": C, "b": R}),
        after=(R, {"a": X, "b": R}),
        takes=10.0,
    )
    stage = Stage({SCRIPT: slow})

    outcome = stage.one(WaitPolicy(timeout=3600))

    assert effects(outcome) == {"a": Effect.CANCELLED, "b": Effect.KEPT_RUNNING}
    assert 13.0 <= stage.took <= 20.0


@pytest.mark.parametrize("timeout", [0.0, 1.0, 2.9])
def test_nothing_is_said_to_keep_running_before_its_time(timeout: float) -> None:
    outcome = Stage({WINDOW: deaf(WINDOW)}).one(WaitPolicy(timeout=timeout))

    assert (outcome.verdict, effects(outcome)) == (Verdict.REQUESTED, {"a": Effect.UNKNOWN})


@pytest.mark.parametrize("ref", [COMMAND, PATCH])
def test_elsewhere_what_still_runs_at_the_end_is_stopping(ref: str) -> None:
    stage = Stage({ref: deaf(ref)})

    outcome = stage.one()

    assert (outcome.verdict, effects(outcome)) == (Verdict.REQUESTED, {"a": Effect.STOPPING})
    assert 60.0 <= stage.took < 61.0


def test_looks_grow_apart_up_to_five_seconds() -> None:
    stage = Stage({PATCH: deaf(PATCH)})

    stage.one()

    reads = stage.moments[1:]
    pauses = [later - sooner for sooner, later in zip([0.0, *reads], reads, strict=False)]
    assert pauses[:3] == pytest.approx([0.5, 0.5, 0.5], abs=0.11)
    assert all(later >= sooner - 0.11 for sooner, later in pairwise(pauses))
    assert max(pauses) <= 5.11
    assert 15 <= len(reads) <= 30


def test_timeout_zero_looks_once() -> None:
    stage = Stage({PATCH: deaf(PATCH)})

    outcome = stage.one(LOOK_ONCE)

    assert (stage.verbs(), outcome.verdict, outcome.after) == ("cancel read", Verdict.REQUESTED, R)
    assert stage.took < 0.2


def test_without_waiting_nothing_is_looked_at() -> None:
    stage = Stage({PATCH: stops(PATCH)})

    outcome = stage.one(NO_WAIT)

    assert (stage.verbs(), outcome.verdict, outcome.after) == ("cancel", Verdict.REQUESTED, None)
    assert set(effects(outcome).values()) == {Effect.STOPPING}


def test_each_run_has_its_verdict_when_it_is_due() -> None:
    slow, quick = PATCH, "tencent:ap-guangzhou:invocation/inv-quick001"
    stage = Stage({slow: stops(slow, takes=20), quick: stops(quick, takes=1)})

    outcomes = stage.carry_out()

    assert [str(one.run) for one in outcomes] == [quick, slow]
    assert stage.log[-1] == ("read", ("inv-ib2lld37",))


def test_a_look_that_fails_is_made_again_and_what_was_seen_counts() -> None:
    def flaky(since: float | None) -> Snapshot | CloudError:
        if since is not None and 1 < since < 5:
            return error(Reason.DOWN)
        return stops(PATCH, takes=4.0)(since)

    outcome = Stage({PATCH: flaky}).one()

    assert (outcome.verdict, outcome.error) == (Verdict.STOPPED, None)


def test_a_run_that_could_not_be_seen_again_is_requested_and_says_why() -> None:
    stage = Stage({PATCH: lambda since: seen(PATCH, R, {"a": R}) if since is None else error(Reason.DENIED)})

    outcome = stage.one(WaitPolicy(timeout=5))

    assert (outcome.verdict, outcome.after) == (Verdict.REQUESTED, None)
    assert outcome.error is not None
    assert outcome.error.code is Reason.DENIED
    assert stage.took < 25


@pytest.mark.parametrize(("timeout", "most"), [(0, 2), (3, 7), (10, 22), (30, 47)])
def test_a_short_timeout_is_not_exceeded_by_a_long_wait_for_the_first_reading(timeout: float, most: float) -> None:
    stage = Stage({PATCH: lambda since: seen(PATCH, R, {"a": R}) if since is None else error(Reason.DOWN)})

    outcome = stage.one(WaitPolicy(timeout=timeout))

    assert (outcome.verdict, outcome.after) == (Verdict.REQUESTED, None)
    assert stage.took <= most


@pytest.mark.parametrize(
    ("replies", "after", "verbs", "verdict"),
    [
        # a 5xx that worked: what only a cancel does was seen, so it is watched and not asked again
        ([refusing(Reason.DOWN, works=True)], (X, {"a": X, "b": T}), "cancel read", Verdict.STOPPED),
        ([refusing(Reason.LOST, works=True)], (C, {"a": C, "b": C}), "cancel read read", Verdict.REQUESTED),
        # a lost answer to a request that did nothing is repeated, each time after a read
        ([refusing(Reason.LOST)], (X, {"a": X, "b": T}), "cancel read cancel read", Verdict.STOPPED),
        (
            [refusing(Reason.UNPROVEN), refusing(Reason.DOWN)],
            (X, {"a": X, "b": T}),
            "cancel read cancel read cancel read",
            Verdict.STOPPED,
        ),
        ([refusing(Reason.BUSY)] * 9, (X, {"a": X, "b": T}), "cancel read " * 10, Verdict.STOPPED),
        ([refusing(Reason.UNREACHABLE)] * 3, (X, {"a": X, "b": T}), "cancel read " * 4, Verdict.STOPPED),
        # "not in a stoppable state" may mean stopped
        ([refusing(Reason.NOT_CANCELLABLE, works=True)], (T, {"a": T, "b": T}), "cancel read", Verdict.STOPPED),
        ([refusing(Reason.NOT_CANCELLABLE, works=True)], (S, {"a": S, "b": S}), "cancel read", Verdict.ENDED),
        ([refusing(Reason.NOT_CANCELLABLE)], (R, {"a": R, "b": R}), "cancel read", Verdict.FAILED),
        ([refusing(Reason.INVALID)], (R, {}), "cancel read", Verdict.FAILED),
        # a run that its cloud shows and does not know of is fresh
        ([refusing(Reason.NOT_FOUND)] * 2, (X, {"a": X, "b": T}), "cancel read " * 3, Verdict.STOPPED),
        # credentials are final
        ([refusing(Reason.DENIED)], (R, {}), "cancel", Verdict.FAILED),
        ([refusing(Reason.EXPIRED_CREDENTIALS)], (R, {}), "cancel", Verdict.FAILED),
        ([refusing(Reason.NO_CREDENTIALS)], (R, {}), "cancel", Verdict.FAILED),
        ([refusing(Reason.BAD_CREDENTIALS)], (R, {}), "cancel", Verdict.FAILED),
    ],
)
def test_an_error_to_a_cancel_is_never_final_by_itself(
    replies: list[Reply], after: Fleet, verbs: str, verdict: Verdict
) -> None:
    fate = life(PATCH, before=(R, {"a": R, "b": R}), after=after)
    stage = Stage({PATCH: fate}, {PATCH: replies})

    outcome = stage.one()

    assert outcome.verdict is verdict
    assert f"{stage.verbs()} ".startswith(f"{verbs.strip()} ")
    if verdict is Verdict.FAILED:
        assert stage.verbs() == verbs
        assert outcome.error is not None
        assert (outcome.error.request_id, str(outcome.error.ref)) == ("req-9", PATCH)


def test_a_lost_answer_is_repeated_though_the_state_cannot_be_read() -> None:
    stage = Stage({PATCH: lambda since: seen(PATCH, R, {"a": R})})
    items = stage.items()
    blind = FakeCloud(stage.clock, {PATCH: lambda since: error(Reason.DOWN)}, {PATCH: [refusing(Reason.LOST)] * 3})
    stage.clouds["tencent:ap-guangzhou"] = blind

    (outcome,) = stage.carry(items)

    assert stage.verbs().startswith("cancel read cancel read cancel read cancel read")
    assert (outcome.verdict, outcome.request_ids) == (Verdict.REQUESTED, ("req-1",))


@pytest.mark.parametrize("reason", [Reason.DENIED, Reason.INVALID])
def test_the_accepted_part_of_a_request_is_watched_and_the_refused_part_is_told(reason: Reason) -> None:
    half = life(PATCH, before=(R, {"a": R, "b": R}), after=(R, {"a": T, "b": R}))
    stage = Stage({PATCH: half}, {PATCH: [refusing(reason, works=True, ids=("req-1",))]})

    outcome = stage.one(targets=("a", "b"))

    assert (outcome.verdict, outcome.request_ids) == (Verdict.PARTIAL, ("req-1",))
    assert outcome.error is not None
    assert outcome.error.code is reason
    assert effects(outcome)["a"] is Effect.TERMINATED


@pytest.mark.parametrize("reason", [Reason.BUSY, Reason.LOST, Reason.DOWN, Reason.UNREACHABLE])
def test_the_part_that_shows_no_effect_is_sent_again_alone(reason: Reason) -> None:
    half = life(
        PATCH, before=(R, {"a": R, "b": R}), between=(R, {"a": T, "b": R}), after=(X, {"a": T, "b": X}), takes=4
    )
    stage = Stage({PATCH: half}, {PATCH: [refusing(reason, works=True, ids=("req-1",))]})

    outcome = stage.one(targets=("a", "b"))

    cancels = [words for verb, words in stage.log if verb == "cancel"]
    assert cancels == [("inv-ib2lld37", "a", "b"), ("inv-ib2lld37", "b")]
    assert (outcome.verdict, outcome.request_ids) == (Verdict.STOPPED, ("req-1", "req-1"))


CERTAIN = [Reason.BUSY, Reason.UNREACHABLE]


@pytest.mark.parametrize("reason", [*CERTAIN, Reason.LOST, Reason.DOWN, Reason.NOT_FOUND])
@pytest.mark.parametrize("sign", [T, C])
@pytest.mark.parametrize("ref", [PATCH, COMMAND])
def test_one_target_that_somebody_else_stops_does_not_keep_a_cancel_back(ref: str, sign: State, reason: Reason) -> None:
    looks = iter([seen(ref, R, {"a": R, "b": R})])  # the plan's
    part = seen(ref, C if sign is C else R, {"a": sign, "b": R})
    done = seen(ref, X, {"a": T, "b": T})
    stage = Stage({ref: lambda since: done if since is not None else next(looks, part)}, {ref: [refusing(reason)] * 3})

    outcome = stage.one()

    assert stage.verbs().split() == ["cancel", "read"] * 4
    assert (outcome.verdict, outcome.request_ids) == (Verdict.STOPPED, ("req-1",))


@pytest.mark.parametrize("reason", CERTAIN)
@pytest.mark.parametrize(
    ("ref", "targets"), [(WINDOW, {"a": C, "b": R}), (AUTOMATION, {"a": R}), (PATCH, {"a": C, "b": S})]
)
def test_a_run_that_somebody_else_cancels_meanwhile_is_not_sent_again(
    ref: str, targets: Mapping[str, State], reason: Reason
) -> None:
    looks = iter([seen(ref, R, dict.fromkeys(targets, R)), *[seen(ref, C, targets)] * 2])
    done = seen(ref, X, dict.fromkeys(targets, X))
    stage = Stage({ref: lambda since: next(looks, done)}, {ref: [refusing(reason)] * 3})

    outcome = stage.one()

    assert stage.verbs().split().count("cancel") == 1
    assert (outcome.verdict, outcome.request_ids, outcome.error) == (Verdict.STOPPED, (), None)


@pytest.mark.parametrize(
    ("ref", "state", "targets", "sent"),
    [
        (PATCH, C, {"a": C, "b": R}, True),
        (PATCH, R, {"a": T, "b": R}, True),
        (PATCH, C, {"a": C, "b": C}, False),
        (PATCH, R, {"a": T, "b": S}, False),
        (WINDOW, C, {"a": C, "b": R}, False),
        (WINDOW, R, {"a": R, "b": R}, True),
    ],
)
def test_a_run_whose_lease_came_to_nothing_is_sent_unless_a_cancel_of_all_is_at_work(
    ref: str, state: State, targets: Mapping[str, State], sent: bool
) -> None:
    claim = Claim(operation="01", user="ops", host="bastion", since=datetime(2026, 11, 28, tzinfo=UTC))
    tracker = RunTracker(plan(seen(ref, R, dict.fromkeys(targets, R))), WATCH)
    tracker.begin(0.0, waiting=False)
    tracker.respect(Lease(claim=claim, accepted=True, live=True), 0.0)
    tracker.record_reading(seen(ref, state, targets), 1.0)

    assert (tracker.overtake(), tracker.step is Step.DUE) == (sent, sent)


def test_throttled_runs_are_given_up_after_their_own_time() -> None:
    stage = Stage({PATCH: deaf(PATCH)}, {PATCH: [refusing(Reason.BUSY)] * 99})

    outcome = stage.one(WaitPolicy(give_up_after=7.0))

    assert outcome.verdict is Verdict.FAILED
    assert outcome.error is not None
    assert outcome.error.code is Reason.BUSY
    assert 7.0 <= stage.took < 8.0


def test_without_an_end_a_throttled_run_is_tried_until_it_is_accepted() -> None:
    stage = Stage({PATCH: stops(PATCH)}, {PATCH: [refusing(Reason.UNREACHABLE)] * 60})

    outcome = stage.one(WaitPolicy(give_up_after=0))

    assert outcome.verdict is Verdict.STOPPED
    assert stage.took > 900


@pytest.mark.parametrize("reason", [Reason.DOWN, Reason.LOST, Reason.UNPROVEN, Reason.NOT_FOUND])
def test_what_stays_in_doubt_is_tried_until_the_timeout(reason: Reason) -> None:
    stage = Stage({PATCH: deaf(PATCH)}, {PATCH: [refusing(reason)] * 99})

    outcome = stage.one(WaitPolicy(timeout=30.0))

    assert outcome.error is not None
    assert outcome.error.code is reason
    assert 30.0 <= stage.took < 31.0
    pauses = [later - sooner for sooner, later in pairwise(stage.moments[::2])]
    assert 1.0 <= pauses[0] < 1.7
    assert max(pauses) <= 20.1
    assert stage.verbs().replace("cancel read", "").strip() == ""


def test_a_timeout_of_nothing_is_one_try() -> None:
    for reason in (Reason.BUSY, Reason.DOWN, Reason.UNREACHABLE, Reason.LOST):
        stage = Stage({PATCH: deaf(PATCH)}, {PATCH: [refusing(reason)] * 9})

        stage.one(LOOK_ONCE)

        assert stage.verbs() == "cancel read"


def test_a_servers_word_on_when_to_come_again_is_heeded() -> None:
    patient = CloudError(Reason.BUSY, "slow down", retry_after=11.0)
    stage = Stage({PATCH: stops(PATCH)}, {PATCH: [Reply(ids=(), error=patient, works=False)]})

    stage.one()

    assert stage.moments[1] == pytest.approx(11.0, abs=0.2)


def test_a_run_that_ended_meanwhile_is_not_sent_again() -> None:
    reads = iter([seen(PATCH, R, {"a": R}), seen(PATCH, S, {"a": S})])
    stage = Stage({PATCH: lambda since: next(reads)}, {PATCH: [refusing(Reason.BUSY)] * 9})

    outcome = stage.one()

    assert (stage.verbs(), outcome.verdict) == ("cancel read", Verdict.ENDED)


def test_not_found_by_the_reading_as_well_is_not_found() -> None:
    gone = CloudError(Reason.NOT_FOUND, "not found")
    reads = iter([seen(PATCH, R, {"a": R}), gone])
    stage = Stage({PATCH: lambda since: next(reads)}, {PATCH: [refusing(Reason.NOT_FOUND)] * 9})

    outcome = stage.one()

    assert (stage.verbs(), outcome.verdict) == ("cancel read", Verdict.FAILED)
    assert outcome.error is not None
    assert outcome.error.code is Reason.NOT_FOUND


MANY = [f"tencent:ap-guangzhou:invocation/inv-0000000{number}" for number in range(9)]


class Broken(Told):
    """A progress that breaks at the nth word of one kind."""

    def __init__(self, word: str, nth: int = 0) -> None:
        super().__init__()
        self.at = (word, nth)

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        super().responded(ref, answer)
        self._break("responded")

    def observed(self, ref: Ref, run: Run, invocations: Sequence[Invocation]) -> None:
        super().observed(ref, run, invocations)
        self._break("observed")

    def judged(self, outcome: Outcome) -> None:
        super().judged(outcome)
        self._break("judged")

    def _break(self, word: str) -> None:
        if self.at == (word, self.words.count(word) - 1):
            raise MemoryError


@pytest.mark.parametrize("word", ["responded", "observed"])
@pytest.mark.parametrize("nth", [0, 2])
def test_every_run_has_an_outcome_whatever_breaks(word: str, nth: int) -> None:
    """What was accepted is never lost from the report."""
    stage = Stage({ref: stops(ref, takes=2.0) for ref in MANY})
    stage.told = Broken(word, nth)

    with pytest.raises(MemoryError):
        stage.carry_out()

    assert sorted(str(one.run) for one in stage.outcomes) == sorted(MANY)
    sent = {words[0] for verb, words in stage.log if verb == "cancel"}
    for one in stage.outcomes:
        assert (one.verdict is Verdict.SKIPPED) is (one.run.text.rpartition("/")[2] not in sent)


@pytest.mark.parametrize("word", ["responded", "observed", "judged"])
def test_no_cancel_waits_for_a_screen(word: str) -> None:
    stage = Stage({ref: stops(ref) for ref in MANY})
    stage.told = Shielded(Broken(word))  # type: ignore[assignment]
    connected = FakeClouds(dict(stage.clouds), stage.workers)

    outcomes = list(carry_out(stage.items(), stage.setup(connected)))

    assert {one.verdict for one in outcomes} == {Verdict.STOPPED}
    assert len(outcomes) == len(MANY)


def test_a_bug_beneath_a_cancel_is_in_doubt_and_ends_no_other() -> None:
    stage = Stage({ref: stops(ref) for ref in MANY})

    def broken(verb: str, ref: Ref) -> None:
        if verb == "cancel" and str(ref) == MANY[3]:
            raise ZeroDivisionError

    stage.clouds["tencent:ap-guangzhou"].on_call = broken
    outcomes = {str(one.run): one for one in stage.carry_out()}

    assert outcomes.pop(MANY[3]).verdict is Verdict.IN_DOUBT
    assert {one.verdict for one in outcomes.values()} == {Verdict.STOPPED}


class TurnClock(HandClock):
    """Threads wait in `hang` until the caller has nothing else to do; then one of them goes on, `seconds` later."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._turn = threading.Semaphore(0)
        self._waiting = 0

    def hang(self, verb: str, ref: Ref) -> None:
        self._waiting += 1
        self._turn.acquire()

    def take(self, inbox: SimpleQueue[Item], timeout: float) -> Item:
        if inbox.empty() and self._waiting:
            self._waiting -= 1
            self.now += self._seconds
            self._turn.release()
            return inbox.get(timeout=5)
        if inbox.empty():
            threading.Event().wait(0.002)  # a thread may be on its way
        return super().take(inbox, timeout)


def test_a_scope_that_is_silent_for_the_timeout_is_given_up_as_a_whole() -> None:
    lives = {ref: lambda since: error(Reason.LOST) for ref in MANY}
    stage = Stage(lives, {ref: [refusing(Reason.LOST)] * 99 for ref in MANY})
    stage.clock = clock = TurnClock(20.0)
    stage.workers = Workers(clock)

    def hang(verb: str, ref: Ref) -> None:
        stage.workers.record_response(ref.scope, responsive=False)  # as the pace of a real scope reports it
        clock.hang(verb, ref)

    stage.clouds["tencent:ap-guangzhou"].on_call = hang

    outcomes = stage.carry([plan(seen(ref, R, {"a": R})) for ref in MANY])

    assert len(outcomes) == 9
    assert stage.took < 130
    sent = {words[0] for verb, words in stage.log if verb == "cancel"}
    codes = {one.run.text.rpartition("/")[2]: one.error.code for one in outcomes if one.error}
    assert codes == {references.full(ref).id: Reason.LOST for ref in MANY}
    assert 0 < len(sent) < 9
    for one in outcomes:
        text = one.error.message if one.error else ""
        assert ("nothing was sent" in text) is (one.run.text.rpartition("/")[2] not in sent)


def test_one_lost_answer_between_others_gives_up_no_scope() -> None:
    stage = Stage({ref: stops(ref) for ref in MANY}, {MANY[4]: [refusing(Reason.LOST)]})

    assert {one.verdict for one in stage.carry_out()} == {Verdict.STOPPED}


def test_accepted_runs_are_watched_while_others_are_sent() -> None:
    """Cancels leave one by one; the first run has its verdict before the last is sent."""
    many = [f"tencent:ap-guangzhou:invocation/inv-000000{number:02}" for number in range(40)]
    stage = Stage({ref: stops(ref) for ref in many})
    stage.workers = Workers(StoppableClock())
    cloud = stage.clouds["tencent:ap-guangzhou"]
    one_by_one = threading.Lock()

    def rated(verb: str, ref: Ref) -> None:
        if verb == "cancel":
            with one_by_one:
                threading.Event().wait(0.03)

    cloud.on_call = rated
    outcomes = stage.carry_out()

    assert {one.verdict for one in outcomes} == {Verdict.STOPPED}
    words = stage.told.words
    assert words.index("judged") < len(words) - 1 - words[::-1].index("responded")


def test_a_scope_that_refuses_leaves_the_others_alone() -> None:
    stage = Stage({PATCH: stops(PATCH), SCRIPT: stops(SCRIPT)}, {PATCH: [refusing(Reason.DENIED)]})

    verdicts = {str(one.run): one.verdict for one in stage.carry_out()}

    assert verdicts == {PATCH: Verdict.FAILED, SCRIPT: Verdict.STOPPED}


TENCENT = [f"tencent:ap-guangzhou:invocation/inv-0000000{number}" for number in range(3)]


def interrupted(stage: Stage, patience: WaitPolicy = WATCH) -> dict[str, Outcome]:
    with pytest.raises(Interrupted):
        stage.carry_out(patience)
    assert stage.told.words[-1] == "closed"
    assert sorted(str(one.run) for one in stage.outcomes) == sorted(stage.lives)
    return {str(one.run): one for one in stage.outcomes}


def test_a_signal_before_asking_leaves_all_unasked() -> None:
    ended = "tencent:ap-guangzhou:invocation/inv-ended000"
    stage = Stage({ref: stops(ref) for ref in TENCENT} | {ended: life(ended, before=(S, {}), after=(S, {}))})
    stage.workers.signum = signal.SIGINT

    outcomes = interrupted(stage)

    assert stage.log == []
    assert [outcomes[ref].verdict for ref in (*TENCENT, ended)] == [Verdict.SKIPPED] * 3 + [Verdict.ENDED]
    assert all(one.error and one.error.code is Reason.INTERRUPTED for one in outcomes.values() if str(one.run) != ended)


def test_a_signal_while_asking_tells_asked_from_unasked() -> None:
    stage = Stage({ref: stops(ref) for ref in TENCENT})

    def second(verb: str, ref: Ref) -> None:
        if str(ref) == TENCENT[1]:
            stage.workers._on_signal(signal.SIGINT, None)
            stage.clock.stop()

    stage.clouds["tencent:ap-guangzhou"].on_call = second
    outcomes = interrupted(stage)

    assert [outcomes[ref].verdict for ref in TENCENT] == [Verdict.REQUESTED, Verdict.REQUESTED, Verdict.SKIPPED]
    assert stage.verbs() == "cancel cancel"


def test_a_request_in_flight_at_the_end_of_the_grace_is_in_doubt() -> None:
    stage = Stage({ref: stops(ref) for ref in TENCENT})
    stage.workers = Workers(StoppableClock())
    release = threading.Event()

    def hang(verb: str, ref: Ref) -> None:
        if str(ref) == TENCENT[0]:
            stage.workers._on_signal(signal.SIGINT, None)
            release.wait(5)

    stage.clouds["tencent:ap-guangzhou"].on_call = hang
    outcomes = interrupted(stage)
    release.set()

    assert outcomes[TENCENT[0]].verdict is Verdict.IN_DOUBT
    problem = outcomes[TENCENT[0]].error
    assert problem is not None
    assert "may or may not have been accepted" in problem.message


def test_a_signal_while_watching_judges_by_what_was_seen() -> None:
    stage = Stage({TENCENT[0]: stops(TENCENT[0]), TENCENT[1]: stops(TENCENT[1], takes=30), SCRIPT: deaf(SCRIPT)})

    def later(verb: str, ref: Ref) -> None:
        if verb == "read" and stage.took > 5:
            stage.workers.signum = signal.SIGTERM

    stage.clouds["tencent:ap-guangzhou"].on_call = later
    outcomes = interrupted(stage)

    assert outcomes[TENCENT[0]].verdict is Verdict.STOPPED
    assert outcomes[TENCENT[1]].verdict is Verdict.REQUESTED
    assert outcomes[SCRIPT].verdict is Verdict.PARTIAL
    assert stage.took < 8


def test_a_lost_answer_before_a_signal_stays_in_doubt() -> None:
    lost_then_stopped = [refusing(Reason.LOST), refusing(Reason.INTERRUPTED)]
    stage = Stage({PATCH: deaf(PATCH)}, {PATCH: lost_then_stopped})

    outcome = stage.one(LOOK_ONCE)

    assert outcome.verdict is Verdict.IN_DOUBT
    assert outcome.error is not None
    assert outcome.error.code is Reason.LOST


def test_a_cancel_that_never_began_is_skipped() -> None:
    outcome = Stage({PATCH: deaf(PATCH)}, {PATCH: [refusing(Reason.INTERRUPTED)]}).one(LOOK_ONCE)

    assert outcome.verdict is Verdict.SKIPPED


TASKS = [row("a", P, run=WINDOW), structs.replace(row("b", R, run=WINDOW), child=Ref.parse(COMMAND))]


def with_late_child(**more: Sequence[Reply]) -> tuple[Stage, PlanItem]:
    """A window that had started nothing when it was planned, and a command when it was asked."""
    by_child = {ref: life(ref, before=(R, {"b": R}), after=(X, {"b": T})) for ref in (COMMAND,)}

    def window(since: float | None) -> Snapshot:
        stopped = stage.clouds["aws:us-east-2"].log.count(("cancel", (references.full(COMMAND).id,)))
        rows = [row("a", X, run=WINDOW), structs.replace(TASKS[1], state=T if stopped else R)]
        return seen(WINDOW, R, TASKS) if since is None else seen(WINDOW, X if stopped else C, rows)

    stage = Stage({WINDOW: window, **by_child}, more)
    return stage, plan(seen(WINDOW, R, [row("a", P, run=WINDOW), row("b", P, run=WINDOW)]))


def test_what_a_window_started_between_the_look_and_its_cancel_is_asked_as_well() -> None:
    stage, item = with_late_child()
    admitted: list[Sequence[PlanItem]] = []

    outcomes = stage.carry([item], admit=admitted.append)

    assert {str(one.run): (one.verdict, one.parent and str(one.parent)) for one in outcomes} == {
        COMMAND: (Verdict.STOPPED, WINDOW),
        WINDOW: (Verdict.STOPPED, None),
    }
    assert [verb for verb, _ in stage.log if verb == "cancel"] == ["cancel", "cancel"]
    assert [[str(one.run) for one in items] for items in admitted] == [[WINDOW, COMMAND]]
    assert stage.told.words.count("planned") == 2


def test_what_is_not_admitted_is_not_asked() -> None:
    stage, item = with_late_child()

    def nobody(items: Sequence[PlanItem]) -> None:
        raise Refused("2 runs would be asked and at most 1 may be; nothing was sent")

    outcomes = {str(one.run): one for one in stage.carry([item], admit=nobody)}

    assert (outcomes[COMMAND].verdict, outcomes[WINDOW].verdict) == (Verdict.SKIPPED, Verdict.PARTIAL)
    assert outcomes[COMMAND].error is not None
    assert outcomes[COMMAND].error.code is Reason.REFUSED


def test_a_plan_is_never_more_than_it_holds() -> None:
    stage, item = with_late_child()

    outcomes = stage.carry([item])

    assert [str(one.run) for one in outcomes] == [WINDOW]
    assert stage.clouds["aws:us-east-2"].count("cancel") == 1


def test_what_was_started_late_and_cannot_be_read_is_asked_all_the_same() -> None:
    """The window says that it runs; an emergency stop does not need to read it first."""
    stage, item = with_late_child()
    cloud = stage.clouds["aws:us-east-2"]
    cloud._lives[references.full(COMMAND)] = lambda since: error(Reason.DENIED)

    outcomes = {str(one.run): one for one in stage.carry([item], WaitPolicy(timeout=5), admit=lambda items: None)}

    assert outcomes[COMMAND].verdict is Verdict.IN_DOUBT  # until a reading comes
    assert ("cancel", (references.full(COMMAND).id,)) in cloud.log


def test_several_listeners_are_told_the_same_in_their_order() -> None:
    one, other = Told(), Told()
    stage = Stage({PATCH: stops(PATCH)})
    stage.told = CombinedProgress(one, other)  # type: ignore[assignment]

    stage.one()
    CombinedProgress(one, other).tick()

    assert one.words == other.words
    assert one.words[-1] == "tick"


def test_what_is_on_its_way_already_is_watched_although_its_window_refused() -> None:
    """There was nothing to ask of it, so nothing is left undone."""
    by_ref = {
        WINDOW: life(WINDOW, before=(R, {"a": R}), after=(R, {"a": R})),
        COMMAND: life(COMMAND, before=(C, {"b": C}), after=(C, {"b": C})),
    }
    stage = Stage(by_ref, {WINDOW: [refusing(Reason.DENIED)]})
    items = stage.items()

    outcomes = {
        str(one.run): one
        for one in stage.carry([items[0], structs.replace(items[1], parent=Ref.parse(WINDOW))], LOOK_ONCE)
    }

    assert outcomes[WINDOW].verdict is Verdict.FAILED
    assert outcomes[COMMAND].verdict is Verdict.REQUESTED
