"""The journal of a team: nothing that happens to its server delays a cancel or loses what was recorded."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from databases import Server
from msgspec import structs

from journal.made import REF, RUN, item, operation, sent
from journal.places import opened
from journal.proxy import Proxy
from runcancel.engine.verdict import failed
from runcancel.errors import Interrupted, Refused
from runcancel.journal.base import Copy, Journal
from runcancel.journal.copies import copy_of
from runcancel.journal.recorder import Recorder
from runcancel.journal.store import JournalStore
from runcancel.model.outcomes import CancelResponse, Operation
from runcancel.model.runs import Problem, Ref, RunName
from runcancel.model.states import Reason, RequestStatus, Stage

ACCEPTED = CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("r1",))
NO = failed(RunName(RUN), Problem(code=Reason.DENIED, message="no"))


@pytest.fixture
def proxy(postgres: Server) -> Iterator[Proxy]:
    made = Proxy(postgres.port)
    yield made
    made.close()


@pytest.fixture
def through(proxy: Proxy, postgres: Server, team_url: str) -> str:
    """The URL of the team's journal through the proxy."""
    return team_url.replace(f":{postgres.port}/", f":{proxy.port}/")


class Machine:
    """One machine: its file, and its way to the team's journal."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.warnings: list[str] = []
        self.store = JournalStore(folder / "state" / "journal.sqlite3", url, self.warnings.append)

    @property
    def file(self) -> Path:
        return self.store.file

    def read(self) -> Journal:
        journal = self.store.read()
        assert journal is not None
        return journal

    def cancel(self, about: Operation, *, then: Callable[[], None] = lambda: None, resumed: bool = False) -> None:
        """A cancel of one run; `then` happens after its intent is recorded."""
        recorder = Recorder(self.store, about, warn=pytest.fail, resumed=resumed)
        recorder.planned([item()])
        then()
        recorder.responded(REF, ACCEPTED)
        recorder.judged(NO)
        recorder.end(1)


def whole(journal: Journal, id: str) -> Copy:
    copy = copy_of(journal, id)
    journal.close()
    assert copy is not None
    return copy


def test_both_journals_have_the_whole_operation_and_another_machine_reads_it(tmp_path: Path, team_url: str) -> None:
    here, there, about = Machine(tmp_path / "here", team_url), Machine(tmp_path / "there", team_url), operation()

    here.cancel(about)

    assert whole(opened(here.file), about.id) == whole(opened(team_url), about.id)
    journal = there.read()
    (found,) = journal.operations()
    assert (found.id, found.host, found.state, found.exit_code) == (about.id, about.host, Stage.DONE, 1)
    assert journal.remarks(found) == ()
    assert whole(journal, about.id) == whole(opened(team_url), about.id)
    assert not there.file.exists(), "reading writes nothing"
    assert here.warnings == there.warnings == []


@pytest.mark.parametrize("pieces", [0, 1, 2, 5])
def test_a_server_that_never_replies_costs_its_limit_once_and_one_warning(
    tmp_path: Path, proxy: Proxy, through: str, pieces: int
) -> None:
    proxy.stall_after = pieces
    here, about = Machine(tmp_path, through), operation()

    began = time.monotonic()
    here.cancel(about)

    assert time.monotonic() - began < 30, "2 s to connect or 1 s for a statement, not the minutes of TCP"
    assert whole(opened(here.file), about.id).operation.state is Stage.DONE
    (warning,) = here.warnings
    assert "cannot be used" in warning
    assert f"only the journal of this machine is used ({here.file})" in warning
    assert here.store.open() is not None, "what comes later uses the file alone"
    assert len(here.warnings) == 1


def _stalled(proxy: Proxy) -> None:
    proxy.stall()


def _cut(proxy: Proxy) -> None:
    proxy.cut()


def _closed(proxy: Proxy) -> None:
    proxy.close()


@pytest.mark.parametrize("end", [_stalled, _cut, _closed])
def test_what_is_recorded_after_the_team_is_lost_is_here_and_is_copied_later(
    tmp_path: Path, proxy: Proxy, through: str, team_url: str, end: Callable[[Proxy], None]
) -> None:
    here, about = Machine(tmp_path / "here", through), operation()

    here.cancel(about, then=lambda: end(proxy))

    assert len(here.warnings) == 1
    ours, theirs = whole(opened(here.file), about.id), whole(opened(team_url), about.id)
    assert (ours.operation.state, theirs.operation.state) == (Stage.DONE, Stage.OPEN)
    again = Machine(tmp_path / "here", team_url)
    journal = again.read()
    (found,) = journal.operations()
    assert found.state is Stage.DONE, "the copy that went further counts"
    (remark,) = journal.remarks(found)
    assert "lacks a part" in remark
    assert "runcancel history sync" in remark
    elsewhere = Machine(tmp_path / "elsewhere", team_url).read()
    assert elsewhere.remarks(structs.replace(theirs.operation, host="bastion-2")) != ()

    assert again.store.sync() == ((about.id,), 0)

    assert whole(opened(team_url), about.id) == whole(opened(again.file), about.id) == ours
    assert again.store.sync() == ((), 0)
    assert journal.remarks(found) != (), "what was read is as it was read"
    assert again.read().remarks(found) == ()


def test_a_statement_that_the_server_delays_is_given_up_after_its_limit(tmp_path: Path, team_url: str) -> None:
    here, about = Machine(tmp_path, team_url), operation()
    with psycopg.connect(team_url) as other:
        other.execute("LOCK TABLE runcancel.operations IN ACCESS EXCLUSIVE MODE")

        here.cancel(about)

    (warning,) = here.warnings
    assert "a statement took longer than 1 s" in warning
    assert whole(opened(here.file), about.id).operation.state is Stage.DONE


def test_nobody_listens_and_a_wrong_name_are_one_warning(tmp_path: Path, team_url: str) -> None:
    for url in ("postgresql://postgres@127.0.0.1:1/x", f"{team_url}_missing"):
        here = Machine(tmp_path / url[-4:], url)
        here.cancel(operation())
        (warning,) = here.warnings
        assert "cannot be used" in warning
        assert "\n" not in warning


def test_an_operation_that_began_elsewhere_is_resumed_and_is_whole_in_both(tmp_path: Path, team_url: str) -> None:
    begun = operation()
    first = Recorder(Machine(tmp_path / "laptop", team_url).store, begun, warn=pytest.fail)
    first.planned([item(), item(f"{RUN}0")])

    there = Machine(tmp_path / "bastion", team_url)
    there.cancel(begun, resumed=True)

    theirs = whole(opened(team_url), begun.id)
    assert theirs == whole(opened(there.file), begun.id)
    assert [str(entry.item.run) for entry in theirs.entries] == [RUN, f"{RUN}0"]
    assert theirs.operation.state is Stage.DONE


def test_without_a_writable_file_the_team_alone_has_it(tmp_path: Path, team_url: str) -> None:
    (tmp_path / "state").write_text("")
    here, about = Machine(tmp_path, team_url), operation()

    here.cancel(about)

    assert here.warnings == []
    assert whole(opened(team_url), about.id).operation.state is Stage.DONE


def test_with_neither_a_required_journal_refuses(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    store = JournalStore(tmp_path / "state" / "j", "postgresql://postgres@127.0.0.1:1/x")
    recorder = Recorder(store, operation(), warn=print, required=True)

    with pytest.raises(Refused, match="nothing was sent"):
        recorder.planned([item()])


def test_without_psycopg_one_line_has_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Missing:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "runcancel.journal.postgres":
                raise ImportError("no psycopg")

    import sys

    monkeypatch.delitem(sys.modules, "runcancel.journal.postgres", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    here, about = Machine(tmp_path, "postgresql://db.example/runcancel"), operation()

    here.cancel(about)

    (warning,) = here.warnings
    assert "pip install 'runcancel[postgres]'" in warning
    assert whole(opened(here.file), about.id).operation.state is Stage.DONE


def test_the_newest_is_the_last_one_that_the_server_recorded(tmp_path: Path, team_url: str) -> None:
    """The clocks of two machines differ; the order of the server counts."""
    fast, slow = operation(), operation()
    fast = structs.replace(fast, id="7" + fast.id[1:])
    Machine(tmp_path / "fast", team_url).cancel(fast)
    Machine(tmp_path / "slow", team_url).cancel(slow)

    assert [one.id for one in Machine(tmp_path / "third", team_url).read().operations()] == [slow.id, fast.id]


def test_what_is_pruned_is_gone_from_both(tmp_path: Path, team_url: str) -> None:
    here, about = Machine(tmp_path, team_url), operation()
    here.cancel(about)
    journal = here.store.open()

    assert [one.id for one in journal.prune(datetime(2999, 1, 1, tzinfo=UTC))] == [about.id]

    journal.close()
    assert list(opened(team_url).operations()) == list(opened(here.file).operations()) == []


def test_a_signal_ends_the_waiting_for_a_server_that_never_replies(tmp_path: Path, proxy: Proxy, through: str) -> None:
    proxy.stall_after = 0
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            raise Interrupted(2)

    store = JournalStore(tmp_path / "state" / "j", through, pytest.fail, pause)
    recorder = Recorder(store, operation(), warn=pytest.fail)

    with pytest.raises(Interrupted):
        recorder.planned([item()])


def test_with_neither_one_warning_says_that_nothing_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    warnings: list[str] = []
    store = JournalStore(tmp_path / "state" / "j", "postgresql://postgres@127.0.0.1:1/x", warnings.append)
    recorder = Recorder(store, operation(), warn=warnings.append)

    recorder.planned([item()])
    recorder.responded(REF, ACCEPTED)
    recorder.end(0)

    (warning,) = warnings
    assert "not recorded" in warning
    assert recorder.operation is None


def test_two_machines_that_write_about_one_operation_wait_for_each_other(tmp_path: Path, team_url: str) -> None:
    begun = operation()
    runs = [Ref.parse(f"{RUN}{n}") for n in range(8)]
    journals = [JournalStore(tmp_path / name / "j", team_url, pytest.fail).open() for name in ("one", "two")]
    journals[0].begin(begun, [item(str(run)) for run in runs])
    journals[1].resume(begun.id, [item(str(run)) for run in runs])

    def write(journal: Journal, order: Sequence[Ref]) -> None:
        for _ in range(10):
            for run in order:
                journal.responded(begun.id, run, ACCEPTED, [sent(str(run))])

    for journal, order in ((journals[0], runs), (journals[1], runs[::-1])):  # each posts to a thread of its own
        write(journal, order)
    for journal in journals:
        journal.close()

    assert len(list(opened(team_url).events(begun.id))) == 2 * 10 * len(runs)


def _certificate(folder: Path) -> tuple[str, str]:
    """A key and a certificate of `127.0.0.1` that signs itself, as PEM."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    name = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(["openssl", *made, "-keyout", key, "-out", certificate, *name], check=True, capture_output=True)
    return key.read_text(), certificate.read_text()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl, which makes certificates")
