"""The journal: nothing that was committed is lost, nothing that is not a journal is touched."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from children import Child
from fakes import seen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs
from outside import script

from journal.made import REF, RUN, item, operation
from journal.places import Place, opened
from runcancel.engine.verdict import failed
from runcancel.errors import Interrupted, JournalError, Refused
from runcancel.journal.recorder import Recorder, new_operation, ulid
from runcancel.journal.sqlite import _mounts, is_remote
from runcancel.journal.store import JournalStore
from runcancel.model.events import CalledBy, Confirmed, ConfirmedBy, Ended, FromPlan, Judged, Resumed
from runcancel.model.outcomes import CancelResponse, Found, Seen, Sent, Shard, Started
from runcancel.model.runs import Problem, Ref, Run, RunName
from runcancel.model.states import Reason, RequestStatus, Stage, State, Verdict


def reading(running: int) -> Run:
    states = {f"ins-{n}": State.RUNNING if n < running else State.TERMINATED for n in range(2)}
    return seen(RUN, State.CANCELLING, states).run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.sqlite3"


def test_what_was_intended_answered_and_seen_is_read_back(place: Place) -> None:
    journal, begun = place.open(), operation()
    journal.begin(begun, [item(), item(RUN + "0")])
    answer = CancelResponse(status=RequestStatus.ACCEPTED, at=3.5, request_ids=("r1",))
    outcome = failed(RunName(RUN), Problem(code=Reason.DENIED, message="no"))
    journal.responded(begun.id, REF, answer)
    journal.judged(begun.id, outcome)
    journal.end(begun.id, Stage.DONE, 4)
    journal.close()

    again = place.open()
    entries = {str(entry.item.run): entry for entry in again.entries(begun.id)}

    assert (entries[RUN].item, entries[RUN].answer, entries[RUN].outcome) == (
        item(),
        answer,
        outcome,
    )
    assert (entries[RUN + "0"].answer, entries[RUN + "0"].outcome) == (None, None)
    (found,) = again.operations()
    assert (found.state, found.exit_code, found.reason) == (Stage.DONE, 4, "because")
    assert found.counts == {"failed": 1, "unjudged": 1}


@pytest.mark.parametrize("shard", [None, Shard(index=2, count=8)])
def test_an_operation_keeps_its_plan_and_its_shard(place: Place, shard: Shard | None) -> None:
    journal, begun = place.open(), structs.replace(operation(), plan="8ff0" * 16, shard=shard)
    other = structs.replace(operation(), id=ulid(1, 1))
    events = [Confirmed(at=datetime.now(UTC), how=ConfirmedBy.YES, given=None, runs=1)]
    for one in (begun, other):
        journal.begin(one, [item()], events=events)
        journal.end(one.id, Stage.DONE, 0)
    journal.resume(begun.id, [item()])

    found = {one.id: one for one in journal.operations()}

    assert (found[begun.id].plan, found[begun.id].shard) == (begun.plan, shard)
    assert (found[other.id].plan, found[other.id].shard) == (None, None)
    assert list(journal.events(other.id)) == events
    assert [type(event) for event in journal.events(begun.id)] == [FromPlan, Confirmed]


def without_nul(text: str) -> str:
    """NUL is written out: not every database takes it."""
    return text.replace("\0", "\\x00")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example has an operation of its own
@given(reason=st.none() | st.text(max_size=30), name=st.text(max_size=20), word=st.text(max_size=20))
def test_any_text_survives(place: Place, reason: str | None, name: str, word: str) -> None:
    journal = place.open()
    begun = new_operation("cancel", ["cancel", word], reason)
    journal.begin(begun, [item(RUN + name)])

    assert journal.operation(begun.id) == structs.replace(
        begun,
        argv=tuple(map(without_nul, begun.argv)),
        reason=None if begun.reason is None else without_nul(begun.reason),
        counts={"unjudged": 1},
    )
    assert [str(entry.item.run) for entry in journal.entries(begun.id)] == [RUN + name]
    journal.close()


def test_operations_come_newest_first_and_are_pruned_by_age(place: Place) -> None:
    journal = place.open()
    *old, going_on, interrupted = sorted((operation() for _ in range(5)), key=lambda one: one.id)
    for one in (*old, going_on, interrupted):
        journal.begin(one, [item()])
    journal.end(interrupted.id, Stage.INTERRUPTED, 130)
    for one in old:
        journal.end(one.id, Stage.DONE, 0)
    everything = [*old, going_on, interrupted]

    assert sorted((one.id for one in everything), reverse=True) == [one.id for one in journal.operations()]
    assert len(list(journal.operations(2))) == 2
    assert journal.prune(datetime(2000, 1, 1, tzinfo=UTC)) == ()
    assert [one.id for one in journal.prune(datetime(2999, 1, 1, tzinfo=UTC))] == sorted(
        (one.id for one in old), reverse=True
    )
    assert {one.id for one in journal.operations()} == {going_on.id, interrupted.id}
    assert list(journal.entries(old[0].id)) == []


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**80 - 1)), min_size=2, max_size=2))
def test_ids_sort_by_time(pairs: list[tuple[int, int]]) -> None:
    ids = [ulid(milliseconds / 1000, chance) for milliseconds, chance in pairs]

    assert all(len(id) == 26 for id in ids)
    if abs(pairs[0][0] - pairs[1][0]) > 1:
        assert (ids[0] < ids[1]) == (pairs[0][0] < pairs[1][0])


def test_files_are_private(file: Path) -> None:
    journal = opened(file)
    journal.begin(operation(), [item()])

    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o077 for path in file.parent.iterdir()} == dict.fromkeys(
        (path.name for path in file.parent.iterdir()), 0
    )


def test_a_wider_file_is_tightened(file: Path) -> None:
    opened(file).close()
    file.chmod(0o644)

    opened(file).close()

    assert file.stat().st_mode & 0o077 == 0


def test_a_link_is_not_followed(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    (tmp_path / "elsewhere").write_text("")
    file.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(JournalError, match="symbolic link"):
        opened(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_elses_file_is_refused(file: Path) -> None:
    opened(file).close()
    os.chown(file, 12345, -1)

    with pytest.raises(JournalError, match="another user"):
        opened(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(file: Path) -> None:
    file.parent.mkdir()
    os.chown(file.parent, 12345, -1)

    with pytest.raises(JournalError, match="another user"):
        opened(file)
    assert list(file.parent.iterdir()) == []


def test_a_pipe_in_its_place_is_refused_at_once(file: Path) -> None:
    file.parent.mkdir()
    os.mkfifo(file)

    with pytest.raises(JournalError, match="not a regular file"):
        opened(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_folder_that_cannot_be_written_is_said(file: Path) -> None:
    file.parent.mkdir(mode=0o500)
    os.chown(file.parent, 12345, 12345)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for folder in (file.parent.parent, *file.parent.parent.parents):
                if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
                    folder.chmod(0o711)  # pytest's own folders, so that somebody else can come here at all
            os.setuid(12345)
            opened(file)
        except JournalError as error:
            code = 0 if "Permission denied" in str(error) else 2
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_a_home_nothing_is_written_where_the_program_is_called() -> None:
    with pytest.raises(JournalError, match="no home"):
        opened(Path("~/.local/state/runcancel/journal.sqlite3"))


def test_the_state_folder_is_the_one_named_if_it_says_where_it_is() -> None:
    assert JournalStore.of({"XDG_STATE_HOME": "/s"}).file == Path("/s/runcancel/journal.sqlite3")
    assert JournalStore.of({"XDG_STATE_HOME": "here"}).file == JournalStore.of({}).file


_MOUNTS = """
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local ext4 rw 0 0
me@box: /mnt/with\\040blank fuse.sshfs rw 0 0
/dev/sdc1 /data ext4 rw 0 0
share /data 9p rw 0 0
"""


@pytest.mark.parametrize(
    ("file", "remote"),
    [
        ("/root/.local/state/j", False),
        ("/home/me/j", True),
        ("/home/local/me/j", False),
        ("/homely/j", False),
        ("/mnt/with blank/j", True),
        ("/data/j", True),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(file: str, remote: bool) -> None:
    assert is_remote(Path(file), _MOUNTS) is remote
    assert is_remote(Path(file), "") is False


def test_what_is_no_journal_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"not a database, and rather long for a header" * 20)
    with pytest.raises(JournalError, match="move it away"):
        opened(file)
    assert file.read_bytes().startswith(b"not a database")


@pytest.mark.parametrize("application", [0, 7])
def test_the_database_of_another_program_is_not_changed(file: Path, application: int) -> None:
    file.parent.mkdir()
    foreign = sqlite3.connect(file)
    foreign.execute(f"PRAGMA application_id={application}")
    foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    file.chmod(0o644)
    before = file.read_bytes()

    with pytest.raises(JournalError, match="not a runcancel journal; move it away"):
        opened(file)

    assert file.read_bytes() == before
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_newer_journal_is_refused_with_a_way_out(file: Path) -> None:
    opened(file).close()
    newer = sqlite3.connect(file)
    newer.execute("PRAGMA user_version=99")
    newer.close()

    with pytest.raises(JournalError, match="newer runcancel"):
        opened(file)


@given(data=st.data())
def test_a_journal_with_other_bytes_in_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("torn") / "journal.sqlite3"
    journal, begun = opened(file), operation()
    journal.begin(begun, [item()])
    journal.responded(begun.id, REF, CancelResponse(status=RequestStatus.ACCEPTED))
    journal.close()
    with closing(sqlite3.connect(file)) as same_every_time, same_every_time:
        same_every_time.execute("UPDATE signs_of_life SET at=1800000000.5")
    content = bytearray(file.read_bytes())
    used = [at for at, byte in enumerate(content) if byte]
    for at, byte in data.draw(st.lists(st.tuples(st.sampled_from(used), st.integers(0, 255)), min_size=1, max_size=8)):
        content[at] = byte
    file.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)

    with suppress(JournalError):
        again = opened(file)
        for one in again.operations():
            list(again.entries(one.id))
        again.prune(datetime(2999, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "wrong", ["UPDATE operations SET argv='{'", "UPDATE operations SET at='then'", "UPDATE operations SET state=7"]
)
def test_an_operation_that_cannot_be_read_is_said_with_a_way_out(file: Path, wrong: str) -> None:
    journal = opened(file)
    journal.begin(operation(), [item()])
    sqlite3.connect(file, isolation_level=None).execute(wrong)

    with pytest.raises(JournalError, match="move it away"):
        list(journal.operations())


@pytest.mark.parametrize("wrong", ["7", "'{'", "x'ff'", "'[]'", "'{}'"])
def test_an_entry_that_cannot_be_read_is_said_with_a_way_out(file: Path, wrong: str) -> None:
    journal, begun = opened(file), operation()
    journal.begin(begun, [item()])
    sqlite3.connect(file, isolation_level=None).execute(f"UPDATE entries SET item={wrong}")

    with pytest.raises(JournalError, match="move it away"):
        list(journal.entries(begun.id))


def test_bytes_that_are_no_text_stop_nothing(place: Place) -> None:
    journal = place.open()
    begun = new_operation("cancel", ["cancel", "\udcff"], "\udcfe")
    journal.begin(begun, [structs.replace(item(), name="patch\ud800")])

    found = journal.operation(begun.id)

    assert found is not None
    assert (found.argv, found.reason) == (("cancel", "\\udcff"), "\\udcfe")
    assert [entry.item.name for entry in journal.entries(begun.id)] == ["patch?"]
    assert journal.operation("\udcff") is None


def test_a_resume_replaces_what_was_known_and_opens_the_operation_again(place: Place) -> None:
    journal, begun = place.open(), operation()
    journal.begin(begun, [item(), item(RUN + "0")])
    for run in (RUN, RUN + "0"):
        journal.responded(begun.id, Ref.parse(run), CancelResponse(status=RequestStatus.ACCEPTED))
        journal.judged(begun.id, failed(RunName(run), Problem(code=Reason.DENIED, message="no")))
    journal.end(begun.id, Stage.INTERRUPTED, 130)

    recorder = Recorder(place.store, begun, warn=pytest.fail, resumed=True)
    recorder.planned([item(targets=1)])

    entries = {str(entry.item.run): entry for entry in journal.entries(begun.id)}
    assert (entries[RUN].item, entries[RUN].answer, entries[RUN].outcome) == (
        item(targets=1),
        None,
        None,
    )
    assert entries[RUN + "0"].outcome is not None
    (again,) = journal.operations()
    assert (again.state, again.exit_code, again.counts) == (Stage.OPEN, None, {"failed": 1, "unjudged": 1})


def test_an_operation_that_another_process_pruned_is_not_called_written(file: Path) -> None:
    warnings: list[str] = []
    recorder = Recorder(JournalStore(file), operation(), warn=warnings.append)
    recorder.planned([item()])
    with sqlite3.connect(file) as other:
        other.execute("DELETE FROM operations")
        other.execute("DELETE FROM entries")

    recorder.responded(REF, CancelResponse(status=RequestStatus.ACCEPTED))
    recorder.end(0)

    assert recorder.operation is None
    assert len(warnings) == 1
    assert "history prune" in warnings[0]


def _removed(file: Path) -> None:
    file.unlink()


def _replaced(file: Path) -> None:
    other = file.with_name("other")
    opened(other).close()
    other.replace(file)


@pytest.mark.parametrize("spoil", [_removed, _replaced])
def test_a_journal_that_is_removed_or_replaced_midway_is_said_once(file: Path, spoil: Callable[[Path], None]) -> None:
    warnings: list[str] = []
    recorder = Recorder(JournalStore(file), operation(), warn=warnings.append)
    recorder.planned([item()])
    spoil(file)

    recorder.responded(REF, CancelResponse(status=RequestStatus.ACCEPTED))
    recorder.end(0)

    assert recorder.operation is None
    assert [f"{file} was removed or replaced" in one for one in warnings] == [True]


def test_a_locked_journal_is_waited_for_and_then_said(file: Path) -> None:
    opened(file).close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal = opened(file, busy=0.2)

    began = time.monotonic()
    with pytest.raises(JournalError, match="locked by another process"):
        journal.begin(operation(), [item()])
    assert time.monotonic() - began >= 0.15

    other.execute("COMMIT")
    journal.begin(operation(), [item()])
    assert len(list(journal.operations())) == 1


def test_the_recorder_warns_once_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    warnings: list[str] = []
    recorder = Recorder(JournalStore(tmp_path / "file" / "journal.sqlite3"), operation(), warn=warnings.append)

    recorder.planned([item()])
    recorder.responded(REF, CancelResponse(status=RequestStatus.ACCEPTED))
    recorder.judged(failed(RunName(RUN), Problem(code=Reason.DENIED, message="no")))
    recorder.end(0)

    assert len(warnings) == 1
    assert recorder.operation is None


def test_a_bug_of_any_step_is_one_warning_and_the_rest_goes_on(file: Path) -> None:
    for broken in range(2, 12):  # without any clock it is not even made
        warnings: list[str] = []
        calls = iter(range(1, 100))

        def now(calls: Iterator[int] = calls, broken: int = broken) -> datetime:
            if next(calls) >= broken:
                raise RuntimeError("no clock")
            return datetime(2026, 11, 28, tzinfo=UTC)

        recorder = Recorder(JournalStore(file), operation(), warn=warnings.append, now=now)
        recorder.record_states([item()])
        recorder.confirmed(ConfirmedBy.YES, typed_text=None, runs=1)
        recorder.called_by([("tencent:ap-guangzhou", None, None)])
        recorder.planned([item()])
        recorder.responded(REF, CancelResponse(status=RequestStatus.ACCEPTED))
        recorder.observed(REF, reading(1), ())
        recorder.judged(failed(RunName(RUN), Problem(code=Reason.DENIED, message="no")))
        recorder.end(0)

        assert ["RuntimeError" in one for one in warnings] == [True], broken


def test_a_bug_before_the_intent_of_a_required_journal_refuses(file: Path) -> None:
    moments = iter([datetime(2026, 11, 28, tzinfo=UTC)])
    recorder = Recorder(JournalStore(file), operation(), warn=pytest.fail, required=True, now=lambda: next(moments))
    recorder.record_states([item()])

    with pytest.raises(Refused, match="nothing was sent"):
        recorder.planned([item()])


def test_a_required_journal_refuses_instead(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recorder = Recorder(JournalStore(tmp_path / "file" / "j"), operation(), warn=print, required=True)

    with pytest.raises(Refused):
        recorder.planned([item()])


_FILL = """
import resource, sys
from pathlib import Path
from journal.made import REF, RUN, item, operation
from runcancel.model.outcomes import CancelResponse
from runcancel.model.states import RequestStatus
from runcancel.journal.recorder import Recorder
from runcancel.journal.store import JournalStore
from runcancel.model.runs import Ref
recorder = Recorder(JournalStore(Path({file!r})), operation(), warn=lambda text: print("warned:", text, flush=True))
recorder.planned([item()])
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
for _ in range(50):
    recorder.responded(REF, CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("x" * 4000,)))
