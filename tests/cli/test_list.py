"""`runcancel list` over scopes."""

import pytest
from outside import COMMAND, SCHEDULE, TENCENT, WINDOW, Outside

EVERY_KIND = {WINDOW, COMMAND, SCHEDULE, TENCENT}


def refs(document: dict[str, list[dict[str, str]]]) -> set[str]:
    return {run["ref"] for run in document["runs"]}


def test_it_finds_what_is_not_over_on_all_configured_clouds(outside: Outside) -> None:
    document = outside.json("list", "--limit", "0")

    assert refs(document) >= EVERY_KIND
    assert document["complete"] is True
    assert not {"succeeded", "failed", "cancelled"} & {run["state"] for run in document["runs"]}
    assert outside.writes() == []


def test_the_newest_stand_first_and_a_cut_list_says_so(outside: Outside) -> None:
    everything = outside.json("list", "--limit", "0")["runs"]
    done = outside.run("list", "--limit", "3", "-o", "json")

    assert [run["ref"] for run in done.document["runs"]] == [run["ref"] for run in everything[:3]]
    assert f"Showing the newest 3 of {len(everything)} runs." in done.err
    assert (done.document["complete"], done.document["truncated"]) == (True, True)


def crowd(outside: Outside) -> set[str]:
    """More runs than a terminal shows."""
    added = {outside.add("tencent", name="crowd", targets={"running": 1}, age=60 + at) for at in range(53)}
    assert len(added) == 53
    return added


def test_off_a_terminal_nothing_is_cut(outside: Outside) -> None:
    added = crowd(outside)

    for format in ("json", "yaml", "jsonl", "tsv", "ref"):
        done = outside.run("list", "-p", "tencent", "-o", format)
        assert all(ref in done.out for ref in added), format
        assert "Showing" not in done.err
    last = outside.run("list", "-o", "jsonl").lines[-1]
    assert (last["complete"], last["truncated"]) == (True, False)


def test_a_terminal_shows_fifty_and_says_how_to_have_all(outside: Outside) -> None:
    crowd(outside)
    total = len(outside.json("list", "-p", "tencent")["runs"])

    shown = outside.on_terminal("list", "-p", "tencent", "-o", "jsonl", columns=200)

    assert shown.raw.count(b'{"type":"run"') == 50
    assert b'"truncated":true' in shown.raw
    assert f"Showing the newest 50 of {total} runs. All: --limit 0".encode() in shown.raw


@pytest.mark.parametrize("format", ["json", "jsonl", "yaml"])
def test_a_list_that_was_cut_says_so_in_every_form(outside: Outside, format: str) -> None:
    cut = outside.run("list", "--limit", "1", "-o", format).out
    whole = outside.run("list", "--limit", "0", "-o", format).out

    truncated = {"json": '"truncated": true', "jsonl": '"truncated":true', "yaml": "truncated: true"}[format]
    assert truncated in cut
    assert truncated not in whole


def test_a_list_that_was_cut_cancels_nothing(outside: Outside) -> None:
    refused = outside.shell("runcancel list -p tencent --limit 1 -o jsonl | runcancel cancel -f - --yes; exit $?")

    assert refused.code == 2
    assert "incomplete list" in refused.err
    assert "--limit 0 -o jsonl" in refused.err
    assert outside.writes() == []


_UNUSABLE = {
    "http-500": ("tencent:*=http-500", {}, "HTTP 500"),
    "throttle": ("tencent:*=throttle", {}, "exceed the limit"),
    "html-200": ("tencent:*=html-200", {}, "not trusted"),
    "unreachable": ("", {"RUNCANCEL_TENCENT_ENDPOINT_URL": "http://127.0.0.1:1"}, "127.0.0.1:1"),
}


