"""`logs --follow`, `--encoding` and `--raw`: output as it comes, in any encoding, and byte for byte."""

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from outside import ENDED, SIGNALS, TENCENT, Outside
from terminal import Terminal

CLOUDS = ("alibaba", "tencent")
every_cloud = pytest.mark.parametrize("cloud", CLOUDS)
TEN = "".join(f"line {number}\n" for number in range(1, 11))
GROWS: dict[str, Any] = {"stdout": TEN, "age": 2, "line_every": 6, "runs_for": 80, "targets": {"running": 2}}
"""At twenty times the usual speed ten lines come within three seconds, and the run ends a second later."""


def lines_of(target: str, text: str = TEN) -> list[str]:
    return [f"{target}\t{line}" for line in text.splitlines()]


@every_cloud
def test_output_comes_as_it_is_written_and_each_line_once(cloud: str, outside: Outside) -> None:
    ref = outside.add(cloud, **GROWS)

    done = outside.run("logs", ref, "--follow")

    assert done.code == 0, str(done)
    for target in outside.targets(ref):
        assert [line for line in done.out.splitlines() if line.startswith(target)] == lines_of(target)
    assert len(done.out.splitlines()) == 20
    assert outside.states(ref) == {"succeeded": 2}


def test_aws_shows_each_step_once_when_it_has_ended(outside: Outside) -> None:
    ref = outside.add(
        "aws", "command", stdout="out\n", stderr="err\n", runs_for=40, targets={"succeeded": 3, "running": 1}
    )

    done = outside.run("logs", ref, "--follow")

    assert done.code == 0, str(done)
    expected = [f"{target}{stream}" for target in outside.targets(ref) for stream in ("\tout", " stderr\terr")]
    assert sorted(done.out.splitlines()) == sorted(expected)
    assert outside.actions().count("GetCommandInvocation") == 4


def test_what_others_started_is_followed_too(outside: Outside) -> None:
    ref = outside.add("aws", "maintenance-window", targets={"succeeded": 1, "running": 1}, runs_for=40, separate=True)

    done = outside.run("logs", ref, "--follow")

    assert done.code == 0, str(done)
    assert len(done.out.splitlines()) == 2
    assert outside.actions().count("GetCommandInvocation") == 2


def test_rows_of_jsonl_hold_what_is_new_and_the_end_of_each(outside: Outside) -> None:
    refs = [outside.add(cloud, **GROWS) for cloud in CLOUDS]

    *rows, end = outside.run("logs", *refs, "--follow", "-o", "jsonl").lines

    for ref in refs:
        for target in outside.targets(ref):
            mine = [row for row in rows if row["target"] == target]
            assert "".join(row["stdout"] for row in mine) == TEN
            assert [row["state"] for row in mine if row["state"] != "running"] == ["succeeded"]
    assert (end["complete"], end["exit_code"]) == (True, 0)


def test_several_runs_are_told_apart_and_only_chosen_targets_are_waited_for(outside: Outside) -> None:
    ref = outside.add("tencent", **{**GROWS, "targets": {"succeeded": 1, "running": 1}, "age": 200, "runs_for": 90_000})
    quick = outside.targets(ref, "succeeded")[0]

    done = outside.run("logs", ref, ENDED[4], "--follow", "-t", quick)

    assert done.code == 0, str(done)
    assert f"{ref} {quick}\tline 10\n" in done.out
    assert outside.states(ref) == {"succeeded": 1, "running": 1}


def test_the_tail_is_of_what_was_there_before(outside: Outside) -> None:
    ref = outside.add("tencent", **{**GROWS, "age": 38, "targets": {"running": 1}})

    lines = outside.run("logs", ref, "--follow", "--tail", "1", "--no-prefix").out.splitlines()

    assert lines[-1] == "line 10"
    assert lines == TEN.splitlines()[-len(lines) :]
    assert 1 < len(lines) < 7


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(signum: int, outside: Outside) -> None:
    done, took = outside.interrupted(
        signum, "logs", TENCENT, "--follow", "-o", "jsonl", until="DescribeInvocationTasks", times=2
    )

    assert done.code == SIGNALS[signal.Signals(signum)]
    assert done.lines[-1]["complete"] is False
    assert took < 5


