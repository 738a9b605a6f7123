"""Random faults on the way of `disable` and `enable`: no state is claimed that is not true, and a restore is true."""

from pathlib import Path

from .campaigns import Campaign
from .trigger_cases import Played, case, grid, play
from .trigger_oracle import left_unsent, lies


def _figures(played: Played) -> dict[str, int]:
    return {
        "changes of triggers run with faults on the way": 1,
        "triggers left unsent that could have been sent": len(left_unsent(played)),
    }


_CAMPAIGN = Campaign(case=case, grid=grid, play=play, lies=lies, figures=_figures)


def test_whatever_fails_on_the_way_no_trigger_is_claimed_or_forgotten(
    tmp_path: Path, soak: int, first_seed: int
) -> None:
    _CAMPAIGN.judge_random(tmp_path, first=first_seed, soak=soak, few=6)


def test_every_fault_at_every_action_of_triggers(tmp_path: Path, soak: int, *, whole_grid: bool) -> None:
    _CAMPAIGN.judge_grid(tmp_path, soak=soak, whole=whole_grid, few=6, dice=11)
