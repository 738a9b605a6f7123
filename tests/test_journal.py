"""The journal: nothing that was committed is lost, nothing that is not a journal is touched."""

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcancel.errors import Refused
from runcancel.journal import Journal, JournalError, Recorder, new_operation, ulid
from runcancel.judge import Answer, Asked, failed
from runcancel.model import Effect, Guarantee, Operation, PlanItem, Planned, Problem, Reason, Stage, State

RUN = "tencent:ap-guangzhou:invocation/inv-ib2lld37"


def item(run: str = RUN, *, targets: int = 2) -> PlanItem:
    return PlanItem(
        run=run,
        name="patch\u202eopenssl",
        state=State.RUNNING,
        guarantee=Guarantee.STOPS_RUNNING,
        promise="stops",
        ask=True,
        why="it is running",
        counts={State.RUNNING: targets},
        not_listed=0,
        targets=(),
        invocations=tuple(
            Planned(id=f"t{n}", task=None, target=f"ins-{n}", before=State.RUNNING, expected=Effect.TERMINATED)
            for n in range(targets)
        ),
    )


def operation(reason: str | None = "because") -> Operation:
    return new_operation("cancel", ["cancel", RUN], reason)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite3"


def test_what_was_intended_answered_and_seen_is_read_back(file: Path) -> None:
    journal, begun = Journal.open(file), operation()
    journal.begin(begun, [item(), item(RUN + "0")])
    answer = Answer(asked=Asked.ACCEPTED, at=3.5, request_ids=("r1",))
    outcome = failed(RUN, Problem(code=Reason.DENIED, message="no"))
    journal.answered(begun.id, RUN, answer)
    journal.judged(begun.id, outcome)
    journal.end(begun.id, Stage.DONE, 4)
    journal.close()

    again = Journal.open(file)
    entries = {entry.item.run: entry for entry in again.entries(begun.id)}

    assert (entries[RUN].item, entries[RUN].answer, entries[RUN].outcome) == (item(), answer, outcome)
    assert (entries[RUN + "0"].answer, entries[RUN + "0"].outcome) == (None, None)
    (found,) = again.operations()
    assert (found.state, found.exit_code, found.reason) == (Stage.DONE, 4, "because")
    assert found.counts == {"failed": 1, "unjudged": 1}


@given(reason=st.none() | st.text(max_size=30), name=st.text(max_size=20), word=st.text(max_size=20))
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, reason: str | None, name: str, word: str) -> None:
    journal = Journal.open(tmp_path_factory.mktemp("any") / "journal.sqlite3")
    begun = new_operation("cancel", ["cancel", word], reason)
    journal.begin(begun, [item(RUN + name)])

    assert journal.operation(begun.id) == Operation(
        **{name: getattr(begun, name) for name in begun.__struct_fields__} | {"counts": {"unjudged": 1}}
    )
    assert [entry.item.run for entry in journal.entries(begun.id)] == [RUN + name]


def test_operations_come_newest_first_and_are_pruned_by_age(file: Path) -> None:
    journal = Journal.open(file)
    old = [operation() for _ in range(3)]
    for one in old:
        journal.begin(one, [item()])

    assert sorted((one.id for one in old), reverse=True) == [one.id for one in journal.operations()]
    assert len(list(journal.operations(2))) == 2
    assert journal.prune(datetime(2000, 1, 1, tzinfo=UTC)) == 0
    assert journal.prune(datetime(2999, 1, 1, tzinfo=UTC)) == 3
    assert list(journal.operations()) == []
    assert list(journal.entries(old[0].id)) == []


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**80 - 1)), min_size=2, max_size=2))
def test_ids_sort_by_time(pairs: list[tuple[int, int]]) -> None:
    ids = [ulid(milliseconds / 1000, chance) for milliseconds, chance in pairs]

    assert all(len(id) == 26 for id in ids)
    if abs(pairs[0][0] - pairs[1][0]) > 1:
        assert (ids[0] < ids[1]) == (pairs[0][0] < pairs[1][0])


def test_files_are_private(file: Path) -> None:
    journal = Journal.open(file)
    journal.begin(operation(), [item()])

    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o077 for path in file.parent.iterdir()} == dict.fromkeys(
        (path.name for path in file.parent.iterdir()), 0
    )