def test_refused_credentials_end_it(outside: Outside) -> None:
    outside.faults("DescribeInvocationTasks=denied")

    done = outside.run("logs", TENCENT, "--follow", "-o", "jsonl")

    assert done.code == 4, str(done)
    assert done.lines[-2]["ref"] == TENCENT


def test_what_cannot_be_followed_is_printed_while_the_rest_goes_on(outside: Outside) -> None:
    ref = outside.add("tencent", **GROWS)
    outside.faults("alibaba:*=denied")

    done = outside.run("logs", ENDED[3], ref, "--follow")

    assert done.code == 4, str(done)
    assert done.out.count("\tline 10\n") == 2
    assert done.err.startswith(f"{ENDED[3]}: not permitted")


def test_a_run_that_is_not_there_is_exit_5(outside: Outside) -> None:
    assert outside.run("logs", "inv-00000000", "--follow").code == 5


def test_a_cloud_that_hangs_delays_no_other(outside: Outside) -> None:
    """The one that hangs is never heard of; the other one is at its end meanwhile."""
    ref = outside.add("tencent", **GROWS)
    outside.faults("alibaba:*=hang,seconds=600")
    child = outside.start("logs", ENDED[3], ref, "--follow", "--timeout", "2h")
    try:
        assert child.stdout is not None
        last = next(line for line in child.stdout if line.endswith("\tline 10\n"))
        assert last.startswith(ref)
        assert child.poll() is None
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 143
        child.communicate()


def test_a_failure_that_passes_is_reported_and_nothing_is_lost(outside: Outside) -> None:
    ref = outside.add("tencent", **{**GROWS, "targets": {"running": 1}})
    outside.faults("DescribeInvocationTasks=http-503,times=2")

    done = outside.run("logs", ref, "--follow", "--no-prefix", "--timeout", "0s")

    assert (done.code, done.out) == (0, TEN), str(done)
    assert "stale since" in done.err


