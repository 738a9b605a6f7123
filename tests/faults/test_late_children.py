"""What a window started after its plan: a limit that refused it holds over kills and resumes, too."""

import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from adversary.contradictions import listings
from fuzz.liar import Liar, Telling
from outside import TENCENT, Done, Outside

from runcancel.sandbox import SandboxOptions
from runcancel.sandbox.wire import Reply

from .conftest import FIGURES
from .killer import mortal

WINDOW, CHILD = "CancelMaintenanceWindowExecution", "CancelCommand"


class Late(Outside):
    """A sandbox whose window names what it started only once its cancel was sent."""

    def __init__(self, home: Path, **options: Any) -> None:
        super().__init__(home)
        self.box.close()
        self.box = Liar(SandboxOptions(speed=20))
        self.box.telling = Telling((self,))  # type: ignore[arg-type]
        self.reset()
        self.ref = self.add("aws", "maintenance-window", targets={"running": 2, "pending": 2}, runs_for=9000)
        self.argv = ("cancel", self.ref, "--stop-running", "--max-runs", "1", "-o", "json")

    def apply(self, reply: Reply) -> None:
        """Hide the children until the window was asked."""
        if reply.body.startswith(b"{") and WINDOW not in self.actions():
            document = json.loads(reply.body)
            for field, rows in listings(document):
                for row in rows if field == "WindowExecutionTaskInvocationIdentities" else ():
                    row.pop("ExecutionId", None)
            reply.body = json.dumps(document).encode()

    @property
    def sent(self) -> list[str]:
        """The cancels that were sent, in order."""
        return [each["action"] for each in self.writes()]

    def resumed(self, *flags: str) -> Any:
        (operation,) = self.json("history")["operations"]
        return self.run("cancel", "--resume", operation["id"], *flags, "-o", "json")


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Late]:
    with Late(tmp_path / "home") as made:
        yield made


def test_a_child_that_joins_late_and_is_refused_by_a_limit_is_not_sent_by_a_resume(late: Late) -> None:
    done = late.run(*late.argv)

    assert done.code == 3, str(done)
    refused = [one for one in done.document["outcomes"] if one["parent"] == late.ref]
    assert [one["verdict"] for one in refused] == ["skipped"]
    assert all("2 runs" in one["error"]["message"] for one in refused)
    assert late.sent == [WINDOW]
    again = late.resumed()
    assert again.code == 6, str(again)
    assert "--max-runs 2" in again.err
    assert late.sent == [WINDOW]
    raised = late.resumed("--max-runs", "2")
    assert raised.code in (0, 3), str(raised)
    assert late.sent == [WINDOW, CHILD]


def test_what_a_late_refusal_suggests_is_not_refused_again(late: Late) -> None:
    done = late.run(*late.argv)
    (child,) = [one for one in done.document["outcomes"] if one["parent"] == late.ref]

    hint = f"To cancel it: runcancel cancel {child['run']}"
    assert child["error"]["hint"] == hint
    assert hint in done.err
    assert "--resume" not in done.err
    assert "--resume" not in late.run("history", "last").err
    assert "--resume" not in late.run("report", "last", "-o", "md").out
    cancelled = late.run(*hint.removeprefix("To cancel it: runcancel ").split(), "--no-wait")
    assert (cancelled.code, late.sent) == (0, [WINDOW, CHILD]), str(cancelled)


def test_the_rest_beside_a_late_refusal_is_continued_without_it(late: Late) -> None:
    late.faults({"kind": "http-503", "provider": "tencent", "action": "CancelInvocation"})
    flags = ("--max-runs", "2", "--timeout", "3s", "--yes", "-o", "json")

    done = late.run("cancel", late.ref, TENCENT, "--stop-running", *flags)

    verdicts = {one["run"]: one["verdict"] for one in done.document["outcomes"]}
    (child,) = [one["run"] for one in done.document["outcomes"] if one["parent"] == late.ref]
    assert (verdicts[child], verdicts[TENCENT]) == ("skipped", "in-doubt"), str(done)
    hint = f"runcancel cancel {TENCENT}"
    assert f"To continue with the rest: {hint}\n" in done.err
    assert f"To continue with the rest: {hint}\n" in late.run("history", "last").err
    assert f"{hint}\n" in late.run("report", "last", "-o", "md").out
    late.faults()
    again = late.run(*hint.split()[1:], "-o", "json")
    assert again.code == 0, str(again)


def _killed(late: Late, moment: str, number: int) -> Done:
    return mortal(late, moment, number, *late.argv)


def test_whenever_it_is_killed_a_resume_keeps_to_the_limit(tmp_path: Path, soak: int) -> None:
    with Late(tmp_path / "whole") as late:
        writes = int(_killed(late, "before", 0).err.splitlines()[-1])
    moments = [(number, moment) for number in range(1, writes + 1) for moment in ("before", "after")]
    for number, moment in moments if soak else random.Random(14).sample(moments, k=2):
        with Late(tmp_path / f"{moment}{number}") as late:
            assert _killed(late, moment, number).code == -signal.SIGKILL
            if not late.json("history")["operations"]:
                assert late.sent == []
                continue
            late.resumed()
            assert CHILD not in late.sent, (moment, number)
            assert late.sent.count(WINDOW) <= 2
            late.resumed("--max-runs", "2")
            assert late.states(late.ref).get("pending") is None, (moment, number)
            FIGURES["kills with a late child and a limit"] += 1
