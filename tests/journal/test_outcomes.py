"""What became of a run over several operations: a later one adds to what is known and takes nothing back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcancel.journal.outcomes import merged
from runcancel.model.outcomes import InvocationOutcome, Outcome
from runcancel.model.runs import Problem, Ref
from runcancel.model.states import Effect, Guarantee, Reason, State, Verdict

RUN = Ref.parse("tencent:ap-guangzhou:invocation/inv-ib2lld37")
_NO = Problem(code=Reason.BUSY, message="throttled")
_STATES = {
    Effect.CANCELLED: State.CANCELLED,
    Effect.TERMINATED: State.TERMINATED,
    Effect.KEPT_RUNNING: State.RUNNING,
    Effect.STOPPING: State.CANCELLING,
    Effect.ALREADY_ENDED: State.SUCCEEDED,
    Effect.UNKNOWN: State.UNKNOWN,
}


def outcome(verdict: Verdict, effects: dict[str, Effect], *ids: str, confirmed: bool = True) -> Outcome:
    return Outcome(
        run=RUN,
        name="patch",
        verdict=verdict,
        guarantee=Guarantee.STOPS_RUNNING,
        before=State.RUNNING,
        after=None,
        request_ids=ids,
        invocations=tuple(
            InvocationOutcome(
                id=id,
                task=None,
                target=id,
                before=State.RUNNING,
                after=_STATES[effect],
                effect=effect,
                confirmed=confirmed,
            )
            for id, effect in effects.items()
        ),
        not_listed=0,
        seconds=None,
        error=_NO if verdict is Verdict.FAILED else None,
    )


STOPPED = outcome(Verdict.STOPPED, {"a": Effect.TERMINATED, "b": Effect.CANCELLED}, "r1")
REPORTED = outcome(Verdict.REPORTED, {"a": Effect.TERMINATED, "b": Effect.CANCELLED}, "r1", confirmed=False)
PARTIAL = outcome(Verdict.PARTIAL, {"a": Effect.KEPT_RUNNING, "b": Effect.CANCELLED}, "r1")
REQUESTED = outcome(Verdict.REQUESTED, {"a": Effect.STOPPING, "b": Effect.STOPPING}, "r1")
ENDED = outcome(Verdict.ENDED, {"a": Effect.ALREADY_ENDED, "b": Effect.ALREADY_ENDED})
FAILED = outcome(Verdict.FAILED, {})
ONLY_B = outcome(Verdict.STOPPED, {"b": Effect.CANCELLED}, "r2")


@pytest.mark.parametrize(
    ("several", "verdict", "effects"),
    [
        ((STOPPED, ENDED), Verdict.STOPPED, {"a": Effect.TERMINATED, "b": Effect.CANCELLED}),
        ((REPORTED, ENDED), Verdict.REPORTED, {"a": Effect.TERMINATED, "b": Effect.CANCELLED}),
        ((PARTIAL, ENDED), Verdict.STOPPED, {"a": Effect.ALREADY_ENDED, "b": Effect.CANCELLED}),
        ((PARTIAL, STOPPED), Verdict.STOPPED, {"a": Effect.TERMINATED, "b": Effect.CANCELLED}),
        ((REQUESTED, FAILED), Verdict.REQUESTED, {"a": Effect.STOPPING, "b": Effect.STOPPING}),
        ((FAILED, STOPPED), Verdict.STOPPED, {"a": Effect.TERMINATED, "b": Effect.CANCELLED}),
        ((FAILED, FAILED), Verdict.FAILED, {}),
        ((FAILED, ENDED), Verdict.ENDED, {"a": Effect.ALREADY_ENDED, "b": Effect.ALREADY_ENDED}),
        ((PARTIAL, ONLY_B), Verdict.PARTIAL, {"a": Effect.KEPT_RUNNING, "b": Effect.CANCELLED}),
        ((REQUESTED, ONLY_B), Verdict.REQUESTED, {"a": Effect.STOPPING, "b": Effect.CANCELLED}),
        ((STOPPED, PARTIAL), Verdict.PARTIAL, {"a": Effect.KEPT_RUNNING, "b": Effect.CANCELLED}),
    ],
)
def test_what_several_operations_make_of_a_run(
    several: tuple[Outcome, ...], verdict: Verdict, effects: dict[str, Effect]
) -> None:
    one = merged(several)

    assert one.verdict is verdict
    assert {row.id: row.effect for row in one.invocations} == effects
    assert one.request_ids == tuple(dict.fromkeys(id for each in several for id in each.request_ids))


_OPEN = {Effect.KEPT_RUNNING, Effect.STOPPING, Effect.UNKNOWN}


def judged(effects: dict[str, Effect], confirmed: bool) -> Outcome:
    """An outcome whose verdict fits its targets."""
    there = set(effects.values())
    stopped = Verdict.STOPPED if confirmed else Verdict.REPORTED
    verdict = Verdict.ENDED
    if Effect.KEPT_RUNNING in there:
        verdict = Verdict.PARTIAL
    elif there & _OPEN:
        verdict = Verdict.REQUESTED
    elif there & {Effect.CANCELLED, Effect.TERMINATED}:
        verdict = stopped
    return outcome(verdict, effects, confirmed=confirmed)


EFFECTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(Effect), min_size=1)
OUTCOMES = st.builds(judged, EFFECTS, st.booleans()) | st.just(FAILED)


@given(st.lists(OUTCOMES, min_size=1, max_size=4))
def test_a_run_is_called_stopped_only_if_nothing_of_it_is_open(several: list[Outcome]) -> None:
    one = merged(several)

    assert {row.id for row in one.invocations} == {row.id for each in several for row in each.invocations}
    assert len(one.invocations) == len({row.id for row in one.invocations})
    if one.verdict in (Verdict.STOPPED, Verdict.REPORTED, Verdict.ENDED):
        assert _OPEN.isdisjoint(row.effect for row in one.invocations)
