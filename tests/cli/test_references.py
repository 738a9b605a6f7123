"""What a reference can look like, how its run is found, and what is never done to find it."""

import pytest
from outside import (
    AUTOMATION,
    COMMAND,
    FANOUT,
    KILLED,
    NOBODY,
    ONE_SHOT,
    TENCENT,
    WINDOW,
    Outside,
    id_of,
)

READS = ("GetMaintenanceWindowExecution", "ListCommands", "GetAutomationExecution")
"""What tells a window execution, a command and an automation apart, in the order in which they are asked."""


def first_asked(outside: Outside) -> list[str]:
    """The actions in the order of their first request."""
    return list(dict.fromkeys(outside.actions()))


FORMS = {
    "full": (TENCENT,),
    "without the kind": ("tencent:ap-guangzhou:inv-ib2lld37",),
    "the provider alone": ("tencent:inv-ib2lld37",),
    "the region alone": ("ap-guangzhou:inv-ib2lld37",),
    "bare": ("inv-ib2lld37",),
    "bare with a region": ("inv-ib2lld37", "-r", "ap-guangzhou"),
    "bare with several regions": ("inv-ib2lld37", "-r", "ap-shanghai,ap-guangzhou", "-r", "us-east-2"),
    "bare with a provider's region": ("inv-ib2lld37", "-r", "tencent:ap-guangzhou"),
    "with the kind alone": ("invocation/inv-ib2lld37",),
}


@pytest.mark.parametrize("argv", FORMS.values(), ids=FORMS)
def test_every_form_means_the_same_run(argv: tuple[str, ...], outside: Outside) -> None:
    document = outside.json("status", *argv)

    assert [run["ref"] for run in document["runs"]] == [TENCENT]


def test_what_is_printed_is_accepted_by_every_verb(outside: Outside) -> None:
    given = [WINDOW, COMMAND, AUTOMATION, ONE_SHOT, TENCENT]

    printed = [run["ref"] for run in outside.json("status", *given)["runs"]]

    assert printed == given
    rows = outside.json("invocations", *printed, "--limit", "1")["invocations"]
    assert [row["run"] for row in rows] == given
    assert [item["run"] for item in outside.json("cancel", *printed, "--dry-run")["plan"]] == given


def test_capitals_in_a_uuid_mean_the_same(outside: Outside) -> None:
    assert outside.json("status", id_of(COMMAND).upper())["runs"][0]["ref"] == COMMAND


@pytest.mark.parametrize(("place", "ref"), list(enumerate((WINDOW, COMMAND, AUTOMATION))), ids=READS)
def test_the_kind_of_a_uuid_is_found_by_reads_that_stop_at_the_first_hit(
    place: int, ref: str, outside: Outside
) -> None:
    document = outside.json("status", id_of(ref))

    assert [run["ref"] for run in document["runs"]] == [ref]
    assert [action for action in first_asked(outside) if action in READS] == list(READS[: place + 1])
    assert not outside.writes()


def test_a_cancel_finds_the_kind_by_reading_too(outside: Outside) -> None:
    done = outside.run("cancel", id_of(COMMAND), "-o", "json")

    assert done.code == 0, str(done)
    assert [each["action"] for each in outside.writes()] == ["CancelCommand"]
    asked = outside.actions()
    assert asked.index(READS[0]) < asked.index(READS[1]) < asked.index("CancelCommand")
    assert READS[2] not in asked


def test_a_kind_that_is_given_is_the_only_one_asked(outside: Outside) -> None:
    outside.json("status", f"automation/{id_of(AUTOMATION)}")

    assert [action for action in first_asked(outside) if action in READS] == [READS[2]]


def test_a_kind_that_is_wrong_is_not_corrected(outside: Outside) -> None:
    done = outside.run("cancel", f"aws:us-east-2:maintenance-window/{id_of(COMMAND)}", "-o", "json")

    assert done.code == 5
    assert not outside.writes()


def test_nobody_cancels_to_find_out(outside: Outside) -> None:
    done = outside.run("cancel", "00000000-0000-4000-8000-000000000000", "-o", "json")

    assert done.code == 5, str(done)
    assert [action for action in first_asked(outside) if action in READS] == list(READS)
    assert not outside.writes()


# a part of a run


