"""The exit codes as one function of verdicts: a table, and every small multiset against the order of the design."""

from itertools import combinations_with_replacement, product

import pytest

from runcancel.errors import (
    CREDENTIALS,
    Ending,
    Exit,
    Goal,
    Searched,
    exit_of_cancel,
    exit_of_failures,
    exit_of_listing,
    exit_of_plan,
    exit_of_reading,
)
from runcancel.model.states import Reason, Verdict

STOPPED = Ending(Verdict.STOPPED)
ENDED = Ending(Verdict.ENDED, was_sent=False)
PARTIAL = Ending(Verdict.PARTIAL)
REQUESTED = Ending(Verdict.REQUESTED)
REPORTED = Ending(Verdict.REPORTED)
IN_DOUBT = Ending(Verdict.IN_DOUBT, Reason.LOST)
SKIPPED = Ending(Verdict.SKIPPED, Reason.INTERRUPTED, was_sent=False)
DENIED = Ending(Verdict.FAILED, Reason.DENIED)
EXPIRED = Ending(Verdict.FAILED, Reason.EXPIRED_CREDENTIALS)
MISSING = Ending(Verdict.FAILED, Reason.NOT_FOUND, was_sent=False)
GUARDED = Ending(Verdict.FAILED, Reason.REFUSED, was_sent=False)
MISUSED = Ending(Verdict.FAILED, Reason.USAGE, was_sent=False)
BROKEN = Ending(Verdict.FAILED, Reason.DOWN)
WORDLESS = Ending(Verdict.FAILED)

WHOLE = Searched()
SOME = Searched(gaps=(Reason.DOWN,))
ANSWERED = Searched(gaps=(Reason.DENIED,))
REFUSED = Searched(gaps=(Reason.DENIED, Reason.EXPIRED_CREDENTIALS), replied=False)
MIXED = Searched(gaps=(Reason.DENIED, Reason.DOWN), replied=False)


@pytest.mark.parametrize(
    ("endings", "code"),
    [
        ([], Exit.OK),
        ([STOPPED], Exit.OK),
        ([ENDED], Exit.OK),
        ([STOPPED, ENDED], Exit.OK),
        ([PARTIAL], Exit.PARTIAL),
        ([STOPPED, PARTIAL], Exit.PARTIAL),
        ([REQUESTED, PARTIAL], Exit.PARTIAL),
        ([PARTIAL, DENIED], Exit.PARTIAL),
        ([STOPPED] * 200 + [DENIED], Exit.PARTIAL),
        ([ENDED, MISSING], Exit.PARTIAL),
        ([STOPPED, SKIPPED], Exit.PARTIAL),
        ([REQUESTED, DENIED], Exit.PARTIAL),
        ([REQUESTED], Exit.NOT_SEEN),
        ([REQUESTED, STOPPED], Exit.NOT_SEEN),
        ([REPORTED], Exit.NOT_SEEN),
        ([IN_DOUBT], Exit.NOT_SEEN),
        ([IN_DOUBT, ENDED], Exit.NOT_SEEN),
        ([IN_DOUBT, REPORTED, REQUESTED, STOPPED], Exit.NOT_SEEN),
        ([IN_DOUBT, DENIED], Exit.PARTIAL),
        ([REPORTED, MISSING], Exit.PARTIAL),
        ([IN_DOUBT, PARTIAL], Exit.PARTIAL),
        ([DENIED], Exit.DENIED),
        ([DENIED, EXPIRED], Exit.DENIED),
        ([MISSING, MISSING], Exit.NOT_FOUND),
        ([DENIED, MISSING], Exit.FAILED),
        ([DENIED, BROKEN], Exit.FAILED),
        ([BROKEN], Exit.FAILED),
        ([WORDLESS], Exit.FAILED),
        ([SKIPPED], Exit.FAILED),
        ([GUARDED], Exit.REFUSED),
        ([GUARDED, MISSING], Exit.REFUSED),
        ([GUARDED, ENDED], Exit.REFUSED),
        ([GUARDED, SKIPPED], Exit.REFUSED),
        ([GUARDED, STOPPED], Exit.PARTIAL),
        ([GUARDED, IN_DOUBT], Exit.PARTIAL),
        ([GUARDED, DENIED], Exit.FAILED),
        ([MISUSED], Exit.USAGE),
        ([MISUSED, GUARDED], Exit.USAGE),
        ([MISUSED, STOPPED], Exit.PARTIAL),
    ],
)
def test_a_cancel_ends_with(endings: list[Ending], code: Exit) -> None:
    assert exit_of_cancel(endings, Goal(), WHOLE) == code


