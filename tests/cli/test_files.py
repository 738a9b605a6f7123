"""The user's files, seen from outside: private, nobody else's, whole after a kill, and never in the way of a cancel."""

import os
import signal
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from outside import TENCENT, Outside


def journal(outside: Outside) -> Path:
    return outside.home / ".local" / "state" / "runcancel" / "journal.sqlite3"


def configuration(outside: Outside) -> Path:
    return outside.home / ".config" / "runcancel" / "config.toml"


def test_whatever_the_umask_all_files_are_private(outside: Outside) -> None:
    outside.shell(f"umask 0; runcancel cancel {TENCENT}; runcancel contexts add one -p tencent")

    for file in (journal(outside), configuration(outside)):
        above = [each for each in file.parents if each.is_relative_to(outside.home) and each != outside.home]
        assert len(above) >= 2
        assert {stat.S_IMODE(each.stat().st_mode) for each in above} == {0o700}
        found = [each for each in file.parent.iterdir() if each.is_file()]
        assert file in found
        assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in found), found


# a journal that cannot be used


def _a_link(file: Path) -> None:
    (file.parent / "elsewhere").touch()
    file.symlink_to("elsewhere")


def _a_link_to_nowhere(file: Path) -> None:
    file.symlink_to("/nonexistent/journal")


def _a_folder(file: Path) -> None:
    file.mkdir()


def _a_pipe(file: Path) -> None:
    os.mkfifo(file)


def _no_database(file: Path) -> None:
    file.write_bytes(b"\x00" * 512 + b"no database" * 200)


