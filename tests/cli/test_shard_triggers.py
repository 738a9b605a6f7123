"""`--shard` of plans with triggers: `disable`, `enable`, and a cancel that disables what starts its runs."""

import json
from typing import Any

import pytest
from outside import Done, Outside

from cli.test_returning import of_invoker, of_window
from cli.test_shards import write

COUNT = 4
SWITCHES = ("UpdateMaintenanceWindow", "DisableRule", "DisableInvoker")


def shards(outside: Outside, verb: str, *more: str) -> list[Done]:
    words = ("--plan", "plan.json", "-o", "jsonl", *more)
    return [outside.run(verb, *words, "--shard", f"{index}/{COUNT}") for index in range(COUNT)]


def switched(outside: Outside) -> list[str]:
    return [action for action in outside.actions() if action in SWITCHES]


def rows(done: Done, kind: str) -> list[Any]:
    return [line for line in done.lines if line["type"] == kind]


@pytest.fixture
def triggers(outside: Outside) -> list[str]:
    """A plan that disables all triggers that can be: they are in two clouds."""
    flags = ("-r", "aws:us-east-2,tencent:ap-guangzhou", "--kind", "window,invoker", "--status", "enabled")
    document = outside.json("disable", *flags, "-n")
    write(outside, document)
    return [one["trigger"] for one in document["triggers"] if one["send"]]


def test_each_trigger_is_disabled_by_one_shard_and_one_report_has_all(outside: Outside, triggers: list[str]) -> None:
    done = shards(outside, "disable", "--confirm", str(len(triggers)))

    assert {one.code for one in done} == {0}, "\n".join(map(str, done))
    disabled = [[row["trigger"] for row in rows(one, "trigger-outcome")] for one in done]
    assert sorted(ref for refs in disabled for ref in refs) == sorted(triggers)
    assert len([refs for refs in disabled if refs]) == 2
    assert len(switched(outside)) == len(triggers)
    for index, one in enumerate(done):
        (outside.home / f"{index}.jsonl").write_text(one.out)
    here, there = outside.json("report"), outside.json("report", *(f"{index}.jsonl" for index in range(COUNT)))
    for document in (here, there):
        (report,) = document["reports"]
        assert report["trigger_verdicts"] == {"disabled": len(triggers)}
        assert [one["complete"] for one in report["plans"]] == [True]
        assert {one["before"] for one in report["triggers"]} == {"enabled"}
    assert len(outside.json("history", "last")["outcomes"]) == len(triggers)


def test_the_limit_and_the_confirmation_are_about_all_triggers(outside: Outside, triggers: list[str]) -> None:
    count = str(len(triggers))

    for more in (("--confirm", "1"), ("--yes",), ("--confirm", count, "--max-triggers", str(len(triggers) - 1))):
        assert {one.code for one in shards(outside, "disable", *more)} == {6}

    assert switched(outside) == []
    assert outside.run("disable", "--name", "x", "--shard", "0/2").code == 2


def test_what_the_shards_disabled_is_enabled_again_by_shards(outside: Outside, triggers: list[str]) -> None:
    for one in shards(outside, "disable", "--confirm", str(len(triggers))):
        with (outside.home / "disabled.jsonl").open("a") as file:
            file.write(one.out)
    plan = outside.json("enable", "-f", "disabled.jsonl", "-n")
    write(outside, plan)

    done = shards(outside, "enable", "--confirm", str(len(triggers)))

    assert {one.code for one in done} == {0}, "\n".join(map(str, done))
    found = outside.json("triggers", "-r", "aws:us-east-2,tencent:ap-guangzhou", "--status", "enabled")["triggers"]
    assert set(triggers) <= {one["ref"] for one in found}


@pytest.fixture
def runs(outside: Outside) -> dict[str, Any]:
    """A plan of two runs in two clouds, each with the trigger that started it."""
    refs = [of_window(outside), of_invoker(outside)]
    document: dict[str, Any] = outside.json("cancel", *refs, "--disable-triggers", "-n")
    assert len([one for one in document["triggers"] if one["send"]]) == 2
    write(outside, document)
    return document


