"""Every format over any record: nothing but text and our own colours, JSON that is valid, tsv that is rectangular."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from outside import script, validator

from runcancel.model.encoding import from_json
from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import Run
from runcancel.model.states import State
from runcancel.render import FORMATS, End, Record, default_format, writer
from runcancel.render.documents import Caller, shape
from runcancel.render.formats.yaml import dump
from runcancel.render.screens.notes import Notes, problem_lines
from runcancel.render.screens.terminal import Terminal
from runcancel.text import is_plain

from . import samples
from .printing import COLOR, written
from .strategies import PROBLEMS, ROWS

ROOT = Path(__file__).parents[2]
NAMES = st.sampled_from(sorted(ROWS)).flatmap(lambda name: st.tuples(st.just(name), ROWS[name]))


@given(NAMES, PROBLEMS, st.sampled_from(FORMATS), st.integers(20, 200), st.booleans())
def test_no_control_character_but_our_own_reaches_the_stream(
    answer: tuple[str, list[Any]], problems: Any, format: str, width: int, color: bool
) -> None:
    name, records = answer

    text = written(format, name, records, end=End(exit_code=1, errors=problems), width=width, color=color)

    if color and format in ("table", "wide"):
        text = COLOR.sub("", text)
    for line in text.split("\n"):
        line = {"tsv": line.replace("\t", ""), "csv": line.removesuffix("\r")}.get(format, line)
        assert is_plain(line)


@given(NAMES, PROBLEMS)
def test_json_is_one_valid_document(answer: tuple[str, list[Any]], problems: Any) -> None:
    name, records = answer

    text = written("json", name, records, end=End(exit_code=1, errors=problems, complete=False))

    validator(name).validate(json.loads(text))
    text.encode()


@given(NAMES, PROBLEMS)
def test_every_line_of_jsonl_is_valid_and_the_last_says_the_end(answer: tuple[str, list[Any]], problems: Any) -> None:
    name, records = answer

    lines = written("jsonl", name, records, end=End(exit_code=3, errors=problems)).splitlines()

    found = [json.loads(line) for line in lines]
    for each in found:
        validator("jsonl").validate(each)
    assert len(found) == len(records) + len(problems) + 1
    assert found[-1]["type"] == "end"
    assert found[-1]["exit_code"] == 3


@given(NAMES)
def test_tsv_has_the_same_fields_on_every_line(answer: tuple[str, list[Any]]) -> None:
    name, records = answer

    text = written("tsv", name, records)

    lines = text.removesuffix("\n").split("\n")
    assert len(lines) == len(records) + 1
    assert len({line.count("\t") for line in lines}) == 1


@given(NAMES, PROBLEMS)
def test_yaml_reads_back_as_the_same_data_as_json(answer: tuple[str, list[Any]], problems: Any) -> None:
    name, records = answer
    end = End(exit_code=1, errors=problems, complete=False)

    text = written("yaml", name, records, end=end)

    assert yaml.safe_load(text) == json.loads(written("json", name, records, end=end))


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "0x1f", "y", "no", "null", "~", "1:30", "2026-11-21", "", "=", "<<", "-"]
)
def test_text_that_looks_like_something_else_is_quoted_in_yaml(text: str) -> None:
    (found,) = re.findall(r"name: (.*)", written("yaml", "status", [samples.run(name=text)]))

    assert found == f"'{text}'"


_LEAF = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["a: b", "a #b", "a:", "a :b", "a: :b", "? b", "a'b", "x: ", "true ", "Null", "1e3", "\u202e"])
)
_KEY = st.text(st.characters(exclude_categories=["Cs"]), max_size=120) | st.sampled_from(["yes", "x: y", "-", ""])


@given(st.recursive(_LEAF, lambda part: st.lists(part, max_size=4) | st.dictionaries(_KEY, part, max_size=4)))
def test_any_data_is_read_back_from_yaml_and_shows_as_itself(data: Any) -> None:
    text = dump(data)

    assert yaml.safe_load(text) == data
    assert all(is_plain(line) for line in text.split("\n"))


def test_yaml_takes_at_most_a_call_or_two_for_a_value() -> None:
    """A writer that parsed, folded or looked up each value took a hundred times as long as JSON."""
    records = [samples.run(name=f"run-{at}") for at in range(200)]
    values = written("json", "list", records).count(":")
    calls = 0

    def count(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        written("yaml", "list", records)
    finally:
        sys.setprofile(None)

    assert values < calls < 5 * values


@given(NAMES)
def test_csv_reads_back_as_the_fields_of_tsv_and_begins_no_formula(answer: tuple[str, list[Any]]) -> None:
    name, records = answer

    text = written("csv", name, records)

    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    plain = [line.split("\t") for line in written("tsv", name, records).removesuffix("\n").split("\n")]
    assert [[cell.removeprefix("'") for cell in row] for row in rows] == plain
    assert all(cell[0] not in "=+-@\t\r\n＝＋－＠" or is_number(cell) for row in rows for cell in row if cell)


def is_number(cell: str) -> bool:
    """Whether a cell is one of our own numbers, which may be negative."""
    return re.fullmatch(r"-\d+(\.\d+)?(e-\d+)?", cell) is not None


def test_csv_keeps_numbers_numbers_and_defuses_text() -> None:
    records: list[Record] = [
        structs.replace(samples.invocation(1, State.FAILED), exit_code=-1, target_name='=1+1,"x"', status_detail="'-2")
    ]

    head, row = written("csv", "invocations", records).split("\r\n")[:2]

    found = dict(zip(head.split(","), next(csv.reader([row])), strict=True))
    assert found["exit_code"] == "-1"
    assert found["target_name"] == '\'=1+1,"x"'
    assert found["status_detail"] == "''-2"
    assert '"\'=1+1,""x"""' in row


