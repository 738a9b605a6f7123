"""Plan, apply, kill, resume: any order of them comes to the end that an uninterrupted cancel comes to."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

import pytest
from fakes import FakeCloud, FakeClouds, HandClock, Told, seen
from fuzz.budget import tries
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runcancel.cli.support.resume import left_over
from runcancel.config import references
from runcancel.config.settings import gather
from runcancel.engine.cancel import CancelSetup, carry_out
from runcancel.engine.events import CombinedProgress
from runcancel.engine.lookup import look_up
from runcancel.engine.planning import plan
from runcancel.engine.retry import WaitPolicy
from runcancel.engine.selection import of_plan
from runcancel.errors import CloudError
from runcancel.journal.base import Journal
from runcancel.journal.recorder import Recorder, new_operation
from runcancel.journal.store import JournalStore
from runcancel.model.outcomes import CancelResponse, Operation, Outcome, PlanItem
from runcancel.model.runs import Kind, Ref, Snapshot
from runcancel.model.states import Guarantee, Reason, State, Verdict
from runcancel.providers import kind_of
from runcancel.providers.base import Cloud
from runcancel.runtime.workers import Workers

T = TypeVar("T")

SETTINGS = gather(environ={})
PATIENCE = WaitPolicy(timeout=8.0)
SLOWEST = 4  # seconds from a cancel to the end of a target: within the patience
PLACES = (
    *(f"tencent:{region}:invocation/inv-000000" for region in ("ap-guangzhou", "ap-shanghai")),
    *(f"alibaba:{region}:invocation/t-000000" for region in ("cn-hangzhou", "cn-beijing")),
    *(f"aws:us-east-2:{kind}/02f05632-d0bc-470d-b1e5-c59a8d0000" for kind in ("command", "maintenance-window")),
)
MOMENTS = (
    *(f"{when} {call}" for call in ("planned", "responded", "judged", "end") for when in ("before", "after")),
    *("before the request", "after the effect", "before a look"),
)
KILLS = st.sampled_from([None, *((moment, nth) for nth in range(3) for moment in MOMENTS)])
LOST = 0
"""Which part of a request loses its answer: the first, though the others are still to come."""
OPEN = (State.PENDING, State.RUNNING)
STATES = st.lists(st.sampled_from([*OPEN, *OPEN, State.SUCCEEDED]), min_size=1, max_size=3)
FATES = st.tuples(st.integers(0, SLOWEST), st.booleans(), st.booleans())


class Killed(BaseException):
    """SIGKILL, as far as one process can do it to itself."""


class Life:
    """One process: it ends at the nth time of one moment, and a dead one does nothing more."""

    def __init__(self, kill: tuple[str, int] | None) -> None:
        self._kill = kill
        self._times: Counter[str] = Counter()
        self._dead = False

    def at(self, moment: str) -> None:
        if self._kill == (moment, self._times[moment]):
            self._dead = True
        self._times[moment] += 1
        if self._dead:
            raise Killed(moment)


class Knife(Told):
    """Stands before or after the recorder."""

    def __init__(self, life: Life, when: str) -> None:
        super().__init__()
        self._life = life
        self._when = when

    def planned(self, items: Sequence[PlanItem]) -> None:
        self._life.at(f"{self._when} planned")

    def responded(self, ref: Ref, answer: CancelResponse) -> None:
        self._life.at(f"{self._when} responded")

    def judged(self, outcome: Outcome) -> None:
        self._life.at(f"{self._when} judged")


class LazyClock(HandClock):
    """A thread's work is done when somebody waits for it, one thread after the other: a kill falls between two."""

    def __init__(self, now: float) -> None:
        super().__init__()
        self.now = now
        self.threads: deque[Callable[[], None]] = deque()

    def take(self, inbox: SimpleQueue[T], timeout: float) -> T:
        if inbox.empty() and self.threads:
            self.threads.popleft()()
        return super().take(inbox, timeout)


