"""Whatever a cloud answers: neutral records or a `CloudError`, never a claim that its words do not carry."""

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import HandClock
from hypothesis import example, given
from hypothesis import strategies as st
from outside import AUTOMATION, FANOUT, KILLED, SCHEDULE, TENCENT, WINDOW, Outside

from fuzz.budget import tries
from fuzz.liar import Change, Liar, Telling, lies
from runcancel.config import references
from runcancel.engine.planning import plan
from runcancel.engine.verdict import judge
from runcancel.errors import CloudError
from runcancel.model.encoding import from_builtins, to_builtins
from runcancel.model.outcomes import CancelResponse
from runcancel.model.queries import Query
from runcancel.model.runs import Identity, Invocation, InvocationFilter, Kind, Ref, Run, Scope, Snapshot
from runcancel.model.states import RequestStatus, State, Verdict
from runcancel.providers import kind_of, provider
from runcancel.providers.base import Cloud, Connection
from runcancel.render import FORMATS, End, writer
from runcancel.render.screens.terminal import Terminal
from runcancel.runtime.throttle import Pace, Tries
from runcancel.sandbox import SandboxOptions
from runcancel.text import is_plain

TRIES = Tries(throttled=3.0, within=3.0)
"""Enough for two repetitions, on a clock that is moved by hand."""

COMMAND = "aws:us-east-2:command/f0220000-0000-4000-8000-000000000001"
PAGED = "tencent:ap-guangzhou:invocation/inv-f0220001"
RUNS = (WINDOW, COMMAND, AUTOMATION, FANOUT, KILLED, SCHEDULE, TENCENT, PAGED)
SCOPES = tuple(dict.fromkeys(references.full(run).scope for run in RUNS))
MIXED = {"succeeded": 2, "failed": 1, "running": 3, "pending": 4}

OVER = {
    "aws": {
        *("success", "failed", "timedout", "cancelled", "skippedoverlapping", "rejected", "exited"),
        *("changecalendaroverriderejected", "completedwithsuccess", "completedwithfailure"),
    },
    "alibaba": {
        *("success", "failed", "error", "invalid", "aborted", "timeout", "cancelled", "terminated", "stopped"),
        *("partialfailed", "finished"),
    },
    "tencent": {
        *("success", "failed", "timeout", "partial_failed", "cancelled", "partial_cancelled", "deliver_failed"),
        *("start_failed", "task_timeout", "terminated"),
    },
}
"""Every word that its vendor documents as an end, in small letters; AWS's also without `_`, `-` and spaces."""

STOPPED = {"aws": {"cancelled"}, "alibaba": {"cancelled", "terminated", "stopped"}}
STOPPED["tencent"] = {"cancelled", "partial_cancelled", "terminated"}
MIXED_ENDS = {"success", "partialfailed"}
"""What Alibaba calls a run of which some targets were stopped and the others succeeded."""


class Clock(HandClock):
    """No lie makes anybody wait longer than a minute."""

    def sleep(self, seconds: float) -> None:
        super().sleep(min(seconds, 60.0))


class Lied:
    """The clouds of a liar, opened as the program opens them."""

    def __init__(self, box: Liar, home: Path) -> None:
        self.box = box
        self.environ = {"HOME": str(home), **box.environment()}
        self._honest: dict[Ref, Snapshot] = {}

    def open(self, scope: Scope) -> Cloud:
        """A connection that has not been used: an error of the example before has closed nothing."""
        endpoint = self.environ.get(f"RUNCANCEL_{scope.provider.upper()}_ENDPOINT_URL")
        connection = Connection(scope=scope, endpoint_url=endpoint, read_timeout=2.0)
        return provider(scope.provider).connect(connection, self.environ, Pace(Clock(), tries=lambda: TRIES))

    def telling(self, changes: Sequence[Change]) -> Telling:
        self.box.telling = Telling(tuple(changes))
        return self.box.telling

    def reset(self) -> None:
        """The world as it was, at another time."""
        self.box.reset()
        self._honest.clear()

    def honest(self, ref: Ref) -> Snapshot:
        """What is true of the run: it stands still, and is read once."""
        self.telling(())
        if ref not in self._honest:
            ((_, found),) = self.open(ref.scope).read([ref])
            assert isinstance(found, Snapshot)
            self._honest[ref] = found
        return self._honest[ref]