@pytest.mark.parametrize("name", sorted(ROWS))
def test_tsv_begins_with_the_reference(name: str) -> None:
    assert written("tsv", name, []).split("\t")[0] in ("ref", "run")


@pytest.mark.parametrize("format", FORMATS)
def test_a_failure_before_anything_was_listed_leaves_stdout_to_documents(format: str) -> None:
    end = End(exit_code=2, complete=False, errors=(samples.DENIED,))

    text = written(format, "status", [], end=end)

    if format in ("json", "yaml"):
        document = yaml.safe_load(text)
        validator("status").validate(document)
        validator("error").validate(document)
        assert document["runs"] == []
        assert document["errors"][0]["message"] == samples.DENIED.message
    elif format == "jsonl":
        assert [json.loads(line)["type"] for line in text.splitlines()] == ["error", "end"]
    else:
        assert text == ""


def test_a_verb_without_a_document_fails_with_the_error_document() -> None:
    document = json.loads(written("json", "", []))

    validator("error").validate(document)
    assert document["verb"] is None


def test_a_plan_document_says_who_and_until_when_and_reads_back() -> None:
    who = Caller(scope="aws:us-east-2", account="1", principal=None)
    end = End(exit_code=0, identities=(who,), created_at=samples.NOW, expires_at=samples.NOW)

    text = written("json", "plan", [samples.plan_item()], end=end)

    document = from_json(text, shape("plan"))
    assert json.loads(text)["created_at"] == "2026-11-21T12:00:00Z"
    assert document.verb == "cancel"
    assert document.identities == (who,)
    assert document.plan == (samples.plan_item(),)


def test_ref_prints_children_else_the_run_once() -> None:
    rows = [samples.invocation(n, State.RUNNING, child=child) for n, child in enumerate([None, samples.CHILD])]
    other = [samples.invocation(n, State.RUNNING, ref=samples.PATCH) for n in range(2)]

    assert written("ref", "invocations", [*rows, *rows, *other]) == f"{samples.CHILD}\n{samples.PATCH}\n"


