"""How much one cancel may stop, and how weak its guarantee may be."""

import pytest
from fakes import COMMAND, PATCH, WINDOW, seen

from guards.plans import over, patches, running
from runcancel.engine.planning import plan
from runcancel.errors import Refused
from runcancel.guards import limits
from runcancel.model.outcomes import Limits
from runcancel.model.states import Guarantee, State

P, R, S = State.PENDING, State.RUNNING, State.SUCCEEDED


# caps


@pytest.mark.parametrize(("runs", "most", "fits"), [(2, 2, True), (3, 2, False), (1, 0, False), (0, 0, True)])
def test_more_runs_than_the_cap_are_refused(runs: int, most: int, fits: bool) -> None:
    given = Limits(max_runs=most)
    if fits:
        limits.check_limits(patches(runs), given)
        return
    with pytest.raises(Refused) as refused:
        limits.check_limits(patches(runs), given)
    assert refused.value.message == (
        f"{f'{runs} runs match' if runs > 1 else '1 run matches'}; the limit is {most} (--max-runs); nothing was sent"
    )
    assert refused.value.hint == f"To proceed: add --max-runs {runs}   To preview: add --dry-run"


@pytest.mark.parametrize(("targets", "most", "fits"), [(4, 4, True), (5, 4, False), (5, None, True), (1, 0, False)])
def test_more_targets_than_the_cap_are_refused(targets: int, most: int | None, fits: bool) -> None:
    items = [running(targets=targets)]
    if fits:
        limits.check_limits(items, Limits(max_targets=most))
        return
    with pytest.raises(Refused) as refused:
        limits.check_limits(items, Limits(max_targets=most))
    assert refused.value.message == (
        f"{f'{targets} targets match' if targets > 1 else '1 target matches'}; the limit is {most} (--max-targets); "
        "nothing was sent"
    )
    assert refused.value.hint == f"To proceed: add --max-targets {targets}   To preview: add --dry-run"


def test_the_default_cap_is_twenty_runs_and_no_limit_of_targets() -> None:
    limits.check_limits([running(targets=5000)], Limits())
    limits.check_limits([over()] * 21, Limits())
    with pytest.raises(Refused):
        limits.check_limits(patches(7) * 3, Limits())
    limits.check_limits(patches(5) * 4, Limits())


def test_no_cap_is_no_cap() -> None:
    limits.check_limits(patches(9) * 9, Limits(max_runs=None))


def test_what_has_ended_counts_for_no_cap() -> None:
    limits.check_limits([over(), running()], Limits(max_runs=1, max_targets=1))
    ended = plan(seen(PATCH, R, {"a": S, "b": R}))
    limits.check_limits([ended], Limits(max_targets=1))


def test_targets_that_are_not_listed_count() -> None:
    with pytest.raises(Refused, match="7 targets"):
        limits.check_limits([running(targets=2, target_count=7)], Limits(max_targets=6))
    assert limits.size(running(targets=2, target_count=7)) == 7


# guarantees


@pytest.mark.parametrize(
    ("ref", "level", "fits"),
    [
        (PATCH, None, True),
        (WINDOW, None, True),
        *((PATCH, level, True) for level in Guarantee),
        (COMMAND, Guarantee.STOPS_RUNNING, False),
        (COMMAND, Guarantee.BEST_EFFORT, True),
        (COMMAND, Guarantee.PENDING_ONLY, True),
        (WINDOW, Guarantee.STOPS_RUNNING, False),
        (WINDOW, Guarantee.BEST_EFFORT, False),
        (WINDOW, Guarantee.PENDING_ONLY, True),
    ],
)
def test_a_guarantee_below_the_required_one_is_refused(ref: str, level: Guarantee | None, fits: bool) -> None:
    if fits:
        limits.check_guarantee([running(ref)], level)
        return
    with pytest.raises(Refused) as refused:
        limits.check_guarantee([running(ref), running(PATCH)], level)
    weak = running(ref).guarantee
    assert refused.value.message == f"{ref}: the guarantee is {weak}, but {level} is required; nothing was sent"


def test_several_below_it_are_counted_and_what_has_ended_is_not() -> None:
    with pytest.raises(Refused, match="and 1 more: the guarantee is"):
        limits.check_guarantee([running(WINDOW), running(COMMAND)], Guarantee.STOPS_RUNNING)
    limits.check_guarantee([over(WINDOW)], Guarantee.STOPS_RUNNING)


# what would let it pass


def test_every_limit_that_is_exceeded_is_named_with_the_option_that_raises_it() -> None:
    found = limits.excesses(patches(3), Limits(max_runs=2, max_targets=1))

    refused = limits.over_limit(found, more=["--confirm 3"])
    assert refused.message == (
        "3 runs match; the limit is 2 (--max-runs); 3 targets match; the limit is 1 (--max-targets); nothing was sent"
    )
    assert refused.hint == "To proceed: add --max-runs 3 --max-targets 3 --confirm 3   To preview: add --dry-run"
    assert limits.over_limit(found, replaced=True).hint == (
        "To proceed: use --max-runs 3 --max-targets 3   To preview: add --dry-run"
    )


def test_no_option_is_named_for_a_limit_of_the_configuration() -> None:
    found = limits.excesses(patches(3), Limits(max_runs=2, max_targets=1), configured=Limits(max_runs=2))

    refused = limits.over_limit(found, more=["--confirm 3"])
    assert "the limit is 2 (caps.max_runs); 3 targets" in refused.message
    assert refused.hint == (
        "No option raises caps.max_runs of the configuration, which is 2.   To preview: add --dry-run"
    )


@pytest.mark.parametrize(
    ("given", "lowest"),
    [
        ((Limits(max_runs=20), Limits(max_runs=5)), Limits(max_runs=5)),
        ((Limits(max_runs=20), Limits(max_runs=None, max_targets=7)), Limits(max_runs=20, max_targets=7)),
        ((Limits(max_runs=0), Limits(max_runs=5)), Limits(max_runs=0)),
        ((Limits(max_runs=None), Limits(max_runs=None)), Limits(max_runs=None)),
    ],
)
def test_the_lowest_of_limits_holds(given: tuple[Limits, Limits], lowest: Limits) -> None:
    assert limits.lowest(*given) == lowest
