"""What a cancel can be said to have done: the rules one by one, and every combination against what must hold."""

from functools import cache
from itertools import combinations, product

import pytest
from fakes import COMMAND, PATCH, SCRIPT, WINDOW, row, seen
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from runcancel.engine.planning import plan
from runcancel.engine.tracker import not_asked
from runcancel.engine.verdict import (
    all_over,
    expected,
    failed,
    judge,
    keeps_running,
    moved,
    nothing_left_to_see,
    only_reported,
    quiet,
    running_tasks,
    selected,
)
from runcancel.model.outcomes import CancelResponse, Outcome, PlanItem
from runcancel.model.runs import ExternalExecution, Invocation, Problem, Ref, RunName, Snapshot
from runcancel.model.states import Effect, Guarantee, Reason, RequestStatus, State, Verdict

REFUSAL = Problem(code=Reason.DENIED, message="not permitted")
BLIND = Problem(code=Reason.DOWN, message="503")
P, R, C = State.PENDING, State.RUNNING, State.CANCELLING
X, T, S = State.CANCELLED, State.TERMINATED, State.SUCCEEDED
LEAST_ENDED_FIRST = (
    *(R, State.UNKNOWN, P, State.SCHEDULED, C),
    *(S, State.FAILED, State.TIMED_OUT, T, State.UNDELIVERED, X, State.SKIPPED),
)
AUTOMATION = "aws:us-east-2:automation/6a7b8c9d-0e1f-4a2b-8c3d-4e5f6a7b8c9d"
KEPT, STOPPING, ENDED = Effect.KEPT_RUNNING, Effect.STOPPING, Effect.ALREADY_ENDED


def item(
    before: dict[str, State],
    *,
    ref: str = PATCH,
    state: State = State.RUNNING,
    guarantee: Guarantee | None = None,
    targets: tuple[str, ...] = (),
    weak: frozenset[State] = frozenset(),
) -> PlanItem:
    planned = plan(seen(ref, state, before, weak=weak), targets)
    if guarantee is None:
        return planned
    return structs.replace(planned, guarantee=guarantee)


def answer(status: RequestStatus) -> CancelResponse:
    trouble = status in (RequestStatus.REFUSED, RequestStatus.IN_DOUBT, RequestStatus.NOT_REACHED)
    return CancelResponse(status=status, problem=REFUSAL if trouble else None)


def stopped_some(planned: PlanItem, last: Snapshot | None, outcome: Outcome) -> bool:
    run = last is not None and not planned.targets and last.run.state.stopped and not planned.state.over
    return run or any(one.effect in (Effect.CANCELLED, Effect.TERMINATED) for one in outcome.invocations)


def check(
    planned: PlanItem,
    status: RequestStatus,
    last: Snapshot | None,
    outcome: Outcome,
    *,
    unchanged: bool,
    weak: frozenset[State],
) -> None:
    """Everything that no outcome may violate."""
    verdict = outcome.verdict
    kept = [one for one in outcome.invocations if one.effect is KEPT]
    hearsay = [one for one in outcome.invocations if one.after and one.after.stopped and not one.confirmed]
    whole = last is not None and bool(planned.targets or last.run.state.over)
    if last is not None:
        chosen = selected(last.invocations, planned.targets)
        whole = whole and all(one.state.over for one in chosen) and (bool(chosen) or not planned.targets)
        whole = whole and {one.id for one in planned.invocations if not one.before.over} <= {one.id for one in chosen}
    assert (verdict is Verdict.SKIPPED) == (status is RequestStatus.NOT_REACHED)
    if verdict in (Verdict.STOPPED, Verdict.ENDED, Verdict.REPORTED):
        assert whole or status is RequestStatus.NEEDLESS
        assert verdict is not Verdict.STOPPED or not hearsay
        assert verdict is not Verdict.STOPPED or stopped_some(planned, last, outcome)
        assert verdict is not Verdict.ENDED or not (hearsay or stopped_some(planned, last, outcome))
        assert verdict is not Verdict.REPORTED or any(not one.confirmed for one in outcome.invocations)
    elif verdict is not Verdict.SKIPPED:
        assert not whole
    if verdict is Verdict.PARTIAL:
        assert stopped_some(planned, last, outcome) if status is RequestStatus.REFUSED else kept
    if verdict is Verdict.FAILED:
        assert status is RequestStatus.REFUSED
        assert outcome.error is not None
    if verdict is Verdict.REQUESTED:
        assert status in (RequestStatus.ACCEPTED, RequestStatus.ALREADY) or stopped_some(planned, last, outcome)
    if verdict is Verdict.IN_DOUBT:
        assert status is RequestStatus.IN_DOUBT or (last is None and not planned.read)
        assert not stopped_some(planned, last, outcome)
    if kept:
        assert planned.guarantee is Guarantee.PENDING_ONLY
        assert unchanged
        assert status in (RequestStatus.ACCEPTED, RequestStatus.ALREADY)
        assert all(one.after in (P, R, State.SCHEDULED) for one in kept)
    for one in outcome.invocations:
        if one.confirmed:
            assert one.after is not None
            assert one.after not in weak
            assert one.effect is not Effect.UNKNOWN
        if one.effect in (Effect.CANCELLED, Effect.TERMINATED, ENDED):
            assert one.after is not None
            assert one.after.over
        if one.after is State.UNKNOWN:
            assert one.effect is Effect.UNKNOWN
    assert {one.id for one in planned.invocations} <= {one.id for one in outcome.invocations}


