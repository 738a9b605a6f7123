"""The exit codes as one function of verdicts: a table, and every small multiset against the order of the design."""

from itertools import combinations_with_replacement, product

import pytest

from runcancel.errors import Exit, exit_of_cancel, exit_of_failures, exit_of_listing, exit_of_reading
from runcancel.vocabulary import Reason, Verdict

Ending = tuple[Verdict, Reason | None]

STOPPED: Ending = (Verdict.STOPPED, None)
ENDED: Ending = (Verdict.ENDED, None)
PARTIAL: Ending = (Verdict.PARTIAL, None)
REQUESTED: Ending = (Verdict.REQUESTED, None)
SKIPPED: Ending = (Verdict.SKIPPED, Reason.INTERRUPTED)
DENIED: Ending = (Verdict.FAILED, Reason.DENIED)
EXPIRED: Ending = (Verdict.FAILED, Reason.EXPIRED_CREDENTIALS)
MISSING: Ending = (Verdict.FAILED, Reason.NOT_FOUND)
BROKEN: Ending = (Verdict.FAILED, Reason.DOWN)
WORDLESS: Ending = (Verdict.FAILED, None)


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
        ([DENIED], Exit.DENIED),
        ([DENIED, EXPIRED], Exit.DENIED),
        ([MISSING, MISSING], Exit.NOT_FOUND),
        ([DENIED, MISSING], Exit.FAILED),
        ([DENIED, BROKEN], Exit.FAILED),
        ([BROKEN], Exit.FAILED),
        ([WORDLESS], Exit.FAILED),
        ([SKIPPED], Exit.FAILED),
    ],
)
def test_a_cancel_ends_with(endings: list[Ending], code: Exit) -> None:
    assert exit_of_cancel(endings) == code


@pytest.mark.parametrize(
    ("endings", "complete", "waited", "code"),
    [
        ([STOPPED], False, True, Exit.INCOMPLETE),
        ([], False, True, Exit.INCOMPLETE),
        ([REQUESTED], False, True, Exit.NOT_SEEN),
        ([DENIED], False, True, Exit.DENIED),
        ([REQUESTED], True, False, Exit.OK),
        ([REQUESTED, ENDED], True, False, Exit.OK),
        ([REQUESTED, DENIED], True, False, Exit.PARTIAL),
        ([REQUESTED], False, False, Exit.INCOMPLETE),
    ],
)
def test_an_incomplete_listing_and_no_wait_matter_only_when_all_is_well(
    endings: list[Ending], complete: bool, waited: bool, code: Exit
) -> None:
    assert exit_of_cancel(endings, complete=complete, waited=waited) == code


def by_the_design(endings: tuple[Ending, ...], *, complete: bool, waited: bool) -> Exit:
    """Design §3, sentence by sentence; something accepted beside something failed took effect, so it counts as good."""
    verdicts = {verdict for verdict, _ in endings}
    failures = [reason for verdict, reason in endings if verdict in (Verdict.FAILED, Verdict.SKIPPED)]
    took_effect = verdicts & {Verdict.STOPPED, Verdict.ENDED, Verdict.REQUESTED}
    if Verdict.PARTIAL in verdicts or (took_effect and failures):
        return Exit.PARTIAL
    if not failures and Verdict.REQUESTED in verdicts and waited:
        return Exit.NOT_SEEN
    if failures and set(failures) <= {Reason.DENIED, Reason.EXPIRED_CREDENTIALS}:
        return Exit.DENIED
    if failures and set(failures) == {Reason.NOT_FOUND}:
        return Exit.NOT_FOUND
    if failures:
        return Exit.FAILED
    return Exit.OK if complete else Exit.INCOMPLETE


ALL = (STOPPED, ENDED, PARTIAL, REQUESTED, SKIPPED, DENIED, EXPIRED, MISSING, BROKEN, WORDLESS)


@pytest.mark.parametrize("size", range(5))
def test_every_multiset_of_verdicts_ends_as_the_design_says(size: int) -> None:
    for endings, complete, waited in product(combinations_with_replacement(ALL, size), (False, True), (False, True)):
        expected = by_the_design(endings, complete=complete, waited=waited)
        for order in (endings, endings[::-1]):
            assert exit_of_cancel(order, complete=complete, waited=waited) == expected, endings


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_an_exit_code_that_is_not_success(reason: Reason) -> None:
    assert exit_of_failures([reason]) != Exit.OK
    assert exit_of_reading([reason]) != Exit.OK
    assert exit_of_cancel([(Verdict.FAILED, reason)]) == exit_of_failures([reason])


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

    assert exit_of_listing([]) == Exit.OK
    assert exit_of_listing([reason]) == expected
    assert exit_of_listing([Reason.DOWN, reason]) == expected
