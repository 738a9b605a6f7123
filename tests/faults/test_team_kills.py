"""SIGKILL at a write of a cancel whose journal is a team's; another machine, which has nothing else, resumes it."""

import random
import shutil
import signal
from pathlib import Path

from databases import Server
from outside import Outside

from runcancel.journal.store import JournalStore

from .conftest import FIGURES
from .test_kills import cancelled, fleet, resumed

_WRITES = 2 * 5 + 3  # the intent, an answer and an outcome for each run, the end


def test_killed_and_resumed_on_another_machine(tmp_path: Path, postgres: Server, soak: int) -> None:
    killed = 0
    moments = [(number, moment) for number in range(1, 2 * _WRITES) for moment in ("before", "after")]
    for number, moment in moments if soak else random.Random(11).sample(moments, k=3):
        with Outside(tmp_path / f"{number}-{moment}", fleet=False) as outside:
            url = postgres.create()
            JournalStore(Path("/nowhere"), url).migrate()
            outside.environ["RUNCANCEL_JOURNAL_URL"] = url
            refs = fleet(outside, 5)
            done = cancelled(outside, moment, number, refs)
            assert done.code in (-signal.SIGKILL, 0), done.err
            assert "the team journal" not in done.err
            shutil.rmtree(outside.home / ".local" / "state", ignore_errors=True)

            if done.code != 0:
                resumed(outside, refs)
                killed += 1
                FIGURES["kills resumed on another machine"] += 1
    assert killed