WEAK = frozenset({State.TERMINATED})


@cache
def _items(guarantee: Guarantee, state: State, before: State | None, targets: bool) -> PlanItem:
    rows = {} if before is None else {"i-1": before}
    return item(rows, state=state, guarantee=guarantee, targets=("i-1",) if targets else (), weak=WEAK)


@cache
def _snapshots(state: State | None, after: State | None) -> Snapshot | None:
    return None if state is None else seen(PATCH, state, {} if after is None else {"i-1": after}, weak=WEAK)


READINGS = (None, *State)
AFTERS = ((None, None), *product(State, READINGS))
KEEPS = ((Guarantee.PENDING_ONLY, True), (Guarantee.PENDING_ONLY, False), (Guarantee.BEST_EFFORT, True))


@pytest.mark.parametrize("status", RequestStatus)
def test_no_combination_claims_more_than_was_seen(status: RequestStatus) -> None:
    # A verdict asks of the run's state before only whether it was over, and of the guarantee, once nothing changes any
    # more, whether it is `pending-only`: two states and three pairs stand for all; the property below draws them all.
    given_answer = answer(status)
    for (guarantee, unchanged), before_run, before, targets in product(KEEPS, (R, S), READINGS, (False, True)):
        planned = _items(guarantee, before_run, before, targets)
        for after_run, after in AFTERS:
            last = _snapshots(after_run, after)
            outcome = judge(planned, given_answer, last, unchanged=unchanged)
            check(planned, status, last, outcome, unchanged=unchanged, weak=WEAK)


STATES = st.sampled_from(State)
FLEETS = st.dictionaries(st.sampled_from(["i-1", "i-2", "i-3"]), STATES, max_size=3)


@given(
    guarantee=st.sampled_from(Guarantee),
    run=STATES,
    before=FLEETS,
    targets=st.sets(st.sampled_from(["i-1", "i-2", "i-3"])),
    status=st.sampled_from(RequestStatus),
    after=st.none() | st.tuples(STATES, FLEETS, st.integers(0, 5)),
    unchanged=st.booleans(),
    weak=st.frozensets(STATES),
)
def test_no_fleet_claims_more_than_was_seen(
    guarantee: Guarantee,
    run: State,
    before: dict[str, State],
    targets: set[str],
    status: RequestStatus,
    after: tuple[State, dict[str, State], int] | None,
    unchanged: bool,
    weak: frozenset[State],
) -> None:
    planned = item(before, state=run, guarantee=guarantee, targets=tuple(sorted(targets & set(before))), weak=weak)
    last = None if after is None else seen(PATCH, after[0], after[1], target_count=after[2], weak=weak)
    outcome = judge(planned, answer(status), last, unchanged=unchanged)
    check(planned, status, last, outcome, unchanged=unchanged, weak=weak)


