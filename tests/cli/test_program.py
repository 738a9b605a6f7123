"""The program starts itself again, and other commands, from wherever it was started and however it was built."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from outside import RUNCANCEL, ran
from sources import MODULES, source

import runcancel
from runcancel.cli.support.program import own_command, restore_environment, write_launcher

BUNDLE = "/usr/lib/runcancel/_internal"
FROZEN = SimpleNamespace(executable="/usr/lib/runcancel/runcancel", frozen=True, _MEIPASS=BUNDLE)
OTHER = "print('another program')\n"


def test_a_python_starts_the_installed_program_and_not_what_the_current_folder_has(tmp_path: Path) -> None:
    (tmp_path / "runcancel").mkdir()
    (tmp_path / "runcancel" / "__main__.py").write_text(OTHER)
    (tmp_path / "json.py").write_text(OTHER)
    done = subprocess.run([*own_command(), "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"runcancel {runcancel.__version__}\n"


def test_a_self_contained_build_is_its_own_command() -> None:
    assert own_command(FROZEN) == ("/usr/lib/runcancel/runcancel",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"LD_LIBRARY_PATH": BUNDLE}, {}),
        (
            {"LD_LIBRARY_PATH": f"{BUNDLE}:/opt/lib:/usr/local/lib", "LD_LIBRARY_PATH_ORIG": "/opt/lib"},
            {"LD_LIBRARY_PATH": "/opt/lib:/usr/local/lib"},
        ),
        ({"_PYI_ARCHIVE_FILE": "/a", "_PYI_PARENT_PROCESS_LEVEL": "1", "HOME": "/root"}, {"HOME": "/root"}),
    ],
)
def test_a_self_contained_build_hands_on_the_environment_that_it_was_given(
    before: dict[str, str], after: dict[str, str]
) -> None:
    environ = dict(before)
    restore_environment(environ, FROZEN)
    assert environ == after


def test_a_python_leaves_the_environment_as_it_is() -> None:
    environ = {"LD_LIBRARY_PATH": "/opt/lib", "_PYI_ARCHIVE_FILE": "/a"}
    restore_environment(environ, SimpleNamespace(executable=sys.executable))
    assert environ == {"LD_LIBRARY_PATH": "/opt/lib", "_PYI_ARCHIVE_FILE": "/a"}


def test_a_launcher_passes_every_word_on(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    echo = tmp_path / "a b" / "it's"
    echo.write_text('#!/bin/sh\nprintf "[%s]" "$@"\n')
    echo.chmod(0o755)
    write_launcher(tmp_path / "bin", SimpleNamespace(executable=str(echo), frozen=True))
    words = ("--opt", "two words", "", "$HOME")
    done = subprocess.run([tmp_path / "bin" / "runcancel", *words], capture_output=True, text=True, check=True)
    assert done.stdout == "[--opt][two words][][$HOME]"


def test_the_sandbox_has_this_program_in_path_where_there_is_none_or_another(tmp_path: Path) -> None:
    (tmp_path / "runcancel").write_text("#!/bin/sh\necho another program\n")
    (tmp_path / "runcancel").chmod(0o755)
    for path in (os.defpath, f"{tmp_path}:{os.defpath}"):
        done = ran([RUNCANCEL], "sandbox", "exec", "--", "runcancel", "--version", environ={"PATH": path})
        assert (done.code, done.out) == (0, f"runcancel {runcancel.__version__}\n"), str(done)


@pytest.mark.parametrize("argv", [("sandbox", "demo"), ("sandbox", "exec", "--", "true")])
def test_a_sandbox_without_a_writable_disk_names_the_variable(argv: tuple[str, ...]) -> None:
    done = ran(["sh", "-c", 'ulimit -f 0; exec "$0" "$@"', RUNCANCEL], *argv, environ=dict(os.environ))
    assert done.code == 1
    assert done.err.splitlines()[0].startswith("runcancel: cannot make a home directory for the sandbox: ")
    assert "TMPDIR" in done.err


def test_no_other_module_leans_on_a_python_or_on_the_place_of_its_file() -> None:
    leaning = {
        module
        for module in MODULES
        if re.search(r"sys\.executable|sys\.prefix|__file__|\"-m\"|multiprocessing", source(module))
    }
    # the second reads what is shipped beside it, where importlib.resources would take a third of the time; the third
    # writes files of the repository
    assert leaning == {"cli/support/program.py", "cli/support/summary.py", "render/schemas.py"}