recorder.end(0)
print("went on", recorder.operation)
"""


def test_a_full_disk_is_told_once_and_stops_nothing(file: Path) -> None:
    child = script(_FILL.format(file=str(file)))
    out, err = child.communicate(timeout=30)

    assert child.returncode == 0, err
    assert out.count("warned:") == 1
    assert "went on None" in out


_FULL_AT_ONCE = """
import resource, sys
from pathlib import Path
from journal.made import REF, RUN, item, operation
from runcancel.model.outcomes import CancelResponse
from runcancel.model.states import RequestStatus
from runcancel.journal.recorder import Recorder
from runcancel.journal.store import JournalStore
from runcancel.model.runs import Ref
resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, {bytes}))
recorder = Recorder(JournalStore(Path({file!r})), operation(), warn=lambda text: print("warned:", text, flush=True))
recorder.planned([item(RUN + str(n), targets=50) for n in range(20)])
recorder.responded(Ref.parse(RUN + "0"), CancelResponse(status=RequestStatus.ACCEPTED))
recorder.end(0)
print("went on", recorder.operation)
"""


@pytest.mark.parametrize("bytes", [0, 5000, 40_000])
def test_a_disk_that_is_full_from_the_start_is_told_once_and_holds_no_half_intent(file: Path, bytes: int) -> None:
    child = script(_FULL_AT_ONCE.format(file=str(file), bytes=bytes))
    out, err = child.communicate(timeout=30)

    assert child.returncode == 0, err
    assert out.count("warned:") == 1
    assert "went on None" in out
    assert list(opened(file).operations()) == []


_DIE = """
import os, resource, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from journal.made import RUN, item, operation, sent
from runcancel.model.outcomes import CancelResponse
from runcancel.model.states import RequestStatus
from runcancel.engine.verdict import failed
from runcancel.journal.store import JournalStore
from runcancel.model.runs import Problem, Ref, RunName
from runcancel.model.states import Reason, Stage

