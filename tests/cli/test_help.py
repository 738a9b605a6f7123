"""Help, version and completion: complete, narrow, and cheap."""

import subprocess
import sys
from pathlib import Path

import pytest
from outside import Done, Outside

from runcancel import __version__
from runcancel.cli import VERBS
from runcancel.cli.completion import SCRIPTS, write_all

REPOSITORY = Path(__file__).parents[2]
HELPS = [*((verb,) for verb in VERBS), *(("sandbox", each) for each in ("serve", "exec", "demo"))]
FORBIDDEN = (
    *("rich", "boto3", "botocore", "tencentcloud", "alibabacloud_tea_openapi", "alibabacloud_credentials", "Tea"),
    *("darabonba", "urllib3", "requests", "aiohttp", "jmespath", "pydantic"),
)
every_help = pytest.mark.parametrize("verb", HELPS, ids=" ".join)


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    made = Outside(tmp_path_factory.mktemp("help") / "home")
    made.close()  # no cloud is needed to be helped
    return made


@every_help
def test_help_says_first_what_the_verb_does_has_examples_and_fits_eighty_columns(
    verb: tuple[str, ...], command: Outside
) -> None:
    done = command.run(*verb, "--help")

    usage, _, does, *_ = done.out.splitlines()
    assert done.code == 0
    assert done.err == ""
    assert usage.startswith(f"Usage: runcancel {' '.join(verb)} ")
    assert does.strip().split()[0].rstrip(",") in ("Three", *(word.capitalize() for word in _VERBS))
    assert "Examples:" in done.out
    assert f"    runcancel {' '.join(verb)}" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


_VERBS = ("cancel", "show", "find", "wait", "print", "serve", "run", "stop", "list")


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

_INSPECT = f"""
import sys
from runcancel.cli import run
run(sys.argv[1:])
loaded = sorted(set({FORBIDDEN!r}) & set(sys.modules))
print("LOADED", *loaded, file=sys.stderr)
"""


@pytest.mark.parametrize(("argv", "env"), CHEAP.values(), ids=CHEAP)
def test_no_sdk_and_no_rich_is_imported(argv: list[str], env: dict[str, str], command: Outside) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INSPECT, *argv],
        env={**command.environ, **env},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    assert done.stdout or len(done.stderr.splitlines()) > 1
    assert done.stderr.splitlines()[-1].split() == ["LOADED"]


@pytest.mark.parametrize("format", ["json", "jsonl", "tsv", "ref"])
def test_machine_formats_never_import_rich(format: str, outside: Outside) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INSPECT, "status", "inv-ib2lld37", "-o", format],
        env=outside.environ,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    loaded = done.stderr.splitlines()[-1].split()[1:]
    assert done.stdout
    assert "rich" not in loaded
    assert not {"botocore", "alibabacloud_credentials", "darabonba"} & set(loaded)  # one cloud loads its own SDK alone


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


def test_every_verb_is_completed(command: Outside) -> None:
    assert completed(command, "runcancel ") == list(VERBS)


def test_words_that_bash_breaks_at_a_colon_are_completed(command: Outside) -> None:
    line = "runcancel list -r tencent:ap-gu"

    assert completed(command, line) == ["ap-guangzhou"]  # bash replaces what follows the colon
    assert completed(command, line, breaks="' '") == ["tencent:ap-guangzhou"]


def test_a_completion_that_fails_prints_nothing(command: Outside) -> None:
    done = command.run(env={"_RUNCANCEL_COMPLETE": "nonsense", "_RUNCANCEL_LINE": "runcancel "})

    assert (done.code, done.out, done.err) == (0, "", "")


def test_the_line_in_the_middle_of_which_the_cursor_stands(command: Outside) -> None:
    done = command.run(env={"_RUNCANCEL_COMPLETE": "zsh", "_RUNCANCEL_LINE": "runcancel cancel --no-w"})

    assert done.out.startswith("--no-wait:")


def test_the_zsh_script_begins_with_its_magic_word() -> None:
    assert SCRIPTS["zsh"][1].startswith("#compdef runcancel\n")