@pytest.mark.parametrize(
    ("endings", "searched", "goal", "code"),
    [
        ([STOPPED], SOME, Goal(), Exit.INCOMPLETE),
        ([], SOME, Goal(), Exit.INCOMPLETE),
        ([REQUESTED], SOME, Goal(), Exit.NOT_SEEN),
        ([DENIED], SOME, Goal(), Exit.DENIED),
        ([REQUESTED], WHOLE, Goal(waited=False), Exit.OK),
        ([REQUESTED, ENDED], WHOLE, Goal(waited=False), Exit.OK),
        ([REQUESTED, DENIED], WHOLE, Goal(waited=False), Exit.PARTIAL),
        ([REQUESTED], SOME, Goal(waited=False), Exit.INCOMPLETE),
        ([REPORTED], WHOLE, Goal(waited=False), Exit.NOT_SEEN),
        ([REPORTED], WHOLE, Goal(accept_reported=True), Exit.OK),
        ([REPORTED, DENIED], WHOLE, Goal(accept_reported=True), Exit.PARTIAL),
        ([REPORTED], SOME, Goal(accept_reported=True), Exit.INCOMPLETE),
        ([REQUESTED], WHOLE, Goal(accept_reported=True), Exit.NOT_SEEN),
        ([IN_DOUBT], WHOLE, Goal(accept_reported=True, waited=False), Exit.NOT_SEEN),
        ([], WHOLE, Goal(require_match=True), Exit.NOT_FOUND),
        ([], SOME, Goal(require_match=True), Exit.INCOMPLETE),
        ([ENDED], WHOLE, Goal(require_match=True), Exit.OK),
        ([], REFUSED, Goal(), Exit.DENIED),
        ([], REFUSED, Goal(require_match=True), Exit.DENIED),
        ([ENDED], REFUSED, Goal(), Exit.INCOMPLETE),
        ([], ANSWERED, Goal(), Exit.INCOMPLETE),
        ([], MIXED, Goal(), Exit.INCOMPLETE),
    ],
)
def test_the_search_and_the_goal_matter_only_when_all_is_well(
    endings: list[Ending], searched: Searched, goal: Goal, code: Exit
) -> None:
    assert exit_of_cancel(endings, goal, searched) == code


@pytest.mark.parametrize("signum", [1, 2, 15])
@pytest.mark.parametrize("endings", [[], [STOPPED], [PARTIAL], [GUARDED], [IN_DOUBT, DENIED]])
def test_a_signal_comes_before_everything(endings: list[Ending], signum: int) -> None:
    for searched in (WHOLE, REFUSED):
        assert exit_of_cancel(endings, Goal(require_match=True), searched, signum=signum) == 128 + signum


def by_the_design(endings: tuple[Ending, ...], goal: Goal, searched: Searched) -> Exit:
    """Design §3, sentence by sentence."""
    verdicts = {one.verdict for one in endings}
    failures = {one.reason for one in endings if one.verdict in (Verdict.FAILED, Verdict.SKIPPED)}
    unsure = verdicts & {Verdict.REQUESTED, Verdict.IN_DOUBT, Verdict.REPORTED}
    unsure -= {Verdict.REPORTED} if goal.accept_reported else set()
    unsure -= set() if goal.waited else {Verdict.REQUESTED}
    if not any(one.was_sent for one in endings):
        if Reason.USAGE in failures:
            return Exit.USAGE
        if Reason.REFUSED in failures:
            return Exit.REFUSED
    if Verdict.PARTIAL in verdicts or (failures and verdicts - {Verdict.FAILED, Verdict.SKIPPED}):
        return Exit.PARTIAL
    if unsure:
        return Exit.NOT_SEEN
    if failures and failures <= {Reason.DENIED, Reason.EXPIRED_CREDENTIALS}:
        return Exit.DENIED
    if failures:
        return Exit.NOT_FOUND if failures == {Reason.NOT_FOUND} else Exit.FAILED
    if searched.gaps:
        every_scope_refused = not searched.replied and set(searched.gaps) <= CREDENTIALS
        return Exit.DENIED if every_scope_refused and not endings else Exit.INCOMPLETE
    return Exit.NOT_FOUND if goal.require_match and not endings else Exit.OK