@pytest.mark.parametrize(
    ("before", "after", "verdict", "effects"),
    [
        ((R, {"a": P, "b": R}), (X, {"a": X, "b": T}), Verdict.STOPPED, [Effect.CANCELLED, Effect.TERMINATED]),
        ((R, {"a": S, "b": R}), (T, {"a": S, "b": T}), Verdict.STOPPED, [ENDED, Effect.TERMINATED]),
        ((R, {"a": R}), (S, {"a": S}), Verdict.ENDED, [ENDED]),
        ((R, {"a": R}), (R, {"a": R}), Verdict.REQUESTED, [STOPPING]),
        ((R, {"a": R}), (X, {"a": R}), Verdict.REQUESTED, [STOPPING]),
        ((R, {"a": R}), (R, {"a": T}), Verdict.REQUESTED, [Effect.TERMINATED]),
        ((R, {"a": P}), (X, {"a": State.SKIPPED}), Verdict.STOPPED, [Effect.CANCELLED]),
        ((R, {"a": P}), (S, {"a": State.SKIPPED}), Verdict.ENDED, [ENDED]),
        ((R, {"a": R}), (State.UNKNOWN, {"a": X}), Verdict.REQUESTED, [Effect.CANCELLED]),
        ((R, {"a": R}), (X, {"a": State.UNKNOWN}), Verdict.REQUESTED, [Effect.UNKNOWN]),
        ((R, {"a": S}), (R, {"a": R}), Verdict.REQUESTED, [STOPPING]),
        ((R, {"a": R}), (X, {}), Verdict.REQUESTED, [STOPPING]),
        ((R, {"a": S}), (X, {"a": S}), Verdict.STOPPED, [ENDED]),
        ((R, {}), (X, {}), Verdict.STOPPED, []),
        ((R, {}), (S, {}), Verdict.ENDED, []),
    ],
)
def test_an_accepted_cancel_is_judged_by_what_was_seen(
    before: tuple[State, dict[str, State]],
    after: tuple[State, dict[str, State]],
    verdict: Verdict,
    effects: list[Effect],
) -> None:
    outcome = judge(item(before[1], state=before[0]), answer(RequestStatus.ACCEPTED), seen(PATCH, *after))

    assert outcome.verdict is verdict
    assert [one.effect for one in outcome.invocations] == effects


@pytest.mark.parametrize(
    ("ref", "unchanged", "after", "verdict", "effects"),
    [
        (WINDOW, True, {"a": X, "b": R}, Verdict.PARTIAL, [Effect.CANCELLED, KEPT]),
        (SCRIPT, True, {"a": R, "b": R}, Verdict.PARTIAL, [KEPT, KEPT]),
        (SCRIPT, False, {"a": X, "b": R}, Verdict.REQUESTED, [Effect.CANCELLED, Effect.UNKNOWN]),
        (SCRIPT, False, {"a": P, "b": R}, Verdict.REQUESTED, [STOPPING, Effect.UNKNOWN]),
        (SCRIPT, True, {"a": C, "b": R}, Verdict.PARTIAL, [STOPPING, KEPT]),
        (SCRIPT, True, {"a": P, "b": X}, Verdict.REQUESTED, [STOPPING, Effect.CANCELLED]),
        (COMMAND, True, {"a": X, "b": R}, Verdict.REQUESTED, [Effect.CANCELLED, STOPPING]),
        (PATCH, True, {"a": X, "b": R}, Verdict.REQUESTED, [Effect.CANCELLED, STOPPING]),
    ],
)
def test_only_pending_only_kinds_keep_running_and_only_once_settled(
    ref: str, unchanged: bool, after: dict[str, State], verdict: Verdict, effects: list[Effect]
) -> None:
    outcome = judge(
        item({"a": P, "b": R}, ref=ref), answer(RequestStatus.ACCEPTED), seen(ref, R, after), unchanged=unchanged
    )

    assert outcome.verdict is verdict
    assert [one.effect for one in outcome.invocations] == effects


@pytest.mark.parametrize(
    ("status", "after", "verdict", "reason"),
    [
        (RequestStatus.REFUSED, None, Verdict.FAILED, Reason.DENIED),
        (RequestStatus.REFUSED, (R, {"a": R, "b": R}), Verdict.FAILED, Reason.DENIED),
        (RequestStatus.REFUSED, (X, {"a": T, "b": X}), Verdict.STOPPED, None),
        (RequestStatus.REFUSED, (S, {"a": S, "b": S}), Verdict.ENDED, None),
        (RequestStatus.REFUSED, (R, {"a": T, "b": R}), Verdict.PARTIAL, Reason.DENIED),
        (RequestStatus.IN_DOUBT, None, Verdict.IN_DOUBT, Reason.DENIED),
        (RequestStatus.IN_DOUBT, (R, {"a": R, "b": R}), Verdict.IN_DOUBT, Reason.DENIED),
        (RequestStatus.IN_DOUBT, (S, {"a": S, "b": S}), Verdict.ENDED, None),
        (RequestStatus.IN_DOUBT, (T, {"a": T, "b": T}), Verdict.STOPPED, None),
        (RequestStatus.IN_DOUBT, (R, {"a": T, "b": R}), Verdict.REQUESTED, Reason.DENIED),
        (RequestStatus.NOT_REACHED, None, Verdict.SKIPPED, Reason.DENIED),
        (RequestStatus.NEEDLESS, None, Verdict.ENDED, None),
    ],
)
def test_an_error_to_a_cancel_is_judged_by_the_state_read_after_it(
    status: RequestStatus, after: tuple[State, dict[str, State]] | None, verdict: Verdict, reason: Reason | None
) -> None:
    last = None if after is None else seen(PATCH, *after)
    outcome = judge(item({"a": R, "b": R}), answer(status), last)

    assert outcome.verdict is verdict
    assert (outcome.error.code if outcome.error else None) is reason


