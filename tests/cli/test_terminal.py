"""What becomes of output where nobody can take it, and of words where they cannot be shown."""

import re
from pathlib import Path

import pytest
from outside import COMMAND, ENDED, NOBODY, ONE_SHOT, TENCENT, WINDOW, Outside

HOSTILE = "\x1b[31mred\x1b[0m \u202egnp.exe\u2066 [/x] \x9b2J 中文 é"

VERBS = {
    "cancel": f"cancel {ENDED[4]}",
    "plan": f"cancel {TENCENT} --dry-run",
    "status": f"status {TENCENT}",
    "list": "list -p tencent",
    "invocations": f"invocations {TENCENT}",
    "wait": f"wait {ENDED[4]} --for ended",
    "history": "history",
    "contexts": "contexts show",
    "schema": "schema status",
    "schemas": "schema",
    "help": "--help",
    "help of a verb": "cancel --help",
    "version": "--version",
    "completion": "--show-completion bash",
    "rehearsal": "sandbox exec -- true",
}
"""Every verb, in a call that ends with 0."""

ABOUT_RUNS = {"cancel", "wait", "rehearsal"}  # their exit code is about something else than what was printed


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    """Clouds in which time stands still: these tests change nothing that lasts."""
    return Outside(tmp_path_factory.mktemp("terminal") / "home", speed=0)


def sane(text: str) -> bool:
    """Whether it is what a program says that knows what happened."""
    return not re.search(r"Traceback|Exception ignored|internal error|Error:", text)


# streams that are closed, or full


@pytest.mark.parametrize(
    ("verb", "closed"),
    [(verb, "<&- >&- 2>&-") for verb in VERBS]
    + [
        (verb, closed)
        for verb in ("cancel", "status", "schema", "version", "help")
        for closed in ("<&-", ">&-", "2>&-")
    ],
)
def test_a_closed_stream_changes_no_exit_code(verb: str, closed: str, still: Outside) -> None:
    done = still.shell(f"runcancel {VERBS[verb]} {closed}")

    assert done.code == 0, str(done)
    assert sane(done.err), str(done)


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_is_said_and_is_a_failure_unless_the_answer_is_about_runs(verb: str, still: Outside) -> None:
    with Path("/dev/full").open("wb") as full:
        child = still.start(*VERBS[verb].split(), stdout=full)
        _, err = child.communicate(timeout=60)

    assert child.returncode == (0 if verb in ABOUT_RUNS else 1), err
    assert sane(err), err
    if verb != "rehearsal":
        assert err.count("cannot write to stdout: No space left on device") == 1, err


def test_a_stderr_that_is_full_changes_no_exit_code(outside: Outside) -> None:
    done = outside.shell(f"runcancel cancel {TENCENT} -o tsv 2> /dev/full")

    assert done.code == 0, str(done)
    assert set(outside.states(TENCENT)) == {"cancelled", "terminated"}
    assert outside.shell(f"runcancel status {NOBODY} > /dev/full 2> /dev/full").code == 5


def test_wrong_usage_stays_wrong_usage_when_nobody_hears_it(still: Outside) -> None:
    for streams in (">&-", "2>&-", "> /dev/full", "2> /dev/full", "<&- >&- 2>&-"):
        done = still.shell(f"runcancel status a:b:c:d -o json {streams}")
        assert done.code == 2, str(done)
        assert sane(done.err), str(done)


def test_a_closed_stdin_is_no_empty_list(outside: Outside) -> None:
    done = outside.shell("runcancel cancel --from - --yes <&-")

    assert (done.code, done.err) == (2, "runcancel: standard input is closed; nothing was sent\n")


def test_nobody_is_asked_through_a_closed_stdin(outside: Outside) -> None:
    done = outside.shell("runcancel cancel --kind invocation <&-")

    assert done.code == 6, str(done)
    assert "there is no terminal to confirm on" in done.err
    assert outside.writes() == []


def test_no_file_takes_the_place_of_a_closed_stream(outside: Outside) -> None:
    """What prints to number 2 would otherwise print into the journal."""
    done = outside.shell(f"runcancel cancel {TENCENT} --debug <&- >&- 2>&-")

    assert done.code == 0
    assert outside.json("history")["operations"][0]["counts"] == {"stopped": 1}


@pytest.mark.parametrize("verb", VERBS)
def test_a_reader_that_leaves_is_no_failure(verb: str, still: Outside) -> None:
    child = still.start(*VERBS[verb].split())
    assert child.stdout is not None
    child.stdout.read(1)
    child.stdout.close()
    _, err = child.communicate(timeout=60)

    assert child.returncode == 0, err
    assert sane(err), err


# words that cannot be shown


