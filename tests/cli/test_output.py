"""What the command prints: the result alone on stdout, in every format, for people, pipes and terminals."""

import csv
import io
import json
import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import yaml
from outside import (
    COMMAND,
    ENDED,
    KILLED,
    NOBODY,
    ONE_SHOT,
    SCHEDULE,
    TENCENT,
    WINDOW,
    Done,
    Outside,
    Shown,
    check_document,
)

FORMATS = ("table", "wide", "tsv", "csv", "json", "jsonl", "yaml", "ref")
VERBS = {
    "status": ("status", TENCENT, ENDED[4]),
    "invocations": ("invocations", TENCENT),
    "plan": ("cancel", TENCENT, ENDED[4], "--dry-run"),
    "cancel": ("cancel", ENDED[4]),
}
every_verb = pytest.mark.parametrize("verb", VERBS)
every_format = pytest.mark.parametrize("format", FORMATS)

HOSTILE = "patch \x1b[31mred\x1b[0m \u202egnp.exe\u2066 [/x] =1+1"
_SGR = re.compile(rb"\x1b\[[0-9;]*m")
_OURS = re.compile(rb"\x1b\[[0-9;]*m|\x1b\[[0-9]+A|\x1b\[[JK]|\r\n|\r")
"""What we send to a terminal besides text: colours, up, clear what is below or to the right, line ends."""


@pytest.fixture(scope="module")
def still(begin: Callable[..., Outside]) -> Outside:
    """Time stands still and nothing is written: the tests share it."""
    return begin(speed=0)


def strange(data: bytes) -> list[bytes]:
    """Control bytes that are not ours."""
    return re.findall(rb"[\x00-\x09\x0b-\x1f\x7f]", _OURS.sub(b"", data))


# each format of each verb


@pytest.fixture(scope="module")
def printed(still: Outside) -> Callable[..., Done]:
    """What a verb prints in a format; asked once."""

    @cache
    def run(verb: str, format: str | None = None) -> Done:
        done = still.run(*VERBS[verb], *(() if format is None else ("-o", format)))
        assert done.code == 0, str(done)
        return done

    return run


@every_verb
@pytest.mark.parametrize("format", ["table", "wide"])
def test_a_table_says_what_it_is_about(format: str, verb: str, printed: Callable[..., Done]) -> None:
    out = printed(verb, format).out

    assert VERBS[verb][1] in out
    assert out.endswith("\n")
    assert "\x1b" not in out
    assert all(line == line.rstrip() for line in out.splitlines())


@every_verb
def test_tsv_has_a_header_the_reference_first_and_as_many_fields_in_each_line(
    verb: str, printed: Callable[..., Done]
) -> None:
    out = printed(verb, "tsv").out

    head, *lines = out.splitlines()
    assert head.split("\t")[0] in ("ref", "run")
    assert {line.count("\t") for line in lines} == {head.count("\t")}
    assert {line.split("\t")[0] for line in lines} == {word for word in VERBS[verb] if ":" in word}
    assert "None" not in out
    assert "null" not in out


@every_verb
def test_json_is_one_document_and_jsonl_is_the_same_in_lines(verb: str, printed: Callable[..., Done]) -> None:
    document = printed(verb, "json").document
    lines = printed(verb, "jsonl").lines

    key = {"status": "runs", "invocations": "invocations", "plan": "plan", "cancel": "outcomes"}[verb]
    rows = [line for line in lines[:-1] if line["type"] not in ("sent", "seen")]
    assert [_without_type(line) for line in rows] == document[key]
    assert lines[-1] == {
        "type": "end",
        "format_version": "1.0",
        "verb": document["verb"],
        "operation": lines[-1]["operation"],  # each cancel is one of its own
        "complete": True,
        "truncated": False,
        "exit_code": 0,
    }


def test_a_cancel_reports_what_was_sent_and_seen_before_the_outcome(outside: Outside) -> None:
    lines = outside.run("cancel", TENCENT, "-o", "jsonl").lines

    types = [line["type"] for line in lines]
    assert types[0] == "sent"
    assert set(types[1:-2]) == {"seen"}
    assert types[-2:] == ["outcome", "end"]
    assert {line["run"] for line in lines[:-1]} == {TENCENT}
    assert lines[0]["accepted"] is True
    assert lines[0]["request_ids"] == lines[-2]["request_ids"]
    assert lines[-3]["state"] == lines[-2]["after"]
    shown = [(line["state"], line["counts"]) for line in lines[1:-2]]
    assert all(one != other for one, other in pairwise(shown))


