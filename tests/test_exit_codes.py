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
REPORTED: Ending = (Verdict.REPORTED, None)
IN_DOUBT: Ending = (Verdict.IN_DOUBT, Reason.LOST)
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


def by_the_design(endings: tuple[Ending, ...], *, complete: bool, waited: bool, accept: bool) -> Exit:
    """Design §3, sentence by sentence."""
    verdicts = {verdict for verdict, _ in endings}
    failures = {reason for verdict, reason in endings if verdict in (Verdict.FAILED, Verdict.SKIPPED)}
    unsure = verdicts & {Verdict.REQUESTED, Verdict.IN_DOUBT, Verdict.REPORTED}
    unsure -= ({Verdict.REPORTED} if accept else set()) | (set() if waited else {Verdict.REQUESTED})
    if Verdict.PARTIAL in verdicts or (failures and verdicts - {Verdict.FAILED, Verdict.SKIPPED}):
        return Exit.PARTIAL
    if unsure:
        return Exit.NOT_SEEN
    if failures and failures <= {Reason.DENIED, Reason.EXPIRED_CREDENTIALS}:
        return Exit.DENIED
    if failures:
        return Exit.NOT_FOUND if failures == {Reason.NOT_FOUND} else Exit.FAILED
    return Exit.OK if complete else Exit.INCOMPLETE


ALL = (STOPPED, ENDED, PARTIAL, REQUESTED, REPORTED, IN_DOUBT, SKIPPED, DENIED, EXPIRED, MISSING, BROKEN, WORDLESS)


@pytest.mark.parametrize("size", range(5))
def test_every_multiset_of_verdicts_ends_as_the_design_says(size: int) -> None:
    switches = product((False, True), repeat=3)
    for endings, (complete, waited, accept) in product(combinations_with_replacement(ALL, size), switches):
        expected = by_the_design(endings, complete=complete, waited=waited, accept=accept)
        for order in (endings, endings[::-1]):
            code = exit_of_cancel(order, complete=complete, waited=waited, accept_reported=accept)
            assert code == expected, endings


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
