"""Kinds that a filter finds only with `--kind`: a command that was written before they existed cancels none of them."""

import pytest
from outside import MACHINE, OOS, OOS_TIMER, Outside

FOUND = {
    MACHINE: ("aws", "state-machine", "ListStateMachines", "nightly-etl"),
    OOS: ("alibaba", "oos", "ListExecutions", "patch-fleet"),
}

every_kind = pytest.mark.parametrize("ref", FOUND)


@every_kind
def test_a_list_without_kind_has_none(ref: str, outside: Outside) -> None:
    provider, kind, listing, _ = FOUND[ref]

    document = outside.json("list", "-p", provider, "--status", "all")

    assert kind not in {run["kind"] for run in document["runs"]}
    assert listing not in outside.actions()


@every_kind
def test_a_list_with_kind_has_nothing_else(ref: str, outside: Outside) -> None:
    provider, kind, _, document = FOUND[ref]

    everything = outside.json("list", "-p", provider, "--kind", kind, "--status", "all")["runs"]
    by_document = outside.json("list", "-p", provider, "--kind", kind, "--document", document)["runs"]

    assert {run["kind"] for run in everything} == {kind}
    assert ref in [run["ref"] for run in everything]
    assert [run["ref"] for run in by_document] == [ref]


@every_kind
def test_an_empty_list_names_the_kind_that_was_not_searched(ref: str, outside: Outside) -> None:
    provider, kind, _, _ = FOUND[ref]

    without = outside.on_terminal("list", "-p", provider, "--name", "no-such-run", columns=200)
    with_kind = outside.on_terminal("list", "-p", provider, "--name", "no-such-run", "--kind", kind, columns=200)

    assert f"not searched: {provider} {kind} (--kind {kind})." in without.final
    assert "not searched" not in with_kind.final


def test_a_list_of_a_kind_with_schedules_notes_that_it_leaves_them_out(outside: Outside) -> None:
    argv = ("list", "-p", "alibaba", "--kind", "oos", "--status", "all")
    note = "alibaba oos: runs that are schedules are left out (--include-schedules)"

    assert note in outside.run(*argv).err
    assert note not in outside.run(*argv, "--include-schedules").err
    assert "schedules" not in outside.run("list", "-p", "alibaba").err


@every_kind
def test_a_cancel_by_filter_needs_the_kind(ref: str, outside: Outside) -> None:
    provider, kind, _, document = FOUND[ref]

    without = outside.run("cancel", "-p", provider, "--document", document, "--confirm", "1")
    assert not outside.writes()
    assert without.code != 3
    done = outside.run("cancel", "-p", provider, "--document", document, "--kind", kind, "--confirm", "1")

    assert done.code in (0, 8), str(done)
    assert len(outside.effective(ref)) == 1


@every_kind
@pytest.mark.parametrize("verb", ["status", "invocations", "wait"])
def test_by_its_name_it_is_found_as_any_other(ref: str, verb: str, outside: Outside) -> None:
    timeout = ("--timeout", "0") if verb == "wait" else ()

    assert ref in outside.run(verb, ref, *timeout, "-o", "json").out


@every_kind
def test_logs_report_in_one_line_that_there_are_none(ref: str, outside: Outside) -> None:
    done = outside.run("logs", ref)

    assert done.code == 0, str(done)
    assert sum("not supported" in line for line in done.err.splitlines()) == 1


def test_a_run_that_is_a_schedule_needs_a_flag_as_well(outside: Outside) -> None:
    search = ("-p", "alibaba", "--kind", "oos", "--document", "nightly-cleanup")

    assert outside.json("list", *search)["runs"] == []
    (run,) = outside.json("list", *search, "--include-schedules")["runs"]
    assert (run["ref"], run["state"]) == (OOS_TIMER, "scheduled")
    assert "TimerTrigger, next start" in run["status_detail"]
    outside.run("cancel", *search, "--confirm", "1")
    assert not outside.writes()
    done = outside.run("cancel", *search, "--include-schedules", "--confirm", "1")
    assert done.code == 0, str(done)
    assert outside.states(OOS_TIMER) == {"cancelled": 1}


def test_who_started_an_execution_of_oos_selects_it(outside: Outside) -> None:
    found = outside.json("list", "-p", "alibaba", "--kind", "oos", "--started-by", "ops(")["runs"]

    assert OOS in [run["ref"] for run in found]