def test_a_cancel_that_is_refused_is_a_sent_line_too(outside: Outside) -> None:
    outside.faults("CancelInvocation=denied")

    sent = outside.run("cancel", TENCENT, "-o", "jsonl").lines[0]

    assert (sent["type"], sent["accepted"], sent["error"]["code"]) == ("sent", False, "denied")


@every_verb
def test_yaml_is_the_same_document(verb: str, printed: Callable[..., Done]) -> None:
    document = printed(verb, "json").document
    found = yaml.safe_load(printed(verb, "yaml").out)

    own = {"created_at": 0, "expires_at": 0, "operation": 0}  # of each answer
    own |= {"operations": 0} if verb == "cancel" else {}
    assert found | own == document | own


@every_verb
def test_csv_has_the_fields_of_tsv(verb: str, printed: Callable[..., Done]) -> None:
    rows = list(csv.reader(io.StringIO(printed(verb, "csv").out, newline="")))

    assert rows == [line.split("\t") for line in printed(verb, "tsv").out.splitlines()]


def _without_type(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != "type"}


@every_verb
def test_references_alone_are_what_the_next_verb_takes(verb: str, printed: Callable[..., Done]) -> None:
    shown = printed(verb, "ref").out.splitlines()

    # what has ended is not asked, and so is no part of what a plan would ask
    assert shown == [word for word in VERBS[verb] if ":" in word and (verb != "plan" or word not in ENDED)]


@every_verb
def test_a_pipe_gets_tsv(verb: str, printed: Callable[..., Done]) -> None:
    assert printed(verb).out == printed(verb, "tsv").out


def test_references_of_invocations_are_the_runs_they_started(still: Outside) -> None:
    done = still.run("invocations", WINDOW, "--status", "running", "-o", "ref")

    assert len(done.out.splitlines()) == 3
    assert all(line.startswith("aws:us-east-2:command/") for line in done.out.splitlines())


def test_variables_choose_the_format_and_flags_win(still: Outside) -> None:
    chosen = {"RUNCANCEL_OUTPUT": "ref"}

    assert still.run("status", TENCENT, env=chosen).out == f"{TENCENT}\n"
    assert still.run("status", TENCENT, "-o", "json", env=chosen).document["verb"] == "status"


# stdout carries the result and nothing else


@every_format
def test_notes_and_errors_go_to_stderr(format: str, still: Outside) -> None:
    done = still.run("status", TENCENT, NOBODY, "-v", "--debug", "-o", format)

    assert done.code == 5
    assert "not found" in done.err
    assert "region from" not in done.out
    assert "DescribeInvocations" not in done.out
    assert ("not found" in done.out) is (format in ("json", "jsonl", "yaml"))


@pytest.mark.parametrize(
    ("argv", "env"),
    [
        (("status", "nonsense", "--output=json"), {}),
        (("status", TENCENT, "--nonsense", "-ojson"), {}),
        (("invocations", "-o", "json"), {}),
        (("cancel", TENCENT, "-t", "", "-o", "json"), {}),
        (("cancel", TENCENT, "--dry-run", "-r", "nonsense", "-o", "json"), {}),
        (("nonsense", "-o", "json"), {}),
        (("status", "nonsense"), {"RUNCANCEL_OUTPUT": "json"}),
    ],
    ids=" ".join,
)
def test_what_fails_early_is_json_too(argv: tuple[str, ...], env: dict[str, str], still: Outside) -> None:
    done = still.run(*argv, env=env)

    assert done.code == 2, str(done)
    check_document(done.document)
    assert done.document["complete"] is False
    assert [error["code"] for error in done.document["errors"]] == ["usage"]
    assert done.document["errors"][0]["message"] in done.err


def test_what_fails_early_is_yaml_too(still: Outside) -> None:
    done = still.run("status", "nonsense", "-o", "yaml")

    assert done.code == 2, str(done)
    assert [error["code"] for error in yaml.safe_load(done.out)["errors"]] == ["usage"]


