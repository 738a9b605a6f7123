"""`--columns`, `--sort` and `--no-headers`: the same for tables, tsv and csv of every verb."""

import csv
import io
from datetime import datetime

import pytest
from outside import COMMAND, SCHEDULE, TENCENT, WINDOW, Outside

REFS = (COMMAND, TENCENT, WINDOW)
ANSWERS = {
    "status": (("status", *REFS), "ref,state,target_count", "ref"),
    "list": (("list",), "ref,created_at,name", "name"),
    "invocations": (("invocations", TENCENT), "target,state,run", "target"),
    "logs": (("logs", TENCENT), "target,state", "target"),
    "plan": (("cancel", *REFS, "-n"), "run,ask,expected", "run"),
    "history": (("history",), "id,argv,at", "at"),
    "doctor": (("doctor",), "scope,ok", "scope"),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("format", ["tsv", "csv"])
def test_the_columns_are_those_that_were_named_in_their_order(outside: Outside, answer: str, format: str) -> None:
    argv, columns, key = ANSWERS[answer]

    done = outside.run(*argv, "-o", format, "--columns", columns, "--sort", f"{key}:desc")
    bare = outside.run(*argv, "-o", format, "--columns", columns, "--sort", key, "--no-headers")

    assert done.code == 0, str(done)
    head, *rows = list(csv.reader(io.StringIO(done.out), delimiter="\t" if format == "tsv" else ","))
    assert ",".join(head) == columns
    values = [row[head.index(key)] for row in rows]
    assert values == sorted(values, reverse=True)
    assert len(bare.out.splitlines()) == len(rows)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("logs", TENCENT, "-o", "table"), "need -o tsv or csv; the format is table"),
        (("status", TENCENT, "-o", "json"), "need -o table or wide or tsv or csv; the format is json"),
        (("report",), "do not apply to report; nothing"),
    ],
)
def test_a_format_without_columns_names_those_that_have_some(
    outside: Outside, argv: tuple[str, ...], words: str
) -> None:
    done = outside.run(*argv, "--no-headers")

    assert done.code == 2, str(done)
    assert words in done.err or words in done.out


def test_a_table_has_them_too(outside: Outside) -> None:
    done = outside.run("status", TENCENT, "-o", "table", "--columns", "name,ref,account")
    bare = outside.run("status", *REFS, "-o", "table", "--columns", "ref", "--no-headers", "--sort", "ref:desc")

    assert done.out.splitlines()[0].split() == ["NAME", "RUN", "ACCOUNT"]
    assert bare.out.splitlines() == sorted(REFS, reverse=True)


def test_what_has_no_value_stands_last_and_times_sort_as_times(outside: Outside) -> None:
    for order in ("scheduled_at", "scheduled_at:desc"):
        last = outside.run("list", "--columns", "scheduled_at,ref", "--sort", order).rows[-1]
        assert last["scheduled_at"] == ""
    rows = outside.run("list", "--columns", "created_at", "--sort", "created_at").rows
    ages = [datetime.fromisoformat(row["created_at"]) for row in rows if row["created_at"]]
    assert len(ages) > 1
    assert ages == sorted(ages)
    assert SCHEDULE in outside.run("list", "--sort", "created_at").out


def test_invocations_stay_with_their_run(outside: Outside) -> None:
    rows = outside.run("invocations", WINDOW, TENCENT, "--sort", "state").rows

    runs = [row["run"] for row in rows]
    assert runs == sorted(runs, key=[WINDOW, TENCENT].index)
    states = [row["state"] for row in rows if row["run"] == WINDOW]
    assert states == sorted(states)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("cancel", TENCENT, "--columns", "verdicts"), "did you mean verdict?"),
        (("cancel", TENCENT, "--columns", "ask"), "--columns has no column “ask”"),
        (("cancel", TENCENT, "--sort", "nothing"), "--sort has no column “nothing”"),
        (("cancel", TENCENT, "--columns", "run,,verdict"), "empty name"),
        (("cancel", TENCENT, "--columns", "run", "-o", "json"), "the format is json"),
        (("cancel", TENCENT, "--no-headers", "-o", "ref"), "the format is ref"),
        (("cancel", TENCENT, "--sort", "run", "-o", "tsv", "--query", "outcomes"), "without --query"),
        (("permissions", "--sort", "provider"), "the format is tsv"),
        (("schema", "list", "--no-headers"), "do not apply to schema"),
        (("logs", TENCENT, "--columns", "target", "-o", "table"), "the format is table"),
    ],
)
def test_what_cannot_be_shown_so_is_wrong_usage_and_nothing_is_sent(
    outside: Outside, argv: tuple[str, ...], words: str
) -> None:
    done = outside.run(*argv)

    assert done.code == 2, str(done)
    assert words in done.err
    assert outside.writes() == []
