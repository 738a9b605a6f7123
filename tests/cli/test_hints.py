"""Commands that are printed run over the same scopes as the command that printed them."""

import re
import shlex

import pytest
from outside import COMMAND, ONE_SHOT, TENCENT, Outside

FLAGS = {
    "provider": ("-p", "tencent"),
    "region": ("-r", "ap-guangzhou"),
    "provider and region": ("-p", "tencent", "-r", "tencent:ap-guangzhou"),
    "context": ("-c", "prod"),
}
every_flag = pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)


@pytest.fixture
def ready(outside: Outside) -> Outside:
    """With a context that is not the default."""
    assert outside.run("contexts", "add", "prod", "-p", "tencent", "-r", "ap-guangzhou").code == 0
    return outside


def hinted(shown: str, verb: str) -> list[str]:
    """The arguments of the last command of this verb that was printed."""
    (*_, line) = re.findall(rf"runcancel ({verb}.*)", shown)
    return shlex.split(line)


@every_flag
def test_what_is_listed_is_cancelled_by_the_hint(flags: tuple[str, ...], ready: Outside) -> None:
    filters = ("--name", "patch-openssl", "--status", "running")
    shown = ready.on_terminal("list", *flags, *filters, columns=160, lines=60)
    listed = ready.run("list", *flags, *filters, "-o", "ref").out.split()

    words = hinted(shown.final, "cancel")

    assert ready.run(*words, "--dry-run", "-o", "ref").out.split() == listed
    assert set(flags) <= set(words)


@every_flag
def test_the_hint_without_a_filter_chooses_in_the_same_scopes(flags: tuple[str, ...], ready: Outside) -> None:
    shown = ready.on_terminal("list", *flags, columns=160, lines=60)

    assert hinted(shown.final, "cancel") == ["cancel", *flags]


@every_flag
def test_where_nothing_is_selected_the_example_has_the_flags(flags: tuple[str, ...], ready: Outside) -> None:
    done = ready.run("cancel", *flags)

    assert done.code == 2
    assert hinted(done.err, "cancel")[-len(flags) :] == list(flags)


def test_an_incomplete_list_is_made_anew_in_the_same_scopes(ready: Outside) -> None:
    cut = ready.run("list", "-c", "prod", "--limit", "1", "-o", "jsonl").out

    done = ready.run("cancel", "-f", "-", "-c", "prod", stdin=cut)

    assert done.code == 2
    assert "To list everything: runcancel list --limit 0 -o jsonl -c prod" in done.err


@every_flag
def test_a_reference_has_its_scope_and_needs_no_flags(flags: tuple[str, ...], ready: Outside) -> None:
    shown = ready.on_terminal("status", *flags, TENCENT.rpartition("/")[2], columns=160, lines=40)

    words = hinted(shown.final, "cancel")

    assert ready.run(*words, "--dry-run", "-o", "ref").out == f"{words[1]}\n"
    assert ("prod@" in words[1]) == ("-c" in flags)


@pytest.mark.parametrize("journal", [True, False])
def test_what_a_cloud_cannot_stop_is_listed_by_the_hint(journal: bool, outside: Outside) -> None:
    done = outside.run("cancel", ONE_SHOT, TENCENT, *(() if journal else ("--no-journal",)))

    assert done.code == 3, str(done)
    head, line = done.err.partition("To list the targets that keep running:")[1:]
    assert head, str(done)
    words = shlex.split(line.splitlines()[1])
    named = ["--operation", outside.json("history")["operations"][0]["id"]] if journal else [ONE_SHOT]
    assert words == ["runcancel", "invocations", *named, "--status", "running"]
    assert {row["run"] for row in outside.json(*words[1:])["invocations"]} == {ONE_SHOT}
    assert len(outside.json(*words[1:])["invocations"]) == 9


REFUSED_FOR_GOOD = {
    "tencent": (("cancel", TENCENT), "CancelInvocation", "UnsupportedRegion", 200),
    "tencent, a parameter": (("cancel", TENCENT), "CancelInvocation", "InvalidParameterValue", 200),
    "alibaba": (("cancel", ONE_SHOT), "StopInvocation", "RegionId.ApiNotSupported", 400),
    "alibaba, a region": (("cancel", ONE_SHOT), "StopInvocation", "InvalidRegionId.NotFound", 404),
    "aws": (("cancel", COMMAND), "CancelCommand", "InvalidInstanceId", 400),
    "aws, a trigger": (
        ("disable", "aws:us-east-2:window/mw-0c50858d01c0ffee0"),
        "UpdateMaintenanceWindow",
        "ValidationException",
        400,
    ),
}


@pytest.mark.parametrize(("argv", "action", "code", "status"), REFUSED_FOR_GOOD.values(), ids=REFUSED_FOR_GOOD)
def test_what_a_cloud_refuses_for_good_is_not_suggested_again(
    argv: tuple[str, ...], action: str, code: str, status: int, outside: Outside
) -> None:
    outside.faults({"kind": "error", "action": action, "code": code, "status": status})

    done = outside.run(*argv, "-o", "json")

    assert done.code == 1, str(done)
    (outcome,) = done.document["outcomes"]
    assert (outcome["verdict"], outcome["error"]["provider_code"]) == ("failed", code)
    outside.faults()
    for words in (("history", "last"), ("report",), ("report", "-o", "html")):
        shown = outside.run(*words)
        assert "--resume" not in f"{done.err}{shown.out}{shown.err}", words
