"""Where runs come from and when they come again: free facts in every listing, a scan on request or after a cancel."""

import time

import pytest
from outside import KILLED, SCHEDULE, TENCENT, WRITES, Outside

NIGHTLY = "aws:us-east-2:window/mw-0c50858d01c0ffee0"
KEYS = ("trigger", "trigger_known", "repeats", "next_start_at")
SCANS = {
    "DescribeMaintenanceWindows",
    "DescribeMaintenanceWindowExecutions",
    "DescribeInvokers",
    "DescribeInvokerRecords",
}


def facts(outside: Outside, *argv: str) -> dict[str, tuple[object, ...]]:
    return {run["ref"]: tuple(run[key] for key in KEYS) for run in outside.json(*argv)["runs"]}


def of_invoker(outside: Outside) -> str:
    """A run that an invoker starts as time goes on."""
    before = {run["ref"] for run in outside.json("list", "-p", "tencent", "-r", "ap-guangzhou")["runs"]}
    outside.box.clock.advance(3600.0)
    after = outside.json("list", "-p", "tencent", "-r", "ap-guangzhou")["runs"]
    return next(run["ref"] for run in after if run["ref"] not in before)


def of_window(outside: Outside) -> str:
    listed = outside.json("list", "-r", "us-east-2", "--kind", "maintenance-window")["runs"]
    return next(str(run["ref"]) for run in listed if run["cancellable"])


def test_the_keys_are_always_there(outside: Outside) -> None:
    for runs in (outside.json("list")["runs"], outside.json("status", TENCENT, SCHEDULE)["runs"]):
        assert runs
        assert all(set(KEYS) <= run.keys() for run in runs)


def test_a_run_says_what_its_own_row_shows(outside: Outside) -> None:
    found = facts(outside, "status", TENCENT, KILLED, SCHEDULE)

    assert found[TENCENT] == (None, True, False, None)
    assert found[KILLED] == (None, False, False, None)
    assert found[SCHEDULE] == (None, False, True, None)  # its cron expression counts in the zone of each instance


def test_the_next_round_of_a_run_that_repeats(outside: Outside) -> None:
    ref = outside.add("alibaba", repeat="Period", frequency="0 0 3 * * ? Asia/Shanghai", targets={"scheduled": 2})

    _, known, repeats, comes = facts(outside, "status", ref)[ref]

    assert (known, repeats) == (False, True)
    assert str(comes).endswith("T19:00:00Z")


def test_a_list_names_the_window_of_an_execution_without_a_request_of_its_own(outside: Outside) -> None:
    found = facts(outside, "list", "-r", "us-east-2", "--kind", "maintenance-window")

    assert found
    for trigger, known, repeats, comes in found.values():
        assert str(trigger).startswith("aws:us-east-2:window/mw-")
        assert (known, repeats) == (True, False)
        assert comes is None or str(comes).endswith("Z")
    assert set(outside.actions()) <= {"DescribeMaintenanceWindows", "DescribeMaintenanceWindowExecutions"}


def test_status_finds_the_trigger_on_request_only(outside: Outside) -> None:
    ref = of_window(outside)
    assert facts(outside, "status", ref)[ref][:2] == (None, False)

    done = outside.run("status", ref, "--trigger", "-o", "json")

    (run,) = done.document["runs"]
    assert run["trigger_known"] is True
    assert f"runcancel disable {run['trigger']}" in done.err
    assert f"{run['trigger']}, enabled" in done.err
    assert done.err.startswith("comes back 20")


def test_the_invoker_of_a_run_is_found_by_its_records(outside: Outside) -> None:
    ref = of_invoker(outside)
    assert facts(outside, "status", ref)[ref] == (None, False, False, None)

    trigger, known, repeats, comes = facts(outside, "status", ref, "--trigger")[ref]

    assert str(trigger).startswith("tencent:ap-guangzhou:invoker/ivk-")
    assert (known, repeats) == (True, False)
    assert comes is not None


def test_what_started_a_command_is_unknown(outside: Outside) -> None:
    (ref, *_) = [run["ref"] for run in outside.json("list", "-r", "us-east-2", "--kind", "command")["runs"]]

    status = outside.run("status", ref, "--trigger")
    cancel = outside.run("cancel", ref)

    for done in (status, cancel):
        assert f"what started it is unknown; it may start again: {ref}" in done.err
        assert "not come back" not in done.err


def test_a_run_that_a_person_sent_is_named_as_such(outside: Outside) -> None:
    """An option that was typed is answered, also where there is nothing to disable."""
    status = outside.run("status", TENCENT, "--trigger")
    cancel = outside.run("cancel", TENCENT, "--disable-triggers")

    assert f"not started by a trigger: {TENCENT}" in status.err
    assert f"note: not started by a trigger: {TENCENT}" in cancel.err


def test_a_cancel_ends_with_what_comes_back_and_the_command_that_disables_it(outside: Outside) -> None:
    for ref in (of_window(outside), of_invoker(outside)):
        done = outside.run("cancel", ref)

        comes, how, command = done.err.splitlines()[-3:]
        assert comes.startswith("comes back 20")
        assert comes.endswith(", enabled")
        assert how == "To disable it:"
        words = command.split()
        assert words[:2] == ["runcancel", "disable"]
        assert words[2] in comes
        disabled = outside.json(*words[1:])
        assert [one["verdict"] for one in disabled["outcomes"]] == ["disabled"]


def test_nothing_is_scanned_before_a_cancel_leaves(outside: Outside) -> None:
    ref = of_window(outside)
    before = len(outside.actions())

    outside.run("cancel", ref)

    actions = outside.actions()[before:]
    sent = min(index for index, action in enumerate(actions) if action in WRITES)
    assert not SCANS & set(actions[:sent])
    assert SCANS & set(actions[sent:])


@pytest.mark.parametrize("more", [("--no-wait",), ("-q",)])
def test_who_does_not_wait_or_read_has_no_scan(outside: Outside, more: tuple[str, ...]) -> None:
    ref = of_window(outside)
    before = len(outside.actions())

    outside.run("cancel", ref, *more)

    assert not SCANS & set(outside.actions()[before:])


def test_a_run_that_a_person_sent_needs_no_scan_and_no_word(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT)

    assert not SCANS & set(outside.actions())
    assert "started it" not in done.err
    assert "comes back" not in done.err


def test_a_scan_that_hangs_or_is_denied_changes_no_result(outside: Outside) -> None:
    ref = of_window(outside)
    for fault in ("DescribeMaintenanceWindows=hang", "DescribeMaintenanceWindows=denied"):
        outside.reset()
        outside.faults(fault)
        began = time.monotonic()

        done = outside.run("cancel", ref, "-o", "json")

        assert time.monotonic() - began < 20
        assert done.code in (0, 3)
        assert "its triggers could not be read" in done.err
        assert "is unknown; it may start again: " in done.err


def test_the_cancel_of_a_schedule_is_its_end(outside: Outside) -> None:
    ref = outside.add("alibaba", repeat="Period", frequency="0 0 3 * * ?", targets={"scheduled": 2})

    done = outside.run("cancel", ref)

    assert f"{ref} was a schedule: the cancel is its end, and it cannot be resumed" in done.err
    assert "started it" not in done.err
