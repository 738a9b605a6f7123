"""Outputs as people and pipes read them, whatever targets wrote."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.printing import COLOR, written
from render.strategies import any_of
from runcancel.model.encoding import from_builtins
from runcancel.model.logs import Output
from runcancel.model.states import State
from runcancel.render import End, lines
from runcancel.render.screens.notes import Notes
from runcancel.text import is_plain, safe_lines

OUTPUTS = st.lists(any_of(Output), max_size=3)


def output(stdout: str | None = "", stderr: str | None = None, **changed: object) -> Output:
    fields: dict[str, object] = dict.fromkeys(Output.__struct_fields__)
    fields |= {"run": "tencent:ap-guangzhou:invocation/inv-ib2lld37", "id": "invt-1", "target": "ins-1"}
    fields |= {"state": State.SUCCEEDED, "provider_status": "SUCCESS", "merged": False, "truncated": False}
    return from_builtins({**fields, "damaged": False, "stdout": stdout, "stderr": stderr, **changed}, Output)


def transcript(*outputs: Output, color: bool = False, wide: bool = False) -> str:
    return written("wide" if wide else "table", "logs", outputs, color=color)


def piped(*outputs: Output, prefix: bool = True, by_run: bool = False) -> str:
    out = io.StringIO()
    printer = lines(out=out, notes=Notes(None), prefix=prefix, by_run=by_run)
    for each in outputs:
        printer.row(each)
    printer.end(End(exit_code=0))
    return out.getvalue()


@given(OUTPUTS, st.booleans(), st.booleans())
def test_no_control_character_but_tabs_and_line_ends_comes_out(found: list[Output], color: bool, wide: bool) -> None:
    shown = transcript(*found, color=color, wide=wide)

    for line in (COLOR.sub("", shown) if color else shown).split("\n"):
        assert is_plain(line.replace("\t", ""))


@given(OUTPUTS, st.booleans(), st.booleans())
def test_a_pipe_gets_as_many_expectedas_were_written(found: list[Output], prefix: bool, by_run: bool) -> None:
    printed = piped(*found, prefix=prefix, by_run=by_run).split("\n")[:-1]

    expected = [line for one in found for text in (one.stdout, one.stderr) for line in safe_lines(text or "")]
    assert len(printed) == len(expected)
    for line, text in zip(printed, expected, strict=True):
        assert line.partition("\t")[2] == text if prefix else line == text


@given(st.text(), st.text())
def test_text_of_others_never_begins_a_line(stdout: str, stderr: str) -> None:
    _, heading, *rest = transcript(output(stdout, stderr)).split("\n")[:-1]

    assert heading.startswith("ins-1  succeeded")
    assert all(line.startswith(("    ", "err ")) for line in rest)


@given(st.text(alphabet="ab\n"), st.integers(1, 5))
def test_the_last_expectedare_the_last_lines(text: str, count: int) -> None:
    last = output(text).last(count).stdout or ""

    assert text.endswith(last)
    assert list(safe_lines(last)) == list(safe_lines(text))[-count:]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("", []),
        ("\n", [""]),
        ("a\nb", ["a", "b"]),
        ("a\r\nb\r\n\r\n", ["a", "b", ""]),
        ("10%\r20%\r\n", ["10%\\x0d20%"]),
        ("a\tb\x1b[2J\x00", ["a\tb\\x1b[2J\\x00"]),
        ("a\x0b\x0c\u2028b", ["a\\x0b\\x0c\\u2028b"]),
    ],
)
def test_expectedare_safe_and_keep_their_tabs(raw: str, shown: list[str]) -> None:
    assert list(safe_lines(raw)) == shown


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"truncated": True, "dropped": 12_345}, "note: the cloud cut 12,345 bytes of it"),
        ({"truncated": True}, "note: the cloud cut the output; the number of missing bytes is unknown"),
        ({"damaged": True}, "note: some of it is not UTF-8 text: what could not be read is shown as \ufffd"),
        ({"location": "oss://b/k"}, "note: full output: oss://b/k"),
        ({"stderr_location": "https://x/e"}, "note: full stderr: https://x/e"),
        ({"upload_error": "no bucket"}, "note: the full output was not stored: no bucket"),
        ({"child": "aws:us-east-2:command/x"}, "note: started run: runcancel logs aws:us-east-2:command/x"),
        ({"note": "elsewhere"}, "note: elsewhere"),
    ],
)
def test_a_remark_stands_below_the_text(changed: dict[str, object], said: str) -> None:
    assert transcript(output("text\n", **changed)).split("\n")[2:-1] == ["    text", said]


def test_runs_that_were_started_stand_below_the_one_that_was_asked_about() -> None:
    one, two = (output("x\n", run=f"a:b:c/child{each}", parent="a:b:c/window") for each in (1, 2))

    shown = transcript(one, one, two).split("\n")

    heading = "ins-1  succeeded"
    assert shown == [
        "a:b:c/window", "started a:b:c/child1", heading,
        "    x", heading, "    x", "", "started a:b:c/child2", heading, "    x", "",
    ]  # fmt: skip


def test_wide_adds_what_the_vendor_calls_things() -> None:
    assert "id invt-1 · provider status SUCCESS · stdout and stderr in one" in transcript(
        output(merged=True), wide=True
    )