def test_the_error_of_a_requested_run_is_why_its_end_was_not_seen() -> None:
    planned, accepted = item({"a": R}), answer(RequestStatus.ACCEPTED)

    assert judge(planned, accepted, None, problem=BLIND).error == BLIND
    assert judge(planned, accepted, seen(PATCH, T, {"a": T}), problem=BLIND).error is None


def test_a_part_that_was_refused_is_told_though_another_was_accepted() -> None:
    half = CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("req-1",), problem=REFUSAL)

    outcome = judge(item({"a": R, "b": R}), half, seen(PATCH, R, {"a": T, "b": R}))

    assert (outcome.verdict, outcome.error) == (Verdict.PARTIAL, REFUSAL)


@pytest.mark.parametrize(("before", "effect"), [(R, Effect.TERMINATED), (T, ENDED)])
def test_an_end_that_is_only_reported_is_never_confirmed(before: State, effect: Effect) -> None:
    planned = item({"a": before, "b": R}, ref=SCRIPT, weak=WEAK)

    outcome = judge(planned, answer(RequestStatus.ACCEPTED), seen(SCRIPT, T, {"a": T, "b": X}, weak=WEAK))

    assert outcome.verdict is Verdict.REPORTED
    assert [(one.effect, one.confirmed) for one in outcome.invocations] == [(effect, False), (Effect.CANCELLED, True)]
    needless = judge(planned, answer(RequestStatus.NEEDLESS), None)
    assert not any(one.confirmed for one in needless.invocations)


@pytest.mark.parametrize(
    "status",
    [
        RequestStatus.NEEDLESS,
        RequestStatus.ACCEPTED,
        RequestStatus.ALREADY,
        RequestStatus.REFUSED,
        RequestStatus.IN_DOUBT,
    ],
)
def test_a_stop_that_is_only_reported_stays_so_whoever_asks_again(status: RequestStatus) -> None:
    planned = item({"a": T, "b": S}, ref=SCRIPT, state=T, weak=WEAK)
    last = None if status is RequestStatus.NEEDLESS else seen(SCRIPT, T, {"a": T, "b": S}, weak=WEAK)

    assert judge(planned, answer(status), last).verdict is Verdict.REPORTED
    assert only_reported(seen(SCRIPT, T, {"a": T, "b": S}, weak=WEAK))


def test_only_stops_count_as_reported() -> None:
    weak = frozenset({State.UNDELIVERED})
    planned = item({"a": State.UNDELIVERED, "b": R}, weak=weak)
    last = seen(PATCH, X, {"a": State.UNDELIVERED, "b": X}, weak=weak)

    outcome = judge(planned, answer(RequestStatus.ACCEPTED), last)

    assert outcome.verdict is Verdict.STOPPED
    assert [one.confirmed for one in outcome.invocations] == [False, True]
    assert not only_reported(last)
    ended = judge(item({"a": State.UNDELIVERED}, state=S, weak=weak), answer(RequestStatus.NEEDLESS), None)
    assert ended.verdict is Verdict.ENDED


