"""The contract of a provider, held against all of them through their real SDKs."""

from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from opened import read, refused, unread
from outside import Outside, id_of, named

from contract.conftest import Connect
from contract.examples import EXAMPLES, ONE_OF_EACH, Example, ours
from runcancel.config import references
from runcancel.engine.decoding import as_text
from runcancel.errors import CloudError
from runcancel.model.runs import InvocationFilter, Ref, Scope, Snapshot
from runcancel.model.states import Reason, State
from runcancel.providers import kind_of

_RAN = ("running", "succeeded", "failed")

every_kind = pytest.mark.parametrize("example", EXAMPLES, ids=str)
in_part = pytest.mark.parametrize("example", [one for one in EXAMPLES if one.chunk and not one.added], ids=str)
as_a_whole = pytest.mark.parametrize("example", [one for one in EXAMPLES if not one.chunk], ids=str)
every_cloud = pytest.mark.parametrize("example", ONE_OF_EACH, ids=str)


@every_kind
def test_a_reading_tells_the_truth(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)

    snapshot = read(connect(still, ref.scope), ref)

    counted = Counter(ours(one["state"]) for one in still.truth(example.ref)["targets"])
    assert snapshot.run.counts == dict(counted)
    assert snapshot.run.ref == ref
    assert str(snapshot.run.ref) == example.ref
    assert snapshot.run.state.value == ours(still.truth(example.ref)["state"])
    assert snapshot.run.guarantee.value == example.guarantee
    assert snapshot.run.target_count == counted.total()
    assert snapshot.run.cancellable
    assert snapshot.run.provider_status


@every_kind
def test_every_target_is_one_row(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)

    rows = read(connect(still, ref.scope), ref).invocations

    assert Counter(row.target or row.target_name for row in rows) == Counter(still.targets(example.ref))
    assert len({row.id for row in rows}) == len(rows)
    assert {row.run for row in rows} == {ref}
    truth = {one["id"]: ours(one["state"]) for one in still.truth(example.ref)["targets"]}
    assert {row.target or row.target_name: row.state.value for row in rows} == truth


@every_kind
def test_times_are_utc_and_in_order(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)

    snapshot = read(connect(still, ref.scope), ref)

    for one in (snapshot.run, *snapshot.invocations):
        for moment in (one.started_at, one.ended_at):
            assert moment is None or moment.utcoffset() == timedelta(0)
        assert one.started_at is None or one.ended_at is None or one.started_at <= one.ended_at
    assert snapshot.run.created_at or snapshot.run.started_at
    assert all(row.ended_at is None for row in snapshot.invocations if not row.state.over)
    assert all(row.started_at is None for row in snapshot.invocations if row.state is State.PENDING)


@every_kind
def test_a_short_reading_agrees_and_asks_no_more(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)
    cloud = connect(still, ref.scope)
    before = len(still.requests())
    long = read(cloud, ref)
    between = len(still.requests())
    short = read(cloud, ref, full=False)

    assert (short.run.state, short.run.ref) == (long.run.state, long.run.ref)
    assert len(still.requests()) - between <= between - before


@every_kind
def test_what_is_not_there_is_not_found(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.absent)
    present = references.full(example.ref)
    together = [ref, present] if kind_of(ref).read_batch > 1 else [ref]

    answers = dict(connect(still, ref.scope).read(together))

    assert isinstance(error := answers.pop(ref), CloudError)
    assert error.reason is Reason.NOT_FOUND
    assert all(isinstance(found, Snapshot) for found in answers.values())


@every_kind
def test_every_filter_of_invocations_is_exact(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)
    cloud = connect(still, ref.scope)
    rows = list(cloud.invocations(ref, InvocationFilter()))

    assert {(row.id, row.state) for row in rows} == {(row.id, row.state) for row in read(cloud, ref).invocations}
    for state in State:
        found = cloud.invocations(ref, InvocationFilter(states=frozenset({state})))
        assert {row.id for row in found} == {row.id for row in rows if row.state is state}, state
    some = [row for row in rows if row.target][:3]
    found = cloud.invocations(
        ref, InvocationFilter(targets=frozenset(row.target for row in some if row.target) or {"nobody"})
    )
    assert {row.id for row in found} == {row.id for row in some}
    for task in {row.task for row in rows if row.task}:
        found = cloud.invocations(ref, InvocationFilter(task=task))
        assert {row.id for row in found} == {row.id for row in rows if row.task == task}


@every_kind
def test_what_was_written_is_told_of_every_target(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)

    outputs = [as_text(capture, None) for capture in connect(still, ref.scope).logs(ref, InvocationFilter())]

    assert {one.parent or one.run for one in outputs} == {ref}
    assert {one.target or one.step or one.target_name for one in outputs} == set(still.targets(example.ref))
    assert len({(one.run, one.id, one.step) for one in outputs}) == len(outputs)
    unsupported = all("not supported" in (one.note or "") for one in outputs)
    assert any(one.stdout for one in outputs) or unsupported or not still.targets(example.ref, *_RAN)


@every_kind
def test_what_is_not_there_ran_nowhere_and_wrote_nothing(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.absent)
    cloud = connect(still, ref.scope)

    assert refused(lambda: list(cloud.invocations(ref, InvocationFilter()))).reason is Reason.NOT_FOUND
    assert refused(lambda: list(cloud.logs(ref, InvocationFilter()))).reason is Reason.NOT_FOUND


@every_kind
def test_a_limit_is_a_limit_below_every_page_size(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)
    cloud = connect(still, ref.scope)
    total = len(list(cloud.invocations(ref, InvocationFilter())))

    for limit in (1, 3, total, total + 7):
        assert len(list(cloud.invocations(ref, InvocationFilter(limit=limit)))) == min(limit, total)