@pytest.mark.parametrize("verb", ["cancel", "disable", "enable"])
@pytest.mark.parametrize("failure", _UNUSABLE)
def test_a_bounded_search_names_why_a_scope_was_not_searched(outside: Outside, failure: str, verb: str) -> None:
    fault, env, cause = _UNUSABLE[failure]
    outside.faults(*([fault] if fault else []))
    argv = ("--name", "x", "-p", "tencent", "-r", "ap-guangzhou", "--yes", "--lookup-timeout", "2", "-o", "json")

    done = outside.run(verb, *argv, env=env)

    assert done.code == 7, str(done)
    (error,) = done.document["errors"]
    assert error["code"] != "timed_out"
    assert cause in error["message"], error
    assert "did not reply within" not in done.err


@pytest.mark.parametrize("argv", [("list",), ("cancel",), ("cancel", "-n")])
def test_an_empty_result_names_what_was_searched(outside: Outside, argv: tuple[str, ...]) -> None:
    outside.faults("alibaba:*=denied")
    shown = outside.on_terminal(*argv, "--name", "nobody", columns=200, env={"TENCENTCLOUD_SECRET_ID": None})

    sent = "; nothing was sent" if argv[0] == "cancel" else ""
    first = f"No runs match in the scopes that replied{sent}. Searched aws us-east-2; not searched: "
    assert first in shown.final
    assert "To cancel" not in shown.final
    assert "alibaba cn-hangzhou (denied)" in shown.final
    assert "tencent" in shown.final.partition("not searched: ")[2]
    assert "Patterns need --name-glob; every region: -r all; ended runs: --status all" in shown.final


def test_an_empty_result_of_all_regions_names_how_many(outside: Outside) -> None:
    shown = outside.on_terminal(
        "list", "-p", "tencent", "-r", "all", "--name-glob", "x*", "--status", "all", columns=200
    )

    assert shown.final.endswith(
        "No runs match. Searched tencent ap-guangzhou, tencent ap-shanghai, tencent ap-singapore."
    )
    assert "Searched" not in outside.run("list", "--name", "nobody").err


@pytest.mark.parametrize(("format", "unknown"), [("jsonl", False), ("ref", True), ("tsv", True)])
def test_references_alone_cannot_say_whether_they_are_all(outside: Outside, format: str, unknown: bool) -> None:
    done = outside.shell(f"runcancel list -p tencent -o {format} | runcancel cancel -f - -n; exit $?")

    assert done.code == 0, str(done)
    assert ("whether the list is complete is unknown" in done.err) is unknown


@pytest.mark.parametrize("argv", [("invocations", WINDOW), ("history",)])
def test_the_other_lists_say_it_too(outside: Outside, argv: tuple[str, ...]) -> None:
    for _ in range(2):
        outside.run("cancel", TENCENT, "--no-wait")

    assert outside.json(*argv, "--limit", "1")["truncated"] is True
    assert outside.json(*argv)["truncated"] is False


def test_every_region_is_asked_of_the_provider(outside: Outside) -> None:
    document = outside.json("list", "-p", "tencent", "-r", "all", "--limit", "0")

    assert {run["region"] for run in document["runs"]} == {"ap-guangzhou", "ap-shanghai", "ap-singapore"}
    assert "DescribeRegions" in outside.actions()


def test_a_region_goes_to_the_provider_that_has_it(outside: Outside) -> None:
    document = outside.json("list", "-r", "ap-shanghai,cn-shanghai", "--limit", "0")

    assert {(run["provider"], run["region"]) for run in document["runs"]} == {
        ("tencent", "ap-shanghai"),
        ("alibaba", "cn-shanghai"),
    }


@pytest.mark.parametrize(
    ("filters", "there"),
    [
        (("--kind", "command"), {COMMAND}),
        (("--kind", "maintenance-window", "--status", "running"), {WINDOW}),
        (("--name", "patch-openssl", "-p", "tencent"), {TENCENT}),
        (("--name-glob", "rotate-*"), {SCHEDULE}),
        (("--since", "10m", "--kind", "command"), {COMMAND}),
    ],
)
def test_filters_keep_what_was_asked_for(outside: Outside, filters: tuple[str, ...], there: set[str]) -> None:
    assert refs(outside.json("list", "--limit", "0", *filters)) >= there


