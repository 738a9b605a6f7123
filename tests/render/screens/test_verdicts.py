"""Sentences claim no more than was seen."""

import pytest
from hypothesis import given
from msgspec import structs

from render import samples
from render.samples import many, outcome, seen
from render.strategies import any_of
from runcancel.model.outcomes import Outcome, PlanItem
from runcancel.model.runs import ExternalExecution
from runcancel.model.states import Effect, Guarantee, State, Verdict
from runcancel.render.documents import Caller
from runcancel.render.screens.announce import announce, expectation
from runcancel.render.screens.verdicts import hints, sentence, summary
from runcancel.render.screens.words import is_unproven
from runcancel.text import is_plain

_OVER = (Effect.CANCELLED, Effect.TERMINATED, Effect.ALREADY_ENDED)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (samples.partial(), "partial: 17 of 25 targets were cancelled, 3 keep running, 5 already ended"),
        (
            samples.reported(),
            "reported: all 12 targets are reported as ended (3 cancelled, 9 reported terminated);"
            " 9 reported by the cloud, not verified",
        ),
        (
            samples.requested(),
            "requested: the cloud accepted the cancel, but 12 targets were not verified as ended within 60s "
            "(88 terminated); 4 targets not yet listed",
        ),
        (samples.failed(), "failed: not permitted: ecs:StopInvocation (profile audit)"),
        (
            outcome(Verdict.STOPPED, *many(3, Effect.CANCELLED), *many(9, Effect.TERMINATED, before=State.RUNNING)),
            "stopped: all 12 targets ended (3 cancelled, 9 terminated)",
        ),
        (outcome(Verdict.STOPPED, seen(1, Effect.CANCELLED)), "stopped: the target ended (1 cancelled)"),
        (
            outcome(Verdict.STOPPED, seen(1, Effect.ALREADY_ENDED, before=State.RUNNING), seen(2, Effect.UNKNOWN)),
            "stopped: 1 of 2 targets ended (1 ended by itself)",
        ),
        (
            outcome(Verdict.STOPPED, *many(2, Effect.CANCELLED), not_listed=4),
            "stopped: all 2 listed targets ended (2 cancelled); 4 targets not yet listed",
        ),
        (outcome(Verdict.STOPPED), "stopped: the run ended (cancelled)"),
        (
            outcome(Verdict.PARTIAL, *many(3, Effect.KEPT_RUNNING, before=State.RUNNING)),
            "partial: none of 3 targets was stopped, 3 keep running",
        ),
        (
            outcome(
                Verdict.PARTIAL,
                *many(2, Effect.CANCELLED),
                seen(3, Effect.TERMINATED, confirmed=False),
                seen(4, Effect.KEPT_RUNNING),
            ),
            "partial: 3 of 4 targets were stopped (2 cancelled, 1 terminated), 1 keeps running;"
            " 1 reported by the cloud, not verified",
        ),
        (
            outcome(Verdict.ENDED, before=State.SUCCEEDED, after=State.SUCCEEDED, request_ids=()),
            "ended: the run had already ended (succeeded); nothing was sent",
        ),
        (outcome(Verdict.ENDED, after=State.FAILED), "ended: the run ended by itself (failed)"),
        (
            outcome(Verdict.REQUESTED, after=State.RUNNING, seconds=None),
            "requested: the cloud accepted the cancel; its effect was not verified",
        ),
        (
            outcome(Verdict.REQUESTED, after=State.CANCELLING, request_ids=(), seconds=2.0),
            "requested: a cancel is in progress, but the run was not verified as ended within 2.0s",
        ),
        (
            outcome(Verdict.REQUESTED, after=None, request_ids=(), seconds=2.0),
            "requested: the cancel was sent without a clear reply, but the run was not verified as ended within 2.0s",
        ),
        (outcome(Verdict.SKIPPED), "skipped: nothing was sent"),
        (
            outcome(Verdict.IN_DOUBT, after=None),
            "in-doubt: the cloud accepted the cancel, but its result could not be read",
        ),
        (
            outcome(Verdict.IN_DOUBT, after=None, request_ids=()),
            "in-doubt: the cancel may or may not have been accepted",
        ),
        (
            outcome(Verdict.IN_DOUBT, after=None, request_ids=(), error=samples.DENIED),
            "in-doubt: not permitted: ecs:StopInvocation (profile audit)",
        ),
    ],
)
def test_sentence(one: Outcome, said: str) -> None:
    assert sentence(one) == said


