"""Lies that the campaigns have found, each as small as it can be told."""

from outside import COMMAND, TENCENT, Outside


def test_a_refused_list_of_regions_does_not_hide_the_region_that_was_asked_for_it(outside: Outside) -> None:
    outside.faults("aws:DescribeRegions=expired")

    done = outside.run("list", "-p", "aws", "-r", "all", "-o", "json")

    assert COMMAND in [run["ref"] for run in done.document["runs"]], done.err


def test_a_refused_identity_stops_no_cancel(outside: Outside) -> None:
    outside.faults("GetCallerIdentity=expired")

    done = outside.run("cancel", "--name", "patch-openssl", "-p", "tencent", "--yes", "-o", "json")

    assert done.code == 0, str(done)
    assert done.outcomes[TENCENT]["verdict"] == "stopped"


def test_a_listing_that_repeats_its_first_page_is_not_complete(outside: Outside) -> None:
    ref = outside.add("tencent", targets={"running": 156})
    outside.faults("DescribeInvocationTasks=repeat-page")

    done = outside.run("invocations", ref, "-o", "json")

    assert done.code == 7, str(done)
    assert not done.document["complete"]
    assert [error["code"] for error in done.document["errors"]] == ["unproven"]


def test_a_clock_that_is_off_is_a_gap_and_not_a_region_that_is_not_enabled(outside: Outside) -> None:
    outside.faults({"kind": "skew", "provider": "alibaba", "region": "cn-beijing"})

    done = outside.run("list", "-p", "alibaba", "-r", "cn-hangzhou,cn-beijing", "-o", "json")

    assert done.code == 7, str(done)
    assert not done.document["complete"]
    assert "not enabled" not in done.err