@pytest.mark.parametrize(
    ("state", "completed", "verdict", "confirmed"),
    [
        (X, None, Verdict.REPORTED, False),
        (X, 5, Verdict.REPORTED, False),
        (X, 6, Verdict.STOPPED, True),
        (X, 7, Verdict.REPORTED, False),
        (S, 5, Verdict.REPORTED, False),
        (S, 6, Verdict.STOPPED, True),
        (R, 6, Verdict.REQUESTED, False),
    ],
)
def test_targets_that_were_never_listed_are_one_row_that_only_the_vendors_count_confirms(
    state: State, completed: int | None, verdict: Verdict, confirmed: bool
) -> None:
    last = seen(PATCH, state, {"a": X}, target_count=6, completed=completed)

    outcome = judge(item({"a": R}, state=R), answer(RequestStatus.ACCEPTED), last)

    assert (outcome.verdict, outcome.not_listed) == (verdict, 5)
    assert outcome.invocations[0].effect is Effect.CANCELLED
    assert (outcome.invocations[1].id, outcome.invocations[1].confirmed) == ("", confirmed)
    assert only_reported(last) is (verdict is Verdict.REPORTED and state is X)


@pytest.mark.parametrize(
    ("state", "completed", "verdict"),
    [(X, 5, Verdict.REPORTED), (X, 6, Verdict.ENDED), (S, 5, Verdict.ENDED), (S, 6, Verdict.ENDED)],
)
def test_a_run_that_had_ended_answers_for_what_was_never_listed(state: State, completed: int, verdict: Verdict) -> None:
    planned = plan(seen(PATCH, state, {"a": state}, target_count=6, completed=completed))

    outcome = judge(planned, answer(RequestStatus.NEEDLESS), None)

    assert outcome.verdict is verdict
    assert [(one.effect, one.confirmed) for one in outcome.invocations] == [(ENDED, True), (ENDED, completed == 6)]


@pytest.mark.parametrize(
    ("code", "verdict"), [(Reason.DENIED, Verdict.PARTIAL), (Reason.LOST, Verdict.REQUESTED), (None, Verdict.REQUESTED)]
)
def test_a_part_in_doubt_is_no_refused_part(code: Reason | None, verdict: Verdict) -> None:
    problem = None if code is None else Problem(code=code, message="no")
    half = CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("req-1",), problem=problem)

    assert judge(item({"a": R, "b": R}), half, seen(PATCH, R, {"a": R, "b": R})).verdict is verdict


def test_what_was_cancelled_unseen_is_in_doubt_until_it_is_seen() -> None:
    planned = structs.replace(item({}, state=State.UNKNOWN), read=False)
    accepted = CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("req-1",))

    assert judge(planned, accepted, None, problem=BLIND).verdict is Verdict.IN_DOUBT
    assert judge(planned, accepted, None, problem=BLIND).error == BLIND
    assert judge(planned, accepted, seen(PATCH, R, {"a": R})).verdict is Verdict.REQUESTED
    assert judge(planned, answer(RequestStatus.REFUSED), None).verdict is Verdict.FAILED


# ended: every listed target


@pytest.mark.parametrize(
    ("run", "targets", "asks", "status"),
    [
        (S, {"a": S}, False, RequestStatus.NEEDLESS),
        (S, {"a": S, "b": R}, True, None),
        (X, {"a": X, "b": P}, True, None),
        (X, {"a": X, "b": State.UNKNOWN}, True, None),
        (X, {"a": X, "b": C}, False, RequestStatus.ALREADY),
        (C, {"a": C}, False, RequestStatus.ALREADY),
        (C, {"a": X}, False, RequestStatus.ALREADY),
        (R, {"a": S}, True, None),
        (S, {}, False, RequestStatus.NEEDLESS),
    ],
)
@pytest.mark.parametrize("ref", [PATCH, SCRIPT, WINDOW, COMMAND, AUTOMATION])
def test_a_run_has_ended_when_every_listed_target_has(
    ref: str, run: State, targets: dict[str, State], asks: bool, status: RequestStatus | None
) -> None:
    last = seen(ref, run, targets)
    planned = plan(last)

    assert (planned.ask, last.run.ended) == (asks, run.over and all(state.over for state in targets.values()))
    assert last.run.cancellable is asks
    if status is not None:
        assert not_asked(planned).status is status


@pytest.mark.parametrize(
    ("targets", "chosen", "asks"),
    [
        ({"a": S, "b": R}, ("a",), False),
        ({"a": S, "b": R}, ("b",), True),
        ({"a": C, "b": R}, ("a",), False),
        ({"a": C, "b": R}, ("a", "b"), True),
    ],
)
@pytest.mark.parametrize("run", [R, S, X])
def test_selected_targets_decide_whether_to_ask(
    run: State, targets: dict[str, State], chosen: tuple[str, ...], asks: bool
) -> None:
    assert plan(seen(PATCH, run, targets), chosen).ask is asks


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("less", "more"), list(combinations(LEAST_ENDED_FIRST, 2)))
def test_of_two_rows_of_one_target_the_least_ended_counts(less: State, more: State, order: int) -> None:
    rows = [row("a", less), row("b", S), row("a", more)][::order]

    found = seen(PATCH, X, rows)

    assert {one.id: one.state for one in found.invocations} == {"a": less, "b": S}
    assert sum((found.run.counts or {}).values()) == found.run.target_count == 2


