"""Requests from files: what they may hold, what they may not, and the skeletons that show it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st
from outside import ENDED, ONE_SHOT, RUNCANCEL, TENCENT, WINDOW, Outside, validator

from runcancel.cli.app import load
from runcancel.cli.support import request
from runcancel.errors import UsageError
from runcancel.render.formats.sample import sample
from runcancel.render.schemas import SCHEMAS
from runcancel.text import is_plain

from .skeletons import TAKES, kept

every_verb = pytest.mark.parametrize("verb", TAKES)
COMMANDS = {verb: load(verb) for verb in TAKES}


@pytest.fixture(scope="module")
def still(begin: Callable[..., Outside]) -> Outside:
    """Time stands still and nothing is written: the tests share it."""
    return begin(speed=0)


def given_to(verb: str, *argv: str) -> Any:
    """What a verb would be called with: the command line is read, nothing is run."""
    return COMMANDS[verb].make_context(verb, list(argv)).params


def wrong(verb: str, text: str, *argv: str) -> str:
    """What is said of a request that is refused before anything is run."""
    with pytest.raises(UsageError) as caught:
        given_to(verb, "--cli-input-json", text, *argv)
    assert caught.value.message.lower().endswith("nothing was sent")
    assert "\n" not in caught.value.message
    return caught.value.message


# skeletons


@every_verb
def test_the_skeleton_is_the_kept_one(verb: str, still: Outside) -> None:
    done = still.run(verb, "--generate-cli-skeleton", env={"RUNCANCEL_CONTEXT": "none such"})

    assert (done.code, done.err) == (0, "")
    assert done.out == kept(verb).read_text(), "python -m tests.cli.skeletons"


@every_verb
def test_an_unedited_skeleton_gives_nothing(verb: str) -> None:
    text = kept(verb).read_text()

    assert request.read(text, COMMANDS[verb].params).values == {}


@every_verb
def test_every_option_is_in_the_skeleton_or_has_to_be_typed(verb: str) -> None:
    keys = set(json.loads(kept(verb).read_text()))

    options = {max(param.opts, key=len).lstrip("-").replace("-", "_") for param in COMMANDS[verb].params}
    assert options - keys <= {
        *("cli_input_json", "generate_cli_skeleton"),
        *("yes", "confirm", "hold", "accept_reported", "allow_incomplete", "stop_running", "no_check"),
    }


@pytest.mark.parametrize("argv", [("--generate-cli-skeleton", "input"), ("--generate-cli-skeleton=input", "-q")])
def test_a_bare_skeleton_is_that_of_the_request(argv: tuple[str, ...], still: Outside) -> None:
    assert still.run("status", *argv).out == kept("status").read_text()


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("status",), "status"),
        (("list",), "list"),
        (("wait",), "wait"),
        (("invocations",), "invocations"),
        (("cancel",), "cancel"),
        (("cancel", "-n"), "plan"),
        (("history",), "history"),
        (("history", "some-id"), "operation"),
        (("contexts",), "contexts"),
        (("contexts", "show"), "settings"),
    ],
)
def test_the_skeleton_of_an_answer_keeps_its_schema(argv: tuple[str, ...], name: str, still: Outside) -> None:
    done = still.run(*argv, "--generate-cli-skeleton", "output")

    assert (done.code, done.err) == (0, "")
    validator(name).validate(done.document)


@pytest.mark.parametrize("name", sorted(set(SCHEMAS) - {"jsonl"}))
def test_every_document_has_a_sample(name: str) -> None:
    validator(name).validate(sample(name))


def test_a_query_can_be_tried_on_the_skeleton_of_an_answer(still: Outside) -> None:
    argv = ("list", "--generate-cli-skeleton", "output", "--query", "runs[].state")

    assert json.loads(still.run(*argv).out) == ["cancelled"]
    assert yaml.safe_load(still.run(*argv, "-o", "yaml").out) == ["cancelled"]


def test_a_skeleton_of_something_else_is_wrong_usage(still: Outside) -> None:
    done = still.run("status", "--generate-cli-skeleton=inputs")

    assert done.code == 2
    assert (
        done.err
        == "runcancel: --generate-cli-skeleton is “inputs”. Expected one of: input and output (did you mean input?)\n"
    )


def test_a_command_in_the_sandbox_keeps_its_own_skeleton_option(still: Outside) -> None:
    done = still.run("sandbox", "exec", "echo", "--generate-cli-skeleton", "x")

    assert done.out == "--generate-cli-skeleton x\n"


# what a request does


def test_a_request_is_the_same_as_the_options(still: Outside) -> None:
    typed = still.run("list", "-p", "tencent", "--status", "all", "--limit", "3", "-o", "json", "--query", "runs[].ref")
    asked = {"provider": ["tencent"], "status": ["all"], "limit": 3, "output": "json", "query": "runs[].ref"}

    assert still.run("list", "--cli-input-json", json.dumps(asked)).out == typed.out


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "request.json", "file://~/request.json", "-", "{text}"])
def test_a_request_can_stand_in_five_places(form: str, still: Outside) -> None:
    text = json.dumps({"refs": [TENCENT], "output": "ref"})
    path = still.home / "request.json"
    path.write_text(f"\ufeff{text}", encoding="utf-8")

    done = still.run("status", "--cli-input-json", form.format(path=path, text=text), stdin=text)

    assert (done.code, done.out) == (0, f"{TENCENT}\n"), str(done)


def test_flags_win_over_the_file() -> None:
    text = '{"refs": ["a"], "kind": ["b"], "timeout": "1s", "wait": false, "name": "n", "max_runs": 3}'

    given = given_to("cancel", "--cli-input-json", text, "c", "--kind", "d", "--timeout", "2s", "--wait")

    assert (list(given["refs"]), list(given["kind"]), given["timeout"], given["wait"]) == (["c"], ["d"], "2s", True)
    assert (given["name"], given["max_runs"]) == ("n", 3)


def test_the_file_wins_over_variables(still: Outside) -> None:
    done = still.run(
        *("status", "--cli-input-json", json.dumps({"refs": [TENCENT], "output": "ref"})),
        env={"RUNCANCEL_OUTPUT": "tsv"},
    )

    assert done.out == f"{TENCENT}\n"


def test_what_fails_is_told_in_the_format_of_the_request(still: Outside) -> None:
    text = json.dumps({"refs": ["nonsense"], "output": "yaml", "query": "errors[].code"})

    done = still.run("cancel", "--cli-input-json", text)

    assert (done.code, done.out) == (2, "- usage\n"), str(done)


# what no request does: consent, raise a cap, lift a guard


@pytest.mark.parametrize(
    ("entry", "flag"),
    [
        ({"yes": True}, "--yes"),
        ({"yes": False}, "--yes"),
        ({"confirm": "1"}, "--confirm"),
        ({"allow_incomplete": True}, "--allow-incomplete"),
        ({"max_runs": 21}, "--max-runs"),
        ({"max_triggers": 21}, "--max-triggers"),
        ({"disable_triggers": True}, "--disable-triggers"),
        ({"take_over": True}, "--take-over"),
        ({"require_journal": False}, "--no-journal"),
    ],
    ids=str,
)
def test_what_lifts_a_guard_has_to_be_typed(entry: dict[str, Any], flag: str, outside: Outside) -> None:
    done = outside.run("cancel", "--cli-input-json", json.dumps({"refs": [TENCENT], **entry}))

    assert done.code == 2
    assert flag in done.err
    assert done.err.endswith("nothing was sent\n")
    assert outside.requests() == []


@pytest.mark.parametrize(
    ("verb", "entry", "flag"),
    [("disable", {"max_triggers": 21}, "--max-triggers"), ("enable", {"force": True}, "--force")],
)
def test_a_change_of_triggers_keeps_its_guards(verb: str, entry: dict[str, Any], flag: str, outside: Outside) -> None:
    request = {"refs": ["aws:us-east-2:window/mw-0c50858d01c0ffee0"], **entry}
    done = outside.run(verb, "--yes", "--cli-input-json", json.dumps(request))

    assert done.code == 2
    assert flag in done.err
    assert outside.requests() == []


@pytest.mark.parametrize(
    ("verb", "entry"),
    [
        ("contexts", {"action": "remove", "names": ["prod"]}),
        ("contexts", {"action": "use"}),
        ("contexts", {"action": "nonsense"}),
        ("history", {"operation": "prune"}),
    ],
    ids=str,
)
def test_what_changes_this_machine_has_to_be_typed(verb: str, entry: dict[str, Any]) -> None:
    assert "on the command line: runcancel" in wrong(verb, json.dumps(entry))
    assert given_to("contexts", "add", "--cli-input-json", '{"names": ["prod"]}')["action"] == "add"


def test_what_makes_it_safer_may_stand_in_a_file() -> None:
    safer = {"dry_run": True, "max_runs": 20, "max_targets": 5, "require_match": True, "require_journal": True}

    given = given_to("cancel", "--cli-input-json", json.dumps({**safer, "require_guarantee": "stops-running"}))

    assert {key: given[key] for key in ("dry_run", "max_runs", "max_targets", "require_match", "journal")} == {
        **{key: value for key, value in safer.items() if key != "require_journal"},
        "journal": True,
    }


def test_runs_that_a_file_names_need_consent(outside: Outside) -> None:
    text = json.dumps({"refs": [TENCENT, ENDED[4]]})

    refused = outside.run("cancel", "--cli-input-json", text)

    assert refused.code == 6, str(refused)
    assert "--yes" in refused.err
    assert outside.writes() == []
    assert outside.run("cancel", "--cli-input-json", text, "--yes").code == 0
    assert len(outside.effective(TENCENT)) == 1


def test_runs_that_a_hand_names_beside_a_file_need_none(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, "--cli-input-json", '{"reason": "bad patch", "timeout": "30s"}')

    assert done.code == 0, str(done)
    assert outside.json("history")["operations"][0]["reason"] == "bad patch"


def test_an_operation_that_a_file_names_needs_consent_to_go_on(outside: Outside) -> None:
    outside.faults("CancelInvocation=denied")
    outside.run("cancel", TENCENT)
    outside.faults()
    (operation,) = outside.json("history")["operations"]

    done = outside.run("cancel", "--cli-input-json", json.dumps({"resume": operation["id"]}))

    assert done.code == 6, str(done)


def test_a_request_on_stdin_asks_nobody(outside: Outside) -> None:
    done = outside.run("cancel", "--cli-input-json", "-", stdin=json.dumps({"name": "patch-openssl"}))

    assert done.code == 6
    assert "stdin is used for the request" in done.err
    assert outside.writes() == []


@pytest.mark.parametrize("entry", [{"from": "-"}, {"plan": "-"}], ids=str)
def test_stdin_cannot_hold_a_request_and_a_list(entry: dict[str, str], still: Outside) -> None:
    done = still.run("cancel", "--cli-input-json", "-", stdin=json.dumps(entry))

    assert done.code == 2
    assert "standard input cannot be both the request and the list" in done.err


# what is wrong is said in one line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"reffs": []}', "unknown key “reffs” (did you mean refs?)"),
        ('{"older-than": "2h"}', "unknown key “older-than” (did you mean older_than?)"),
        ('{"OlderThan": "2h"}', "unknown key “OlderThan”"),
        ('{"no_journal": true}', "unknown key “no_journal”"),
        ('{"cli_input_json": "x"}', "unknown key “cli_input_json”"),
        ('{"refs": "x"}', "refs is a string; expected a list of strings"),
        ('{"refs": ["x", {"a": 1}]}', "refs[1] is an object; expected a string"),
        ('{"refs": [null]}', "refs[0] is null; expected a string"),
        ('{"name": 5}', "name is a number; expected a string"),
        ('{"dry_run": "yes"}', "dry_run is a string; expected true or false"),
        ('{"dry_run": 1}', "dry_run is a number; expected true or false"),
        ('{"max_runs": true}', "max_runs is true; expected a whole number"),
        ('{"max_runs": 2.0}', "max_runs is a number; expected a whole number"),
        ('{"name": "a", "name": "b"}', "has “name” twice"),
        ('{"name": NaN}', "is not JSON: NaN is not a JSON value"),
        ('{"max_runs": -Infinity}', "is not JSON: -Infinity is not a JSON value"),
        ('{"max_runs": ' + "9" * 5000 + "}", "has a number that is too long"),
        ('{"name": ', "is not valid JSON: expecting value at line 1, column 10"),
        ('{"name": "a"} x', "is not valid JSON: extra data at line 1, column 15"),
        ("[]", "is a list; expected an object"),
        ('{"refs": ' + "[" * 100_000, "is nested too deeply"),
        ('{"name": "a\\u0000b"}', "name has an invalid character"),
        ('{"from": "\\ud800"}', "from has an invalid character"),
        ('{"\\u001b[31m' + "x" * 500 + '": 1}', "unknown key “\\x1b[31mxxx"),
        ("", "--cli-input-json is empty (an unset variable?)"),
        ("no such file", "no such file cannot be read: No such file or directory"),
        ("file:///", "cannot be read: Is a directory"),
        ("-x", "looks like an option"),
    ],
    ids=lambda text: text[:30],
)
def test_a_wrong_request_is_one_line_that_says_where(text: str, said: str) -> None:
    message = wrong("cancel", text)

    assert said in message
    assert len(message) < 250


def test_a_file_that_is_no_text_or_too_large_is_said(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    for data, said in (
        ('{"name": "é"}'.encode("utf-16"), "not UTF-8 text"),
        (b" " * (2 << 20), "is larger than 1 MiB"),
        (b"", "is not valid JSON: expecting value at line 1, column 1"),
        (b"5", "is a number; expected an object"),
    ):
        file.write_bytes(data)
        assert said in wrong("status", str(file))


def test_a_closed_stdin_is_said(still: Outside) -> None:
    done = still.shell("runcancel status --cli-input-json - <&-")

    assert done.code == 2
    assert "standard input" in done.err


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(sorted({slot.key for each in COMMANDS.values() for slot in request.slots(each.params)}))


def said_of(verb: str, text: str) -> str:
    """What is said of a request; nothing when it is taken."""
    try:
        given_to(verb, "--cli-input-json", text)
    except UsageError as error:
        return error.message
    except typer.TyperException as error:
        return error.format_message()
    return ""


@given(st.sampled_from(TAKES), JSON | st.dictionaries(KEYS | st.text(max_size=5), JSON, max_size=4))
def test_any_json_is_taken_or_refused_in_one_line(verb: str, value: Any) -> None:
    assert is_plain(said_of(verb, json.dumps(value)))


@given(st.text(max_size=30))
def test_any_text_is_taken_or_refused_in_one_line(text: str) -> None:
    assert is_plain(said_of("cancel", "{" + text))


@pytest.mark.parametrize("verb", ["cancel", "status", "list", "wait", "contexts", "history"])
def test_what_fits_its_type_never_ends_in_a_traceback(verb: str, outside: Outside) -> None:
    entries = [slot for slot in request.slots(COMMANDS[verb].params) if slot.offered]
    for nth, value in enumerate(("x", "\x1b[31m", "9" * 30, "é\u202e")):
        mine = entries[nth % 3 :: 3]
        body = {slot.key: [value] if slot.empty == [] else value if slot.empty == "" else None for slot in mine}

        done = outside.run(verb, "--cli-input-json", "-", stdin=json.dumps(body))

        assert 0 <= done.code <= 9, str(done)
        assert done.code != 1, str(done)
        assert "Traceback" not in done.err
        assert "internal error" not in done.err


# on a terminal


def test_nothing_of_a_request_reaches_the_screen_raw(still: Outside) -> None:
    shown = still.on_terminal("status", "--cli-input-json", '{"\\u001b]0;x\\u0007": 1}')

    assert shown.code == 2
    assert b"\x1b]0" not in shown.raw


def test_a_fifo_is_a_file(still: Outside) -> None:
    done = still.shell(f"""runcancel status -o ref --cli-input-json <(echo '{{"refs": ["{WINDOW}"]}}')""")

    assert (done.code, done.out) == (0, f"{WINDOW}\n"), str(done)


def test_a_reader_that_went_away_is_no_failure(still: Outside) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [RUNCANCEL, "cancel", "--generate-cli-skeleton"], stdout=writing, stderr=subprocess.PIPE, check=False
    )

    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_run_in_a_file_is_bounded_by_its_guarantee(outside: Outside) -> None:
    text = json.dumps({"refs": [ONE_SHOT], "require_guarantee": "stops-running"})

    done = outside.run("cancel", "--cli-input-json", text, "--yes")

    assert done.code == 6, str(done)
    assert outside.writes() == []