@pytest.fixture(scope="module")
def lied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lied]:
    home = tmp_path_factory.mktemp("lied")
    runs = (
        {
            "provider": "aws",
            "region": "us-east-2",
            "kind": "command",
            "id": references.full(COMMAND).id,
            "targets": MIXED,
        },
        {
            "provider": "tencent",
            "region": "ap-guangzhou",
            "kind": "invocation",
            "id": "inv-f0220001",
            "targets": {"pending": 101},
        },
    )
    box = Liar(SandboxOptions(speed=0, runs=runs))
    with box, pytest.MonkeyPatch.context() as patch:
        made = Lied(box, home)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy", "AWS_PROFILE"):
            patch.delenv(name, raising=False)
        for name, value in {**made.environ, "AWS_EC2_METADATA_DISABLED": "true"}.items():
            patch.setenv(name, value)
        yield made


def word(provider: str, said: str) -> str:
    """A status word as its vendor's readers compare it."""
    return re.sub(r"[\s_-]+", "", said).casefold() if provider == "aws" else said.lower()


def check_claims(found: Snapshot) -> None:
    """Nothing is called over or stopped that the vendor's own word does not call so."""
    run = found.run
    name = run.provider
    said = word(name, run.provider_status)
    assert not run.state.over or said in OVER[name], run
    if run.state.stopped:
        mixed = name == "alibaba" and said in MIXED_ENDS and any(one.state.stopped for one in found.invocations)
        assert said in STOPPED[name] or mixed, run
    assert not (run.cancellable and run.state.over) or any(not one.state.over for one in found.invocations)
    for one in found.invocations:
        said = word(name, one.provider_status)
        never_ran = one.state is State.SKIPPED and run.state.over
        assert not one.state.over or said in OVER[name] or never_ran, one
        assert not one.state.stopped or said in STOPPED[name], one


def check_types(*records: Run | Invocation | Identity) -> None:
    """Every field is of the type that its record declares, every time is UTC, and what is a reference can be read."""
    for record in records:
        assert from_builtins(to_builtins(record), type(record), ref=references.full) == record
        for name in ("created_at", "started_at", "ended_at"):
            moment = getattr(record, name, None)
            assert moment is None or moment.tzinfo is UTC or moment.utcoffset() == timedelta(0)
        for name in ("ref", "child", "parent"):
            reference = getattr(record, name, None)
            assert reference is None or references.full(str(reference)) == reference


def check_shown(format: str, name: str, records: Sequence[Any]) -> None:
    """It can be printed, and nothing in it moves a cursor."""
    out = io.StringIO()
    printer = writer(format, name, out=out, terminal=Terminal(is_terminal=True, width=80, color=False))
    for record in records:
        printer.row(record)
    printer.end(End(exit_code=0))
    out.getvalue().encode()
    if format == "json":
        json.loads(out.getvalue())
    for line in out.getvalue().splitlines():
        assert is_plain(line.replace("\t", "") if format == "tsv" else line)


def caught(ask: Callable[[], Any]) -> Any:
    """What a call gives, or None when it raises what it may raise."""
    try:
        return ask()
    except CloudError as error:
        error.problem()
        return None


@tries(60)
@given(st.sampled_from(RUNS), lies, st.sampled_from(FORMATS), st.booleans())
def test_a_reading_of_lies_is_a_record_or_an_error(
    lied: Lied, run: str, changes: tuple[Change, ...], format: str, full: bool
) -> None:
    ref = references.full(run)
    item = plan(lied.honest(ref))
    lied.telling(changes)

    answers = caught(lambda: list(lied.open(ref.scope).read([ref], full=full))) or []

    assert [status for status, _ in answers] in ([], [ref])
    for _, found in answers:
        if isinstance(found, CloudError):
            continue
        check_types(found.run, *found.invocations)
        check_claims(found)
        assert found.run.ref == ref
        check_shown(format, "status", [found.run])
        check_shown(format, "invocations", found.invocations)
        check_verdict(item, found, kind_of(ref))