def test_what_fails_early_has_its_end_line_too(still: Outside) -> None:
    done = still.run("status", "nonsense", "-o", "jsonl")

    assert [(line["type"], line.get("code")) for line in done.lines] == [("error", "usage"), ("end", None)]
    assert done.lines[-1]["complete"] is False


def test_surrogates_out_of_argv_raise_nothing(still: Outside) -> None:
    done = still.shell("runcancel status $'\\xff\\xfe' -o json")

    assert done.code == 2, str(done)
    check_document(done.document)


# quiet, verbose, debug


def test_quiet_leaves_errors_alone(outside: Outside) -> None:
    quiet = outside.run("cancel", TENCENT, "--quiet")

    assert quiet.code == 0
    assert quiet.err == ""
    assert "not found" in outside.run("status", NOBODY, "-q").err


def test_without_a_terminal_progress_is_a_plain_line_per_change(outside: Outside) -> None:
    done = outside.run("cancel", TENCENT)

    lines = [line for line in done.err.splitlines() if re.match(r"\d+s ", line)]
    assert "cancel requested" in lines[0]
    assert "3 cancelled, 9 terminated" in lines[-1]
    assert len(lines) == len(set(lines))
    assert strange(done.err.encode()) == []


def test_what_a_cancel_can_do_is_said_before_it_is_asked(outside: Outside) -> None:
    done = outside.run("cancel", ONE_SHOT, "--no-wait")

    promise = done.err.index("A cancel here")
    assert "31 pending: will be cancelled · 9 running: will keep running" in done.err
    assert promise < done.err.index("cancel requested")


def test_verbose_says_where_settings_come_from(still: Outside) -> None:
    done = still.run("status", "inv-ib2lld37", "-v")

    assert "tencent:ap-guangzhou: region from TENCENTCLOUD_REGION" in done.err


CANARIES = {
    "AWS_ACCESS_KEY_ID": "AKIACANARYCANARY0001",
    "AWS_SECRET_ACCESS_KEY": "canary-aws-secret-4f1c2a345b6d4e7f",
    "AWS_SESSION_TOKEN": "canary-aws-token-4f1c2a345b6d4e7f",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI5tCANARYCANARY000001",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "canary-alibaba-secret-4f1c2a34",
    "ALIBABA_CLOUD_SECURITY_TOKEN": "canary-alibaba-token-4f1c2a34",
    "TENCENTCLOUD_SECRET_ID": "AKIDCANARYCANARYCANARYCANARYCANARY01",
    "TENCENTCLOUD_SECRET_KEY": "canary-tencent-secret-4f1c2a34",
    "TENCENTCLOUD_TOKEN": "canary-tencent-token-4f1c2a34",
}


def test_no_secret_is_ever_shown(still: Outside) -> None:
    for argv in (("status", COMMAND, KILLED, TENCENT), ("cancel", COMMAND, KILLED, TENCENT)):
        done = still.run(*argv, "-v", "--debug", "-o", "json", env=CANARIES)

        assert done.code == 4, str(done)
        assert "ListCommands" in done.err
        assert "anary-" not in done.out + done.err


def test_no_secret_that_works_is_ever_shown(outside: Outside) -> None:
    keys = outside.box.environment(sort="temporary")

    refs = (COMMAND, KILLED, TENCENT)
    done = outside.run("cancel", *refs, "--accept-reported", "-v", "--debug", "-o", "json", env=keys)

    assert done.code == 0, str(done)
    secrets = [value for name, value in keys.items() if "SECRET" in name or "TOKEN" in name]
    secrets = [value for value in secrets if value != keys["TENCENTCLOUD_SECRET_ID"]]
    assert len(secrets) == 6
    assert not [value for value in secrets if value in done.out + done.err]
    assert "Authorization" not in done.err
    assert "Signature" not in done.err


# hostile text


@pytest.fixture(scope="module")
def hostile(still: Outside) -> list[str]:
    """A run of every cloud whose name is an attack."""
    return [still.add(cloud, name=HOSTILE, targets={"running": 1, "failed": 1}) for cloud in ("alibaba", "tencent")]


