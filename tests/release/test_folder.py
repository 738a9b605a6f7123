"""The self-contained build, out of its archive: without a Python, without variables, as fast as an installed one."""

import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from outside import RUNCANCEL

from runcancel import __version__
from runcancel.cli.verbs import VERBS

from .conftest import ran

ROOT = Path(__file__).parents[2]
WINDOW = "aws:us-east-2:maintenance-window/02f05632-d0bc-470d-b1e5-c59a8d4f2a10"
READS = (
    ("list", "-o", "json"),
    (
        "status",
        WINDOW,
        "t-7d2a745b412b4601b2d47f6a768d0001",
        "inv-ib2lld37",
        "--trigger",
        "--script",
        "--who",
        "-o",
        "json",
    ),
    ("list", "--kind", "state-machine,oos", "--include-schedules", "-o", "json"),
    ("invocations", WINDOW, "-o", "csv"),
    ("logs", "inv-ib2lld37"),
    ("triggers", "-o", "yaml"),
    ("doctor", "-o", "json"),
    ("permissions", "-o", "json"),
    ("contexts", "-o", "json"),
    ("cancel", "inv-ib2lld37", "--dry-run", "-o", "json"),
    ("help", "filters"),
    ("help", "exit-codes"),
)


def test_the_digests_are_those_of_all_files(dist: Path) -> None:
    listed = dict(line.split("  ")[::-1] for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert listed == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in dist.iterdir() if file.name != "SHA256SUMS"
    }
    kinds = {re.sub(r"^runcancel[-_][\d.]+(-1)?[-_.]?", "", name) for name in listed}
    assert {"py3-none-any.whl", "tar.gz", "cdx.json"} <= kinds


def test_an_archive_is_of_nobody_and_of_one_time(dist: Path) -> None:
    (archive,) = dist.glob("*.tar.xz")
    with tarfile.open(archive) as packed:
        entries = packed.getmembers()
    assert {(entry.uname, entry.gname, entry.uid, entry.gid) for entry in entries} == {("root", "root", 0, 0)}
    assert len({entry.mtime for entry in entries}) == 1
    assert {entry.mode for entry in entries} == {0o755, 0o644}
    assert [entry.name for entry in entries if entry.isfile() and entry.mode == 0o755] == [
        f"{entries[0].name}/runcancel"
    ]


def test_no_path_of_the_builder_is_in_it(folder: Path) -> None:
    leaking = [str(ROOT).encode(), b"/tmp/runcancel-build", b"site-packages/runcancel"]
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert [file.name for file in files if any(text in file.read_bytes() for text in leaking)] == []


def test_it_starts_without_a_variable(folder: Path) -> None:
    done = ran([folder / "runcancel", "--version"], environ={})
    assert (done.returncode, done.stdout, done.stderr) == (0, f"runcancel {__version__}\n", "")


@pytest.mark.parametrize("story", ["cancel", "schedule"])
def test_the_demo_runs_without_a_variable(folder: Path, story: str) -> None:
    done = ran([folder / "runcancel", "sandbox", "demo", "--story", story], environ={})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "internal error" not in done.stdout + done.stderr


def test_help_and_schemas_are_those_of_an_installed_one(folder: Path) -> None:
    golden = ROOT / "tests" / "cli" / "golden" / "help"
    script = "".join(f"runcancel {verb} --help\n" for verb in VERBS)
    assert _in_shell(folder, script) == "".join((golden / f"{verb}.txt").read_text() for verb in VERBS)
    schemas = {file.stem: file.read_text() for file in (ROOT / "runcancel" / "schemas").glob("*.json")}
    listed = "".join(f"{name}\n" for name in sorted(schemas))
    assert _in_shell(folder, "runcancel schema\nruncancel schema cancel\n") == listed + schemas["cancel"]


def test_every_verb_reads_as_an_installed_one_does(folder: Path) -> None:
    """Two sandboxes differ in ports, times and editions: exit codes and the number of lines are compared."""

    def answers(program: Path) -> list[tuple[str, int]]:
        script = "".join(f"runcancel {' '.join(argv)} 2>&1; echo '=' $?\n" for argv in READS)
        box = [program, "sandbox", "exec", "--speed", "0", "--", "sh", "-c", script]
        done = ran(box, environ={"PATH": os.defpath, "TZ": "UTC"})
        assert "internal error" not in done.stdout, done.stdout
        parts = re.split(r"^= (\d+)$", done.stdout, flags=re.MULTILINE)
        return [(code, len(text.splitlines())) for text, code in zip(parts[::2], parts[1::2], strict=False)]

    ours = answers(folder / "runcancel")
    assert len(ours) == len(READS)
    assert ours == answers(RUNCANCEL)