def test_selected_targets_alone_decide_and_the_rest_is_no_row() -> None:
    planned = item({"a": R, "b": R}, targets=("a",))

    outcome = judge(planned, answer(RequestStatus.ACCEPTED), seen(PATCH, R, {"a": T, "b": R}, target_count=9))

    assert (outcome.verdict, outcome.not_listed) == (Verdict.STOPPED, 0)
    assert [one.target for one in outcome.invocations] == ["a"]


def test_a_selected_target_that_is_no_longer_listed_has_not_ended() -> None:
    planned = item({"a": R}, targets=("a",))

    outcome = judge(planned, answer(RequestStatus.ACCEPTED), seen(PATCH, R, {}))

    assert outcome.verdict is Verdict.REQUESTED
    assert [(one.after, one.effect) for one in outcome.invocations] == [(None, STOPPING)]


def _window(*rows: Invocation, state: State = R) -> Snapshot:
    return seen(WINDOW, state, rows)


def test_a_tasks_placeholder_gives_way_to_its_rows() -> None:
    planned = plan(_window(row("", P, id="task-1", task="task-1"), row("", P, id="task-2", task="task-2")))

    last = _window(
        row("i-1", X, id="x", task="task-1"),
        row("i-2", S, id="y", task="task-1"),
        row("", X, id="task-2", task="task-2"),
        state=X,
    )
    outcome = judge(planned, answer(RequestStatus.ACCEPTED), last)

    assert outcome.verdict is Verdict.STOPPED
    assert [(one.id, one.effect) for one in outcome.invocations] == [
        ("x", Effect.CANCELLED),
        ("y", ENDED),
        ("task-2", Effect.CANCELLED),
    ]


@pytest.mark.parametrize("task", [None, "task-1"])
def test_a_step_or_a_row_that_vanishes_is_a_loss(task: str | None) -> None:
    planned = plan(_window(row("", R, id="x", task=task), row("", P, id="y", task=task)))

    outcome = judge(planned, answer(RequestStatus.ACCEPTED), _window(row("", X, id="y", task=task), state=X))

    assert outcome.verdict is Verdict.REQUESTED
    assert [(one.id, one.effect) for one in outcome.invocations] == [("y", Effect.CANCELLED), ("x", Effect.UNKNOWN)]


@pytest.mark.parametrize(
    ("state", "task", "keeps"),
    [(R, None, True), (P, "t", True), (P, "u", False), (P, None, False), (State.UNKNOWN, "t", False), (C, "t", False)],
)
def test_what_waits_in_a_running_task_shares_its_fate(state: State, task: str | None, keeps: bool) -> None:
    one = row("i-1", state, task=task)

    assert keeps_running(one, running_tasks([one, row("i-2", R, task="t")])) is keeps


@pytest.mark.parametrize(
    ("run", "invocations", "state"),
    [
        (X, [X, S], X),
        (X, [X, T], T),
        (X, [], X),
        (T, [X], T),
        (S, [T], S),
        (State.FAILED, [T, X], State.FAILED),
        (C, [T], C),
        (R, [T, T], R),
        (State.UNKNOWN, [T], State.UNKNOWN),
    ],
)
def test_a_cancelled_run_is_terminated_if_any_of_its_invocations_is(
    run: State, invocations: list[State], state: State
) -> None:
    snapshot = seen(PATCH, run, {f"i-{number}": one for number, one in enumerate(invocations)})

    assert snapshot.run.state is state
    assert sum((snapshot.run.counts or {}).values()) == snapshot.run.target_count == len(invocations)


@pytest.mark.parametrize(
    ("guarantee", "state", "effect"),
    [
        *((guarantee, state, ENDED) for guarantee in Guarantee for state in State if state.over),
        *((guarantee, state, Effect.CANCELLED) for guarantee in Guarantee for state in (P, State.SCHEDULED)),
        *((guarantee, C, STOPPING) for guarantee in Guarantee),
        *((guarantee, State.UNKNOWN, Effect.UNKNOWN) for guarantee in Guarantee),
        (Guarantee.STOPS_RUNNING, R, Effect.TERMINATED),
        (Guarantee.BEST_EFFORT, R, Effect.UNKNOWN),
        (Guarantee.PENDING_ONLY, R, KEPT),
    ],
)
def test_what_the_guarantee_lets_one_expect(guarantee: Guarantee, state: State, effect: Effect) -> None:
    assert expected(guarantee, state) is effect