@every_format
def test_hostile_names_are_shown_escaped(format: str, still: Outside, hostile: list[str]) -> None:
    argv = ("cancel", "--dry-run") if format in ("wide", "jsonl") else ("status",)

    done = still.run(*argv, *hostile, "-o", format)

    assert done.code == 0, str(done)
    shown = done.out + done.err
    assert strange(shown.replace("\t", " ").encode()) == []
    assert not set(shown) & set("\x1b\u202e\u2066\u200b")
    if format == "json":
        assert {run["name"] for run in done.document["runs"]} == {HOSTILE}


def test_hostile_names_do_nothing_to_a_terminal(still: Outside, hostile: list[str]) -> None:
    shown = still.on_terminal("status", *hostile, columns=200)

    assert strange(shown.raw) == []
    assert "\\x1b[31mred\\x1b[0m \\u202egnp.exe\\u2066 [/x] =1+1" in shown.final


# a terminal

terminals = pytest.mark.parametrize("columns", [80, 200])


@terminals
def test_a_terminal_gets_a_table_with_uncut_references(columns: int, still: Outside) -> None:
    references = (WINDOW, COMMAND, ONE_SHOT, TENCENT)

    shown = still.on_terminal("status", *references, columns=columns)

    lines = shown.final.splitlines()
    assert shown.code == 0
    assert all(any(reference in line for line in lines) for reference in references)
    assert strange(shown.raw) == []
    if columns == 80:
        assert all(reference in lines for reference in references)  # alone on their lines
    else:
        assert lines[0].split()[0] == "STATE"


@pytest.fixture(scope="module", params=[80, 200])
def watched(request: pytest.FixtureRequest, begin: Callable[..., Outside]) -> Shown:
    """A cancel on two clouds on a terminal of each width."""
    return begin().on_terminal("cancel", TENCENT, KILLED, "--accept-reported", columns=request.param)


def test_live_progress_is_seen_while_it_watches(watched: Shown) -> None:
    together = "\n".join(watched.frames)

    assert watched.code == 0
    for words in ("cancelling 2 runs", "00:0", "cancel requested", "running", "ended", "Ctrl-C"):
        assert words in together, words


def test_the_last_screen_has_the_result_and_nothing_of_the_progress(watched: Shown) -> None:
    assert "Ctrl-C" not in watched.final
    assert "cancelling 2 runs" not in watched.final
    assert all(reference in watched.final for reference in (TENCENT, KILLED))
    assert "1 stopped, 1 reported" in watched.final


def test_a_terminal_gets_no_control_byte_but_ours(watched: Shown) -> None:
    assert strange(watched.raw) == []
    assert b"\x1b[?" not in watched.raw  # the cursor is never hidden: a second Ctrl-C could not bring it back


def test_references_are_never_cut_on_a_terminal(watched: Shown) -> None:
    for frame in watched.frames:
        for line in frame.splitlines():
            for reference in re.findall(r"(?:aws|alibaba|tencent):\S*/\S+", line):
                assert reference.rstrip(":") in (TENCENT, KILLED), frame


# colour


def test_a_pipe_has_no_colour_and_force_color_gives_it(still: Outside) -> None:
    def codes(*argv: str, **env: str) -> bool:
        return "\x1b[" in still.run("status", TENCENT, "-o", "table", *argv, env=env).out

    assert not codes()
    assert codes(FORCE_COLOR="1")
    assert codes("--color", "always")
    assert not codes("--color", "never", FORCE_COLOR="1")
    assert not codes(FORCE_COLOR="1", NO_COLOR="1")


@pytest.mark.parametrize(
    ("env", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"CLICOLOR": "0"}, False)],
    ids=["plain", "NO_COLOR", "TERM=dumb", "CLICOLOR=0"],
)
def test_a_terminal_has_colour_unless_somebody_says_no(env: dict[str, str], colored: bool, still: Outside) -> None:
    shown = still.on_terminal("status", TENCENT, env=env)

    assert bool(_SGR.search(shown.raw)) is colored
    assert "running" in shown.final


def test_force_color_makes_no_terminal(still: Outside) -> None:
    assert still.run("status", TENCENT, env={"FORCE_COLOR": "1"}).out == still.run("status", TENCENT).out


