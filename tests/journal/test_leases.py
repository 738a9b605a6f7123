"""Leases: of operations that see each other, one cancels a run, and no run is left to an operation that is gone.

The journals, the trackers and the database are the program's. The time of the database, the steps of the operations
and the model of who may send are the test's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from fuzz.budget import tries
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from msgspec import structs

from journal.made import item, operation
from journal.places import Place
from runcancel.engine.leases import LeasedRuns, Leases
from runcancel.engine.retry import WaitPolicy
from runcancel.engine.tracker import RunTracker, Step
from runcancel.engine.verdict import failed
from runcancel.journal.base import Database, Journal
from runcancel.journal.postgres import PostgresDatabase
from runcancel.journal.sql import SqlJournal
from runcancel.journal.sqlite import JournalFile
from runcancel.model.leases import Lease
from runcancel.model.outcomes import CancelResponse, PlanItem
from runcancel.model.runs import Problem, Ref
from runcancel.model.states import Reason, RequestStatus, Stage

RUNS = tuple(Ref.parse(f"tencent:ap-guangzhou:invocation/inv-{n}") for n in range(2))
LIFETIME, PATIENCE = 30.0, 10.0  # as the design has them
_CLOCK = "(SELECT at FROM clock_of_test)"


def with_clock(place: Place) -> Database:
    """The database of a place, with a time that the test moves."""
    if place.name.startswith("postgresql://"):
        database: Database = PostgresDatabase.open(place.name)
    else:
        database = JournalFile.open(Path(place.name), busy=5)
    database.clock = _CLOCK
    return database


class Operator:
    """One process: an operation on some runs, with a clock of its own that differs from the others'."""

    def __init__(self, journal: Journal, skew: float) -> None:
        self.journal = journal
        self.skew = skew
        self.id = ""
        self.trackers: dict[Ref, RunTracker] = {}
        self.dead = False
        self._leased: LeasedRuns | None = None

    def begin(self, runs: Sequence[Ref], now: float) -> None:
        made = operation()
        self.id = made.id
        items = [structs.replace(item(str(run)), run=run) for run in runs]
        self.journal.begin(made, items)
        self.trackers = {one.run: RunTracker(one, WaitPolicy()) for one in items}
        for tracker in self.trackers.values():
            tracker.begin(now + self.skew, waiting=False)
        self._leased = LeasedRuns(InJournal(self.journal, self.id), lambda tracker: None)
        self._leased.take(list(self.trackers.values()), now + self.skew)

    def look(self, now: float) -> None:
        if self._leased is not None:
            self._leased.review(now + self.skew)


class InJournal(Leases):
    """The leases of one operation, without words for people."""

    def __init__(self, journal: Journal, id: str) -> None:
        self._journal = journal
        self._id = id

    def take(self, items: Sequence[PlanItem]) -> Mapping[Ref, Lease]:
        return self._journal.lease(self._id, items)

    def others(self) -> Mapping[Ref, Lease]:
        return self._journal.leases(self._id)

    def overtake(self, runs: Sequence[Ref]) -> None:
        pass