def test_a_shard_disables_the_triggers_of_its_scopes(outside: Outside, runs: dict[str, Any]) -> None:
    done = shards(outside, "cancel", "--confirm", "2", "--no-wait")

    assert {one.code for one in done} == {0}, "\n".join(map(str, done))
    assert sorted(switched(outside)) == ["DisableInvoker", "UpdateMaintenanceWindow"]
    for one in done:
        cancelled = {row["run"].rpartition("/")[0].rpartition(":")[0] for row in rows(one, "outcome")}
        assert {
            row["trigger"].rpartition("/")[0].rpartition(":")[0] for row in rows(one, "trigger-outcome")
        } == cancelled
    assert sum(outside.json("report")["reports"][0]["trigger_verdicts"].values()) == 2


def test_the_limit_on_triggers_is_about_the_whole_plan(outside: Outside, runs: dict[str, Any]) -> None:
    done = shards(outside, "cancel", "--confirm", "2", "--no-wait", "--max-triggers", "1")

    assert {one.code for one in done} == {6}, "\n".join(map(str, done))
    assert all("2 triggers match; the limit is 1" in one.err for one in done)
    assert (switched(outside), outside.writes()) == ([], [])


def test_triggers_may_stay_enabled(outside: Outside, runs: dict[str, Any]) -> None:
    done = shards(outside, "cancel", "--confirm", "2", "--no-wait", "--no-disable-triggers", "--max-triggers", "0")

    assert {one.code for one in done} == {0}, "\n".join(map(str, done))
    assert switched(outside) == []
    assert len(outside.writes()) == 2


def test_a_shard_searches_no_triggers(outside: Outside) -> None:
    """Each shard would find its own, and no limit would hold for all of them."""
    (outside.home / "plan.json").write_text(json.dumps(outside.json("cancel", of_window(outside), "-n")))

    done = outside.run("cancel", "--plan", "plan.json", "--shard", "0/1", "--disable-triggers", "--yes")

    assert done.code == 2, str(done)
    assert "this plan lists none; nothing was sent" in done.err
    assert outside.writes() == []


def test_disable_takes_the_triggers_of_a_plan_of_cancel(outside: Outside, runs: dict[str, Any]) -> None:
    planned = json.loads((outside.home / "plan.json").read_text())["triggers"]
    wrong = outside.run("enable", "--plan", "plan.json", "--confirm", "2")
    assert (wrong.code, outside.writes()) == (2, [])
    assert "To carry it out: runcancel cancel --plan FILE" in wrong.err
    done = shards(outside, "disable", "--confirm", str(len(planned)))

    assert {one.code for one in done} == {0}, "\n".join(map(str, done))
    disabled = [row["trigger"] for one in done for row in rows(one, "trigger-outcome")]
    assert sorted(disabled) == sorted(one["trigger"] for one in planned)
    assert len(switched(outside)) == len(planned)
    (disabling,) = {one["plan"] for one in outside.json("history")["operations"]}
    cancelled = shards(outside, "cancel", "--confirm", "2", "--no-wait", "--no-disable-triggers")
    assert {one.code for one in cancelled} == {0}, "\n".join(map(str, cancelled))
    (cancelling,) = {one["plan"] for one in outside.json("history")["operations"]} - {disabling}  # shards of their own
    assert cancelling is not None


def test_a_plan_of_cancel_without_triggers_is_none_of_disable(outside: Outside) -> None:
    (outside.home / "plan.json").write_text(json.dumps(outside.json("cancel", of_window(outside), "-n")))

    done = outside.run("disable", "--plan", "plan.json", "--yes")

    assert (done.code, outside.writes()) == (2, [])
    assert "is a plan of cancel that lists no trigger; nothing was sent" in done.err
    assert "runcancel cancel … --disable-triggers --dry-run -o json" in done.err