def test_lines_come_on_a_terminal_as_they_are_written(outside: Outside) -> None:
    ref = outside.add("alibaba", **{**GROWS, "targets": {"running": 1}, "runs_for": 90_000})
    (target,) = outside.targets(ref)

    with Terminal(outside, "logs", ref, "--follow", columns=100) as shown:
        shown.until("line 2").until("line 10")
        shown.send("\x03")
        assert shown.end() == 130
    assert [line for line in shown.rows if "line" in line] == [
        f"{target}".ljust((len(target) // 8 + 1) * 8) + line for line in TEN.splitlines()
    ]


def test_a_reader_that_leaves_ends_it_though_nothing_more_is_written(outside: Outside) -> None:
    ref = outside.add("tencent", stdout="one\ntwo\n", age=200, runs_for=900_000, targets={"running": 1})

    done = outside.shell(f"runcancel logs {ref} --follow | head -1; echo ${{PIPESTATUS[0]}}")

    assert done.out.endswith("\tone\n0\n"), str(done)
    assert outside.states(ref) == {"running": 1}


@pytest.mark.parametrize("argv", [("-o", "json"), ("-o", "yaml"), ("--query", "outputs"), ("--sort", "state")])
def test_a_document_is_not_followed(argv: tuple[str, ...], outside: Outside) -> None:
    done = outside.run("logs", TENCENT, "--follow", *argv)

    assert done.code == 2
    assert "--follow cannot be used with" in done.out + done.err
    assert outside.actions() == []


def test_minus_f_before_a_run_is_the_follow_of_other_tools(outside: Outside) -> None:
    done = outside.run("logs", "-p", "tencent", "-f", "inv-ib2lld37")

    assert (done.code, outside.requests()) == (2, [])
    assert done.err.splitlines()[1] == "  To follow its output: runcancel logs inv-ib2lld37 --follow -p tencent"
    assert "cannot be read" in outside.run("logs", "-f", "no-such-file.txt").err


# encodings


@every_cloud
@pytest.mark.parametrize("encoding", ["gb18030", "utf-16-le", "utf-16"])
def test_any_encoding_is_read(cloud: str, encoding: str, outside: Outside) -> None:
    content = "服务 stopped\r\n完成\r\n".encode(encoding)
    ref = outside.add(cloud, stdout=content.decode("utf-8", "surrogateescape"), targets={"succeeded": 1})
    named = ("--encoding", encoding) if encoding == "gb18030" else ()

    (one,) = outside.json("logs", ref, *named)["outputs"]

    assert (one["stdout"], one["damaged"]) == ("服务 stopped\r\n完成\r\n", False)
    assert one["encoding"] == encoding.replace("utf-16", "utf-16-le").replace("-le-le", "-le")
    assert outside.run("logs", ref, "--no-prefix", *named).out == "服务 stopped\n完成\n"


def test_the_wrong_encoding_is_damage_and_named(outside: Outside) -> None:
    ref = outside.add("tencent", stdout="ok \udcff\n", targets={"succeeded": 1})

    done = outside.run("logs", ref, "--encoding", "shift_jis")

    assert "some of the output is not SHIFT_JIS text" in done.err
    assert "ok \ufffd" in done.out


def test_a_cloud_that_keeps_text_has_no_encoding(outside: Outside) -> None:
    done = outside.run("logs", ENDED[1], "--encoding", "gbk")

    assert done.code == 0
    assert "--encoding has no effect: this cloud keeps text, not bytes" in done.err


@pytest.mark.parametrize(("name", "near"), [("gb18031", "did you mean gb18030?"), ("base64", ""), ("nonsense", "")])
def test_an_unknown_encoding_is_wrong_usage(name: str, near: str, outside: Outside) -> None:
    done = outside.run("logs", TENCENT, "--encoding", name)

    assert (done.code, done.out) == (2, "")
    assert f"--encoding does not accept “{name}”. Expected a name such as utf-8" in done.err
    assert near in done.err
    assert outside.actions() == []


# bytes


def raw(outside: Outside, *argv: str) -> subprocess.CompletedProcess[bytes]:
    child = outside.start("logs", *argv, "--raw", text=False)
    out, err = child.communicate(timeout=60)
    return subprocess.CompletedProcess(child.args, child.wait(), out, err)


@every_cloud
def test_bytes_are_what_was_written(cloud: str, outside: Outside) -> None:
    content = bytes(range(256)) * 64
    ref = outside.add(cloud, stdout=content.decode("utf-8", "surrogateescape"), targets={"succeeded": 1, "pending": 1})

    done = raw(outside, ref, "-t", outside.targets(ref, "succeeded")[0])

    assert (done.returncode, done.stdout, done.stderr) == (0, content, b"")


def test_a_cloud_that_keeps_text_gives_its_text_and_says_so(outside: Outside) -> None:
    ref = outside.add("aws", "command", stdout="完成\n", stderr="oh\n", targets={"failed": 1})

    done = raw(outside, ref)

    assert (done.returncode, done.stdout) == (0, "完成\n".encode())
    assert b"keeps text, not bytes" in done.stderr
    assert b"stderr was not written" in done.stderr


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ((TENCENT,), "takes one target, and several match"),
        ((TENCENT, ENDED[4]), "takes one run"),
        ((ENDED[4], "-o", "json"), "cannot be used with -o json"),
        ((ENDED[4], "--follow"), "cannot be used with --follow"),
        ((ENDED[4], "--tail", "3"), "cannot be used with --tail"),
        ((ENDED[4], "--encoding", "gbk"), "cannot be used with --encoding"),
        ((ENDED[4], "--no-prefix"), "cannot be used with --prefix"),
    ],
)
def test_bytes_are_of_exactly_one_target(argv: tuple[str, ...], why: str, outside: Outside) -> None:
    done = raw(outside, *argv)

    assert done.returncode == 2
    assert why in (done.stdout + done.stderr).decode()
    if "-o" not in argv:
        assert done.stdout == b""
        assert len(done.stderr.splitlines()) == 1


def test_no_target_is_exit_5(outside: Outside) -> None:
    done = raw(outside, ENDED[4], "-t", "ins-00000000")

    assert (done.returncode, done.stdout) == (5, b"")


def test_bytes_do_not_go_to_a_terminal(outside: Outside) -> None:
    shown = outside.on_terminal("logs", ENDED[4], "--raw")

    assert shown.code == 2
    assert "--raw does not write to a terminal" in shown.final
    assert outside.actions() == []


def test_a_full_disk_is_a_failure(outside: Outside, tmp_path: Path) -> None:
    ref = outside.add("tencent", targets={"succeeded": 1})

    done = outside.shell(f"runcancel logs {ref} --raw > /dev/full")

    assert done.code == 1
    assert "No space left" in done.err