def test_a_dumb_terminal_gets_plain_lines_instead_of_repainting(outside: Outside) -> None:
    shown = outside.on_terminal("cancel", TENCENT, env={"TERM": "dumb"})

    assert shown.code == 0
    assert b"\x1b" not in shown.raw
    assert "cancel requested" in shown.final


def test_machine_formats_have_no_colour_even_when_it_is_forced(still: Outside) -> None:
    for format in ("tsv", "json", "jsonl", "ref"):
        assert "\x1b" not in still.run("status", TENCENT, "-o", format, "--color", "always").out


# a reader that goes away


@pytest.mark.parametrize("format", ["table", "tsv", "json", "jsonl"])
def test_a_closed_pipe_ends_the_printing_quietly(format: str, still: Outside) -> None:
    done = still.shell(f"runcancel invocations {COMMAND} -o {format} | head -1; echo ${{PIPESTATUS[0]}}")

    first, code = done.out.splitlines()
    assert first
    assert code == "0"
    assert done.err == ""


def test_a_closed_pipe_never_ends_the_operation(outside: Outside) -> None:
    done = outside.shell(f"runcancel cancel {ENDED[4]} {TENCENT} -q -o jsonl | head -1; echo ${{PIPESTATUS[0]}}")

    first, code = done.out.splitlines()
    assert json.loads(first)["run"] == ENDED[4]
    assert code == "0"
    assert done.err == ""
    assert set(outside.states(TENCENT)) == {"cancelled", "terminated"}


@pytest.mark.parametrize(("lost", "said"), [(">&-", ""), ("-o json > /dev/full", "cannot write to stdout")])
def test_a_stdout_that_takes_nothing_stops_nothing(lost: str, said: str, outside: Outside) -> None:
    done = outside.shell(f"runcancel cancel {TENCENT} -q {lost}; echo $?")

    assert done.out == "0\n"
    assert said in done.err
    assert set(outside.states(TENCENT)) == {"cancelled", "terminated"}


# the words of a verdict


def _screen(done: Done) -> str:
    assert done.code in (0, 3, 8), str(done)
    return done.out


def test_a_screen_of_one_run_says_what_was_seen(outside: Outside) -> None:
    said = _screen(outside.run("cancel", TENCENT, "-o", "table"))

    assert "stopped: all 12 targets ended (3 cancelled, 9 terminated)" in said
    assert re.search(r"request [0-9a-f-]{36}", said)


def test_what_is_only_reported_is_not_said_to_be_proven(outside: Outside) -> None:
    said = _screen(outside.run("cancel", KILLED, "-o", "table"))

    assert "not verified" in said


def test_what_was_only_requested_is_never_called_stopped(outside: Outside) -> None:
    outside.faults("CancelInvocation=stubborn")

    said = _screen(outside.run("cancel", TENCENT, "--timeout", "0", "-o", "table"))

    assert "requested: the cloud accepted the cancel" in said
    assert "stopped" not in said


# what a person could do next


def test_the_next_command_is_suggested_to_a_person_alone(outside: Outside) -> None:
    shown = outside.on_terminal("status", TENCENT, columns=120).final
    assert f"To cancel it:\n  runcancel cancel {TENCENT}" in shown
    assert "To cancel some of these: runcancel cancel" in outside.on_terminal("list", columns=200, lines=60).final
    assert "--plan FILE" in outside.on_terminal("cancel", TENCENT, "-n", columns=120).final

    for argv in (("status", TENCENT), ("list",), ("cancel", TENCENT, "-n")):
        assert "To stop" not in outside.run(*argv).err
    assert "To stop" not in outside.on_terminal("status", TENCENT, "-q", columns=120).final
    assert "To stop" not in outside.on_terminal("status", ENDED[-1], columns=120).final


@pytest.mark.parametrize("flags", [("--no-wait",), ("--timeout", "1s")], ids=["unwatched", "watched"])
@pytest.mark.parametrize("ref", [ONE_SHOT, SCHEDULE, WINDOW])
def test_what_a_cancel_lets_run_is_never_called_stopping(outside: Outside, ref: str, flags: tuple[str, ...]) -> None:
    outcome = outside.run("cancel", ref, *flags, "-o", "json").outcomes[ref]

    assert outcome["verdict"] == "requested"
    assert {one["effect"] for one in outcome["invocations"] if one["before"] == "running"} == {"unknown"}