def die_at_statement(journal, n):
    left = iter(range(n))
    with journal._database.used() as db:
        db.set_trace_callback(lambda _: next(left, None) is None and os.kill(os.getpid(), signal.SIGKILL))

def die_at_byte(journal, n):  # in the middle of a write: the kernel writes up to the limit, then kills
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, n))

folder = Path({folder!r})
JournalStore(folder / "first" / "j").open().close()  # what it loads is loaded
for n in {numbers}:
    if os.fork() == 0:
        journal, begun = JournalStore(folder / str(n) / "j").open(), operation()
        {how}(journal, n)
        told = os.open(folder / f"{{n}}.told", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        runs = [RUN + str(k) for k in range(6)]
        journal.begin(begun, [item(run, targets={targets}) for run in runs])
        os.write(told, b"begun\\n")
        for run in runs:
            journal.responded(begun.id, Ref.parse(run), CancelResponse(status=RequestStatus.ACCEPTED), [sent(run)])
            os.write(told, b"answered\\n")
        for run in runs:
            journal.judged(begun.id, failed(RunName(run), Problem(code=Reason.DENIED, message="no")))
            os.write(told, b"judged\\n")
        journal.end(begun.id, Stage.DONE, 0)
        os.write(told, b"ended\\n")
        os._exit(0)
    os.wait()
"""


@pytest.mark.parametrize(
    ("how", "numbers", "targets"),
    [("die_at_statement", range(75), 2), ("die_at_byte", range(33_000, 330_000, 6_011), 50)],
    ids=["before each statement", "in the middle of a write"],
)
def test_a_kill_at_each_write_leaves_the_whole_intent_or_none(
    tmp_path: Path, how: str, numbers: range, targets: int
) -> None:
    text = _DIE.format(
        tests=str(Path(__file__).parents[1]), folder=str(tmp_path), how=how, numbers=list(numbers), targets=targets
    )
    subprocess.run([sys.executable, "-c", text], check=True, timeout=60)  # small, for it is copied for each number

    reached = set()
    for n in numbers:
        told = Counter((tmp_path / f"{n}.told").read_text().split())
        journal = opened(tmp_path / str(n) / "j")
        found = list(journal.operations())
        entries = [entry for one in found for entry in journal.entries(one.id)]
        assert len(found) <= 1
        assert len(found) >= told["begun"]
        assert len(entries) == 6 * len(found)
        answered = sum(entry.answer is not None for entry in entries)
        assert answered in (told["answered"], told["answered"] + 1)
        assert answered == sum(len(list(journal.events(one.id))) for one in found), "an answer and its time, or neither"
        assert sum(entry.outcome is not None for entry in entries) in (told["judged"], told["judged"] + 1)
        reached.add((len(found), told["answered"], told["judged"], told["ended"]))
    assert {found for found, *_ in reached} == {0, 1}
    assert len(reached) >= 8
    if how == "die_at_statement":
        assert (1, 6, 6, 1) in reached, "the range reaches the end"


_AT_ONCE = """
import os, sys, time
from pathlib import Path
from journal.made import item, operation
from journal.places import opened
start = time.monotonic() + 0.2
for _ in range(8):
    if os.fork() == 0:
        while time.monotonic() < start:
            pass
        journal = opened({file!r})
        journal.begin(operation(), [item()])
        os._exit(0)
codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(8)]
print(codes)
"""


def test_many_processes_may_begin_the_journal_at_once(place: Place) -> None:
    out, err = script(_AT_ONCE.format(file=place.name)).communicate(timeout=60)

    assert out.strip() == str([0] * 8), err
    assert len(list(place.open().operations())) == 8


_WRITE = """
import sys
from pathlib import Path
from journal.made import RUN, item, operation
from journal.places import opened
from runcancel.model.outcomes import CancelResponse
from runcancel.model.states import RequestStatus
from runcancel.model.runs import Ref
journal = opened({file!r})
for number in range({rounds}):
    begun = operation()
    journal.begin(begun, [item(RUN + str(n)) for n in range(20)])
    for n in range(20):
        response = CancelResponse(status=RequestStatus.ACCEPTED, request_ids=(str(n),))
        journal.responded(begun.id, Ref.parse(RUN + str(n)), response)
    print(begun.id, flush=True)