@pytest.mark.parametrize(
    ("ref", "before", "after", "proof"),
    [
        (PATCH, (R, {"a": R}), (R, {"a": R}), False),
        (PATCH, (R, {"a": R}), (S, {"a": S}), False),
        (PATCH, (R, {"a": R}), (State.UNKNOWN, {"a": State.UNKNOWN}), False),
        (WINDOW, (R, {"a": R}), (C, {"a": R}), True),
        (PATCH, (R, {"a": R}), (R, {"a": T}), True),
        (PATCH, (R, {"a": R, "b": T}), (R, {"a": R, "b": T}), False),
        (PATCH, (R, {"a": P}), (R, {"a": C}), True),
        # one target may have been cancelled alone
        (PATCH, (R, {"a": R, "b": R}), (C, {"a": C, "b": R}), False),
        (PATCH, (R, {"a": R, "b": P}), (R, {"a": T, "b": P}), False),
        (PATCH, (R, {"a": R, "b": R}), (R, {"a": T, "b": S}), True),
        (COMMAND, (R, {"a": R, "b": R}), (R, {"a": T, "b": R}), False),
        (SCRIPT, (R, {"a": P, "b": P}), (R, {"a": X, "b": P}), False),
        (SCRIPT, (R, {"a": P, "b": R}), (R, {"a": X, "b": R}), True),
    ],
)
def test_only_what_a_cancel_changes_proves_that_it_worked(
    ref: str, before: tuple[State, dict[str, State]], after: tuple[State, dict[str, State]], proof: bool
) -> None:
    assert moved(item(before[1], ref=ref, state=before[0]), seen(ref, *after)) is proof


def test_what_became_of_other_targets_proves_nothing() -> None:
    planned = item({"a": R, "b": R}, targets=("a",))

    assert not moved(planned, seen(PATCH, C, {"a": R, "b": T}))


@pytest.mark.parametrize(
    ("ref", "after", "unchanged", "enough"),
    [
        (SCRIPT, (X, {"a": X, "b": T}), False, True),
        (SCRIPT, (R, {"a": X, "b": R}), True, True),
        (SCRIPT, (R, {"a": X, "b": R}), False, False),
        (SCRIPT, (R, {"a": C, "b": R}), True, False),
        (SCRIPT, (R, {"a": X, "b": X}), True, False),
        (SCRIPT, (R, {"a": State.UNKNOWN, "b": R}), True, False),
        (PATCH, (R, {"a": X, "b": R}), True, False),
    ],
)
def test_when_further_looks_can_tell_nothing_new(
    ref: str, after: tuple[State, dict[str, State]], unchanged: bool, enough: bool
) -> None:
    planned = item({"a": P, "b": R}, ref=ref)

    assert nothing_left_to_see(planned, seen(ref, *after), unchanged=unchanged) is enough
    assert all_over(planned, seen(ref, *after)) is (after[0] is X)


def test_a_reference_without_a_run_failed_and_nothing_was_seen() -> None:
    outcome = failed(RunName("inv-12345678"), REFUSAL)

    assert (outcome.verdict, outcome.error, outcome.invocations, outcome.before) == (Verdict.FAILED, REFUSAL, (), None)


# what no rule above would miss, and a reader of an outcome would


FOREIGN = ExternalExecution(what="a Lambda function", command=None)
STARTER = structs.replace(row("b", R, task="t-1", id="inv-b", run=WINDOW), child=Ref.parse(COMMAND), foreign=FOREIGN)


def started() -> PlanItem:
    """A window whose task runs, with everything that a row can say; something waits in the same task."""
    rows = [STARTER, row("a", P, task="t-1", run=WINDOW)]
    return structs.replace(plan(seen(WINDOW, R, rows)), name="nightly", parent=Ref.parse(COMMAND))


