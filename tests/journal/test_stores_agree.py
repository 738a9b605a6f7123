"""Both stores give the same answers, whatever was recorded, and nothing of two copies of an operation is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fuzz.budget import tries
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from journal.made import RUN, item, operation
from journal.places import opened
from runcancel.engine.verdict import failed
from runcancel.errors import JournalError
from runcancel.journal.base import Copy, Database, Entry, Journal
from runcancel.journal.copies import combined, copy_of
from runcancel.journal.courier import Courier
from runcancel.journal.sqlite import JournalFile
from runcancel.journal.team import TeamJournal
from runcancel.model.events import Ended, JournalEvent, Judged
from runcancel.model.outcomes import CancelResponse, Intent, Limits, Operation, PlanItem
from runcancel.model.runs import Problem, Ref
from runcancel.model.states import Reason, RequestStatus, Stage, Verdict

BEGAN = datetime(2026, 11, 28, tzinfo=UTC)
RUNS = tuple(Ref.parse(f"{RUN}{n}") for n in range(4))
TYPED = "inv-ib2lld37"
SOME_RUNS = st.lists(st.sampled_from(RUNS), min_size=1, max_size=3, unique=True)
ANSWERS = st.builds(CancelResponse, status=st.sampled_from(RequestStatus), at=st.just(3.5))
LIMITS = st.none() | st.builds(
    Limits, max_runs=st.none() | st.integers(0, 99), max_targets=st.none() | st.integers(0, 9)
)
REASONS = st.none() | st.text(max_size=5)


def about(name: str, n: int, reason: str | None) -> Operation:
    return structs.replace(operation(reason), id=f"{name}{n:05}".rjust(26, "0"), at=BEGAN + timedelta(days=n))


def intent() -> Intent:
    planned = {name: getattr(item(), name) for name in item().__struct_fields__}
    return Intent(**planned | {"run": RUNS[0], "read": False, "ask": False}, candidates=RUNS[:2])


def planned(runs: list[Ref]) -> list[PlanItem | Intent]:
    return [item(str(run)) for run in runs]


def event(run: Ref, second: int) -> JournalEvent:
    return Judged(run=run, at=BEGAN + timedelta(seconds=second), verdict=Verdict.FAILED)


def everything(journal: Journal) -> dict[str, Any]:
    """All that readers ask for."""
    found = list(journal.operations())
    return {
        "operations": found,
        "newest": list(journal.operations(2)),
        "ids": [journal.ids(beginning) for beginning in ("", "0", "x")],
        "copies": [copy_of(journal, one.id) for one in found],
        "answers": list(journal.answers()),
        "about": journal.about([":invocation/"]),
        "none": (journal.operation("x"), list(journal.entries("x")), list(journal.events("x")), journal.limits("x")),
    }


class Stores(RuleBasedStateMachine):
    """The same calls to a file and to a database."""

    file: Path
    url: str
    clear: Callable[[], None]

    @initialize()
    def open(self) -> None:
        for name in (self.file, *(self.file.with_name(self.file.name + end) for end in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)
        Stores.clear()
        self.journals = [opened(str(self.file)), opened(self.url)]
        self.ids: list[str] = []
        self.second = 0

    def both(self, call: Callable[[Journal], object]) -> object:
        """What both return, or that both raise."""
        results = [self._result(call, journal) for journal in self.journals]
        assert results[0] == results[1]
        return results[0]

    def _result(self, call: Callable[[Journal], object], journal: Journal) -> object:
        try:
            return call(journal)
        except JournalError as error:
            return "no longer has" in str(error) or str(error)

    def events(self, runs: list[Ref]) -> list[JournalEvent]:
        self.second += 1
        return [event(run, self.second) for run in runs]

    @rule(runs=SOME_RUNS, limits=LIMITS, reason=REASONS, typed=st.booleans())
    def begin(self, runs: list[Ref], limits: Limits | None, reason: str | None, typed: bool) -> None:
        begun = about("", len(self.ids), reason)
        items = [intent()] if typed else planned(runs)
        events = self.events(runs)
        self.both(lambda journal: journal.begin(begun, items, limits, events))
        self.ids.append(begun.id)

    @precondition(lambda self: self.ids)
    @rule(data=st.data(), runs=SOME_RUNS, limits=LIMITS, answer=ANSWERS)
    def change(self, data: st.DataObject, runs: list[Ref], limits: Limits | None, answer: CancelResponse) -> None:
        id, events = data.draw(st.sampled_from(self.ids)), self.events(runs)
        refused = failed(runs[0], Problem(code=Reason.DENIED, message="no"))
        changes: dict[str, Callable[[Journal], None]] = {
            "resume": lambda journal: journal.resume(id, planned(runs), limits, events),
            "join": lambda journal: journal.join(id, planned(runs), events),
            "read": lambda journal: journal.record_read(id, [(RUNS[0], item(str(runs[0])))], events),
            "respond": lambda journal: journal.responded(id, runs[0], answer, events),
            "judge": lambda journal: journal.judged(id, refused, events),
            "record": lambda journal: journal.record(id, events),
            "end": lambda journal: journal.end(id, Stage.DONE, 3, events),
            "interrupt": lambda journal: journal.end(id, Stage.INTERRUPTED, 130, events),
        }
        self.both(changes[data.draw(st.sampled_from(sorted(changes)))])

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def prune(self, data: st.DataObject) -> None:
        before = BEGAN + timedelta(days=data.draw(st.integers(0, len(self.ids))), hours=1)
        keep = frozenset(data.draw(st.lists(st.sampled_from(self.ids), max_size=1)))
        self.both(lambda journal: journal.prune(before, keep=keep))

    @precondition(lambda self: self.ids)
    @rule(data=st.data())
    def copied_over(self, data: st.DataObject) -> None:
        copy = copy_of(self.journals[0], data.draw(st.sampled_from(self.ids)))
        if copy is not None:
            self.both(lambda journal: journal.replace(copy))

    @invariant()
    def same(self) -> None:
        if hasattr(self, "journals"):
            self.both(everything)

    def teardown(self) -> None:
        for journal in getattr(self, "journals", ()):
            journal.close()


def test_both_stores_give_the_same_answers(tmp_path: Path, team_url: str, postgres: Any) -> None:
    Stores.file, Stores.url = tmp_path / "state" / "journal.sqlite3", team_url
    name = team_url.rpartition("/")[2]
    Stores.clear = lambda: postgres.execute("TRUNCATE runcancel.operations, runcancel.prunes CASCADE", database=name)
    case = Stores.TestCase
    case.settings = settings(tries(8, *HealthCheck), stateful_step_count=12)
    case().runTest()


# two copies of one operation

ENTRIES = st.dictionaries(st.sampled_from(RUNS), st.tuples(st.none() | ANSWERS, st.booleans()))
SECONDS = st.lists(st.integers(0, 5), max_size=4)


@st.composite
def copies(draw: st.DrawFn) -> Copy:
    entries = tuple(
        Entry(
            item=item(str(run)),
            answer=answer,
            outcome=failed(run, Problem(code=Reason.DENIED, message="no")) if is_judged else None,
        )
        for run, (answer, is_judged) in sorted(draw(ENTRIES).items(), key=lambda pair: pair[0].text)
    )
    events: list[JournalEvent] = [event(RUNS[0], second) for second in sorted(set(draw(SECONDS)))]
    one = structs.replace(about("", 1, None), state=draw(st.sampled_from(Stage)))
    return Copy(operation=one, limits=Limits(), entries=entries, events=tuple(events))


def lacks_nothing(of: Copy, one: Copy) -> bool:
    """Whether a copy has every run, answer, outcome and event of another."""
    there = {entry.item.run: entry for entry in of.entries}
    if repr(of) == repr(one):
        return True
    return all(
        (entry.answer is None or there[entry.item.run].answer is not None)
        and (entry.outcome is None or there[entry.item.run].outcome is not None)
        for entry in one.entries
    ) and {repr(each) for each in one.events} <= {repr(each) for each in of.events}


@given(copies(), copies())
def test_nothing_of_two_copies_that_went_apart_is_lost(one: Copy, other: Copy) -> None:
    """Each has an event that the other one lacks, as each has that both machines record."""
    one = structs.replace(one, events=(*one.events, event(RUNS[1], 6)))
    other = structs.replace(other, events=(*other.events, event(RUNS[2], 7)))
    both = combined(one, other)

    assert lacks_nothing(both, one)
    assert lacks_nothing(both, other)
    assert sum(both.operation.counts.values()) == len(both.entries)
    assert combined(other, one) == both
    for again in (one, other, both):
        assert combined(both, again) == combined(again, both) == both


@given(copies(), st.integers(6, 9))
def test_the_copy_that_went_further_counts(one: Copy, second: int) -> None:
    ended = Ended(at=BEGAN + timedelta(seconds=second), exit_code=3)
    further = structs.replace(
        one, operation=structs.replace(one.operation, state=Stage.DONE, exit_code=3), events=(*one.events, ended)
    )

    for both in (combined(one, further), combined(further, one)):
        assert (both.operation.state, both.operation.exit_code, both.events) == (Stage.DONE, 3, further.events)


def test_an_intent_that_was_read_meanwhile_does_not_come_back() -> None:
    typed = Entry(item=intent(), answer=None, outcome=None)
    read = Entry(item=item(str(RUNS[1])), answer=None, outcome=None)
    before = Copy(operation=about("", 1, None), limits=Limits(), entries=(typed,), events=())
    after = structs.replace(before, entries=(read,), events=(event(RUNS[1], 1),))

    assert combined(before, after).entries == combined(after, before).entries == (read,)


# a team's journal that comes and goes


class Flaky(JournalFile):
    """A team's journal in a file, which can stop working between any two statements."""

    works = True

    def check(self) -> None:
        """Its tables are right."""

    @contextmanager
    def changed(self) -> Iterator[Any]:
        """A transaction, or a part of one, unless it stopped working."""
        if not Flaky.works:
            raise JournalError("the team journal is gone")
        with self.used() as db:
            is_part = db.in_transaction
        with nullcontext(db) if is_part else super().changed():
            yield db