def test_ref_of_a_plan_is_what_would_be_asked() -> None:
    items: list[Record] = [samples.plan_item(), samples.plan_item(samples.PATCH, ask=False)]

    assert isinstance(items[0], PlanItem)
    assert written("ref", "plan", items) == f"{samples.WINDOW}\n"


def test_jsonl_comes_as_it_happens() -> None:
    out = io.StringIO()
    printer = writer("jsonl", "status", out=out, terminal=Terminal())

    printer.row(samples.run())

    assert json.loads(out.getvalue())["type"] == "run"


def test_the_default_is_a_table_on_a_terminal_and_tsv_elsewhere() -> None:
    assert default_format(Terminal(is_terminal=True)) == "table"
    assert default_format(Terminal(color=True)) == "tsv"


def test_errors_and_notes_go_to_stderr_and_quiet_leaves_the_errors() -> None:
    error = samples.DENIED
    said = []
    for quiet in (False, True):
        err = io.StringIO()
        printer = writer("json", "status", out=io.StringIO(), terminal=Terminal(), notes=Notes(err, quiet=quiet))
        printer.end(End(exit_code=4, errors=(error,), notes=("50 shown, there are more",)))
        said.append(err.getvalue())

    assert said[0] == said[1] + "50 shown, there are more\n"
    assert said[1].splitlines() == list(problem_lines(error))
    assert said[1].startswith("runcancel: not permitted: ecs:StopInvocation (profile audit) [Forbidden.RAM, request 47")


def test_what_machines_read_needs_no_rich() -> None:
    text = """
import sys
import runcancel.render as r, runcancel.render.live.progress, runcancel.render.screens.announce
from runcancel.render.screens.terminal import Terminal
for format in ("tsv", "csv", "json", "jsonl", "yaml", "ref"):
    r.writer(format, "status", out=sys.stdout, terminal=Terminal()).end(r.End(exit_code=0))
    if {"rich", "typer"} & {name.split(".")[0] for name in sys.modules}:
        sys.exit(format)
"""

    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=ROOT, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("format", FORMATS)
def test_a_closed_pipe_ends_the_printing_and_nothing_else(format: str) -> None:
    """300 rows are more than the stream keeps back, in every format."""
    text = f"""
import sys
from render import samples
from runcancel.render import End, writer
from runcancel.render.screens.terminal import Terminal
w = writer({format!r}, "status", out=sys.stdout, terminal=Terminal())
for n in range(300):
    w.row(samples.run(samples.PATCH + str(n)))
w.end(End(exit_code=0))
sys.stderr.write("went on")
raise SystemExit(0 if w.closed else 1)
"""
    reading, writing = os.pipe()
    os.close(reading)

    child = script(text, stdout=writing)
    os.close(writing)
    _, err = child.communicate(timeout=60)

    assert (child.returncode, err) == (0, "went on")


def test_a_stream_of_another_encoding_still_gets_valid_json() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    printer = writer("json", "status", out=out, terminal=Terminal())
    printer.row(samples.run(name="补丁 😀"))
    printer.end(End(exit_code=0))

    assert json.loads(raw.getvalue())["runs"][0]["name"] == "补丁 😀"


def test_a_stdout_that_does_not_exist_is_no_failure() -> None:
    printer = writer("table", "status", out=None, terminal=Terminal())
    printer.row(samples.run())
    printer.end(End(exit_code=0))

    assert printer.closed


def test_run_documents_hold_every_key_of_the_record() -> None:
    document = json.loads(written("json", "status", [samples.run()]))

    assert set(document["runs"][0]) == set(Run.__struct_fields__) - {"script", "audit"}


def test_a_full_disk_is_said_and_ends_nothing_else() -> None:
    err = io.StringIO()
    with open("/dev/full", "w", encoding="utf-8") as out:
        printer = writer("jsonl", "status", out=out, terminal=Terminal(), notes=Notes(err))
        printer.row(samples.run())
        printer.end(End(exit_code=0))

    assert err.getvalue() == "runcancel: cannot write to stdout: No space left on device; everything else continues\n"
