"""Help, version and completion: complete, narrow, and cheap."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from outside import TENCENT, Done, Outside

from runcancel import __version__
from runcancel.cli.support.completion import SCRIPTS, write_all
from runcancel.cli.topics import TOPICS
from runcancel.cli.verbs import ALIASES, VERBS
from runcancel.cli.verbs.contexts import ACTIONS

REPOSITORY = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden" / "help"
HELPS = [
    *((verb,) for verb in VERBS),
    *(("sandbox", each) for each in ("serve", "exec", "demo")),
    *(("contexts", each) for each in ACTIONS),
]
FORBIDDEN = (
    *("rich", "boto3", "botocore", "tencentcloud", "alibabacloud_tea_openapi", "alibabacloud_credentials", "Tea"),
    *("darabonba", "urllib3", "requests", "aiohttp", "jmespath", "pydantic"),
)
every_help = pytest.mark.parametrize("verb", HELPS, ids=" ".join)


@every_help
def test_help_says_first_what_the_verb_does_has_examples_and_fits_eighty_columns(
    verb: tuple[str, ...], command: Outside
) -> None:
    text = text_of("-".join(verb), command)

    usage, _, does, *_ = text.splitlines()
    assert usage.startswith(f"Usage: runcancel {' '.join(verb)} ")
    assert does.strip().split()[0].rstrip(",") in [word.capitalize() for word in _VERBS]
    assert "Examples:" in text
    assert f"    runcancel {' '.join(verb)}" in text
    assert max(map(len, text.splitlines())) <= 80


_VERBS = (
    "add",
    "import",
    "rename",
    "remove",
    "use",
    "cancel",
    "disable",
    "enable",
    "check",
    "show",
    "find",
    "wait",
    "print",
    "serve",
    "run",
    "simulate",
    "list",
)


@pytest.mark.parametrize("topic", ["", *("-".join(verb) for verb in HELPS), *TOPICS])
def test_help_is_as_it_was_read_last(topic: str, command: Outside) -> None:
    """To look at the change and to keep it: make generate."""
    assert text_of(topic, command) == (GOLDEN / f"{topic or 'runcancel'}.txt").read_text(encoding="utf-8")


@cache
def text_of(topic: str, command: Outside) -> str:
    """The help of a verb, of `sandbox-serve`, of a topic; of the program for nothing. It is asked for once."""
    argv = ["help", topic] if topic in TOPICS else [*topic.split("-"), "--help"] if topic else ["--help"]
    done = command.run(*argv)
    assert (done.code, done.err) == (0, ""), str(done)
    return done.out


@every_help
def test_help_of_a_verb_is_its_own_help(verb: tuple[str, ...], command: Outside) -> None:
    if verb != ("help",):
        assert command.run("help", *verb).out == text_of("-".join(verb), command)


_GROUPS = ("Arguments", "Options", "Selection", "Confirmation and limits", "Waiting", "Journal", "Connection", "Output")


@every_help
def test_options_stand_in_groups_in_one_order_and_one_column(verb: tuple[str, ...], command: Outside) -> None:
    lines = text_of("-".join(verb), command).splitlines()
    groups = [line.removesuffix(":") for line in lines if re.fullmatch(r"[A-Z][a-z ]+:", line)]

    assert groups == [name for name in (*_GROUPS, "Other", "Commands") if name in groups]
    options = lines[lines.index(f"{next(name for name in groups if name != 'Arguments')}:") :]
    columns = {found.start(1) for line in options if (found := re.match(r"  -.+?  +(\S)", line))}
    assert len(columns) == 1, columns


def test_cancel_has_every_group(command: Outside) -> None:
    for group in (*_GROUPS, "Other"):
        assert f"\n{group}:\n" in text_of("cancel", command)


def test_only_what_a_verb_does_alone_stands_outside_the_groups(command: Outside) -> None:
    for verb in ("status", "list", "invocations", "wait", "history", "doctor"):
        own = text_of(verb, command).partition("\nOptions:\n")[2].partition("\n\n")[0]
        assert own.count("\n  -") <= 2, own


def test_an_action_shows_its_own_options_alone(command: Outside) -> None:
    assert "--protected" in text_of("contexts-add", command)
    assert "--provider" in text_of("contexts-add", command)
    for action in ("list", "remove", "use"):
        assert "--protected" not in text_of(f"contexts-{action}", command)
        assert "--provider" not in text_of(f"contexts-{action}", command)


def test_help_without_a_word_is_that_of_the_program(command: Outside) -> None:
    assert command.run("help").out == text_of("", command)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_fits_eighty_columns(topic: str, command: Outside) -> None:
    assert max(map(len, text_of(topic, command).splitlines())) <= 80


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_printed_by_its_name(topic: str, command: Outside) -> None:
    assert topic not in VERBS
    assert text_of(topic, command) == "".join(f"{line}\n" for line in TOPICS[topic]())


def test_help_names_every_topic(command: Outside) -> None:
    names = ", ".join(TOPICS)

    for verb, begin in (("", "More: runcancel help "), ("help", "Topics: ")):
        flowed = " ".join(text_of(verb, command).split())
        assert f"{begin}{names}" in flowed


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("contexts", "ad"), "no help for “contexts ad”. Actions: list, show, add, import"),
        (("cancel", "foo"), "no help for “cancel foo”."),
        (("exit-codes", "3"), "no help for “exit-codes 3”."),
        (("sandbox", "dem"), "did you mean demo?"),
        (("help", "cancel"), "no help for “help cancel”."),
    ],
)
def test_a_word_behind_a_verb_is_an_action_of_it(words: tuple[str, ...], error: str, command: Outside) -> None:
    done = command.run("help", *words)

    assert done.code == 2, str(done)
    assert error in done.err
    assert f"see: runcancel help {words[0]}" in done.err


@pytest.mark.parametrize(
    "words",
    [("sandbox", "exec", "touch", "canary"), ("sandbox", "exec", "--", "touch", "canary"), ("contexts", "add", "prod")],
    ids=" ".join,
)
def test_words_behind_an_action_are_refused_and_run_nothing(words: tuple[str, ...], command: Outside) -> None:
    done = command.run("help", *words)

    assert (done.code, done.out) == (2, ""), str(done)
    assert f"see: runcancel help {words[0]} {words[1]}" in done.err
    assert not [path for path in command.home.rglob("*") if path.name == "canary"]


PAGES = (
    ("help", "recurring"),
    ("help", "cancel"),
    ("help", "contexts", "add"),
    ("cancel", "x", "--help"),
    ("cancel", "--help"),
    ("contexts", "add", "prod", "--help"),
    ("sandbox", "exec", "--speed", "2", "--help"),
)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_help_is_printed_whole_where_stdout_lacks_a_character(encoding: str, command: Outside) -> None:
    for done in command.forks(*PAGES, env={"PYTHONIOENCODING": encoding}):
        assert done.code == 0, str(done)
        assert done.out == command.run(*done.argv).out
        assert done.err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_one_line(command: Outside) -> None:
    calls = ("--version",), *PAGES[:2], ("cancel", "x", "--help"), ("--show-completion", "bash")

    said = [(done.code, done.err) for done in command.forks(*calls, env={"PYTHONUNBUFFERED": "1"}, stdout="/dev/full")]
    with Path("/dev/full").open("wb") as full:
        for argv in calls:
            child = command.start(*argv, stdout=full)
            said.append((child.wait(), child.communicate()[1]))

    assert {*said} == {(1, "runcancel: cannot write to stdout: No space left on device\n")}


def test_a_topic_nobody_knows_names_the_nearest(command: Outside) -> None:
    done = command.run("help", "exit-code")

    assert done.code == 2
    assert "did you mean exit-codes" in done.err


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_help_never_needs_more_than_eighty_columns(columns: str, command: Outside) -> None:
    done = command.run("cancel", "--help", env={"COLUMNS": columns, "FORCE_COLOR": "1"})

    assert max(map(len, done.out.splitlines())) <= 80
    assert "\x1b" not in done.out


def test_the_program_lists_its_verbs_uncut(command: Outside) -> None:
    for argv in (("--help",), ("-h",), ()):
        done = command.run(*argv)

        assert max(map(len, done.out.splitlines())) <= 80
        for verb, does in VERBS.items():
            assert f"  {verb:<13}{does}\n" in done.out, verb


@pytest.mark.parametrize("argv", [(), ("-h",), ("cancel", "-h"), ("sandbox",), ("sandbox", "-h")], ids=" ".join)
def test_help_is_not_wrong_usage(argv: tuple[str, ...], command: Outside) -> None:
    done = command.run(*argv)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: runcancel ")


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version(flag: str, command: Outside) -> None:
    done = command.run(flag)

    assert (done.code, done.out, done.err) == (0, f"runcancel {__version__}\n", "")


def test_the_module_is_the_command(command: Outside) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runcancel", "--version"], capture_output=True, text=True, check=True, timeout=20
    )

    assert done.stdout == command.run("--version").out


# cheap

CHEAP = {
    "version": (["--version"], {}),
    "help": (["--help"], {}),
    **{f"{' '.join(verb)} help": ([*verb, "--help"], {}) for verb in HELPS},
    "a completion script": (["--show-completion", "bash"], {}),
    "completing a verb": ([], {"_RUNCANCEL_COMPLETE": "bash", "_RUNCANCEL_LINE": "runcancel ca"}),
    "completing a region": ([], {"_RUNCANCEL_COMPLETE": "zsh", "_RUNCANCEL_LINE": "runcancel status -r cn-"}),
    "wrong usage": (["status", "nonsense"], {}),
    "wrong usage as json": (["status", "nonsense", "-o", "json"], {}),
}


def test_no_sdk_and_no_rich_is_imported(command: Outside) -> None:
    calls, variables = zip(*CHEAP.values(), strict=True)

    for done in command.forks(*calls, own=variables, modules=True):
        *said, loaded = done.err.splitlines()
        assert done.out or said, str(done)
        assert not {*FORBIDDEN} & {*loaded.split()}, str(done)


def test_machine_formats_never_import_rich(outside: Outside) -> None:
    calls = [("status", "inv-ib2lld37", "-o", format) for format in ("json", "jsonl", "tsv", "ref")]

    for done in outside.forks(*calls, modules=True):
        assert done.out
        loaded = {*done.err.splitlines()[-1].split()}
        assert "rich" not in loaded
        assert not {"botocore", "alibabacloud_credentials", "darabonba"} & loaded  # one cloud loads its own SDK alone


# completion


def test_the_shipped_completions_are_fresh(tmp_path: Path) -> None:
    write_all(tmp_path)

    fresh = {path.name: path.read_text() for path in tmp_path.iterdir()}
    shipped = {path.name: path.read_text() for path in (REPOSITORY / "completions").iterdir()}
    assert shipped == fresh


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_command_prints_its_completions(shell: str, command: Outside) -> None:
    done = command.run("--show-completion", shell)

    assert done.code == 0
    assert done.out == (REPOSITORY / "completions" / SCRIPTS[shell][0]).read_text()


def test_a_shell_nobody_knows_is_wrong_usage(command: Outside) -> None:
    done = command.run("--show-completion", "tcsh")

    assert done.code == 2
    assert "bash" in done.err


def completed(command: Outside, line: str, *, breaks: str = "$' \\t\\n\"\\'><=;|&(:@'") -> list[str]:
    """What a real bash makes of the line: the words that it would put in place of the last broken word."""
    done: Done = command.shell(
        f"""
        source {REPOSITORY / "completions" / "runcancel.bash"}
        complete -p runcancel > /dev/null || exit 9
        COMP_WORDBREAKS={breaks}
        COMP_LINE='{line}' COMP_POINT={len(line)}
        compopt() {{ :; }}
        _runcancel
        printf '%s\\n' "${{COMPREPLY[@]}}"
        """
    )
    assert done.code == 0, str(done)
    assert done.err == ""
    return [word for word in done.out.splitlines() if word]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("runcancel ca", ["cancel"]),
        ("runcancel status --exit", ["--exit-status"]),
        ("runcancel status -o js", ["json", "jsonl"]),
        ("runcancel status inv-ib2lld37 -p a", ["aws", "alibaba"]),
        ("runcancel invocations x --status can", ["cancelling", "cancelled"]),
        ("runcancel sandbox d", ["demo"]),
        ("runcancel schema pl", ["plan"]),
        ("runcancel status -o nonsense", []),
        ("runcancel status 'open quotation", []),
    ],
)
def test_bash_completes(line: str, words: list[str], command: Outside) -> None:
    assert completed(command, line.replace("'", "'\\''")) == words


def test_what_bash_would_interpret_is_quoted(command: Outside) -> None:
    words = ["$(touch x)", "`id`", "a;b", "a&b", "a|b", "a>b", "*", "a'b", "~", "fine-1:b/c@d,e=f"]
    offers = " ".join(shlex.quote(word) for word in words)
    script = f"""
        source {REPOSITORY / "completions" / "runcancel.bash"}
        runcancel() {{ printf '%s\\n' {offers}; }}
        compopt() {{ :; }}
        COMP_LINE='runcancel status ' COMP_POINT=17
        _runcancel
        printf '%s\\n' "${{COMPREPLY[@]}}"
        """
    typed = command.shell(script).out.splitlines()

    read_again = command.shell(f"set -f; printf '%s\\n' {' '.join(typed)}")
    assert read_again.out.splitlines() == [*words[:6], "*", *words[7:]]
    assert typed[-1] == words[-1]
    assert all(word != offer for word, offer in zip(typed[:-1], words, strict=False))


def test_actions_of_contexts_are_completed(command: Outside) -> None:
    assert completed(command, "runcancel contexts ") == list(ACTIONS)
    assert completed(command, "runcancel contexts a") == ["add"]


def test_every_verb_is_completed(command: Outside) -> None:
    assert completed(command, "runcancel ") == list(VERBS)


def test_words_that_bash_breaks_at_a_colon_are_completed(command: Outside) -> None:
    line = "runcancel list -r tencent:ap-gu"

    assert completed(command, line) == ["ap-guangzhou"]  # bash replaces what follows the colon
    assert completed(command, line, breaks="' '") == ["tencent:ap-guangzhou"]


def test_a_value_behind_an_equals_sign_is_completed_once(command: Outside) -> None:
    line = "runcancel list --region=aws:us-e"

    assert completed(command, line) == ["us-east-1", "us-east-2"]  # bash replaces what follows the colon
    assert completed(command, line, breaks="' '") == ["--region=aws:us-east-1", "--region=aws:us-east-2"]
    assert completed(command, "runcancel status --output=js") == ["json", "jsonl"]
    assert completed(command, "runcancel status --nothing=js") == []


@pytest.mark.parametrize(
    ("line", "words"), [("-c my", ["my\\ prod"]), ('-c "my', ["my prod"]), ("--context=my", ["my\\ prod"])]
)
def test_a_name_with_a_space_is_one_word(outside: Outside, line: str, words: list[str]) -> None:
    assert outside.run("contexts", "add", "my prod", "-p", "aws").code == 0

    assert completed(outside, f"runcancel list {line}") == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("contexts ren", ["rename"]),
        ("contexts rename ", ["my\\ prod", "games", "both"]),
        ("contexts rename my", ["my\\ prod"]),
        ("contexts groups ", ["list", "add", "remove"]),
        ("contexts groups a", ["add"]),
        ("contexts groups remove b", ["both"]),
        ("contexts groups add both g", ["games"]),
        ("contexts use bo", ["both"]),
        ('contexts rename "my pr', ["my prod"]),
    ],
)
def test_names_of_contexts_and_groups_are_completed(outside: Outside, line: str, words: list[str]) -> None:
    for name in ("my prod", "games"):
        outside.run("contexts", "add", name, "-p", "tencent")
    outside.run("contexts", "groups", "add", "both", "my prod", "games")

    assert completed(outside, f"runcancel {line}") == words


@pytest.mark.parametrize(("alias", "verb"), ALIASES.items())
def test_an_alias_is_its_verb_and_help_does_not_list_it(command: Outside, alias: str, verb: str) -> None:
    assert command.run(alias, "--help").out == command.run(verb, "--help").out
    assert f"  {alias} " not in command.run("--help").out
    assert completed(command, f"runcancel {alias} --reg") == ["--region"]
    wrong = command.run(alias, "--no-such", "-o", "json")
    assert (wrong.code, wrong.document["verb"]) == (2, verb)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("version", "runcancel --version"),
        ("rename", "runcancel contexts rename"),
        ("lst", "runcancel list"),
        ("kil", "runcancel cancel"),
        ("stopp", "runcancel cancel"),
        ("describe", "runcancel status"),
    ],
)
def test_a_word_of_another_tool_gets_a_fitting_did_you_mean(command: Outside, word: str, meant: str) -> None:
    done = command.run(word)

    assert done.code == 2
    assert f"did you mean {meant}?" in done.err


# what a shell offers out of the user's own files


def test_references_used_lately_are_completed(outside: Outside) -> None:
    outside.json("cancel", TENCENT)
    seen = len(outside.requests())

    assert completed(outside, "runcancel status tencent:ap-g", breaks="' '") == [TENCENT]
    assert completed(outside, "runcancel cancel tencent:ap-g") == [TENCENT.removeprefix("tencent:")]
    assert len(outside.requests()) == seen


def test_operations_are_completed_with_their_reason(outside: Outside) -> None:
    operation = outside.json("cancel", TENCENT, "--reason", "bad patch 4711")["operation"]

    done = outside.run(env={"_RUNCANCEL_COMPLETE": "fish", "_RUNCANCEL_LINE": "runcancel history "})

    assert done.out == f"{operation}\tbad patch 4711\nlast\tthe newest operation\n"
    assert completed(outside, "runcancel cancel --resume 01") == [operation]


def test_contexts_are_completed(outside: Outside) -> None:
    outside.run("contexts", "add", "prod-cn", "-p", "alibaba")
    outside.run("contexts", "add", "play", "-p", "tencent")

    assert completed(outside, "runcancel list -c p") == ["prod-cn", "play"]
    assert completed(outside, "runcancel contexts remove pr") == ["prod-cn"]


def test_hostile_names_do_not_reach_the_line_being_typed(outside: Outside) -> None:
    ref = outside.add("tencent", name="evil \x1b[31m\n`reboot`", targets={"running": 1})
    outside.json("cancel", ref)

    done = outside.run(env={"_RUNCANCEL_COMPLETE": "fish", "_RUNCANCEL_LINE": "runcancel status tencent"})

    assert "\x1b" not in done.out
    assert len(done.out.splitlines()) == 1


@pytest.mark.parametrize("broken", ["journal", "config"])
def test_broken_files_complete_nothing_and_say_nothing(broken: str, outside: Outside) -> None:
    outside.json("cancel", TENCENT)
    outside.run("contexts", "add", "prod", "-p", "aws")
    for file in outside.home.rglob("*"):
        if file.name == {"journal": "journal.sqlite3", "config": "config.toml"}[broken]:
            file.write_bytes(b"not found")

    line = "runcancel status t" if broken == "journal" else "runcancel list -c p"
    done = outside.run(env={"_RUNCANCEL_COMPLETE": "zsh", "_RUNCANCEL_LINE": line})

    assert (done.code, done.out, done.err) == (0, "", "")


def test_looking_for_completions_makes_no_file(outside: Outside) -> None:
    before = sorted(outside.home.rglob("*"))

    outside.run(env={"_RUNCANCEL_COMPLETE": "zsh", "_RUNCANCEL_LINE": "runcancel status t"})

    assert sorted(outside.home.rglob("*")) == before


def test_a_completion_that_fails_prints_nothing(command: Outside) -> None:
    done = command.run(env={"_RUNCANCEL_COMPLETE": "nonsense", "_RUNCANCEL_LINE": "runcancel "})

    assert (done.code, done.out, done.err) == (0, "", "")


def test_the_line_in_the_middle_of_which_the_cursor_stands(command: Outside) -> None:
    done = command.run(env={"_RUNCANCEL_COMPLETE": "zsh", "_RUNCANCEL_LINE": "runcancel cancel --no-w"})

    assert done.out.startswith("--no-wait:")


def test_the_zsh_script_begins_with_its_magic_word() -> None:
    assert SCRIPTS["zsh"][1].startswith("#compdef runcancel\n")