@every_kind
def test_a_limit_counts_what_passed_the_filter(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)
    cloud = connect(still, ref.scope)
    rows = list(cloud.invocations(ref, InvocationFilter()))
    last = rows[-1].state

    found = list(cloud.invocations(ref, InvocationFilter(states=frozenset({last}), limit=2)))

    assert len(found) == min(2, sum(row.state is last for row in rows))
    assert {row.state for row in found} == {last}


@every_kind
def test_a_cancel_is_one_request_whose_id_is_told(example: Example, moving: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)

    ids = list(connect(moving, ref.scope).cancel(ref))

    assert [(each["action"], each["request_id"]) for each in moving.writes()] == [(example.operation, ids[0].lower())]
    assert moving.effective(example.ref)
    assert kind_of(ref).action == example.operation
    assert kind_of(ref).permission == example.action


@in_part
def test_targets_go_out_in_chunks_the_vendor_takes(example: Example, moving: Outside, connect: Connect) -> None:
    ref = references.full(moving.add(example.provider, example.kind, name="many", targets={"pending": 220}))
    targets = moving.targets(str(ref))

    ids = list(connect(moving, ref.scope).cancel(ref, [*targets, targets[0]]))

    sizes = [example.chunk] * (220 // example.chunk) + [220 % example.chunk]
    assert [len(named(each, targets)) for each in moving.writes()] == sizes
    assert [each["request_id"] for each in moving.writes()] == [id.lower() for id in ids]
    assert len(set(ids)) == len(sizes)
    assert sorted(name for each in moving.writes() for name in named(each, targets)) == sorted(targets)


@in_part
def test_only_the_named_targets_are_touched(example: Example, moving: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)
    chosen = moving.targets(example.ref, "pending", "running")[:2]

    list(connect(moving, ref.scope).cancel(ref, chosen))

    touched = [one["id"] for one in moving.truth(example.ref)["targets"] if one["cancels"]]
    assert set(touched) <= set(chosen)
    assert touched or example.guarantee == "pending-only"


@as_a_whole
def test_what_has_no_parts_is_not_cancelled_in_part(example: Example, moving: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)
    cloud = connect(moving, ref.scope)

    error = refused(lambda: list(cloud.cancel(ref, ["i-0123456789abcdef0"])))

    assert error.reason is Reason.INVALID
    assert not moving.requests()


@every_kind
def test_an_id_of_another_shape_never_travels(example: Example, still: Outside, connect: Connect) -> None:
    id = id_of(example.ref)
    cloud = connect(still, example.scope)
    before = len(still.requests())

    for odd in ("", "x", f"{id}\n", f"{id}/..", f"{id}*", f"{id}&Action=StopInvocation", 'x"}, "evil": {"'):
        strange = Ref(scope=example.scope, kind=example.kind, id=odd)
        assert unread(cloud, strange).reason is Reason.INVALID, odd
        assert refused(partial(lambda ref: list(cloud.cancel(ref)), strange)).reason is Reason.INVALID, odd
    assert len(still.requests()) == before


@in_part
def test_one_target_of_another_shape_and_nothing_is_sent(example: Example, moving: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)
    targets = [*moving.targets(example.ref), "i-1'; reboot"]

    assert refused(lambda: list(connect(moving, ref.scope).cancel(ref, targets))).reason is Reason.INVALID
    assert not moving.requests()


@every_cloud
def test_the_caller_is_who_the_key_belongs_to(example: Example, still: Outside, connect: Connect) -> None:
    who = connect(still, example.scope).identity()

    assert who.account == still.box.account_id(example.provider)
    assert who.account in who.principal
    assert who.principal.startswith(example.vendor.principal)


@every_kind
def test_a_wrong_secret_is_bad_credentials(example: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)
    cloud = connect(still, ref.scope, env={example.vendor.secret: "canary-secret-canary-secret"})

    error = refused(lambda: list(cloud.read([ref])))

    assert error.reason is Reason.BAD_CREDENTIALS
    assert error.provider_code
    assert "canary-secret" not in f"{error.message}{error.hint}{error!r}"


@every_cloud
def test_no_credentials_name_what_was_tried(example: Example, still: Outside, connect: Connect, tmp_path: Path) -> None:
    none = dict.fromkeys((example.vendor.id, example.vendor.secret))

    error = refused(lambda: connect(still, example.scope, env={"HOME": str(tmp_path), **none}))

    assert error.reason is Reason.NO_CREDENTIALS
    assert example.vendor.id in error.message + str(error.hint)


@every_cloud
@pytest.mark.parametrize("half", ["id", "secret"])
def test_half_a_key_is_no_credentials(
    example: Example, half: str, still: Outside, connect: Connect, tmp_path: Path
) -> None:
    missing = getattr(example.vendor, half)

    error = refused(lambda: connect(still, example.scope, env={"HOME": str(tmp_path), missing: None}))

    assert error.reason is Reason.NO_CREDENTIALS
    assert missing in error.message + str(error.hint)


@every_cloud
@pytest.mark.parametrize("url", ["http://cloud.example.com", "https://user@host"])
def test_an_unsafe_endpoint_is_refused(example: Example, url: str, still: Outside, connect: Connect) -> None:
    assert refused(lambda: connect(still, example.scope, endpoint_url=url)).reason is Reason.NOT_CONFIGURED


@every_cloud
def test_a_region_that_is_no_host_name_is_refused(example: Example, still: Outside, connect: Connect) -> None:
    scope = Scope(provider=example.provider, region="evil.example.com/")

    assert refused(lambda: connect(still, scope)).reason is Reason.NOT_CONFIGURED