def test_the_tls_options_of_libpq_hold(tmp_path: Path, postgres: Server, team_url: str) -> None:
    key, certificate = _certificate(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other.pem").write_text(_certificate(tmp_path / "other")[1])
    with postgres.tls(key, certificate):
        right = Machine(tmp_path / "a", f"{team_url}?sslmode=verify-full&sslrootcert={tmp_path / 'certificate.pem'}")
        wrong = Machine(tmp_path / "b", f"{team_url}?sslmode=verify-full&sslrootcert={tmp_path / 'other.pem'}")
        about, other = operation(), operation()
        right.cancel(about)
        wrong.cancel(other)

    assert right.warnings == []
    (warning,) = wrong.warnings
    assert "certificate verify failed" in warning
    assert [one.id for one in opened(team_url).operations()] == [about.id]


def test_what_another_process_records_now_is_not_copied_over(tmp_path: Path, proxy: Proxy, through: str) -> None:
    here, about = Machine(tmp_path, through), operation()
    recorder = Recorder(here.store, about, warn=pytest.fail)
    recorder.planned([item()])
    proxy.cut()
    recorder.responded(REF, ACCEPTED)

    assert JournalStore(here.file, through).sync() == ((), 0)
    recorder.end(0)
    assert JournalStore(here.file, through).sync() == ((about.id,), 0)


def _role(postgres: Server, name: str, team_url: str, *grants: str) -> str:
    """The URL of a role that has these rights on the tables."""
    database = team_url.rpartition("/")[2]
    postgres.execute(
        f"DO $$ BEGIN CREATE ROLE {name} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"GRANT USAGE ON SCHEMA runcancel TO {name}",
        *(f"{grant} {name}" for grant in grants),
        database=database,
    )
    return team_url.replace("postgres@", f"{name}@")


def test_the_rights_of_the_page_are_enough(tmp_path: Path, postgres: Server, team_url: str) -> None:
    every = "ON ALL TABLES IN SCHEMA runcancel"
    operator = _role(
        postgres,
        "journal_operator",
        team_url,
        f"GRANT SELECT, INSERT, UPDATE, DELETE {every} TO",
        "REVOKE DELETE ON runcancel.operations FROM",
    )
    reader = _role(postgres, "journal_reader", team_url, f"GRANT SELECT {every} TO")
    here, there, about = Machine(tmp_path / "one", operator), Machine(tmp_path / "two", reader), operation()

    here.cancel(about)
    here.cancel(about, resumed=True)
    (found,) = there.read().operations()

    assert here.warnings == there.warnings == []
    assert found.id == about.id
    journal = here.store.open()
    journal.prune(datetime(2999, 1, 1, tzinfo=UTC))
    journal.close()
    assert "permission denied" in here.warnings[0]
    there.cancel(operation())
    assert "permission denied" in there.warnings[0]
    assert [one.id for one in opened(team_url).operations()] == [about.id]