class Model:
    """Who may send what, by the words of the design alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[int] = []
        self.claims: dict[tuple[int, Ref], str] = {}  # what its owner knows: "open", "accepted", "refused"
        self.began: dict[int, float] = {}
        self.signed: dict[int, float] = {}
        self.ended: set[int] = set()

    def live(self, who: int, run: Ref) -> bool:
        """Whether the lease of this operation on the run keeps later ones from sending."""
        state = self.claims.get((who, run))
        if state is None or state == "refused" or who in self.ended or self.now - self.signed[who] >= LIFETIME:
            return False
        return state == "accepted" or self.now - self.began[who] < PATIENCE

    def others(self, who: int, run: Ref) -> list[int]:
        """The earlier operations whose lease on the run is live."""
        return [one for one in self.order[: self.order.index(who)] if self.live(one, run)]


_WHO = st.integers(0, 2)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), _WHO, st.sampled_from([RUNS, RUNS[:1], RUNS[1:]])),
        st.tuples(st.sampled_from(["send", "accept", "refuse"]), _WHO, st.sampled_from(RUNS)),
        st.tuples(st.sampled_from(["look", "sign", "kill", "end"]), _WHO, st.just(None)),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 1.5, 4.0, 9.0, 16.0, 31.0]), st.just(None)),
    ),
    max_size=40,
)
_HANGS = [("begin", 0, RUNS), ("begin", 1, RUNS), ("wait", 9.0, None), ("look", 1, None), ("send", 1, RUNS[0])]
_DIES_UNANSWERED = [("begin", 0, RUNS), ("begin", 1, RUNS), ("kill", 0, None)]
_ANSWERED = [("begin", 0, RUNS), ("send", 0, RUNS[0]), ("accept", 0, RUNS[0]), ("begin", 1, RUNS)]
_DIES_ANSWERED = [*_ANSWERED, ("kill", 0, None)]
_SLOW = [*_ANSWERED, ("wait", 16.0, None), ("sign", 0, None), ("wait", 16.0, None), ("look", 1, None)]
_SLOW += [("send", 1, RUNS[0])]
_QUITS = [*_ANSWERED, ("end", 0, None), ("wait", 1.5, None), ("look", 1, None), ("send", 1, RUNS[0])]


@pytest.fixture
def places(place: Place) -> Iterator[Callable[[], Database]]:
    """Opens the same database for another process."""
    with closing(place.open()):
        pass
    place.execute("CREATE TABLE IF NOT EXISTS clock_of_test (at DOUBLE PRECISION)")
    yield lambda: with_clock(place)
    place.execute("DROP TABLE clock_of_test")


@tries(25, HealthCheck.function_scoped_fixture)
@given(steps=_STEPS, skews=st.tuples(*[st.sampled_from([-7200.0, 0.0, 3600.0])] * 3))
@example(steps=_HANGS, skews=(0.0, 0.0, 0.0))
@example(steps=_DIES_UNANSWERED, skews=(0.0, 3600.0, 0.0))
@example(steps=_DIES_ANSWERED, skews=(0.0, -7200.0, 0.0))
@example(steps=_SLOW, skews=(0.0, 0.0, 0.0))
@example(steps=_QUITS, skews=(0.0, 0.0, 0.0))
def test_no_second_send_while_a_lease_is_live_and_no_run_is_left(
    places: Callable[[], Database], place: Place, steps: list[tuple[str, object, object]], skews: tuple[float, ...]
) -> None:
    place.execute("DELETE FROM operations", "DELETE FROM clock_of_test", "INSERT INTO clock_of_test VALUES (0)")
    databases = [places() for _ in skews]
    operators = [Operator(SqlJournal(one), skew) for one, skew in zip(databases, skews, strict=True)]
    model = Model()

    def clock(seconds: float) -> None:
        model.now += seconds
        place.execute(f"UPDATE clock_of_test SET at = {model.now}")

    def send(who: int, run: Ref) -> None:
        tracker = operators[who].trackers.get(run)
        if tracker is not None and tracker.step is Step.DUE:
            assert not model.others(who, run), f"{who} sends {run}, which {model.others(who, run)} cancels"
            tracker.step = Step.SENT

    def settle(who: int, run: Ref, word: str) -> None:
        operator, tracker = operators[who], operators[who].trackers.get(run)
        if tracker is None or tracker.step is not Step.SENT or model.claims[who, run] != "open":
            return
        model.claims[who, run] = word
        if word == "accepted":
            operator.journal.responded(operator.id, run, CancelResponse(status=RequestStatus.ACCEPTED))
        else:
            operator.journal.judged(operator.id, failed(run, Problem(code=Reason.DENIED, message="no")))

    def take(step: tuple[str, object, object]) -> None:
        word, first, second = step
        if word == "wait":
            clock(float(str(first)))
            return
        who = int(str(first))
        operator = operators[who]
        if operator.dead or who in model.ended or (word == "begin") == bool(operator.id):
            return
        match word:
            case "begin":
                runs = second if isinstance(second, tuple) else ()
                model.order.append(who)
                model.began[who] = model.signed[who] = model.now
                model.claims |= {(who, run): "open" for run in runs}
                operator.begin(runs, model.now)
            case "look":
                operator.look(model.now)
            case "sign":
                operator.journal.sign(operator.id)
                model.signed[who] = model.now
            case "kill":
                operator.dead = True
            case "end":
                operator.journal.end(operator.id, Stage.INTERRUPTED, 130)
                model.ended.add(who)
            case "send" if isinstance(second, Ref):
                send(who, second)
            case "accept" | "refuse" if isinstance(second, Ref):
                settle(who, second, "accepted" if word == "accept" else "refused")

    for step in steps:
        take(step)
    _nothing_is_left(operators, model, clock, send)
    for database in databases:
        database.close()


def _nothing_is_left(
    operators: Sequence[Operator],
    model: Model,
    clock: Callable[[float], None],
    send: Callable[[int, Ref], None],
) -> None:
    """Everybody who lives looks and sends until nothing is due: every run was sent, or its cancel accepted."""
    living = [who for who in model.order if not operators[who].dead and who not in model.ended]
    for _ in range(8):
        clock(PATIENCE)  # whoever does not sign is gone in the end
        for who in living:
            operators[who].journal.sign(operators[who].id)
            model.signed[who] = model.now
        for who in living:
            operators[who].look(model.now)
            for run in operators[who].trackers:
                send(who, run)
    for who in living:
        for run, tracker in operators[who].trackers.items():
            assert tracker.step in (Step.SENT, Step.WATCHED), (who, run, tracker.step)
            if tracker.step is Step.WATCHED:
                accepted = [one for one in model.order if model.claims.get((one, run)) == "accepted"]
                assert set(accepted) & {*model.ended, *living}, f"{who} watches {run}, which nobody cancels"
