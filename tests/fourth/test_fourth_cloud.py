"""One file and one line in the table make a fourth cloud: every verb takes it, no other file knows it."""

import json
import re
import sys
from functools import partial
from pathlib import Path

import pytest
from outside import Done, checked, ran, warm

import runcancel

HERE = Path(__file__).parent
JOB = "nimbus:sky-1:job/job-00000000a001"
_ONE_LINE = f"""
import sys
sys.path.append({str(HERE)!r})
from runcancel import providers
providers.PROVIDERS["nimbus"] = "nimbus"
"""


class Sky:
    """The command with a fourth line in the table."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.file = home / "jobs.json"
        planes = {"p-1": "flying", "p-2": "waiting", "p-3": "landed"}
        jobs = {
            "job-00000000a001": {"name": "patch-openssl", "region": "sky-1", "planes": planes},
            "job-00000000A002": {"name": "other", "region": "sky-2", "planes": {"p-9": "flying"}},
        }
        self.file.write_text(json.dumps(jobs))

        self.environ = {"HOME": str(home), "NIMBUS_FILE": str(self.file), "NIMBUS_REGION": "sky-1", "NO_COLOR": "1"}

    def run(self, *argv: str) -> Done:
        environ = {**self.environ, "NIMBUS_KEY": "k-1"}
        code, out, err = warm().run(argv, environ=environ, cwd=self.home, stdin="", patience=60, before=_ONE_LINE)
        return checked(Done(argv=argv, code=code, out=out, err=err), environ)

    def run_in_a_new_interpreter(self, *argv: str, **env: str) -> Done:
        """What `run` has loaded when it gets the line is loaded after it here."""
        launcher = f"{_ONE_LINE}from runcancel.cli import main\nmain()\n"
        return ran([sys.executable, "-c", launcher], *argv, environ={**self.environ, **env, "LC_ALL": "C.UTF-8"})

    def words(self, id: str) -> list[str]:
        """How the vendor itself calls the state of each target."""
        return list(json.loads(self.file.read_text())[id]["planes"].values())


@pytest.fixture
def sky(tmp_path: Path) -> Sky:
    return Sky(tmp_path)


def test_a_cancel_by_a_bare_id_is_planned_asked_watched_and_judged(sky: Sky) -> None:
    plan = sky.run("cancel", "job-00000000a001", "-n", "-o", "json")
    assert plan.document["plan"][0]["guarantee"] == "stops-running"
    assert plan.document["identities"][0]["principal"] == "nimbus:user/pilot"

    done = sky.run("cancel", "job-00000000a001", "-o", "json")

    assert done.code == 0, str(done)
    assert done.outcomes[JOB]["verdict"] == "stopped"
    assert done.outcomes[JOB]["request_ids"] == ["stop-job-00000000a001"]
    effects = {one["target"]: one["effect"] for one in done.outcomes[JOB]["invocations"]}
    assert effects == {"p-1": "terminated", "p-2": "cancelled", "p-3": "already-ended"}
    assert sky.words("job-00000000a001") == ["shot down", "called off", "landed"]
    history = sky.run("history", done.document["operation"], "-o", "json")
    assert history.document["outcomes"][0]["verdict"] == "stopped"


def test_only_the_named_target_is_stopped(sky: Sky) -> None:
    done = sky.run("cancel", JOB, "--target", "p-2", "-o", "json")

    assert done.code == 0, str(done)
    assert sky.words("job-00000000a001") == ["flying", "called off", "landed"]


def test_the_reading_verbs_know_it(sky: Sky) -> None:
    for run in (sky.run, partial(sky.run_in_a_new_interpreter, NIMBUS_KEY="k-1")):
        assert run("status", JOB, "-o", "json").document["runs"][0]["provider_status"] == "waiting"
    assert [row["target"] for row in sky.run("invocations", JOB).rows] == ["p-1", "p-2", "p-3"]
    assert "p-1\thello from p-1" in sky.run("logs", JOB).out
    everywhere = sky.run("list", "-r", "all", "-o", "ref")
    assert sorted(everywhere.out.split()) == [JOB, "nimbus:sky-2:job/job-00000000A002"]
    assert (
        sky.run("status", "https://console.nimbus.example/sky-1/jobs/job-00000000a001", "-o", "ref").out.strip() == JOB
    )
    elsewhere = sky.run("status", "https://console.example.net/sky-1/jobs/job-00000000a001")
    assert "not a console URL of AWS, Alibaba Cloud, Tencent Cloud or Nimbus; nothing was sent" in elsewhere.err


def test_a_filter_a_context_and_a_wait_reach_it(sky: Sky) -> None:
    assert sky.run("contexts", "add", "sky", "-p", "nimbus", "-r", "sky-2").code == 0

    done = sky.run("cancel", "-c", "sky", "--name", "other", "--yes", "-o", "json")

    assert list(done.outcomes) == ["sky@nimbus:sky-2:job/job-00000000A002"], str(done)
    assert sky.run("wait", "sky@nimbus:sky-2:job/job-00000000A002", "--for", "stopped").code == 0


def test_doctor_permissions_and_help_know_it(sky: Sky) -> None:
    rows = {row["provider"]: row for row in sky.run("doctor", "-o", "json").document["scopes"]}
    assert rows["nimbus"]["credentials"] == "NIMBUS_KEY"
    assert json.loads(sky.run("permissions", "-p", "nimbus", "--read-only", "--account", "n-1").out) == {
        "allow": ["nimbus:GetJob", "nimbus:ListJobs"]
    }
    assert "nimbus job: stops-running" in sky.run("help", "guarantees").out
    assert "NIMBUS_KEY" in sky.run("help", "environment").out


def test_without_a_key_it_says_what_is_missing(sky: Sky) -> None:
    done = sky.run_in_a_new_interpreter("status", JOB)

    assert done.code == 4
    assert "NIMBUS_KEY" in done.err


def test_the_sandbox_lets_nothing_through_to_a_cloud_that_it_does_not_pretend_to_be(sky: Sky) -> None:
    done = sky.run("sandbox", "exec", "--", "env")

    assert done.code == 0, str(done)
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:" in done.out
    assert "NIMBUS" not in done.out


def test_no_file_of_the_program_had_to_know_it() -> None:
    root = Path(runcancel.__file__).parent

    knowing = [
        path for path in root.rglob("*.py") if re.search("nimbus", path.read_text(encoding="utf-8"), re.IGNORECASE)
    ]
    assert knowing == []
