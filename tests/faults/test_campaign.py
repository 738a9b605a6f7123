"""Random faults on the way of random commands: nothing is lost, and nothing is claimed that is not true."""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from .campaigns import Campaign
from .cases import Played, case, grid, play
from .oracle import left_unsent, lies


def _figures(played: Played) -> Counter[str]:
    return Counter(
        {
            "faults injected": sum(len(one["faults"]) for one in played.requests),
            "commands run with faults on the way": 1,
            "requests answered by the sandbox": len(played.requests),
            "runs left unsent that could have been sent": len(left_unsent(played)),
        }
    )


_CAMPAIGN = Campaign(case=case, grid=grid, play=partial(play, patience=300), lies=lies, figures=_figures)


def test_whatever_fails_on_the_way_nothing_is_lost_and_nothing_is_claimed(
    tmp_path: Path, soak: int, first_seed: int
) -> None:
    campaign = replace(_CAMPAIGN, case=partial(case, hanging=0.04 if soak else 0.0))
    campaign.judge_random(tmp_path, first=first_seed, soak=soak, few=10)


def test_every_fault_at_every_action(tmp_path: Path, soak: int, *, whole_grid: bool) -> None:
    _CAMPAIGN.judge_grid(tmp_path, soak=soak, whole=whole_grid, few=12, dice=11)