CRIPPLED = {
    "C": {"LC_ALL": "C"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "no locale": {"LC_ALL": None, "LANG": None},
    "dumb": {"TERM": "dumb"},
    "no TERM": {"TERM": None},
    "narrow": {"COLUMNS": "20"},
    "no width": {"COLUMNS": "0"},
    "absurd width": {"COLUMNS": "9" * 30},
}


@pytest.fixture(scope="module")
def attacked(still: Outside) -> str:
    return still.add("tencent", name=HOSTILE, targets={"running": 1, "failed": 1})


@pytest.mark.parametrize("name", CRIPPLED)
def test_any_name_is_shown_on_any_terminal(name: str, still: Outside, attacked: str) -> None:
    """Bytes, because not all of them are UTF-8."""
    looks = (("status", "-o", "table"), ("cancel", "--dry-run", "-o", "tsv"), ("status", "-o", "json"))

    for done in still.each(*((*look, attacked) for look in looks), env=CRIPPLED[name]):
        out, err = (each.encode(errors="surrogateescape") for each in (done.out, done.err))
        assert done.code == 0, str(done)
        assert attacked.encode() in out
        assert sane(done.err), err
        assert not set((out + err).replace(b"\n", b"").replace(b"\t", b"")) & {*range(32), 127}
        if name in ("POSIX", "ASCII"):
            assert (out + err).isascii()


def test_every_verb_speaks_where_little_can_be_said(still: Outside) -> None:
    calls = [line.split() for line in VERBS.values()]

    for done in still.forks(*calls, env=CRIPPLED["POSIX"] | CRIPPLED["narrow"]):
        assert done.code == 0, str(done)
        assert sane(done.err), str(done)


@pytest.mark.parametrize(("word", "name"), [("中文\u202egnp", "POSIX"), ("é\x1b[31m", "ASCII")], ids=["POSIX", "ASCII"])
def test_strange_words_of_the_command_line_are_told_in_plain_ones(word: str, name: str, still: Outside) -> None:
    calls = (
        *(("status", word), ("cancel", word), ("list", "--name", word, "-o", "json")),
        ("cancel", word, "--reason", word),
    )

    for done in still.forks(*calls, env=CRIPPLED[name]):
        assert done.code in (0, 2), str(done)
        assert sane(done.err), str(done)
        assert done.err.isascii()
        assert "\x1b" not in done.err


def test_a_name_in_an_error_is_shown_escaped(still: Outside) -> None:
    done = still.run("status", "\x1b]0;title\x07\u202e", "-o", "table")

    assert done.code == 2
    assert "\\x1b]0;title\\x07\\u202e" in done.err
    assert not set(done.err) & set("\x1b\x07\u202e")


# terminals of all sorts


@pytest.mark.parametrize("columns", [20, 40])
@pytest.mark.parametrize("verb", ["status", "invocations", "cancel --dry-run"])
def test_references_are_whole_on_a_narrow_terminal(verb: str, columns: int, still: Outside) -> None:
    refs = (WINDOW, COMMAND, ONE_SHOT, TENCENT) if verb != "invocations" else (TENCENT,)

    shown = still.on_terminal(*verb.split(), *refs, columns=columns, lines=200)

    # The terminal breaks a line that is too long for it; the program puts no break into a reference.
    text = shown.raw.replace(b"\r\n", b"\n").decode()
    assert shown.code == 0, text
    for ref in refs:
        assert ref in text, text
    assert sane(text)


@pytest.mark.parametrize("term", ["dumb", "unknown-terminal", ""])
def test_a_cancel_on_any_terminal_tells_what_was_seen(term: str, outside: Outside) -> None:
    shown = outside.on_terminal("cancel", TENCENT, columns=20, env={"TERM": term})

    assert shown.code == 0
    assert b"stopped" in shown.raw
    assert sane(shown.raw.decode())
    assert set(outside.states(TENCENT)) == {"cancelled", "terminated"}


# homes


@pytest.mark.parametrize("home", [None, "/dev/null", "/proc"])
def test_any_home_will_do(home: str | None, outside: Outside) -> None:
    env = {"HOME": home, "XDG_CONFIG_HOME": None, "XDG_STATE_HOME": None, "XDG_CACHE_HOME": None}
    if home is None:
        env |= {"XDG_STATE_HOME": "/proc", "XDG_CONFIG_HOME": "/proc"}  # else it is the home of who runs the tests

    for verb in ("list", "contexts", "completion", "rehearsal"):
        done = outside.shell(f"runcancel {VERBS[verb]}", env=env)
        assert done.code == 0, str(done)
        assert sane(done.err), str(done)
    done = outside.shell(f"runcancel cancel {TENCENT}", env=env)
    assert done.code == 0, str(done)
    assert done.err.count("this cancel is not recorded") == 1, str(done)
    assert set(outside.states(TENCENT)) == {"cancelled", "terminated"}
    history = outside.shell("runcancel history", env=env)
    beside_a_file = home == "/dev/null"  # no folder can be there; elsewhere there is only no journal
    assert history.code == (6 if beside_a_file else 0), str(history)
    assert len(history.err.splitlines()) == beside_a_file, str(history)