@dataclass
class Target:
    """The truth about one target. `effects` counts the cancels that changed its fate."""

    state: State
    then: tuple[float, State] | None = None
    effects: int = 0

    def at(self, now: float) -> State:
        return self.then[1] if self.then is not None and now >= self.then[0] else self.state


@dataclass
class Truth:
    """The truth about one run. `deaf` ignores what is best effort; `mute` will lose an answer after the effect."""

    ref: str
    targets: dict[str, Target]
    takes: int = 0
    deaf: bool = False
    mute: bool = False
    lost: bool = False  # it did
    whole: bool = False  # a cancel of all of it was accepted

    @property
    def kind(self) -> Kind:
        return kind_of(references.full(self.ref))

    def over(self, now: float) -> bool:
        return all(one.at(now).over for one in self.targets.values())

    def snapshot(self, now: float) -> Snapshot:
        states = {name: one.at(now) for name, one in self.targets.items()}
        return seen(self.ref, self._state(set(states.values())), states)

    def can(self, target: Target) -> bool:
        """Whether a cancel could change this target's fate."""
        if target.state is State.PENDING:
            return True
        kept = self.kind.guarantee is Guarantee.PENDING_ONLY or (
            self.deaf and self.kind.guarantee is Guarantee.BEST_EFFORT
        )
        return target.state is State.RUNNING and not kept

    def cancel(self, names: Sequence[str], now: float) -> None:
        for one in (self.targets[name] for name in names):
            if self.can(one):
                end = State.CANCELLED if one.state is State.PENDING else State.TERMINATED
                one.state, one.then = State.CANCELLING, (now + self.takes, end)
                one.effects += 1

    def _state(self, states: set[State]) -> State:
        left = {one for one in states if not one.over}
        if not left:
            return State.CANCELLED if any(one.stopped for one in states) else State.SUCCEEDED
        # Alibaba Cloud knows no state for "asked": its run is what its targets are.
        if left == {State.CANCELLING} or (self.whole and not self.ref.startswith("alibaba")):
            return State.CANCELLING
        return State.PENDING if states == {State.PENDING} else State.RUNNING


@dataclass
class World:
    """All runs of all clouds."""

    runs: dict[str, Truth] = field(default_factory=dict)
    now: float = 1000.0

    def finish(self, ref: str, name: str) -> None:
        """A target ends by itself, where it still can."""
        target = self.runs[ref].targets.get(name)
        if target is not None and target.state in OPEN:
            target.state = State.SUCCEEDED

    def ends(self) -> dict[tuple[str, str], State]:
        """Where every target stands once what was asked has come to its end."""
        late = self.now + SLOWEST
        return {(ref, name): one.at(late) for ref, run in self.runs.items() for name, one in run.targets.items()}

    def effects(self) -> dict[tuple[str, str], int]:
        return {(ref, name): one.effects for ref, run in self.runs.items() for name, one in run.targets.items()}


class MortalCloud(FakeCloud):
    """The world as one process sees it."""

    def __init__(self, world: World, clock: HandClock, life: Life) -> None:
        super().__init__(clock, {}, {})
        self._world, self._hand, self._life = world, clock, life

    def read(self, refs: Sequence[Ref], *, full: bool = True) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        self._life.at("before a look")
        for ref in refs:
            yield ref, self._world.runs[str(ref)].snapshot(self._hand.now)

    def cancel(self, ref: Ref, targets: Sequence[str] = ()) -> Iterator[str]:
        """Named targets go out one by one, as the vendors' limits would have it with many."""
        run = self._world.runs[str(ref)]
        rows = run.snapshot(self._hand.now)
        on_its_way = rows.run.state is State.CANCELLING and not {one.state for one in rows.invocations} & {*OPEN}
        assert run.lost or not (rows.run.state.over or on_its_way), f"{ref} is asked once too often"
        parts: list[tuple[str, ...]] = [(name,) for name in targets] or [tuple(run.targets)]
        for part in parts:
            self._life.at("before the request")
            run.cancel(part, self._hand.now)
            run.whole = run.whole or not targets
            self._life.at("after the effect")
            if run.mute and part is parts[LOST]:
                run.mute, run.lost = False, True
                raise CloudError(Reason.LOST, "no reply")
            yield "req-1"


