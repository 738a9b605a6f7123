"""Ended means that every listed target ended, and contradictions go to the least ended row: no read hides one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import HandClock
from fuzz.budget import tries
from fuzz.liar import Liar, Telling
from hypothesis import given
from hypothesis import strategies as st
from outside import AUTOMATION, COMMAND, FANOUT, KILLED, TENCENT, WINDOW, WRITES, Outside

from runcancel.config import references
from runcancel.engine.planning import plan
from runcancel.engine.tracker import not_asked
from runcancel.engine.verdict import judge
from runcancel.model.outcomes import CancelResponse
from runcancel.model.runs import Ref, Scope, Snapshot
from runcancel.model.states import RequestStatus, Verdict
from runcancel.providers import provider
from runcancel.providers.base import Cloud, Connection
from runcancel.runtime.throttle import Pace
from runcancel.sandbox import SandboxOptions

from .contradictions import Contradiction, changes, named_rows, open_rows

VOCABULARY = {
    WINDOW: "window",
    COMMAND: "aws",
    AUTOMATION: "aws",
    FANOUT: "aws",
    KILLED: "alibaba",
    TENCENT: "tencent",
}
every_run = pytest.mark.parametrize("run", VOCABULARY, ids=lambda run: references.full(run).kind + run[-4:])
CLAIMS = (Verdict.STOPPED, Verdict.REPORTED, Verdict.ENDED)


class Lied:
    """A sandbox that stands still, its replies changed, and a way to open it and to run the command against it."""

    def __init__(self, box: Liar, home: Path) -> None:
        self.box = box
        self.environ = {"HOME": str(home), **box.environment()}
        self._honest: dict[Ref, Snapshot] = {}

    def open(self, scope: Scope) -> Cloud:
        endpoint = self.environ.get(f"RUNCANCEL_{scope.provider.upper()}_ENDPOINT_URL")
        connection = Connection(scope=scope, endpoint_url=endpoint, read_timeout=5.0)
        return provider(scope.provider).connect(connection, self.environ, Pace(HandClock()))

    def telling(self, *lies: Any) -> Telling:
        self.box.telling = Telling(lies)
        return self.box.telling

    def reset(self) -> None:
        """The world as it was, at another time."""
        self.box.reset()
        self._honest.clear()

    def honest(self, ref: Ref) -> Snapshot:
        """The run as it is: it stands still, and is read once."""
        self.telling()
        if ref not in self._honest:
            self._honest[ref] = self.read(ref)
        return self._honest[ref]

    def read(self, ref: Ref) -> Snapshot:
        ((_, found),) = self.open(ref.scope).read([ref])
        assert isinstance(found, Snapshot), found
        return found


@pytest.fixture(scope="module")
def lied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lied]:
    box = Liar(SandboxOptions(speed=0))
    with box, pytest.MonkeyPatch.context() as patch:
        made = Lied(box, tmp_path_factory.mktemp("contradicted"))
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        for name, value in {**made.environ, "AWS_EC2_METADATA_DISABLED": "true"}.items():
            patch.setenv(name, value)
        yield made


@every_run
@tries(25)
@given(data=st.data())
def test_no_contradiction_hides_a_target_that_runs(lied: Lied, run: str, data: st.DataObject) -> None:
    ref = references.full(run)
    before = lied.honest(ref)
    ids = frozenset({ref.id, *(task.lower() for task in before.run.task_ids)})
    told = lied.telling(*data.draw(changes(VOCABULARY[run])))

    seen = lied.read(ref)

    left = open_rows(told.sent, ids)
    assert not (left and seen.run.ended), left
    assert not (left and not_asked(item := plan(seen)).status is RequestStatus.NEEDLESS and not item.ask), left
    outcome = judge(
        plan(before), CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("r",)), seen, unchanged=True
    )
    if outcome.verdict in CLAIMS:
        assert not left
        unseen = {one.id for one in before.invocations if not one.state.over} - named_rows(told.sent)
        assert not unseen, unseen
    assert len({(one.task, one.id) for one in seen.invocations}) == len(seen.invocations)
    assert all(one.run == ref for one in seen.invocations)


@every_run
@pytest.mark.parametrize("other", [0, 40])
@pytest.mark.parametrize("word", range(6))
def test_a_doubled_row_counts_as_the_least_ended_of_both(lied: Lied, run: str, other: int, word: int) -> None:
    honest = lied.honest(references.full(run))

    lied.telling(Contradiction("doubled", VOCABULARY[run], at=2, other=other, word=word))
    doubled = lied.read(references.full(run))

    states = {one.id: one.state for one in honest.invocations}
    assert {one.id for one in doubled.invocations} >= states.keys()
    for one in doubled.invocations:
        assert one.state.openness >= states.get(one.id, one.state).openness
    assert doubled.run.state.openness >= honest.run.state.openness


@every_run
@pytest.mark.parametrize("other", [0, 40])
def test_rows_of_another_are_not_taken(lied: Lied, run: str, other: int) -> None:
    honest = lied.honest(references.full(run))

    for word in range(6):
        lied.telling(Contradiction("foreign", VOCABULARY[run], at=1, other=other, word=word))
        assert lied.read(references.full(run)) == honest


# the installed command


@pytest.fixture(scope="module")
def command(begin: Callable[..., Outside]) -> Outside:
    """The command; the clouds that it is led to are the liar's."""
    return begin()


@pytest.fixture
def ended(lied: Lied, run: str) -> Iterator[None]:
    """Every run is called ended, and its targets still run."""
    lied.reset()
    lied.telling(Contradiction("ended", VOCABULARY[run]), Contradiction("none", VOCABULARY[run]))
    yield
    lied.telling()
    lied.reset()


@every_run
@pytest.mark.usefixtures("ended")
def test_a_run_that_is_called_ended_while_a_target_runs_is_cancelled(lied: Lied, command: Outside, run: str) -> None:
    env = lied.environ | {"HOME": str(command.home)}

    planned = command.run("cancel", run, "--dry-run", "-o", "json", env=env)
    done = command.run("cancel", run, "--timeout", "0", "-o", "json", env=env)

    assert planned.document["plan"][0]["ask"] is True
    assert done.outcomes[run]["verdict"] not in ("ended", "stopped", "reported"), str(done)
    assert done.code != 0
    sent = [one["action"] for one in lied.box.log.shown() if one["action"] in WRITES]
    assert len(sent) == 1


@every_run
@pytest.mark.usefixtures("ended")
def test_what_waits_for_an_end_waits_for_every_target(lied: Lied, command: Outside, run: str) -> None:
    env = lied.environ | {"HOME": str(command.home)}

    for goal in ("ended", "stopped", "cancelled"):
        done = command.run("wait", run, "--for", goal, "--timeout", "0.1", "-o", "json", env=env)
        assert done.code == 8, str(done)
        assert [error["code"] for error in done.document["errors"]] == ["timed_out"]
    status = command.run("status", run, "--exit-status", "-o", "json", env=env)
    assert status.code == 0, str(status)
    assert status.document["runs"][0]["cancellable"] is True


@pytest.mark.parametrize("run", [KILLED, TENCENT])
@pytest.mark.usefixtures("ended")
def test_a_list_of_what_has_not_ended_holds_what_is_called_ended_while_a_target_runs(
    lied: Lied, command: Outside, run: str
) -> None:
    env = lied.environ | {"HOME": str(command.home)}

    listed = command.run("list", "-p", references.full(run).scope.provider, "-o", "json", env=env)

    assert run in [one["ref"] for one in listed.document["runs"]], str(listed)