@pytest.mark.parametrize("unseen", [False, True])
def test_an_outcome_carries_what_is_known_of_the_run_and_of_each_row(unseen: bool) -> None:
    planned = started()
    last = None if unseen else seen(WINDOW, R, [STARTER, row("a", P, task="t-1", run=WINDOW)])

    outcome = judge(planned, CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("req-1",)), last)

    assert (str(outcome.run), outcome.name, outcome.guarantee, str(outcome.parent)) == (
        WINDOW,
        "nightly",
        Guarantee.PENDING_ONLY,
        COMMAND,
    )
    (one, _) = outcome.invocations
    assert (one.id, one.task, one.target, one.before) == ("inv-b", "t-1", "b", R)
    assert (str(one.child), one.foreign) == (COMMAND, FOREIGN)


def test_without_a_word_about_it_nothing_is_settled() -> None:
    outcome = judge(started(), CancelResponse(status=RequestStatus.ACCEPTED), seen(WINDOW, R, [STARTER]))

    assert outcome.invocations[0].effect is Effect.UNKNOWN


def test_a_task_that_keeps_running_keeps_what_waits_in_it() -> None:
    planned = started()
    last = seen(WINDOW, R, [STARTER, row("a", P, task="t-1", run=WINDOW)])

    outcome = judge(planned, CancelResponse(status=RequestStatus.ACCEPTED), last, unchanged=True)

    assert [one.effect for one in outcome.invocations] == [KEPT, KEPT]
    assert nothing_left_to_see(planned, last, unchanged=True)
    assert not nothing_left_to_see(planned, last, unchanged=False)


def test_only_the_selected_targets_have_to_be_quiet_and_over() -> None:
    planned = item({"a": R, "b": R}, ref=SCRIPT, targets=("a",))

    moving = seen(SCRIPT, R, {"a": R, "b": C})
    assert quiet(planned, moving)
    assert not quiet(planned, seen(SCRIPT, R, {"a": C, "b": R}))
    assert nothing_left_to_see(planned, seen(SCRIPT, R, {"a": R, "b": C}), unchanged=True)


def test_a_request_that_was_accepted_as_a_whole_is_no_refused_part() -> None:
    planned = item({"a": R, "b": R})
    last = seen(PATCH, R, {"a": T, "b": R})

    accepted = judge(planned, CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("req-1",)), last)
    in_doubt = judge(planned, CancelResponse(status=RequestStatus.ACCEPTED, problem=REFUSAL), last)

    assert (accepted.verdict, in_doubt.verdict) == (Verdict.REQUESTED, Verdict.REQUESTED)


def test_what_was_over_before_is_after_as_it_was_before() -> None:
    outcome = judge(item({"a": S}, state=S), CancelResponse(status=RequestStatus.NEEDLESS), None)

    assert (outcome.verdict, outcome.before, outcome.after) == (Verdict.ENDED, S, S)


def test_what_was_not_seen_after_a_refusal_is_not_said_to_be_stopping() -> None:
    outcome = judge(item({"a": R}), CancelResponse(status=RequestStatus.REFUSED, problem=REFUSAL), None)

    assert outcome.invocations[0].effect is Effect.UNKNOWN
    assert outcome.after is None


def test_a_reference_without_a_run_is_whole_and_empty() -> None:
    outcome = failed(RunName("nobody"), REFUSAL)

    assert (str(outcome.run), outcome.request_ids, outcome.invocations, outcome.not_listed) == ("nobody", (), (), 0)


@pytest.mark.parametrize(
    ("status", "before", "after", "effect"),
    [
        (RequestStatus.ACCEPTED, R, X, Effect.CANCELLED),
        (RequestStatus.NEEDLESS, S, S, ENDED),
        (RequestStatus.ACCEPTED, R, R, Effect.UNKNOWN),
        (RequestStatus.ACCEPTED, R, C, STOPPING),
        (RequestStatus.REFUSED, R, R, Effect.UNKNOWN),
        (RequestStatus.ACCEPTED, X, X, ENDED),
        (RequestStatus.ACCEPTED, R, State.SKIPPED, ENDED),
    ],
)
def test_what_is_said_of_targets_that_were_never_listed_follows_from_the_run(
    status: RequestStatus, before: State, after: State, effect: Effect
) -> None:
    planned = structs.replace(item({}, state=before), guarantee=Guarantee.PENDING_ONLY)

    outcome = judge(planned, answer(status), seen(PATCH, after, {}, target_count=4), unchanged=True)

    (rest,) = outcome.invocations
    assert (rest.id, rest.target, rest.effect, rest.confirmed) == ("", None, effect, False)
    assert outcome.not_listed == 4