"""


def writer(place: str, rounds: int) -> Child:
    return script(_WRITE.format(file=place, rounds=rounds))


def test_many_processes_write_at_once(place: Place) -> None:
    children = [writer(place.name, 5) for _ in range(4)]
    ids = {line.strip() for child in children for line in child.communicate(timeout=60)[0].splitlines()}

    journal = place.open()

    assert len(ids) == 20
    assert {one.id for one in journal.operations()} == ids
    assert all(entry.answer is not None for id in ids for entry in journal.entries(id))


@pytest.mark.parametrize("after", [1, 2, 5])
def test_a_killed_writer_leaves_whole_intents_and_every_answer(place: Place, after: int) -> None:
    child = writer(place.name, 10_000)
    assert child.stdout is not None
    whole = [child.stdout.readline().strip() for _ in range(after)]
    os.kill(child.pid, signal.SIGKILL)
    rest = child.communicate()[0].split()

    journal = place.open()
    found = {one.id: list(journal.entries(one.id)) for one in journal.operations()}

    assert set(found) >= {*whole, *rest}
    assert all(len(entries) == 20 for entries in found.values())
    assert all(entry.answer is not None for id in (*whole, *rest) for entry in found[id])


def test_what_joins_an_operation_later_is_written_beside_the_rest(place: Place) -> None:
    recorder = Recorder(place.store, operation(), warn=lambda text: pytest.fail(text))
    recorder.planned([item()])

    recorder.planned([item(f"{RUN}0")])
    recorder.end(0)

    assert recorder.operation is not None
    with_both = [str(entry.item.run) for entry in place.open().entries(recorder.operation)]
    assert with_both == [RUN, f"{RUN}0"]


def test_what_cannot_be_written_as_a_whole_is_not_written_in_part(place: Place) -> None:
    journal, about = place.open(), operation()
    journal.begin(about, [item()])

    with pytest.raises(AttributeError):
        journal.join(about.id, [item(f"{RUN}0"), None])  # type: ignore[list-item]

    assert [str(entry.item.run) for entry in journal.entries(about.id)] == [RUN]


def test_where_no_table_of_mounts_is_every_disk_is_taken_for_local(tmp_path: Path) -> None:
    assert _mounts(tmp_path / "nothing") == ""
    assert not is_remote(tmp_path, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody without a name")
def test_a_user_without_a_name_is_a_number() -> None:
    child = script("""