class Judges(Told):
    """Holds every verdict against the truth of its moment."""

    def __init__(self, world: World, clock: HandClock, items: Sequence[PlanItem]) -> None:
        super().__init__()
        self._world, self._clock = world, clock
        self._items = {item.run.text: item for item in items}

    def judged(self, outcome: Outcome) -> None:
        run = self._world.runs[str(outcome.run)]
        names = self._items[outcome.run.text].targets or tuple(run.targets)
        states = [run.targets[name].at(self._clock.now) for name in names]
        if outcome.verdict in (Verdict.STOPPED, Verdict.ENDED):
            assert all(one.over for one in states), (outcome, states)
        if outcome.verdict is Verdict.STOPPED:
            assert any(one.stopped for one in states), (outcome, states)


def go(
    world: World,
    held: Sequence[PlanItem],
    *,
    file: Path | None = None,
    operation: Operation | None = None,
    resumed: bool = False,
    kill: tuple[str, int] | None = None,
) -> list[Outcome]:
    """One process, from the first look to the last word, as `cli/cancel.py` puts it together."""
    clock, life = LazyClock(world.now), Life(kill)
    workers = Workers(clock, spawn=clock.threads.append)
    scopes = {str(references.full(ref).scope) for ref in world.runs}
    cloud: Cloud = MortalCloud(world, clock, life)
    clouds = FakeClouds(dict.fromkeys(scopes, cloud), workers)
    recorder = None
    try:
        asked = [references.Reference.of(item.run) for item in held if item.ask]
        items = of_plan(held, list(look_up(asked, SETTINGS, clouds, workers))).items
        listeners = [Knife(life, "before"), Knife(life, "after"), Judges(world, clock, items)]
        if file is not None and operation is not None and items:
            recorder = Recorder(JournalStore(file), operation, warn=pytest.fail, resumed=resumed)
        progress = CombinedProgress(listeners[0], *([recorder] if recorder else []), *listeners[1:])
        setup = CancelSetup(clouds=clouds, workers=workers, policy=PATIENCE, progress=progress)
        outcomes = list(carry_out(items, setup))
        life.at("before end")
        if recorder is not None:
            recorder.end(0)
        life.at("after end")
        return outcomes
    finally:
        world.now = clock.now