def task_of(outside: Outside) -> str:
    (row,) = outside.json("invocations", TENCENT, "--limit", "1")["invocations"]
    outside.box.log.clear()
    return str(row["id"])


def test_a_task_is_answered_with_its_invocation(outside: Outside) -> None:
    task = task_of(outside)

    done = outside.run("status", task, "-o", "json")

    assert done.code == 0, str(done)
    assert [run["ref"] for run in done.document["runs"]] == [TENCENT]
    assert f"{task} is part of {TENCENT}" in done.err


@pytest.mark.parametrize("flags", [(), ("--dry-run",), ("--yes",)], ids=" ".join)
def test_a_task_is_not_cancelled_as_its_invocation(flags: tuple[str, ...], outside: Outside) -> None:
    task = task_of(outside)

    done = outside.run("cancel", task, *flags, "-o", "json")

    assert done.code == 2, str(done)
    assert not outside.writes()
    assert TENCENT in done.err


def test_a_task_beside_a_run_stops_the_whole_call(outside: Outside) -> None:
    task = task_of(outside)

    done = outside.run("cancel", KILLED, task, "-o", "json")

    assert done.code == 2, str(done)
    assert not outside.writes()


# several


def test_several_clouds_in_one_call_in_the_order_named(outside: Outside) -> None:
    references = [TENCENT, WINDOW, ONE_SHOT, FANOUT, COMMAND, KILLED, AUTOMATION]

    document = outside.json("status", *references)

    assert [run["ref"] for run in document["runs"]] == references
    assert {each["provider"] for each in outside.requests()} == {"aws", "alibaba", "tencent"}


def test_clouds_are_asked_side_by_side(outside: Outside) -> None:
    outside.faults("*=latency,ms=1200")

    outside.json("status", TENCENT, ONE_SHOT)

    began = {each["provider"]: each["real_time"] for each in reversed(outside.requests())}
    assert abs(began["tencent"] - began["alibaba"]) < 1.2


def test_what_is_named_twice_is_asked_once(outside: Outside) -> None:
    document = outside.json("cancel", TENCENT, "inv-ib2lld37", TENCENT, "tencent:inv-ib2lld37")

    assert [outcome["run"] for outcome in document["outcomes"]] == [TENCENT]
    assert len(outside.writes()) == 1


def test_each_reference_has_its_own_row_or_error(outside: Outside) -> None:
    done = outside.run("status", NOBODY, TENCENT, "inv-99999999", "-o", "json")

    assert done.code == 5
    assert [run["ref"] for run in done.document["runs"]] == [TENCENT]
    assert [error["ref"] for error in done.document["errors"]] == [NOBODY, "inv-99999999"]


def test_found_in_two_regions_is_not_guessed(outside: Outside) -> None:
    outside.add("tencent", region="ap-shanghai", id="inv-ib2lld37", targets={"running": 1})

    done = outside.run("cancel", "inv-ib2lld37", "-r", "ap-guangzhou,ap-shanghai", "-o", "json")

    assert done.code == 2, str(done)
    assert "ap-shanghai" in done.err
    assert "full form" in done.err
    assert not outside.writes()


def test_found_in_one_region_is_found_whatever_another_says(outside: Outside) -> None:
    outside.faults({"kind": "denied", "region": "ap-shanghai"})

    document = outside.json("status", "inv-ib2lld37", "-r", "ap-guangzhou,ap-shanghai")

    assert [run["ref"] for run in document["runs"]] == [TENCENT]


def test_a_malformed_one_among_good_ones_sends_nothing_at_all(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, "tencent:ap-guangzhou:inv_1", "-o", "json")

    assert done.code == 2
    assert outside.requests() == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("tencnet:ap-guangzhou:inv-ib2lld37", "did you mean tencent"),
        (f"aws:us-east-2:comand/{id_of(COMMAND)}", "did you mean command"),
        ("mw-0c50858d01c0ffee0", "runcancel disable mw-0c50858d01c0ffee0"),
        ("invocation/", "the id is missing"),
        ("@inv-ib2lld37", "context"),
    ],
)
def test_a_near_miss_says_what_would_be_right(wrong: str, right: str, outside: Outside) -> None:
    done = outside.run("cancel", wrong)

    assert done.code == 2
    assert right in done.err
    assert "nothing was sent" in done.err