import getpass, os  # while files may be read
from runcancel.journal.recorder import new_operation
os.environ.clear()
os.setuid(54321)
print(new_operation("", (), "").user)
""")

    out, err = child.communicate()
    assert out == "54321\n", err


def test_waiting_for_a_locked_file_can_be_ended(file: Path) -> None:
    opened(file).close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 3:
            raise Interrupted(2)

    with pytest.raises(Interrupted):
        JournalStore(file, pause=pause).open()
    assert sum(paused) < 1
    other.close()


@pytest.mark.parametrize("error", [ImportError("no _sqlite3"), MemoryError()])
def test_what_keeps_sqlite_from_being_loaded_is_told_once(
    error: Exception, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "runcancel.journal.sqlite":
                raise error

    monkeypatch.delitem(sys.modules, "runcancel.journal.sqlite", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])

    with pytest.raises(JournalError, match="the journal cannot be used"):
        opened(file)


def ticking() -> Callable[[], datetime]:
    """A clock that is a second further at each look."""
    seconds = iter(range(10_000))
    return lambda: datetime(2026, 11, 28, tzinfo=UTC) + timedelta(seconds=next(seconds))


def test_what_happens_is_kept_with_its_time_and_what_repeats_is_kept_once(place: Place) -> None:
    begun = operation()
    recorder = Recorder(place.store, begun, warn=pytest.fail, now=ticking())
    refused = CancelResponse(status=RequestStatus.REFUSED, problem=Problem(code=Reason.BUSY, message="slow down"))
    recorder.confirmed(ConfirmedBy.CONFIRM, typed_text="1", runs=1)
    recorder.called_by([("tencent:ap-guangzhou", "100", "ops"), ("aws:us-east-2", None, None)])
    recorder.planned([item()])
    for _ in range(3):
        recorder.responded(REF, refused)
    recorder.responded(REF, CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("r1",)))
    for running in (2, 2, 1, 1):
        recorder.observed(REF, reading(running), ())
    recorder.judged(failed(REF, Problem(code=Reason.DENIED, message="no")))
    recorder.end(4)

    events = list(place.open().events(begun.id))

    assert [type(one) for one in events] == [
        Confirmed,
        CalledBy,
        CalledBy,
        Started,
        Found,
        Sent,
        Sent,
        Seen,
        Seen,
        Judged,
        Ended,
    ]
    times = [one.at for one in events]
    assert times == sorted(times)
    assert events[0] == Confirmed(at=times[0], how=ConfirmedBy.CONFIRM, given="1", runs=1)
    assert events[1] == CalledBy(at=times[1], scope="tencent:ap-guangzhou", account="100", principal="ops")
    assert events[4] == Found(at=times[4], run=REF, state=State.RUNNING, counts={State.RUNNING: 2})
    assert events[6] == Sent(at=times[6], run=REF, accepted=True, request_ids=("r1",), error=None)
    assert events[8] == Seen(at=times[8], run=REF, state=State.CANCELLING, counts=reading(1).counts)
    assert events[9:] == [Judged(at=times[9], run=REF, verdict=Verdict.FAILED), Ended(at=times[10], exit_code=4)]


def test_a_resume_adds_to_what_happened_before(place: Place) -> None:
    begun = operation()
    Recorder(place.store, begun, warn=pytest.fail).planned([item()])
    Recorder(place.store, begun, warn=pytest.fail, resumed=True).planned([item(targets=1)])

    events = list(place.open().events(begun.id))

    assert [type(one) for one in events] == [Started, Found, Resumed, Started, Found]


def test_events_of_a_newer_program_are_left_out_and_go_with_their_operation(place: Place) -> None:
    begun = operation()
    recorder = Recorder(place.store, begun, warn=pytest.fail)
    recorder.planned([item()])
    recorder.end(0)
    place.execute(f"INSERT INTO events VALUES ('{begun.id}', 99, 'approved', '{{}}')")
    assert [type(one) for one in place.open().events(begun.id)] == [Started, Found, Ended]

    place.execute("DELETE FROM operations")  # as 0.1 prunes, which knows no events
    place.open().begin(begun, [])
    assert list(place.open().events(begun.id)) == []


def test_a_journal_without_events_that_cannot_be_written_has_none(file: Path) -> None:
    begun = operation()
    Recorder(JournalStore(file), begun, warn=pytest.fail).planned([item()])
    with sqlite3.connect(file) as other:
        other.execute("DROP TABLE events")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    assert list(JournalStore(file).peek().events(begun.id)) == []


def test_a_response_keeps_the_key_that_0_1_wrote() -> None:
    response = CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("r1",))

    assert b'"asked":"accepted"' in msgspec.json.encode(response)
