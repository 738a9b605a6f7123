"""`logs`: what targets wrote, as people and pipes read it, on the three clouds."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from outside import ENDED, TENCENT, WINDOW, Done, Outside

CLOUDS = ("aws", "alibaba", "tencent")
every_cloud = pytest.mark.parametrize("cloud", CLOUDS)
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[1;1Hroot\r\n\u202egnp\tafter\x00\ni-0fake  succeeded  exit 0\n"
GBK = "完成\n".encode("gbk").decode("utf-8", "surrogateescape")
LONG = "".join(f"line {number:05d} of a long and chatty job\n" for number in range(1, 1201))
KIND = {"aws": "command"}
SILENT_READS = {
    "DescribeInvocationTasks": lambda params: params["HideOutput"] is not False,
    "DescribeInvocations": lambda params: str(params.get("IncludeOutput", "false")).lower() == "false",
}
"""Reads that could bring output, and whether they asked for none."""


@pytest.fixture(scope="module")
def still(begin: Callable[..., Outside]) -> Outside:
    """Time stands still: the tests share it."""
    return begin(speed=0)


def wrote(still: Outside, cloud: str, stdout: str = "one\ntwo\n", **spec: Any) -> str:
    """The reference of a new run whose targets wrote something."""
    given = {"targets": {"succeeded": 2, "failed": 1}, "stderr": "", **spec}
    return still.add(cloud, KIND.get(cloud, "invocation"), stdout=stdout, **given)


def read(still: Outside, ref: str, *argv: str, code: int = 0) -> list[Any]:
    """The outputs of a run."""
    outputs: list[Any] = still.json("logs", ref, *argv, code=code)["outputs"]
    return outputs


@pytest.mark.parametrize("ref", ENDED)
def test_every_target_tells_what_it_wrote(ref: str, still: Outside) -> None:
    outputs = read(still, ref)

    assert {one["target"] for one in outputs if one["target"]} <= set(still.targets(ref))
    assert len(outputs) == len(still.targets(ref))
    assert all(one["stdout"] for one in outputs)
    assert all(ref in (one["run"], one["parent"]) for one in outputs)


@every_cloud
def test_streams_are_apart_where_the_cloud_keeps_them_apart(cloud: str, still: Outside) -> None:
    bad = next(one for one in read(still, wrote(still, cloud, stderr="oh\n")) if one["state"] == "failed")

    if cloud == "aws":
        assert (bad["stdout"], bad["stderr"], bad["merged"]) == ("one\ntwo\n", "oh\n", False)
    else:
        assert (bad["stdout"], bad["stderr"], bad["merged"]) == ("one\ntwo\noh\n", None, True)
    assert bad["exit_code"] == 1


@pytest.mark.parametrize(
    ("cloud", "dropped", "begins", "ends"),
    [
        ("aws", None, "line 00001", "--output truncated--"),
        ("alibaba", 18_624, "line 00001", "line 01200 of a long and chatty job\n"),
        ("tencent", 18_624, "line 00001", "line 00683 of a long and"),
    ],
)
def test_what_the_cloud_cut_is_told(cloud: str, dropped: int | None, begins: str, ends: str, still: Outside) -> None:
    for one in read(still, wrote(still, cloud, LONG, bucket="ops-logs", targets={"succeeded": 2})):
        assert (one["truncated"], one["dropped"]) == (True, dropped)
        assert one["stdout"].startswith(begins)
        assert one["stdout"].rstrip(" ").endswith(ends)
        assert not one["damaged"]


@every_cloud
def test_a_character_that_the_cut_went_through_is_no_damage(cloud: str, still: Outside) -> None:
    first = read(still, wrote(still, cloud, "x" + "完" * 25_000, targets={"succeeded": 1}))[0]

    assert first["truncated"]
    assert first["damaged"] == (cloud == "alibaba")  # there the cut is in the middle


@pytest.mark.parametrize(
    ("cloud", "form"),
    [
        ("aws", r"https://s3\.us-east-2\.amazonaws\.com/ops-logs/runs/.*/stdout"),
        ("alibaba", r"oss://ops-logs/runs/.*/output\.txt"),
        ("tencent", r"https://ops-logs-1250000000\.cos\.ap-guangzhou\.myqcloud\.com/runs/.*\.log"),
    ],
)
def test_where_the_full_output_is(cloud: str, form: str, still: Outside) -> None:
    ref = wrote(still, cloud, bucket="ops-logs")
    one = read(still, ref)[0]

    assert re.fullmatch(form, one["location"])
    assert one["upload_error"] is None
    assert (one["stderr_location"] is not None) == (cloud == "aws")
    assert f"note: full output: {one['location']}" in still.run("logs", ref, "-o", "table").out


@pytest.mark.parametrize("cloud", ["alibaba", "tencent"])
def test_a_failed_upload_is_told_in_the_clouds_own_words(cloud: str, still: Outside) -> None:
    ref = wrote(still, cloud, bucket="ops-logs", upload_error="the role may not write")
    one = read(still, ref)[0]

    assert one["location"] is None
    assert "the role may not write" in one["upload_error"]
    assert "note: the full output was not stored: " in still.run("logs", ref, "-o", "table").out
    assert "the full output was not stored: " in still.run("logs", ref).err


@pytest.mark.parametrize("cloud", ["alibaba", "tencent"])
def test_text_that_is_no_utf8_is_shown_as_far_as_it_can_be_and_said(cloud: str, still: Outside) -> None:
    ref = wrote(still, cloud, f"begin\n{GBK}end\n")

    assert all(one["damaged"] and "\ufffd" in one["stdout"] for one in read(still, ref))
    assert "some of the output is not UTF-8 text" in still.run("logs", ref).err
    shown = still.run("logs", ref, "-o", "table").out
    assert "\n    begin\n" in shown
    assert "\n    end\n" in shown
    assert "note: some of it is not UTF-8 text" in shown


# selection


@every_cloud
def test_targets_are_chosen(cloud: str, still: Outside) -> None:
    ref = wrote(still, cloud)
    one, two, _ = still.targets(ref)

    assert [each["target"] for each in read(still, ref, "--target", one)] == [one]
    assert {each["target"] for each in read(still, ref, "-t", one, "-t", two)} == {one, two}


def test_a_target_that_is_not_there_is_said(still: Outside) -> None:
    done = still.run("logs", ENDED[4], "--target", "ins-00000000")

    assert (done.code, done.out) == (0, "")
    assert "no target matches" in done.err


@every_cloud
def test_failed_leaves_out_what_ended_well(cloud: str, still: Outside) -> None:
    ref = wrote(still, cloud, targets={"succeeded": 3, "failed": 2, "running": 1})

    assert [one["state"] for one in read(still, ref, "--failed")] == ["failed", "failed"]


@every_cloud
def test_the_last_lines_of_each_stream(cloud: str, still: Outside) -> None:
    ref = wrote(still, cloud, "1\n2\n3\n4", stderr="a\nb\nc\n" if cloud == "aws" else "\n5\n")

    for one in read(still, ref, "--tail", "2"):
        assert (one["stdout"], one["stderr"]) == (("3\n4", "b\nc\n") if cloud == "aws" else ("4\n5\n", None))


def test_a_tail_of_what_was_cut_is_said_to_be_one(still: Outside) -> None:
    ref = wrote(still, "tencent", LONG, targets={"succeeded": 1})

    assert "which may be incomplete" in still.run("logs", ref, "--tail", "1").err
    assert "which may be incomplete" not in still.run("logs", ref).err


# a pipe


@every_cloud
def test_in_a_pipe_each_line_stands_behind_its_target(cloud: str, still: Outside) -> None:
    ref = wrote(still, cloud, "one\n\ttwo", targets={"succeeded": 1})
    (target,) = still.targets(ref)

    assert still.run("logs", ref).out == f"{target}\tone\n{target}\t\ttwo\n"


def test_stderr_is_told_from_stdout_in_a_pipe(still: Outside) -> None:
    ref = wrote(still, "aws", "fine\n", stderr="ERROR\n", targets={"failed": 1})
    (target,) = still.targets(ref)

    assert still.run("logs", ref).out == f"{target}\tfine\n{target} stderr\tERROR\n"


def test_several_runs_are_told_apart_in_a_pipe(still: Outside) -> None:
    refs = [wrote(still, cloud, "hello\n", targets={"succeeded": 1}) for cloud in CLOUDS]

    out = still.run("logs", *refs).out

    assert out == "".join(f"{ref} {still.targets(ref)[0]}\thello\n" for ref in refs)


def test_lines_alone_are_what_was_written(still: Outside) -> None:
    ref = wrote(still, "tencent", "one\ntwo\n", targets={"succeeded": 1})

    assert still.run("logs", ref, "--no-prefix").out == "one\ntwo\n"


def test_grep_finds_the_target(still: Outside) -> None:
    ref = wrote(still, "aws", stderr="ERROR: disk full\n", targets={"failed": 2})

    done = still.shell(f"runcancel logs {ref} | grep ERROR | cut -f1 | sort")

    assert done.out.split("\n")[:-1] == sorted(f"{target} stderr" for target in still.targets(ref))


def test_what_no_line_can_say_is_said_beside_a_pipe(still: Outside) -> None:
    done = still.run("logs", wrote(still, "alibaba", LONG, targets={"succeeded": 5}))

    assert "the cloud cut the output: " in done.err
    assert " and 2 more" in done.err
    assert "cloud cut" not in done.out


def test_prefixes_are_for_plain_lines(still: Outside) -> None:
    still.box.log.clear()
    done = still.run("logs", TENCENT, "--prefix", "-o", "json")

    assert done.code == 2
    assert "--prefix" in done.document["errors"][0]["message"]
    assert still.actions() == []


def test_a_reader_that_goes_away_ends_the_reading(outside: Outside) -> None:
    ref = wrote(outside, "aws", LONG, targets={"succeeded": 100})

    done = outside.shell(f"runcancel logs {ref} | head -1; echo ${{PIPESTATUS[0]}}")

    assert done.out.endswith("\n0\n")
    assert outside.actions().count("GetCommandInvocation") < 50


# other formats


def test_tsv_has_one_line_per_output(still: Outside) -> None:
    rows = still.run("logs", wrote(still, "alibaba", HOSTILE), "-o", "tsv").rows

    assert len(rows) == 3
    assert all("\\x1b" in row["stdout"] and "\\x0a" in row["stdout"] for row in rows)


def test_lines_come_as_they_are_read(still: Outside) -> None:
    *rows, end = still.run("logs", TENCENT, "-o", "jsonl").lines

    assert {row["type"] for row in rows} == {"output"}
    assert (end["complete"], end["verb"]) == (True, "logs")


def test_references_are_of_the_runs_that_wrote(still: Outside) -> None:
    children = {row["child"] for row in still.json("invocations", ENDED[0])["invocations"]}

    assert set(still.run("logs", ENDED[0], "-o", "ref").out.split()) == children


# a terminal

_OURS = re.compile(rb"\x1b\[[0-9;]*m|\r\n|\t")


@every_cloud
def test_text_of_others_cannot_move_the_cursor_or_fake_a_heading(cloud: str, still: Outside) -> None:
    shown = still.on_terminal("logs", wrote(still, cloud, HOSTILE), columns=200)

    assert not re.findall(rb"[\x00-\x08\x0b-\x1f\x7f]", _OURS.sub(b"", shown.raw))
    assert "\u202e" not in shown.final
    assert "\n    \\x1b]0;owned\\x07\\x1b[2J\\x1b[1;1Hroot\n" in shown.final
    assert "\ni-0fake" not in shown.final
    assert "\n    i-0fake  succeeded  exit 0" in shown.final


def test_a_terminal_shows_headings_and_marks_stderr(still: Outside) -> None:
    ref = wrote(still, "aws", "fine\n", stderr="oh no\n", targets={"failed": 1, "pending": 1})
    bad, waiting = still.targets(ref)

    shown = still.on_terminal("logs", ref, columns=100)

    first, heading, out, err, last = shown.final.split("\n")
    assert first == ref
    assert re.fullmatch(rf"{bad}  web-\d+  failed  exit 1", heading)
    assert (out, err) == ("    fine", "err oh no")
    assert re.fullmatch(rf"{waiting}  web-\d+  pending  no output", last)
    assert b"\x1b[31merr" in shown.raw


def test_without_colour_nothing_is_lost(still: Outside) -> None:
    plain = still.on_terminal("logs", ENDED[1], env={"NO_COLOR": "1"})

    assert b"\x1b[" not in plain.raw
    assert plain.final == still.on_terminal("logs", ENDED[1]).final


def test_plain_lines_on_a_terminal_when_asked(still: Outside) -> None:
    shown = still.on_terminal("logs", wrote(still, "tencent", "hello\n", targets={"succeeded": 1}), "--no-prefix")

    assert shown.final == "hello"


# what AWS does otherwise


def test_aws_is_asked_once_per_target_and_only_for_what_ended(outside: Outside) -> None:
    outputs = read(outside, wrote(outside, "aws", targets={"succeeded": 3, "running": 60}))

    assert outside.actions().count("GetCommandInvocation") == 3
    assert outside.actions().count("ListCommandInvocations") == 2
    running = [one for one in outputs if one["state"] == "running"]
    assert len(running) == 60
    assert {one["note"] for one in running} == {"AWS shows output only when a step has ended"}
    assert {one["stdout"] for one in running} == {None}


def test_why_there_is_no_output_is_said_once_for_all_targets(outside: Outside) -> None:
    ref = wrote(outside, "aws", targets={"succeeded": 1, "running": 60})

    done = outside.run("logs", ref, "-o", "table")

    assert done.out.count("no output") == 60
    assert (done.out + done.err).count("AWS shows output only when a step has ended") == 1
    assert re.search(rf"{ref}: AWS shows output only when a step has ended: .* and 57 more", done.err)
    assert outside.run("logs", ref, "-o", "json").err == ""


def test_each_step_of_a_command_has_its_output(outside: Outside) -> None:
    ref = wrote(outside, "aws", targets={"succeeded": 2}, steps=["fetchParts", "joinParts"])

    outputs = read(outside, ref)

    assert [one["step"] for one in outputs] == ["fetchParts", "joinParts"] * 2
    asked = [
        each["params"].get("PluginName") for each in outside.requests() if each["action"] == "GetCommandInvocation"
    ]
    assert asked == ["fetchParts", "joinParts"] * 2
    assert f"{outputs[0]['target']}/fetchParts\tone\n" in outside.run("logs", ref).out


def test_a_window_is_followed_to_what_it_started(still: Outside) -> None:
    window = still.add("aws", "maintenance-window", targets={"succeeded": 2, "running": 1, "pending": 2}, separate=True)
    rows = still.json("invocations", window)["invocations"]

    outputs = read(still, window)

    assert len(outputs) == 5
    assert {one["parent"] for one in outputs if one["run"] != window} == {window}
    assert {one["run"] for one in outputs} == {row["child"] or window for row in rows}
    assert {one["task"] for one in outputs} == {row["task"] for row in rows}

    chosen = read(still, window, "--task", rows[0]["task"])

    assert {one["task"] for one in chosen} == {rows[0]["task"]}
    assert 0 < len(chosen) < 5


def test_a_target_of_a_window_is_read_from_its_command(outside: Outside) -> None:
    target = outside.targets(WINDOW, "succeeded")[0]

    assert [one["target"] for one in read(outside, WINDOW, "--target", target)] == [target]
    assert outside.actions().count("GetCommandInvocation") == 1


@pytest.mark.parametrize(("sort", "where"), [("LAMBDA", "CloudWatch Logs"), ("STEP_FUNCTIONS", "Step Functions")])
def test_what_a_window_started_elsewhere_is_said_to_be_elsewhere(sort: str, where: str, still: Outside) -> None:
    ref = still.add("aws", "maintenance-window", sort=sort, targets={"succeeded": 1})

    (one,) = read(still, ref)

    assert where in one["note"]
    assert one["note"] in still.run("logs", ref, "-o", "table").err
    assert one["note"] in still.run("logs", ref).err


def test_a_runbook_tells_what_its_steps_returned_and_why_one_failed(still: Outside) -> None:
    ref = still.add("aws", "automation", targets={"succeeded": 1, "failed": 1, "pending": 1}, name="Broken-Runbook")

    good, bad, never = read(still, ref)

    assert (good["step"], good["stdout"], good["stderr"]) == ("step1", "step 1\n", "")
    assert (bad["stderr"], bad["exit_code"]) == ("error: exit status 1", 1)
    assert (never["state"], never["stdout"]) == ("skipped", None)
    assert [one["step"] for one in read(still, ref, "--failed")] == ["step2"]


def test_a_rate_controlled_runbook_is_followed_to_its_children(still: Outside) -> None:
    ref = still.add("aws", "automation", targets={"succeeded": 1, "running": 1}, fanout=True)

    outputs = read(still, ref)

    assert {one["parent"] for one in outputs} == {ref}
    rows = still.json("invocations", ref)["invocations"]
    assert {(one["run"], one["target"]) for one in outputs} == {(row["child"], row["target"]) for row in rows}


def test_a_child_that_is_not_kept_any_more_is_said(outside: Outside) -> None:
    outside.faults("aws:ListCommandInvocations=error,code=InvalidCommandId,status=400")

    outputs = read(outside, ENDED[0])

    assert {one["note"] for one in outputs} == {"the run that it started is no longer kept"}


# what goes wrong


def test_an_unknown_run_is_exit_5(still: Outside) -> None:
    done = still.run("logs", "inv-00000000")

    assert (done.code, done.out) == (5, "")


def test_ctrl_c_ends_the_stream_with_an_end_line(outside: Outside) -> None:
    outside.faults("DescribeInvocationResults=hang,seconds=30")

    done, took = outside.interrupted(2, "logs", ENDED[3], "-o", "jsonl", until="DescribeInvocationResults")

    assert done.code == 130
    assert done.lines[-1]["complete"] is False
    assert took < 5


_READS = {"aws": "GetCommandInvocation", "alibaba": "DescribeInvocationResults", "tencent": "DescribeInvocationTasks"}
_RUNS = {"aws": ENDED[1], "alibaba": ENDED[3], "tencent": ENDED[4]}


@every_cloud
@pytest.mark.parametrize(("fault", "code"), [("denied", 4), ("http-503", 7)])
def test_a_cloud_that_gives_no_output_is_told(cloud: str, fault: str, code: int, outside: Outside) -> None:
    outside.faults(f"{_READS[cloud]}={fault}")

    done = outside.run(
        "logs", _RUNS[cloud], ENDED[3] if cloud == "tencent" else TENCENT, "-o", "json", "--timeout", "2s"
    )

    assert done.code == code
    assert not done.document["complete"]
    assert [error["ref"] for error in done.document["errors"]] == [_RUNS[cloud]]
    assert done.document["outputs"]


@pytest.mark.parametrize("argv", [("--tail", "0"), ("--tail", "-1"), ("--target", ""), ("--task", "-x")])
def test_wrong_options_send_nothing(argv: tuple[str, ...], still: Outside) -> None:
    still.box.log.clear()
    done = still.run("logs", TENCENT, *argv)

    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) <= 2
    assert still.actions() == []


def _every_other_read(outside: Outside) -> Iterator[Done]:
    for ref in (ENDED[3], TENCENT):
        yield outside.run("status", ref)
        yield outside.run("invocations", ref)
        yield outside.run("cancel", ref, "--dry-run")


def test_other_verbs_ask_for_no_output(outside: Outside) -> None:
    assert {done.code for done in _every_other_read(outside)} == {0}

    for request in outside.requests():
        assert SILENT_READS.get(request["action"], lambda _: True)(request["params"]), request
    assert not {"GetCommandInvocation", "DescribeInvocationResults"} & set(outside.actions())