@given(any_of(Outcome))
def test_no_sentence_claims_more_than_was_seen(one: Outcome) -> None:
    text = sentence(one)

    assert is_plain(text)
    assert text.startswith(f"{one.verdict}: ")
    if one.error is None and "all " in text:
        assert all(each.effect in _OVER for each in one.invocations)
    if any(map(is_unproven, one.invocations)):
        assert "not verified" in text
    if one.not_listed:
        assert "not yet listed" in text


def test_the_summary_counts_what_is_left_once_for_a_run_and_what_it_started() -> None:
    outcomes = [samples.reported(), samples.partial(), samples.requested(), samples.failed()]

    assert summary(outcomes, operation="01K9Z") == [
        "4 runs: 1 reported, 1 partial, 1 requested, 1 failed",
        "12 targets not verified as ended",
        "9 targets reported, not verified",
        "4 targets not yet listed",
        "operation 01K9Z",
    ]

    assert summary([samples.partial()]) == ["1 run: 1 partial", "3 targets keep running"]


def test_hints_are_commands_to_paste() -> None:
    assert hints([samples.partial(), samples.requested()]) == (
        "To stop the running tasks too:",
        f"  runcancel cancel {samples.WINDOW} --stop-running",
        "To check again:",
        f"  runcancel status {samples.CHILD}",
    )
    assert hints([samples.reported()]) == ("To count reported stops as stopped: add --accept-reported",)


def test_many_runs_have_one_hint() -> None:
    unseen = [structs.replace(samples.requested(), run=f"{samples.PATCH}{number}") for number in range(300)]

    assert hints(unseen, operation="01K9Z") == ("To check again:", "  runcancel status --operation 01K9Z")
    assert len(hints(unseen)) == 5
    assert hints(unseen)[-1] == "  and 297 more"


def test_what_runs_outside_has_one_hint_of_its_kind() -> None:
    kept = [
        structs.replace(
            seen(number, Effect.KEPT_RUNNING),
            foreign=ExternalExecution(what="a Step Functions execution", command=f"aws stop {number}"),
        )
        for number in range(20)
    ]

    assert hints([outcome(Verdict.PARTIAL, *kept)]) == (
        "A Step Functions execution keeps running. To cancel it:",
        "  aws stop 0",
        "  aws stop 1",
        "  aws stop 2",
        "  and 17 more",
    )


def test_the_announcement_of_one_run_says_who_what_and_what_to_expect() -> None:
    who = Caller(scope="aws:us-east-2", account="111122223333", principal="arn:aws:iam::111122223333:user/ops")

    assert announce([samples.plan_item()], [who], width=120) == (
        samples.WINDOW,
        "  nightly-patching",
        samples.PROMISE,
        "Expected: 17 pending: will be cancelled · 3 running: will keep running · 5 already ended · 2 not yet listed.",
        "As arn:aws:iam::111122223333:user/ops",
    )


def test_the_announcement_of_several_groups_them_and_names_what_is_not_asked() -> None:
    items = [samples.plan_item(), samples.plan_item(samples.PATCH), samples.plan_item(samples.SCRIPT, ask=False)]

    lines = announce(items, width=200)

    assert lines[0] == "About to cancel 2 runs (54 targets):"
    assert lines[1].startswith(
        "  nightly-patching  aws us-east-2         1 run  27 targets  not started only: 17 pending: will be cancelled"
    )
    assert lines[-1] == f"{samples.SCRIPT}: not sent: it is over (succeeded)"
    assert len(lines) == 6


def test_where_nothing_is_promised_nothing_is_foretold() -> None:
    item = samples.plan_item(guarantee=Guarantee.BEST_EFFORT)

    assert expectation([item]).startswith("17 pending: should be cancelled")


@given(any_of(PlanItem))
def test_announcements_are_plain(item: PlanItem) -> None:
    caller = Caller(scope=str(item.run.scope), account="\x1b[2J", principal=None)
    both = [item, structs.replace(item, ask=True)]

    for line in (*announce([item], [caller]), *announce(both, [caller])):
        assert is_plain(line)