def test_a_wider_file_is_tightened(file: Path) -> None:
    Journal.open(file).close()
    file.chmod(0o644)

    Journal.open(file).close()

    assert file.stat().st_mode & 0o077 == 0


def test_a_link_is_not_followed(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    (tmp_path / "elsewhere").write_text("")
    file.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(JournalError, match="symbolic link"):
        Journal.open(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_elses_file_is_refused(file: Path) -> None:
    Journal.open(file).close()
    os.chown(file, 12345, -1)

    with pytest.raises(JournalError, match="another user"):
        Journal.open(file)


def test_what_is_no_journal_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"not a database, and rather long for a header" * 20)
    with pytest.raises(JournalError, match="move it away"):
        Journal.open(file)
    assert file.read_bytes().startswith(b"not a database")

    file.unlink()
    foreign = sqlite3.connect(file)
    foreign.execute("PRAGMA application_id=7")
    foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    with pytest.raises(JournalError, match="no journal of runcancel"):
        Journal.open(file)


def test_a_newer_journal_is_refused_with_a_way_out(file: Path) -> None:
    Journal.open(file).close()
    newer = sqlite3.connect(file)
    newer.execute("PRAGMA user_version=99")
    newer.close()

    with pytest.raises(JournalError, match="newer runcancel"):
        Journal.open(file)


def test_the_recorder_warns_once_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    warnings: list[str] = []
    recorder = Recorder(tmp_path / "file" / "journal.sqlite3", operation(), warn=warnings.append)

    recorder.planned([item()])
    recorder.asked(RUN, Answer(asked=Asked.ACCEPTED))
    recorder.judged(failed(RUN, Problem(code=Reason.DENIED, message="no")))
    recorder.end(0)

    assert len(warnings) == 1
    assert recorder.operation is None


def test_a_required_journal_refuses_instead(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recorder = Recorder(tmp_path / "file" / "j", operation(), warn=print, required=True)

    with pytest.raises(Refused):
        recorder.planned([item()])


_FILL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_journal import item, operation, RUN, Recorder, Answer, Asked
recorder = Recorder(Path({file!r}), operation(), warn=lambda text: print("warned:", text, flush=True))
recorder.planned([item()])
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
for _ in range(50):
    recorder.asked(RUN, Answer(asked=Asked.ACCEPTED, request_ids=("x" * 4000,)))
recorder.end(0)
print("went on", recorder.operation)
"""


def test_a_full_disk_is_told_once_and_stops_nothing(file: Path) -> None:
    script = _FILL.format(tests=str(Path(__file__).parent), file=str(file))

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("warned:") == 1
    assert "went on None" in done.stdout


_WRITE = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_journal import item, operation, RUN, Journal, Answer, Asked
journal = Journal.open(Path({file!r}))
for number in range({rounds}):
    begun = operation()
    journal.begin(begun, [item(RUN + str(n)) for n in range(20)])
    for n in range(20):
        journal.answered(begun.id, RUN + str(n), Answer(asked=Asked.ACCEPTED, request_ids=(str(n),)))
    print(begun.id, flush=True)
"""


def writer(file: Path, rounds: int) -> "subprocess.Popen[str]":
    script = _WRITE.format(tests=str(Path(__file__).parent), file=str(file), rounds=rounds)
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_many_processes_write_at_once(file: Path) -> None:
    children = [writer(file, 5) for _ in range(4)]
    ids = {line.strip() for child in children for line in child.communicate(timeout=60)[0].splitlines()}

    journal = Journal.open(file)

    assert len(ids) == 20
    assert {one.id for one in journal.operations()} == ids
    assert all(entry.answer is not None for id in ids for entry in journal.entries(id))


@pytest.mark.parametrize("after", [1, 2, 5])
def test_a_killed_writer_leaves_whole_intents_and_every_answer(file: Path, after: int) -> None:
    child = writer(file, 10_000)
    assert child.stdout is not None
    whole = [child.stdout.readline().strip() for _ in range(after)]
    os.kill(child.pid, signal.SIGKILL)
    rest = child.communicate()[0].split()

    journal = Journal.open(file)
    found = {one.id: list(journal.entries(one.id)) for one in journal.operations()}

    assert set(found) >= {*whole, *rest}
    assert all(len(entries) == 20 for entries in found.values())
    assert all(entry.answer is not None for id in (*whole, *rest) for entry in found[id])
