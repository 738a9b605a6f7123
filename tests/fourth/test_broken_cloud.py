"""A cloud that raises what no provider should, in any part of its contract, ends no other cloud's work."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from outside import TENCENT, Done, Outside

HERE = Path(__file__).parent
JOB = "nimbus:sky-1:job/job-00000000a001"
_KNOWN = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from runcancel import providers
from runcancel.engine import tracker
providers.PROVIDERS["nimbus"] = "thunder"
tracker.READ_WITHIN = 2.0  # what it is otherwise, tests of the engine say, on a clock of their own
"""


def run(outside: Outside, raises: str, *argv: str, env: dict[str, str] | None = None) -> Done:
    file = outside.home / "jobs.json"
    job = {"name": "patch-openssl", "region": "sky-1", "planes": {"p-1": "flying"}}
    file.write_text(json.dumps({"job-00000000a001": job}))
    environ = {"NIMBUS_FILE": str(file), "NIMBUS_REGION": "sky-1", "NIMBUS_KEY": "s3cret", "NIMBUS_RAISES": raises}
    return outside.run(*argv, env=environ | (env or {}), before=_KNOWN)


@pytest.mark.parametrize(
    ("raises", "argv"),
    [
        ("configured", ("list",)),
        ("resolve", ("list",)),
        ("connect", ("list",)),
        ("runs", ("list",)),
        ("regions", ("list", "-r", "all", "-p", "nimbus,tencent")),
        ("read", ("status", JOB, TENCENT)),
        ("connect", ("status", JOB, TENCENT)),
        ("identity", ("doctor", "-p", "nimbus,tencent")),
        ("checkup", ("doctor", "-p", "nimbus,tencent")),
    ],
)
def test_what_one_cloud_raises_is_its_own_row(raises: str, argv: Sequence[str], outside: Outside) -> None:
    done = run(outside, raises, *argv, "-o", "json")

    rows = done.document.get("runs") or done.document["scopes"]
    assert "tencent" in {row["provider"] for row in rows}, str(done)
    assert done.code in (0, 7), str(done)
    assert "s3cret" not in done.out + done.err


@pytest.mark.parametrize("raises", ["cancel", "read", "connect"])
@pytest.mark.parametrize("kind", ["memory", "key"])
def test_every_run_of_a_cancel_has_its_outcome(raises: str, kind: str, outside: Outside) -> None:
    argv = ("cancel", JOB, TENCENT, "--timeout", "3s", "-o", "json")

    later = {"NIMBUS_LATER": "1"} if raises != "connect" else {}
    done = run(outside, raises, *argv, env={"NIMBUS_WITH": kind, **later})

    assert done.outcomes[TENCENT]["verdict"] == "stopped", str(done)
    assert done.outcomes[JOB]["verdict"] in ("failed", "in-doubt"), str(done)
    assert done.code in (3, 8)


def test_debug_shows_where_it_was_raised_and_not_what_it_holds(outside: Outside) -> None:
    done = run(outside, "read", "status", JOB, "--debug")

    assert "thunder.py" in done.err
    assert "RuntimeError" in done.err
    assert "s3cret" not in done.err