def _cut_in_half(file: Path) -> None:
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE t (x)")
    db.executemany("INSERT INTO t VALUES (?)", [("x" * 900,)] * 40)
    db.commit()
    db.close()
    os.truncate(file, file.stat().st_size // 2 + 7)


def _of_a_newer_version(file: Path) -> None:
    db = sqlite3.connect(file)
    db.execute(f"PRAGMA application_id={0x72756E63}")
    db.execute("PRAGMA user_version=99")
    db.close()


def _of_somebody_else(file: Path) -> None:
    file.touch()
    os.chown(file, 12345, -1)


def _in_a_folder_of_somebody_else(file: Path) -> None:
    os.chown(file.parent, 12345, -1)


def _in_a_folder_where_all_may_write(file: Path) -> None:
    file.parent.chmod(0o777)


def _below_a_folder_where_all_may_write(file: Path) -> None:
    file.parent.parent.chmod(0o777)


UNUSABLE: dict[Callable[[Path], None], str] = {
    _a_link: "is a symbolic link, which is not followed",
    _a_link_to_nowhere: "is a symbolic link, which is not followed",
    _a_folder: "Is a directory",
    _a_pipe: "is not a regular file; move it away",
    _no_database: "move it away to start a new one",
    _cut_in_half: "move it away to start a new one",
    _of_a_newer_version: "was written by a newer runcancel; use that one, or move it away",
    _of_somebody_else: "belongs to another user",
    _in_a_folder_of_somebody_else: "belongs to another user",
    _in_a_folder_where_all_may_write: "is writable by others",
    _below_a_folder_where_all_may_write: "is writable by others",
}


@pytest.mark.parametrize("spoil", UNUSABLE)
def test_a_journal_that_cannot_be_used_is_one_warning_and_the_cancel_goes_on(
    spoil: Callable[[Path], None], outside: Outside
) -> None:
    if "somebody_else" in spoil.__name__ and os.getuid() != 0:
        pytest.skip("only root gives files away")
    file = journal(outside)
    file.parent.mkdir(parents=True, mode=0o700)
    spoil(file)
    before = sorted((each.name, each.lstat().st_size) for each in file.parent.iterdir())

    required = outside.run("cancel", TENCENT, "--require-journal")
    resumed = outside.run("cancel", "--resume", "01K9ZQ3V7W5T8R2M4N6P0C1D2E")
    history = outside.run("history")

    for refused in (required, resumed):
        assert refused.code == 6, str(refused)
        assert UNUSABLE[spoil] in refused.err
        assert "nothing was sent" in refused.err
    assert outside.writes() == []
    assert history.code == 6, str(history)
    assert UNUSABLE[spoil] in history.err
    done = outside.run("cancel", TENCENT, "-o", "json")
    assert (done.code, done.document["operation"]) == (0, None)
    assert done.err.count("this cancel is not recorded") == 1
    assert UNUSABLE[spoil] in done.err
    assert sorted((each.name, each.lstat().st_size) for each in file.parent.iterdir()) == before


def test_a_journal_on_a_full_disk_is_one_warning_and_a_required_one_refuses(outside: Outside) -> None:
    """The limit on the size of a file stands in for the disk."""
    refused = outside.shell(f"ulimit -f 0; trap '' XFSZ; runcancel cancel {TENCENT} --require-journal 2>&1 | cat")
    assert "cannot be used" in refused.out, str(refused)
    assert outside.writes() == []

    done = outside.shell(
        f"(ulimit -f 0; trap '' XFSZ; exec runcancel cancel {TENCENT} 2>&1) | cat; exit ${{PIPESTATUS[0]}}"
    )

    assert done.code == 0, str(done)
    assert done.out.count("is not recorded") == 1, str(done)
    assert "Traceback" not in done.out
    assert set(outside.states(TENCENT)) == {"cancelled", "terminated"}


def test_a_journal_that_another_process_holds_is_waited_for_and_then_said(outside: Outside) -> None:
    outside.run("cancel", TENCENT)
    other = outside.add("tencent", targets={"running": 1})
    db = sqlite3.connect(journal(outside), isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()

    done = outside.run("cancel", other)

    db.close()
    assert done.code == 0, str(done)
    assert time.monotonic() - began > 4
    assert "is locked by another process" in done.err


# a configuration


@pytest.mark.parametrize("text", ["[contexts", "\x00", "contexts = 1\n", "[contexts.x]\n"])
def test_a_broken_configuration_is_one_line_and_nothing_is_sent(text: str, outside: Outside) -> None:
    configuration(outside).parent.mkdir(parents=True)
    configuration(outside).write_text(text)

    done = outside.run("cancel", TENCENT)

    assert done.code == 2
    assert str(configuration(outside)) in done.err
    assert len(done.err.splitlines()) <= 2
    assert outside.requests() == []
    assert outside.run("contexts", "add", "new", "-p", "aws").code == 2
    assert configuration(outside).read_text() == text


@pytest.mark.parametrize("spoiled", [0, 1, 2], ids=["file", "folder", "folder above"])
def test_a_configuration_that_every_user_can_write_is_refused_with_the_command(spoiled: int, outside: Outside) -> None:
    outside.run("contexts", "add", "one", "-p", "tencent")
    place = [configuration(outside), *configuration(outside).parents][spoiled]
    mode = stat.S_IMODE(place.stat().st_mode)
    place.chmod(mode | 0o002)

    for argv in (("cancel", TENCENT), ("list",), ("contexts", "add", "two", "-p", "aws")):
        done = outside.run(*argv)
        assert done.code == 2, str(done)
        assert f"chmod o-w {place}" in done.err
    assert outside.requests() == []

    outside.shell(f"chmod o-w {place}")
    assert [each["name"] for each in outside.json("contexts")["contexts"]] == ["one"]


def test_a_folder_that_keeps_entries_from_others_is_fine(outside: Outside) -> None:
    outside.run("contexts", "add", "one", "-p", "tencent")
    configuration(outside).parent.parent.chmod(0o1777)
    assert outside.run("contexts").code == 0


# sudo -E: root, with the home of somebody else

_SOMEBODY = 12345
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root is somebody else")


def _give_home_away(outside: Outside) -> None:
    for each in (outside.home, *outside.home.rglob("*")):
        os.chown(each, _SOMEBODY, _SOMEBODY)


def _owners(home: Path) -> set[tuple[int, int]]:
    return {(each.lstat().st_uid, each.lstat().st_gid) for each in home.rglob("*")}


@needs_root
@pytest.mark.parametrize("there", [False, True], ids=["first", "again"])
def test_root_leaves_the_configuration_to_whom_the_home_belongs(there: bool, outside: Outside) -> None:
    if there:
        outside.run("contexts", "add", "zero", "-p", "aws")
    _give_home_away(outside)

    for argv in (("add", "one", "-p", "tencent"), ("use", "one"), ("add", "two", "-p", "aws"), ("remove", "two")):
        done = outside.run("contexts", *argv)
        assert done.code == 0, str(done)

    assert _owners(outside.home) == {(_SOMEBODY, _SOMEBODY)}
    assert stat.S_IMODE(configuration(outside).stat().st_mode) == 0o600


@needs_root
def test_root_leaves_no_journal_of_its_own_in_the_home_of_somebody_else(outside: Outside) -> None:
    _give_home_away(outside)

    done = outside.run("cancel", TENCENT)

    assert done.code == 0, str(done)
    assert "belongs to another user: this cancel is not recorded" in done.err
    assert _owners(outside.home) <= {(_SOMEBODY, _SOMEBODY)}
    assert not journal(outside).parent.exists()


def test_a_kill_leaves_the_old_configuration_or_the_new(outside: Outside) -> None:
    outside.run("contexts", "add", "first", "-p", "tencent")
    whole = {configuration(outside).read_bytes()}
    kept = 0
    for number in range(8):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        child = outside.start("contexts", "add", f"n{number}", "-p", "tencent", **quiet)
        deadline = time.monotonic() + 10
        # The moment when the new text is being written, as near as one can come from outside.
        while child.poll() is None and time.monotonic() < deadline and not _half_written(outside):
            time.sleep(0.0005)
        child.send_signal(signal.SIGKILL)
        child.wait()
        now = configuration(outside).read_bytes()
        assert now in whole or now.rstrip().endswith(b'provider = "tencent"')
        kept += now not in whole
        whole.add(now)
        contexts = outside.json("contexts")["contexts"]
        assert len(contexts) == kept + 1


def _half_written(outside: Outside) -> bool:
    return any(each.name.startswith(".config-") for each in configuration(outside).parent.iterdir())