def test_what_it_starts_gets_the_environment_that_it_was_given(folder: Path) -> None:
    given = {"PATH": os.defpath, "LD_LIBRARY_PATH": "/opt/lib"}
    done = ran([folder / "runcancel", "sandbox", "exec", "--", "env"], environ=given)
    inside = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert inside["LD_LIBRARY_PATH"] == "/opt/lib"
    assert [name for name in inside if name.startswith("_PYI") or name.endswith("_ORIG")] == []


def test_a_journal_that_it_cannot_reach_is_named_and_the_cancel_goes_on(folder: Path) -> None:
    team = "RUNCANCEL_JOURNAL_URL=postgresql://127.0.0.1:1/runcancel"
    box = ["sandbox", "exec", "--speed", "20", "--", "env", team, "runcancel", "cancel", "inv-ib2lld37"]
    done = ran([folder / "runcancel", *box], environ={"PATH": os.defpath})
    assert done.returncode == 0, done.stderr
    assert "the team journal needs psycopg" in done.stderr
    assert "internal error" not in done.stderr


def test_it_needs_no_library_but_its_own_and_those_of_glibc(folder: Path) -> None:
    if shutil.which("objdump") is None:
        pytest.skip("needs objdump")
    system = {"libc", "libm", "libdl", "libpthread", "librt", "libutil", "ld"}
    own = {file.name for file in folder.rglob("*.so*")}
    assert {_base(name) for name in _needed(folder / "runcancel")} <= system | {"libz"}
    needed = {name for file in folder.rglob("*.so*") for name in _needed(file)}
    assert {_base(name) for name in needed - own} <= system


def test_a_start_costs_at_most_twice_that_of_an_installed_one(folder: Path, tmp_path: Path) -> None:
    if shutil.which("valgrind"):
        ours, theirs = (_instructions(program, tmp_path) for program in (folder / "runcancel", RUNCANCEL))
    else:
        pairs = [(_cpu(folder / "runcancel"), _cpu(RUNCANCEL)) for _ in range(10)]
        ours, theirs = (min(pair[side] for pair in pairs) for side in (0, 1))
    print(f"\n--version: {ours:,} and {theirs:,}, {ours / theirs:.2f}")
    assert ours <= 2 * theirs


def test_everything_in_it_is_in_the_sbom_with_its_licence(dist: Path, folder: Path) -> None:
    document = json.loads((dist / f"{folder.name}.cdx.json").read_text())
    parts = {part["name"]: part for part in document["components"]}
    assert {"python", "openssl", "sqlite", "pyinstaller-bootloader", "botocore", "PyYAML", "tzdata"} <= parts.keys()
    assert document["metadata"]["component"]["name"] == "runcancel"
    shipped = {
        file["name"]: file["hashes"][0]["content"] for part in parts.values() for file in part.get("components", ())
    }
    assert shipped == {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (folder / "_internal").glob("lib*.so*")
    }
    texts = {
        path.stem if path.is_file() else path.name.rpartition("-")[0]
        for path in (folder / "share/doc/runcancel/licences").iterdir()
    }
    assert {name.lower() for name in parts} <= {name.lower() for name in texts}
    assert all(part["licenses"] for part in parts.values())


def _needed(file: Path) -> list[str]:
    """The shared libraries that a file is linked with."""
    listed = subprocess.run(["objdump", "-p", file], check=True, capture_output=True, text=True).stdout
    return re.findall(r"NEEDED +(\S+)", listed)


def _base(library: str) -> str:
    return re.sub(r"[-.].*", "", library)


def _in_shell(bin_folder: Path, script: str) -> str:
    done = ran(["/bin/sh", "-ec", script], environ={"PATH": f"{bin_folder}:{os.defpath}"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def _instructions(program: Path, folder: Path) -> int:
    """Instructions of the program and of what it starts."""
    for old in folder.glob("callgrind.*"):
        old.unlink()
    tool = ["valgrind", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={folder}/callgrind.%p"]
    subprocess.run([*tool, program, "--version"], check=True, capture_output=True)
    return sum(
        int(re.findall(r"^totals: (\d+)", file.read_text(), re.MULTILINE)[0]) for file in folder.glob("callgrind.*")
    )


def _cpu(program: Path) -> float:
    """Seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([program, "--version"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