class Resume(RuleBasedStateMachine):
    """One user, one journal, some clouds; `uninterrupted` is the world in which nobody pulled the plug."""

    file: Path
    journal: Journal  # open all the time, as `runcancel history` may have it in another process

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.held: tuple[PlanItem, ...] = ()
        self.planned: set[tuple[str, str]] = set()
        self.before: set[tuple[str, str]] = set()
        self.done = True
        self.operation: Operation | None = None
        self.uninterrupted: World | None = None
        self.by_itself: set[tuple[str, str]] = set()

    @initialize(data=st.data(), places=st.lists(st.sampled_from(PLACES), min_size=2, max_size=5))
    def a_fleet_and_a_plan(self, data: st.DataObject, places: list[str]) -> None:
        for place in places:
            self._appear(place, data)
        self._plan(data)

    @rule(kill=KILLS)
    def go_on(self, kill: tuple[str, int] | None) -> None:
        """Apply the plan, or resume what was killed; what came to its end may be resumed, too."""
        if self.operation is None:
            self._apply(kill)
        else:
            left = left_over(JournalStore(self.file), self.operation.id)
            self._go(left.items, left.operation, resumed=True, kill=kill)

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def plan_another(self, data: st.DataObject) -> None:
        self._plan(data)

    @rule(data=st.data(), event=st.sampled_from(["a run appears", "a target ends", "a target joins", "time passes"]))
    def meanwhile(self, data: st.DataObject, event: str) -> None:
        if event == "a run appears":
            self._appear(data.draw(st.sampled_from(PLACES)), data)
        elif event == "a target ends":
            self._end(*data.draw(st.sampled_from(sorted(self.world.effects()))))
        elif event == "a target joins":
            self._join(data.draw(st.sampled_from(list(self.world.runs.values()))))
        else:
            self.world.now += data.draw(st.integers(1, SLOWEST))

    @invariant()
    def no_target_is_cancelled_twice_and_none_that_was_not_planned(self) -> None:
        effects = {target: count for target, count in self.world.effects().items() if count}
        assert set(effects.values()) <= {1}
        assert effects.keys() - self.before <= self.planned

    @invariant()
    def the_journal_can_be_read(self) -> None:
        for operation in self.journal.operations(limit=3):
            assert sum(operation.counts.values()) == len(list(self.journal.entries(operation.id))) > 0

    def _appear(self, place: str, data: st.DataObject) -> None:
        ref = f"{place}{len(self.world.runs) + 10:02}"
        states = data.draw(STATES)
        targets = {f"i-{number}": Target(state) for number, state in enumerate(states)}
        takes, deaf, mute = data.draw(FATES)
        self.world.runs[ref] = Truth(ref, targets, takes, deaf, mute)

    def _end(self, ref: str, name: str) -> None:
        self.world.finish(ref, name)
        if self.uninterrupted is not None and ref in self.uninterrupted.runs:
            self.uninterrupted.finish(ref, name)
            self.by_itself.add((ref, name))

    def _join(self, run: Truth) -> None:
        """Only where a cancel can leave it alone: elsewhere it shares the fate of its run."""
        if run.kind.in_part and not run.whole and not run.over(self.world.now):
            run.targets[f"i-late{len(run.targets)}"] = Target(State.PENDING)

    def _plan(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(list(self.world.runs.values())), min_size=1, unique_by=id))
        items = []
        for run in chosen:
            some = st.lists(st.sampled_from(sorted(run.targets)), unique=True)
            items.append(plan(run.snapshot(self.world.now), data.draw(some) if run.kind.in_part else ()))
        self.held, self.operation, self.uninterrupted = tuple(items), None, None
        self.planned = {(str(item.run), one.id) for item in items for one in item.invocations}
        self.before = {target for target, count in self.world.effects().items() if count}

    def _apply(self, kill: tuple[str, int] | None) -> None:
        self.uninterrupted, self.by_itself = deepcopy(self.world), set()
        go(self.uninterrupted, self.held)
        operation, before = new_operation("cancel", [], None), self.world.effects()
        self._go(self.held, operation, kill=kill)
        if self.journal.operation(operation.id) is not None:
            self.operation = operation
        else:
            assert self.world.effects() == before

    def _go(
        self, held: Sequence[PlanItem], operation: Operation, *, resumed: bool = False, kill: tuple[str, int] | None
    ) -> None:
        try:
            go(self.world, held, file=self.file, operation=operation, resumed=resumed, kill=kill)
        except Killed:
            self.done = False
        else:
            self.done = True
            self._same_end()
            assert not [one.item for one in self.journal.entries(operation.id) if one.outcome is None]

    def _same_end(self) -> None:
        assert self.uninterrupted is not None
        real = self.world.ends()
        for target, end in self.uninterrupted.ends().items():
            assert real[target] is end or (target in self.by_itself and real[target].over), (target, end, real[target])


@pytest.fixture(scope="module", autouse=True)
def _journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    Resume.file = tmp_path_factory.mktemp("resume") / "journal.sqlite3"
    Resume.journal = JournalStore(Resume.file).open()
    yield
    Resume.journal.close()


Resume.TestCase.settings = settings(tries(60, *HealthCheck), stateful_step_count=8)
test_any_order_of_kills_and_resumes_comes_to_the_same_end = Resume.TestCase
