"""A list never selects more than it names: in any spelling, out of any file, whatever stands between its lines."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outside import AUTOMATION, COMMAND, ENDED, ONE_SHOT, TENCENT, WINDOW, Outside

from runcancel.engine.saved import read_list
from runcancel.errors import UsageError

UUID = COMMAND.rpartition("/")[2]
SPELLINGS = (COMMAND, COMMAND.replace(UUID, UUID.upper()), f"us-east-2:command/{UUID}")


def task_of(outside: Outside) -> str:
    """The id of a task of the Tencent Cloud run."""
    found: str = outside.json("invocations", TENCENT)["invocations"][0]["id"]
    assert found.startswith("invt-")
    return found


def test_three_spellings_of_one_run_are_one_run(outside: Outside) -> None:
    request = json.dumps({"refs": list(SPELLINGS)})

    for argv, stdin in (
        (SPELLINGS, ""),
        (("-f", "-", "--yes"), "\n".join(SPELLINGS)),
        (("--cli-input-json", "-"), request),
    ):
        plan = outside.run("cancel", *argv, "--max-runs", "1", "--dry-run", "-o", "json", stdin=stdin)
        assert plan.code == 0, str(plan)
        assert [item["run"] for item in plan.document["plan"]] == [COMMAND]
    done = outside.run(
        "cancel", "-f", "-", "--confirm", "1", "--max-runs", "1", "--no-wait", stdin="\n".join(SPELLINGS)
    )
    assert done.code == 0, str(done)
    assert len(outside.writes()) == 1


def test_three_spellings_of_a_run_that_is_not_there_are_one_row(outside: Outside) -> None:
    id = "0" * 8 + UUID[8:]
    spellings = (f"us-east-2:command/{id}", f"us-east-2:command/{id.upper()}", f"us-east-2:command/{id}")

    done = outside.run("cancel", "-f", "-", "--yes", "-o", "json", stdin="\n".join(spellings))

    assert done.code == 5, str(done)
    assert len(done.document["outcomes"]) == 1


@pytest.mark.parametrize("source", ["argv", "list", "jsonl", "request", "plan"])
def test_a_part_of_a_run_never_cancels_the_run(outside: Outside, source: str) -> None:
    part = f"tencent:ap-guangzhou:invocation/{task_of(outside)}"
    plan = outside.json("cancel", TENCENT, "--dry-run")
    plan["plan"][0]["run"] = part
    end = json.dumps({"type": "end", "complete": True})
    argv, stdin = {
        "argv": ((part,), ""),
        "list": (("-f", "-", "--yes"), part),
        "jsonl": (("-f", "-", "--yes"), json.dumps({"type": "run", "ref": part}) + "\n" + end),
        "request": (("--cli-input-json", "-", "--confirm", "1"), json.dumps({"refs": [part]})),
        "plan": (("--plan", "-", "--yes"), json.dumps(plan)),
    }[source]

    done = outside.run("cancel", *argv, stdin=stdin)

    assert done.code == 2, str(done)
    assert "is part of" in done.err
    assert outside.writes() == []


@pytest.mark.parametrize("ref", [WINDOW, COMMAND, AUTOMATION, ONE_SHOT, TENCENT, ENDED[1]])
def test_lines_about_targets_are_refused_by_their_number(outside: Outside, ref: str) -> None:
    lines = outside.run("invocations", ref, "-o", "jsonl").out

    done = outside.run("cancel", "-f", "-", "--yes", stdin=f"# targets\n{lines}")

    assert done.code == 2, str(done)
    assert "line 2: this is a target of a run" in done.err
    assert "--target" in done.err
    assert outside.writes() == []


def test_the_answer_of_a_cancel_is_no_list(outside: Outside) -> None:
    lines = outside.run("cancel", TENCENT, "-o", "jsonl").out

    done = outside.run("cancel", "-f", "-", "--yes", stdin=lines)

    assert done.code == 2, str(done)
    assert "line 1: this is not a run" in done.err


END = '{"type":"end","complete":true}'
CUT = '{"type":"end","complete":true,"truncated":true}'
PART = '{"type":"end","complete":false}'
ONE = json.dumps({"type": "run", "ref": TENCENT})


@pytest.mark.parametrize(
    ("lines", "complete"),
    [
        ([ONE, END], True),
        ([ONE], False),
        ([ONE, PART], False),
        ([ONE, CUT], False),
        ([ONE, PART, ONE, END], False),  # two lists behind each other
        ([ONE, END, ONE], False),
        ([ONE, END, ONE, END], True),
        ([ONE, END, TENCENT], True),
        ([TENCENT], True),
        ([], True),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_list_is_complete_when_every_part_of_it_says_so(lines: list[str], complete: bool, newline: str) -> None:
    listed = read_list("\ufeff" + newline.join(lines), "list")

    assert listed.complete is complete
    assert [one.id for one in listed.references] == (["inv-ib2lld37"] if lines else [])


@pytest.mark.parametrize(
    "line", [f"\x1b[32m{TENCENT}\x1b[0m", f"{TENCENT} {ONE_SHOT}", f"{TENCENT},running", "{", "[]", "\x00"]
)
def test_a_line_that_is_no_reference_is_refused_by_its_number(line: str) -> None:
    with pytest.raises(UsageError, match="list, line 3: "):
        read_list(f"{TENCENT}\n\n{line}\n{COMMAND}\n", "list")


@pytest.mark.parametrize(
    "data", [f"{TENCENT}\n\n{TENCENT}\xe9\n".encode("latin-1"), f"{TENCENT}\n{COMMAND}".encode("utf-16")]
)
def test_a_file_in_another_encoding_is_refused_by_its_line(outside: Outside, data: bytes) -> None:
    (outside.home / "list").write_bytes(data)

    done = outside.run("cancel", "-f", "list", "--yes")

    assert done.code == 2, str(done)
    assert f"list, line {3 if data[:1] == b't' else 1}: not UTF-8 text" in done.err


@given(st.lists(st.text(max_size=30) | st.sampled_from([TENCENT, COMMAND, ONE, END, PART, "ref\tx"]), max_size=6))
def test_any_text_is_a_list_of_what_stands_in_it_or_refused_by_a_line(lines: list[str]) -> None:
    text = "\n".join(lines)
    listed = None
    with suppress(UsageError):
        listed = read_list(text, "list")
    if listed is None:
        with pytest.raises(UsageError, match=r"^list, line \d+: "):
            read_list(text, "list")
        return
    assert all(one.id in text for one in listed.references)
    assert len({one.meaning for one in listed.references}) == len(listed.references)


@given(st.sampled_from("\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e"), st.sampled_from(["name", "comment"]))
def test_what_else_breaks_a_line_inside_a_name_selects_nothing(separator: str, key: str) -> None:
    """A cloud's own text may hold a reference behind such a character."""
    line = json.dumps({"type": "run", "ref": TENCENT, key: f"x{separator}{COMMAND}"}, ensure_ascii=False)

    listed = read_list(f"{line}\n{END}\n", "list")

    assert [one.id for one in listed.references] == ["inv-ib2lld37"]
    assert listed.complete