ALL = (
    *(STOPPED, ENDED, PARTIAL, REQUESTED, REPORTED, IN_DOUBT, SKIPPED),
    *(DENIED, EXPIRED, MISSING, GUARDED, MISUSED, BROKEN, WORDLESS),
)
GOALS = tuple(
    Goal(waited=waited, accept_reported=accept, require_match=match)
    for waited, accept, match in product((True, False), repeat=3)
)


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("size", range(4))
def test_every_multiset_of_verdicts_ends_as_the_design_says(size: int, goal: Goal) -> None:
    for endings, searched in product(combinations_with_replacement(ALL, size), (WHOLE, SOME, REFUSED)):
        expected = by_the_design(endings, goal, searched)
        for order in (endings, endings[::-1]):
            assert exit_of_cancel(order, goal, searched) == expected, endings


@pytest.mark.parametrize("match", [False, True])
@pytest.mark.parametrize(
    ("decided", "searched", "planned", "code"),
    [
        ([], WHOLE, True, Exit.OK),
        ([], SOME, True, Exit.INCOMPLETE),
        ([], SOME, False, Exit.INCOMPLETE),
        ([], REFUSED, False, Exit.DENIED),
        ([], REFUSED, True, Exit.INCOMPLETE),
        ([Reason.NOT_FOUND], WHOLE, True, Exit.NOT_FOUND),
        ([Reason.DENIED], SOME, True, Exit.DENIED),
    ],
)
def test_a_dry_run_ends_with(decided: list[Reason], searched: Searched, planned: bool, code: Exit, match: bool) -> None:
    assert exit_of_plan(decided, searched, planned=planned, require_match=match) == code


def test_a_dry_run_that_found_nothing_is_not_found_only_on_demand() -> None:
    assert exit_of_plan([], WHOLE, planned=False, require_match=True) == Exit.NOT_FOUND
    assert exit_of_plan([], WHOLE, planned=False, require_match=False) == Exit.OK


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_an_exit_code_that_is_not_success(reason: Reason) -> None:
    assert exit_of_failures([reason]) != Exit.OK
    assert exit_of_reading([reason]) != Exit.OK
    assert exit_of_cancel([Ending(Verdict.FAILED, reason)], Goal(), WHOLE) == exit_of_failures([reason])


@pytest.mark.parametrize(
    ("reasons", "code"),
    [
        ([], Exit.OK),
        ([Reason.NOT_FOUND], Exit.NOT_FOUND),
        ([Reason.NOT_FOUND] * 2, Exit.NOT_FOUND),
        ([Reason.DENIED, Reason.NO_CREDENTIALS], Exit.DENIED),
        ([Reason.DOWN], Exit.INCOMPLETE),
        ([Reason.DOWN, Reason.NOT_FOUND], Exit.INCOMPLETE),
        ([Reason.DENIED, Reason.NOT_FOUND], Exit.INCOMPLETE),
    ],
)
def test_a_reading_ends_with(reasons: list[Reason], code: Exit) -> None:
    assert exit_of_reading(reasons) == code


@pytest.mark.parametrize("reason", Reason)
def test_a_search_with_a_gap_is_incomplete_and_one_set_up_wrongly_is_wrong_usage(reason: Reason) -> None:
    expected = Exit.USAGE if reason is Reason.USAGE else Exit.INCOMPLETE

    assert exit_of_listing(WHOLE, any_found=False) == Exit.OK
    assert exit_of_listing(Searched(gaps=(reason,)), any_found=False) == expected
    assert exit_of_listing(Searched(gaps=(Reason.DOWN, reason)), any_found=True) == expected


def test_a_search_that_every_scope_refused_is_not_permitted() -> None:
    assert exit_of_listing(REFUSED, any_found=False) == Exit.DENIED
    assert exit_of_listing(REFUSED, any_found=True) == Exit.INCOMPLETE
    assert exit_of_listing(ANSWERED, any_found=False) == Exit.INCOMPLETE
    assert exit_of_listing(MIXED, any_found=False) == Exit.INCOMPLETE
