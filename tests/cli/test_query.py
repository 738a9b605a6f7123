"""`--query` as its users meet it: on every verb, in every format, and never at the price of an error."""

import json
from collections.abc import Callable

import pytest
import yaml
from outside import ENDED, NOBODY, TENCENT, WINDOW, Outside


@pytest.fixture(scope="module")
def still(begin: Callable[..., Outside]) -> Outside:
    """Time stands still and nothing is written: the tests share it."""
    return begin(speed=0)


@pytest.mark.parametrize(
    ("argv", "query", "found"),
    [
        (("status", TENCENT), "runs[].counts.running", [9]),
        (("invocations", TENCENT, "--limit", "2"), "length(invocations)", 2),
        (("list", "-p", "tencent"), "runs[?ends_with(ref, 'inv-ib2lld37')].state", ["running"]),
        (("cancel", ENDED[4]), "outcomes[].verdict", ["ended"]),
        (("cancel", TENCENT, "-n"), "plan[].ask", [True]),
        (("wait", TENCENT, "--for", "running"), "runs[].state", ["running"]),
        (("history", "--limit", "1"), "operations[].verb", ["cancel"]),
        (("contexts",), "contexts", []),
        (("contexts", "show", "-p", "tencent"), "length(settings) > `0`", True),
        (("schema", "cancel"), "title", "runcancel cancel"),
    ],
    ids=str,
)
def test_every_verb_is_queried(argv: tuple[str, ...], query: str, found: object, still: Outside) -> None:
    if argv[0] == "history":
        still.run("cancel", ENDED[4])

    done = still.run(*argv, "--query", query)

    assert done.code == 0, str(done)
    assert json.loads(done.out) == found
    assert yaml.safe_load(still.run(*argv, "--query", query, "-o", "yaml").out) == found


def test_tsv_feeds_a_shell(still: Outside) -> None:
    done = still.shell(
        f"runcancel status {TENCENT} {WINDOW} -o tsv --query 'runs[].[ref,state]' |"
        " while IFS=$'\\t' read -r ref state; do echo \"$state $ref\"; done"
    )

    assert done.out == f"running {TENCENT}\nrunning {WINDOW}\n"


@pytest.mark.parametrize("format", ["table", "wide", "jsonl", "ref"])
def test_a_format_that_has_rows_of_its_own_is_refused(format: str, outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, "-o", format, "--query", "runs")

    assert done.code == 2
    assert f"--query does not work with -o {format}. It works with: json, yaml, tsv, csv" in done.err
    assert outside.requests() == []


def test_a_variable_that_does_not_go_with_a_query_is_not_meant_for_it(still: Outside) -> None:
    argv = ("status", TENCENT, "--query", "runs[].state")

    assert still.run(*argv, env={"RUNCANCEL_OUTPUT": "table"}).out == '[\n  "running"\n]\n'
    assert still.run(*argv, env={"RUNCANCEL_OUTPUT": "tsv"}).out == "running\n"
    assert still.run("status", TENCENT, "-o", "ref", env={"RUNCANCEL_QUERY": "runs"}).out == f"{TENCENT}\n"


@pytest.mark.parametrize("query", ["outcomes[?", "lenght(outcomes)", "", "outcomes[].{"])
def test_a_wrong_expression_ends_it_before_anything_is_sent(query: str, outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, "--query", query)

    assert done.code == 2, str(done)
    assert "--query" in done.err
    assert outside.requests() == []


def test_a_query_changes_no_exit_code_and_hides_no_error(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, NOBODY, "--query", "outcomes[?verdict=='stopped'].run")

    assert done.code == 3, str(done)
    assert json.loads(done.out) == [TENCENT]
    assert "not found" in done.err


def test_a_query_that_cannot_be_applied_changes_no_exit_code(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, "--query", "length(nothing)")

    assert done.code == 0, str(done)
    assert "--query cannot be applied" in done.err
    assert done.document["outcomes"][0]["verdict"] == "stopped"


def test_what_fails_early_is_queried_too(still: Outside) -> None:
    assert json.loads(still.run("status", "nonsense", "--query", "errors[].code").out) == ["usage"]
    assert still.run("status", "nonsense", "-o", "tsv", "--query", "errors[].code").out == ""
    assert still.run("status", "nonsense", "-o", "yaml", "--query=errors[0].code").out == "usage\n"


def test_jmespath_and_yaml_are_loaded_only_when_used(still: Outside) -> None:
    calls = (("status", "nonsense", "-o", "json"), ("contexts", "-o", "csv"), ("list", "--help"))
    for done in still.forks(*calls, modules=True):
        assert not {"jmespath", "yaml"} & {*done.err.splitlines()[-1].split()}, str(done)
