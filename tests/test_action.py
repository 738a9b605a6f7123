"""The action for workflows: what it cancels, what it reports, and what it refuses before a request."""

import json
import re
from pathlib import Path

import pytest
from action import ACTION, use_action
from outside import COMMAND, ONE_SHOT, TENCENT, WINDOW, Outside

ROOT = Path(__file__).parents[1]


def test_no_script_has_an_expression_in_it() -> None:
    steps = ACTION["runs"]["steps"]
    assert [step["name"] for step in steps if "${{" in step["run"]] == []
    assert {step["shell"] for step in steps} == {"bash"}
    used = {
        name
        for step in steps
        for text in (*step["env"].values(), step.get("if", ""))
        for name in re.findall(r"inputs\.([\w-]+)", text)
    }
    assert used == ACTION["inputs"].keys()


def test_runs_are_cancelled_and_the_job_page_has_the_report(outside: Outside) -> None:
    done = use_action(outside, runs=f"{TENCENT}\n  {COMMAND}\n")
    assert done.code == 0, done.log
    assert done.outputs["exit-code"] == "0"
    result = json.loads(Path(done.outputs["result"]).read_text())
    assert {one["run"]: one["verdict"] for one in result["outcomes"]} == {TENCENT: "stopped", COMMAND: "stopped"}
    assert done.outputs["operation"] == result["operation"]
    assert done.summary.startswith("# ")
    assert TENCENT in done.summary
    assert outside.json("history")["operations"][0]["reason"] == "https://github.example/a/b/actions/runs/7"


def test_a_partial_stop_fails_the_step_and_is_reported(outside: Outside) -> None:
    done = use_action(outside, runs=ONE_SHOT, reason='it is "bad"; $(touch pwned) ::error::x')
    assert (done.code, done.outputs["exit-code"]) == (3, "3")
    assert "partial" in done.summary
    assert outside.json("history")["operations"][0]["reason"] == 'it is "bad"; $(touch pwned) ::error::x'
    assert not (outside.home / "pwned").exists()


def test_what_runs_is_stopped_too_when_that_is_requested(outside: Outside) -> None:
    done = use_action(outside, runs=WINDOW, stop_running="true", disable_triggers="true")
    argv = outside.json("history")["operations"][0]["argv"]
    assert "--stop-running" in argv
    assert "--disable-triggers" in argv
    assert done.outputs["operation"]


def test_a_run_that_does_not_exist_fails_the_step(outside: Outside) -> None:
    done = use_action(outside, runs="tencent:ap-guangzhou:inv-00000000")
    assert (done.code, done.outputs["exit-code"]) == (5, "5")


@pytest.mark.parametrize(
    "given",
    [
        {"runs": ""},
        {"runs": " \n "},
        {"runs": "--yes"},
        {"runs": f"{TENCENT} --all"},
        {"runs": "$(touch pwned)"},
        {"runs": "`touch pwned`"},
        {"runs": f"{TENCENT};touch pwned"},
        {"runs": "*"},
        {"runs": f"{TENCENT}\n::error::x"},
        {"runs": TENCENT, "timeout": "5m --yes"},
        {"runs": TENCENT, "timeout": "5"},
        {"runs": TENCENT, "timeout": "5m\n5m"},
        {"runs": TENCENT, "stop_running": "yes"},
        {"runs": TENCENT, "disable_triggers": "true\nx=1"},
    ],
)
def test_an_input_that_is_not_what_it_must_be_ends_the_step_before_a_request(
    outside: Outside, given: dict[str, str]
) -> None:
    done = use_action(outside, **given)
    assert done.code == 2, done.log
    (line,) = done.log.splitlines()
    assert re.fullmatch(r"::error title=runcancel::[\w, -]+; nothing was sent", line)
    assert outside.requests() == []
    assert not (outside.home / "pwned").exists()
    assert set(done.outputs.values()) == {""}


def test_every_input_is_on_the_page() -> None:
    page = (ROOT / "docs" / "github-action.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == {*ACTION["inputs"], *ACTION["outputs"]}