@pytest.fixture
def flaky(tmp_path: Path) -> Iterator[Path]:
    Flaky.works = True
    yield tmp_path / "team" / "journal.sqlite3"
    Flaky.works = True


def team(here: Path, there: Path, lost: list[Exception]) -> TeamJournal:
    def connect(limit: object) -> Any:
        database: Database = Flaky.open(there, busy=5)
        return database

    return TeamJournal(opened(here), Courier(connect, "the team journal"), lost.append)


STEPS = st.lists(
    st.sampled_from(["respond", "judge", "join", "record", "lose", "return", "resume", "sync"]), max_size=10
)


@tries(25, HealthCheck.function_scoped_fixture)
@given(steps=STEPS)
def test_whatever_is_lost_meanwhile_this_machine_has_all_and_a_sync_gives_it_back(
    tmp_path_factory: pytest.TempPathFactory, flaky: Path, steps: list[str]
) -> None:
    folder, Flaky.works = tmp_path_factory.mktemp("agree"), True
    here, there, alone = folder / "here" / "j", folder / "there" / "j", folder / "alone" / "j"
    begun, lost = about("", 1, None), list[Exception]()
    journals: list[Journal] = [team(here, there, lost), opened(alone)]
    for journal in journals:
        journal.begin(begun, planned([RUNS[0]]), None, [])
    for second, step in enumerate(steps, 1):
        if step in ("lose", "return"):
            Flaky.works = step == "return"
        elif step == "sync":
            list(journals[0].sync())  # type: ignore[attr-defined]
        if step in ("return", "sync"):
            journals[0].close()
            journals[0] = team(here, there, lost)
        for journal in journals:
            write(journal, begun.id, step, second)
    for journal in journals:
        journal.end(begun.id, Stage.DONE, 0, [Ended(at=BEGAN + timedelta(seconds=99), exit_code=0)])
        journal.close()

    Flaky.works = True
    again = team(here, there, [])
    list(again.sync())
    again.close()

    expected = copy_of(opened(alone), begun.id)
    assert copy_of(opened(here), begun.id) == expected
    assert copy_of(opened(there), begun.id) == expected


def write(journal: Journal, id: str, step: str, second: int) -> None:
    events = [event(RUNS[0], second)]
    match step:
        case "respond":
            journal.responded(id, RUNS[0], CancelResponse(status=RequestStatus.ACCEPTED, at=float(second)), events)
        case "judge":
            journal.judged(id, failed(RUNS[0], Problem(code=Reason.DENIED, message=str(second))), events)
        case "join":
            journal.join(id, planned([RUNS[1]]), events)
        case "record":
            journal.record(id, events)
        case "resume":
            journal.resume(id, planned([RUNS[0]]), None, events)
