"""The board on a real terminal: resized, small, without colour, without the characters of bars, interrupted."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from outside import KILLED, TENCENT, Outside
from terminal import Terminal

from runcancel.sandbox import profiles

MANY = ("cancel", "--name", "deploy-4711", "--accept-reported", "--yes", "--confirm", "30", "--max-runs", "30")


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Outside]:
    """Thirty runs on two clouds whose time stands still: what is cancelled stays on its way until time is moved."""
    with Outside(tmp_path / "home", speed=0, fleet=False) as outside:
        for provider, count in (("alibaba", 10), ("tencent", 20)):
            for _ in range(count):
                outside.add(provider, name="deploy-4711", targets={"running": 2}, settle=30)
        yield outside


def finish(outside: Outside, terminal: Terminal) -> int:
    """Let everything end."""
    return terminal.end(meanwhile=lambda: outside.box.clock.advance(20))


def whole(text: str) -> bool:
    """Whether a picture holds the whole board, all asked."""
    return "30 runs" in text and "Ctrl-C" in text and "without a reply" not in text and "no reply yet" not in text


def test_it_follows_resizes_and_leaves_only_the_table(slow: Outside) -> None:
    with Terminal(slow, *MANY, columns=120, lines=40) as terminal:
        terminal.until(whole)
        for columns, lines in ((60, 12), (200, 40), (33, 7), (100, 24)):
            terminal.resize(columns, lines)
            head = min(columns - 1, 120)  # the clock stands at the right
            painted = re.compile(rf"^(?=.{{{head}}}$).*30 runs.*(\d\d:\d\d|s left|calls?/s)$", re.MULTILINE)
            terminal.until(painted.search)
            terminal.until(lambda text: text.count("Ctrl-C") == 1)
            assert all(len(row) < terminal.columns for row in terminal.rows[-5:])
        code = finish(slow, terminal)

    assert code == 0
    assert "Ctrl-C" not in terminal.text
    assert "cancelling 30 runs" not in terminal.text
    assert "20 stopped, 10 reported" in terminal.text
    assert b"\x1b[?" not in terminal.raw  # the cursor was never hidden, the screen never swapped


@pytest.mark.parametrize(("columns", "lines"), [(20, 24), (80, 6), (40, 5), (300, 50)])
def test_it_fits_any_terminal_and_never_scrolls(columns: int, lines: int, slow: Outside) -> None:
    with Terminal(slow, *MANY, columns=columns, lines=lines, env={"LC_ALL": "C.UTF-8"}) as terminal:
        terminal.until(lambda text: "Ctrl-C" in text and "30 runs" in text)
        slow.box.clock.advance(10)
        terminal.until(lambda text: slow.actions().count("DescribeInvocations") > 20)
        assert not re.search("^(cancelling )?30 runs|Ctrl-C", terminal.gone, re.MULTILINE)
        assert sum("Ctrl-C" in row for row in terminal.rows) == 1
        finish(slow, terminal)

    assert "Ctrl-C" not in terminal.text


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_twenty_scopes_keep_their_counts_on_24_lines(columns: int, tmp_path: Path) -> None:
    with Outside(tmp_path / "home", speed=0, fleet=False, accounts=10) as outside:
        profiles.write(outside.home, 10)
        for account in range(10):
            for provider in ("alibaba", "tencent"):
                spec = {"name": "deploy-4711", "targets": {"running": 3}, "settle": 30, "account": account}
                for _ in range(2):
                    outside.add(provider, **spec)
        argv = (
            "-c",
            "everything",
            "--name",
            "deploy-4711",
            "--confirm",
            "40",
            "--max-runs",
            "40",
        )
        with Terminal(outside, "cancel", *argv, columns=columns, lines=24) as terminal:
            terminal.until(lambda text: text.count("0 of 2 ended") == 20 and "targets: 120 cancelling" in text)
            head, *scopes, targets, foot = terminal.rows[-23:]
            assert head.startswith("cancelling 40 runs in 20 scopes · 0 ended  ──")
            assert all(re.match(r"  (alibaba|tencent)-account\d+@\S+ +0 of 2 ended", row) for row in scopes)
            assert targets == "targets: 120 cancelling"
            assert foot == "Ctrl-C: stop here; cancels already sent continue"
            outside.faults({"kind": "throttle", "provider": "alibaba", "retry_after": 9000})
            terminal.until(lambda text: "next try in" in text.splitlines()[-3])
            assert terminal.rows[-22].startswith("  tencent-"), "what has no trouble is above"
            assert "cancelling 40 runs" not in terminal.gone
            terminal.send("\x03")
            assert terminal.end() == 130


def test_without_colour_the_words_say_it_all(slow: Outside) -> None:
    with Terminal(slow, *MANY, columns=110, env={"NO_COLOR": "1"}) as terminal:
        terminal.until(lambda text: re.search("─{10,}.*\n.*\n.*0 of 10 ended\ntargets: 60 cancelling", text))
        finish(slow, terminal)

    assert re.search(rb"\x1b\[[0-9;]*m", terminal.raw) is None


def test_where_bars_cannot_be_written_they_are_ascii(slow: Outside) -> None:
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with Terminal(slow, *MANY, columns=110, env=env) as terminal:
        terminal.until(whole)
        assert re.search("runs in 2 scopes - 0 ended  -{10,} ", terminal.text)
        finish(slow, terminal)

    assert terminal.raw.isascii()
    assert b"\\u" not in terminal.raw


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"CI": "true"}], ids=["TERM=dumb", "CI"])
def test_what_keeps_every_line_gets_totals_and_no_codes(env: dict[str, str], slow: Outside) -> None:
    with Terminal(slow, *MANY, columns=120, lines=60, env={**env, "NO_COLOR": "1"}) as terminal:
        terminal.until("About to cancel 30 runs")
        slow.wait_for("CancelInvocation", times=20)
        slow.wait_for("StopInvocation", times=10)
        code = finish(slow, terminal)

    lines = [line for line in terminal.text.splitlines() if re.match(r"\d+s ", line)]
    assert code == 0
    assert b"\x1b" not in terminal.raw
    assert 1 <= len(lines) <= 3
    assert re.match(r"\d+s 30 of 30 runs ended; targets: 60 terminated", lines[-1])


def test_an_interrupt_leaves_no_board_behind(slow: Outside) -> None:
    with Terminal(slow, *MANY, columns=100, lines=40) as terminal:
        terminal.until(whole)
        terminal.send("\x03")
        code = terminal.end()

    assert code == 130
    assert "cancels already sent continue" in " ".join(terminal.rows)
    assert "Ctrl-C" not in terminal.text


def test_rows_that_come_one_by_one_on_the_same_terminal_are_not_painted_over(outside: Outside) -> None:
    with Terminal(outside, "cancel", TENCENT, KILLED, "--accept-reported", "-o", "ref", columns=100) as terminal:
        assert terminal.end() == 0

    assert {TENCENT, KILLED} <= set(terminal.rows)
    assert b"\x1b[J" not in terminal.raw


def test_a_watched_status_names_what_runs_and_gives_way_to_the_table(slow: Outside) -> None:
    ref = slow.add("tencent", name="short", targets={"running": 2}, runs_for=30)
    with Terminal(slow, "status", "--watch", ref, columns=100) as terminal:
        terminal.until("watching 1 run")
        assert f"  {ref}" in terminal.rows
        assert "Ctrl-C: stop watching; the runs continue" in terminal.rows
        code = finish(slow, terminal)

    assert code == 0
    assert "watching" not in terminal.text
    assert "succeeded" in terminal.text


def test_waiting_says_how_long_it_may_take(slow: Outside) -> None:
    ref = slow.add("tencent", name="short", targets={"running": 2}, runs_for=30)
    with Terminal(slow, "wait", ref, "--timeout", "50s", columns=100) as terminal:
        terminal.until(lambda text: re.search(r"00:0\d · (4\d|50) s left", text))
        assert finish(slow, terminal) == 0