def test_names_are_exact_and_no_regular_expressions(outside: Outside) -> None:
    assert refs(outside.json("list", "--name", "patch")) == set()
    assert refs(outside.json("list", "--name", "patch-.*")) == set()


def test_older_than_leaves_the_young_alone(outside: Outside) -> None:
    outside.add("tencent", name="young", targets={"running": 1}, age=30)
    old = outside.add("tencent", name="old", targets={"running": 1}, age=7200)

    found = refs(outside.json("list", "-p", "tencent", "--older-than", "1h", "--limit", "0"))

    assert old in found
    assert TENCENT not in found


def test_a_target_selects_the_runs_that_have_it(outside: Outside) -> None:
    target = outside.targets(TENCENT, "running")[0]

    found = refs(outside.json("list", "-p", "tencent", "--target", target, "--limit", "0"))

    assert TENCENT in found
    assert all(target in outside.targets(ref) for ref in found)


def test_a_scope_that_does_not_answer_is_a_gap_and_the_others_are_shown(outside: Outside) -> None:
    outside.faults("alibaba:DescribeInvocations=denied")

    done = outside.run("list", "--limit", "0", "-o", "json")

    assert done.code == 7
    assert done.document["complete"] is False
    assert [(error["scope"], error["code"]) for error in done.document["errors"]] == [("alibaba:cn-hangzhou", "denied")]
    assert TENCENT in refs(done.document)


def test_jsonl_streams_and_ends_with_its_end(outside: Outside) -> None:
    lines = outside.run("list", "--limit", "0", "-o", "jsonl").lines

    assert {line["type"] for line in lines} == {"run", "end"}
    assert lines[-1]["complete"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        ("--name", ""),
        ("--status", "runing"),
        ("--kind", "commands"),
        ("--kind", "command", "-p", "tencent,alibaba", "-r", "all"),
        ("--since", "yesterday"),
        ("--name", "--status"),
        ("-r", "us-eest-1"),
        ("--limit", "-1"),
    ],
)
def test_wrong_filters_are_refused_and_nothing_is_asked(outside: Outside, wrong: tuple[str, ...]) -> None:
    done = outside.run("list", *wrong)

    assert done.code == 2, str(done)
    assert outside.requests() == []


def test_nothing_configured_says_what_to_do(outside: Outside) -> None:
    bare = {name: None for name in outside.environ if name.startswith(("AWS_", "ALIBABA_", "TENCENT"))}

    done = outside.run("list", env=bare)

    assert done.code == 2
    assert "no cloud is configured" in done.err


def test_a_region_that_refuses_what_works_elsewhere_is_not_enabled(outside: Outside) -> None:
    done = outside.run("list", "-p", "aws", "-r", "us-east-2,eu-central-1", "--kind", "command", "-o", "json")

    assert done.code == 0, str(done)
    assert done.document["complete"] is True
    assert "aws:eu-central-1: not enabled" in done.err


def test_a_region_nobody_knows_goes_to_the_only_provider_and_is_said(outside: Outside) -> None:
    done = outside.run("list", "-p", "tencent", "-r", "ap-atlantis,ap-guangzhou")

    assert "“ap-atlantis” is not a known region" in done.err
    assert outside.run("list", "-r", "ap-atlantis").code == 2


@pytest.mark.parametrize("cloud", ["aws", "alibaba", "tencent"])
def test_every_region_of_one_cloud_is_what_the_vendor_lists(cloud: str, outside: Outside) -> None:
    """`-r all` and `-r CLOUD:all` search the same regions: those of the vendor's own list, not of a dated table."""
    searched: list[set[str]] = []
    for words in (("-p", cloud, "-r", "all"), ("-r", f"{cloud}:all", "-p", cloud), ("-r", f"{cloud}:all")):
        outside.box.log.clear()
        assert outside.run("list", *words, "-o", "json").code in (0, 7)
        requests = [one for one in outside.requests() if one["provider"] == cloud]
        assert "DescribeRegions" in {one["action"] for one in requests}, words
        searched.append({one["region"] for one in requests})
    assert searched[0] == searched[1] == searched[2]
