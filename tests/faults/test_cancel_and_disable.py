"""Faults on the way of `cancel --disable-triggers`: no trigger holds up a run, and every claim is true."""

from pathlib import Path

from .campaigns import Campaign
from .cancel_and_disable import Played, case, grid, held_up, lies, play


def _figures(played: Played) -> dict[str, int]:
    return {
        "cancels with --disable-triggers run with faults on the way": 1,
        "runs that a trigger held up": len(held_up(played)),
    }


_CAMPAIGN = Campaign(case=case, grid=grid, play=play, lies=lies, figures=_figures, at_once=4)


def test_whatever_fails_on_the_way_the_run_is_cancelled_and_no_trigger_is_forgotten(
    tmp_path: Path, soak: int, first_seed: int
) -> None:
    _CAMPAIGN.judge_random(tmp_path, first=first_seed, soak=soak, few=3)


def test_every_fault_at_every_action_of_triggers_and_of_the_cancel(
    tmp_path: Path, soak: int, *, whole_grid: bool
) -> None:
    _CAMPAIGN.judge_grid(tmp_path, soak=soak, whole=whole_grid, few=4, dice=12)