def check_verdict(item: Any, found: Snapshot, kind: Kind) -> None:
    """`stopped` is said only of what is seen to be over, everything that was planned included."""
    answer = CancelResponse(status=RequestStatus.ACCEPTED, at=0.0, request_ids=("r",))
    outcome = judge(item, answer, found, unchanged=True, seconds=4.0)
    listed = {one.id: one.state for one in found.invocations}
    if outcome.verdict in (Verdict.STOPPED, Verdict.ENDED):
        assert found.run.state.over
        assert all(state.over for state in listed.values())
        lost = [one for one in item.invocations if one.id not in listed and not one.before.over]
        assert all(one.target is None and one.task == one.id for one in lost), lost
    for one in outcome.invocations:
        assert one.after is None or one.after is not State.UNKNOWN or one.effect.value in ("unknown", "already-ended")
    check_shown("json", "cancel", [outcome])


@tries(60)
@given(
    st.sampled_from(RUNS),
    lies,
    st.sampled_from([InvocationFilter(), InvocationFilter(limit=2), InvocationFilter(targets=frozenset({"i-1"}))]),
)
def test_a_listing_of_targets_out_of_lies(
    lied: Lied, run: str, changes: tuple[Change, ...], wanted: InvocationFilter
) -> None:
    ref = references.full(run)
    lied.telling(changes)

    rows = caught(lambda: list(lied.open(ref.scope).invocations(ref, wanted))) or []

    check_types(*rows)
    assert all(wanted.matches(row) or ref.kind == "maintenance-window" for row in rows)
    assert not wanted.limit or len(rows) <= wanted.limit


@tries(60)
@given(
    st.sampled_from(SCOPES),
    lies,
    st.sampled_from([Query(), Query(states=frozenset({State.RUNNING})), Query(states=frozenset({State.CANCELLED}))]),
)
def test_a_search_of_lies_finds_records_or_fails(
    lied: Lied, scope: Scope, changes: tuple[Change, ...], query: Query
) -> None:
    lied.telling(changes)

    found = caught(lambda: list(lied.open(scope).runs(query))) or []

    check_types(*found)
    rows = [one.run for one in found]
    for row in rows:
        assert not row.state.over or word(scope.provider, row.provider_status) in OVER[scope.provider]
    check_shown("tsv", "list", rows)


@tries(60)
@given(st.sampled_from(SCOPES), lies)
@example(SCOPES[0], (Change("everywhere", (2,), ""),))
@example(SCOPES[0], (Change("everywhere", (3,), ""),))
def test_who_and_where_out_of_lies(lied: Lied, scope: Scope, changes: tuple[Change, ...]) -> None:
    lied.telling(changes)

    regions = caught(lambda: lied.open(scope).regions()) or ()
    who = caught(lambda: lied.open(scope).identity())

    assert all(isinstance(one, str) and one for one in regions)
    if who is not None:
        check_types(who)
        assert who.account
        assert who.principal


@tries(60)
@given(st.sampled_from(RUNS), lies)
def test_an_answer_to_a_cancel_counts_only_with_its_proof(lied: Lied, run: str, changes: tuple[Change, ...]) -> None:
    ref = references.full(run)
    lied.reset()
    telling = lied.telling(changes)

    ids = caught(lambda: list(lied.open(ref.scope).cancel(ref))) or []

    assert all(isinstance(one, str) and one for one in ids)
    if ids and ref.kind == "maintenance-window":
        assert json.loads(telling.sent[-1])["WindowExecutionId"].lower() == ref.id


CODES = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
VERBS = (
    ("cancel", "--timeout", "1s"),
    ("status",),
    ("invocations",),
    ("wait", "--timeout", "1s"),
)


@pytest.fixture(scope="module")
def command(begin: Callable[..., Outside]) -> Outside:
    """The command; the clouds that it is led to are the liar's."""
    return begin()


@tries(4)
@given(st.sampled_from(VERBS), st.sampled_from((WINDOW, COMMAND, KILLED, TENCENT)), lies)
def test_the_command_survives_every_lie(
    lied: Lied, command: Outside, verb: tuple[str, ...], run: str, changes: tuple[Change, ...]
) -> None:
    lied.reset()
    lied.telling(changes)

    done = command.run(*verb, run, "-o", "json", env=lied.environ | {"HOME": str(command.home)})

    assert done.code in CODES, str(done)
    assert "Traceback" not in done.err
    assert "internal" not in {error["code"] for error in done.document["errors"]}, str(done)
