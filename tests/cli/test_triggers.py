"""`triggers` over the clouds of the sandbox: what starts runs by itself, and what keeps a scope from telling."""

import pytest
from outside import Outside


def names(document: dict) -> list[str]:
    return [one["name"] for one in document["triggers"]]


def test_triggers_of_all_clouds_the_next_start_first_and_the_disabled_last(outside: Outside) -> None:
    found = outside.json("triggers")["triggers"]

    assert {one["ref"].partition("/")[0] for one in found} == {
        *(f"aws:us-east-2:{kind}" for kind in ("window", "rule", "schedule", "association")),
        "tencent:ap-guangzhou:invoker",
    }
    starts = [one["next_start_at"] or "9" for one in found if one["state"] == "enabled"]
    assert starts == sorted(starts)
    assert [one["state"] for one in found][-1] == "disabled"
    assert found[-1]["next_start_at"] is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (("--name", "nightly-cleanup"), ["nightly-cleanup"]),
        (("--name-glob", "*-keys"), ["rotate-keys"]),
        (("--document", "AWS-GatherSoftwareInventory"), ["AWS-QuickSetup-SSMHostMgmt-CollectInventory"]),
        (("--script", "harden.sh"), ["weekly-hardening"]),
        (("--script", "rotate-keys.sh"), ["rotate-keys"]),
        (("--script", "node-drain.sh"), ["node-drain"]),
        (("--script", "hourly-report.sh"), ["hourly-report"]),
        (("--kind", "invoker"), ["hourly-report"]),
        (("--status", "disabled"), ["db-vacuum"]),
        (("--starts-within", "2h"), ["hourly-report"]),
        (("--name", "no-such"), []),
    ],
)
def test_each_filter_finds_what_it_names(outside: Outside, filters: tuple[str, ...], expected: list[str]) -> None:
    assert names(outside.json("triggers", *filters)) == expected


def test_what_cannot_be_changed_says_why_and_how_to_inspect_it(outside: Outside) -> None:
    for kind in ("schedule", "association"):
        for one in outside.json("triggers", "--kind", kind)["triggers"]:
            assert one["fixed_because"]
            assert one["command"].startswith("aws ")
    managed, _, _ = outside.json("triggers", "--kind", "rule")["triggers"][::-1]
    assert managed["fixed_because"] is None or "config.amazonaws.com" in managed["fixed_because"]


def test_one_refused_kind_hides_no_other(outside: Outside) -> None:
    outside.faults("ListAssociations=denied")

    done = outside.run("triggers", "-o", "json", "-p", "aws")

    assert done.code == 7
    assert {one["kind"] for one in done.document["triggers"]} == {"window", "rule", "schedule"}
    (error,) = done.document["errors"]
    assert "ssm:ListAssociations" in error["message"]
    assert done.document["complete"] is False


def test_all_refused_is_not_permitted(outside: Outside) -> None:
    outside.faults("*=denied")

    assert outside.run("triggers", "-p", "tencent").code == 4


def test_a_reference_of_a_trigger_is_no_run_and_the_message_says_the_verb(outside: Outside) -> None:
    done = outside.run("status", "mw-0c50858d01c0ffee0")

    assert done.code == 2
    assert "runcancel disable mw-0c50858d01c0ffee0" in done.err


def test_a_narrow_table_keeps_references_whole(outside: Outside) -> None:
    done = outside.run("triggers", "-o", "table", env={"COLUMNS": "80"})

    assert "aws:us-east-2:window/mw-0c50858d01c0ffee0" in done.out
    assert all(len(line) <= 80 for line in done.out.splitlines())


def test_what_is_a_run_and_its_own_schedule_is_named_with_the_command_that_finds_it(outside: Outside) -> None:
    done = outside.run("triggers", "-o", "json")
    alone = outside.run("triggers", "-p", "alibaba", "-o", "json")
    others = outside.run("triggers", "-p", "aws,tencent", "-o", "json")

    find = "runcancel list -p alibaba --kind invocation,oos --include-schedules -o wide"
    for one in (done, alone):
        assert f"runs that repeat are their own schedules, and a cancel ends them: {find}" in one.err
    assert "schedules" not in others.err
    found = outside.json(*find.split()[1:-2])["runs"]
    assert {run["kind"] for run in found if run["repeats"]} == {"invocation", "oos"}


@pytest.mark.parametrize(
    ("kind", "action", "code"),
    [
        ("rule", "ListTargetsByRule", "ResourceNotFoundException"),
        ("schedule", "GetSchedule", "ResourceNotFoundException"),
        ("window", "DescribeMaintenanceWindowTasks", "DoesNotExistException"),
        ("window", "DescribeMaintenanceWindowTargets", "DoesNotExistException"),
    ],
)
def test_what_is_deleted_while_it_is_listed_hides_no_other(kind: str, action: str, code: str, outside: Outside) -> None:
    whole = outside.json("triggers", "-p", "aws", "--kind", kind)["triggers"]
    outside.faults(f"aws:{action}=error*1,code={code},status=400")

    document = outside.json("triggers", "-p", "aws", "--kind", kind)

    assert outside.actions().count(action) > 1
    assert document["complete"] is True
    assert len(document["triggers"]) == len(whole) - 1


def test_a_window_that_is_deleted_hides_the_executions_of_no_other(outside: Outside) -> None:
    whole = outside.json("list", "-p", "aws", "--kind", "maintenance-window", "--status", "all")["runs"]
    outside.faults("aws:DescribeMaintenanceWindowExecutions=error*1,code=DoesNotExistException,status=400")

    document = outside.json("list", "-p", "aws", "--kind", "maintenance-window", "--status", "all")

    assert document["complete"] is True
    assert 0 < len(document["runs"]) < len(whole)
