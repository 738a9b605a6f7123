"""The contract of a provider, held against all of them through their real SDKs."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from outside import Outside, id_of, named

from contract.examples import EXAMPLES, Example, ours
from runcancel import refs
from runcancel.errors import CloudError, Reason
from runcancel.model import Ref, Scope, Snapshot, State, Wanted
from runcancel.pace import Pace
from runcancel.providers import PROVIDERS, Cloud, Connection, kind_of, provider

every_kind = pytest.mark.parametrize("example", EXAMPLES, ids=str)
in_part = pytest.mark.parametrize("example", [one for one in EXAMPLES if one.chunk and not one.added], ids=str)
as_a_whole = pytest.mark.parametrize("example", [one for one in EXAMPLES if not one.chunk], ids=str)
every_cloud = pytest.mark.parametrize("name", PROVIDERS)


class Clock:
    """Time that only sleeping moves: nobody waits for a rate limit."""

    stopped = False

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="module")
def still(begin: Callable[..., Outside]) -> Outside:
    """Clouds in which time stands still, for tests that only read."""
    return begin(speed=0, runs=[example.added for example in EXAMPLES if example.added])


@pytest.fixture
def moving(outside: Outside) -> Outside:
    """Clouds in their first state in which cancels take their time."""
    for example in EXAMPLES:
        if example.added:
            spec = dict(example.added)
            outside.add(spec.pop("provider"), **spec)
    return outside


Connect = Callable[..., Cloud]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Opens a scope as the program does; botocore reads the variables of this very process."""

    def open_(at: Outside, scope: Scope, **changed: str | None) -> Cloud:
        given: dict[str, str | None] = {**at.environ, **changed}
        environ = {key: value for key, value in given.items() if value is not None}
        for key in ("HOME", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", *changed):
            monkeypatch.delenv(key, raising=False)
        for key, value in environ.items():
            monkeypatch.setenv(key, value)
        return provider(scope.provider).connect(
            Connection(scope=scope, endpoint_url=_endpoint(scope, environ)), environ, Pace(Clock(), attempts=3)
        )

    return open_


def _endpoint(scope: Scope, environ: dict[str, str]) -> str | None:
    return environ.get(f"RUNCANCEL_{scope.provider.upper()}_ENDPOINT_URL")


def read(cloud: Cloud, ref: Ref, *, full: bool = True) -> Snapshot:
    ((_, found),) = cloud.read([ref], full=full)
    assert isinstance(found, Snapshot), found
    return found


def refused(ask: Callable[[], Any]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        ask()
    return caught.value


@every_kind
def test_a_reading_tells_the_truth(example: Example, still: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)

    snapshot = read(connect(still, ref.scope), ref)

    counted = Counter(ours(one["state"]) for one in still.truth(example.ref)["targets"])
    assert snapshot.run.counts == dict(counted)
    assert snapshot.run.ref == example.ref
    assert str(refs.full(snapshot.run.ref)) == example.ref
    assert snapshot.run.state.value == ours(still.truth(example.ref)["state"])
    assert snapshot.run.guarantee.value == example.guarantee
    assert snapshot.run.target_count == counted.total()
    assert snapshot.run.cancellable
    assert snapshot.run.provider_status


@every_kind
def test_every_target_is_one_row(example: Example, still: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)

    rows = read(connect(still, ref.scope), ref).invocations

    assert Counter(row.target or row.target_name for row in rows) == Counter(still.targets(example.ref))
    assert len({row.id for row in rows}) == len(rows)
    assert {row.run for row in rows} == {example.ref}
    truth = {one["id"]: ours(one["state"]) for one in still.truth(example.ref)["targets"]}
    assert {row.target or row.target_name: row.state.value for row in rows} == truth


@every_kind
def test_times_are_utc_and_in_order(example: Example, still: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)

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
    ref = refs.full(example.ref)
    cloud = connect(still, ref.scope)
    before = len(still.requests())
    long = read(cloud, ref)
    between = len(still.requests())
    short = read(cloud, ref, full=False)

    assert (short.run.state, short.run.ref) == (long.run.state, long.run.ref)
    assert len(still.requests()) - between <= between - before


@every_kind
def test_what_is_not_there_is_not_found(example: Example, still: Outside, connect: Connect) -> None:
    ref = refs.full(example.absent)
    present = refs.full(example.ref)
    together = [ref, present] if kind_of(ref).read_batch > 1 else [ref]

    answers = dict(connect(still, ref.scope).read(together))

    assert isinstance(error := answers.pop(ref), CloudError)
    assert error.reason is Reason.NOT_FOUND
    assert all(isinstance(found, Snapshot) for found in answers.values())


@every_kind
def test_every_filter_of_invocations_is_exact(example: Example, still: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)
    cloud = connect(still, ref.scope)
    rows = list(cloud.invocations(ref, Wanted()))

    assert {(row.id, row.state) for row in rows} == {(row.id, row.state) for row in read(cloud, ref).invocations}
    for state in State:
        found = cloud.invocations(ref, Wanted(states=frozenset({state})))
        assert {row.id for row in found} == {row.id for row in rows if row.state is state}, state
    some = [row for row in rows if row.target][:3]
    found = cloud.invocations(ref, Wanted(targets=frozenset(row.target for row in some if row.target) or {"nobody"}))
    assert {row.id for row in found} == {row.id for row in some}
    for task in {row.task for row in rows if row.task}:
        found = cloud.invocations(ref, Wanted(task=task))
        assert {row.id for row in found} == {row.id for row in rows if row.task == task}


@every_kind
def test_what_was_written_is_told_of_every_target(example: Example, still: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)

    outputs = list(connect(still, ref.scope).logs(ref, Wanted()))

    assert {one.parent or one.run for one in outputs} == {example.ref}
    assert {one.target or one.step for one in outputs} == set(still.targets(example.ref))
    assert len({(one.run, one.id, one.step) for one in outputs}) == len(outputs)
    assert any(one.stdout for one in outputs) or not still.targets(example.ref, "running", "succeeded", "failed")


@every_kind
def test_nobody_wrote_what_is_not_there(example: Example, still: Outside, connect: Connect) -> None:
    ref = refs.full(example.absent)

    assert refused(lambda: list(connect(still, ref.scope).logs(ref, Wanted()))).reason is Reason.NOT_FOUND


@every_kind
def test_a_limit_is_a_limit_below_every_page_size(example: Example, still: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)
    cloud = connect(still, ref.scope)
    total = len(list(cloud.invocations(ref, Wanted())))

    for limit in (1, 3, total, total + 7):
        assert len(list(cloud.invocations(ref, Wanted(limit=limit)))) == min(limit, total)


@every_kind
def test_a_limit_counts_what_passed_the_filter(example: Example, still: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)
    cloud = connect(still, ref.scope)
    rows = list(cloud.invocations(ref, Wanted()))
    last = rows[-1].state

    found = list(cloud.invocations(ref, Wanted(states=frozenset({last}), limit=2)))

    assert len(found) == min(2, sum(row.state is last for row in rows))
    assert {row.state for row in found} == {last}


@every_kind
def test_a_cancel_is_one_request_whose_id_is_told(example: Example, moving: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)

    ids = list(connect(moving, ref.scope).cancel(ref))

    assert [(each["action"], each["request_id"]) for each in moving.writes()] == [(example.operation, ids[0].lower())]
    assert moving.effective(example.ref)
    assert kind_of(ref).operation == example.operation
    assert kind_of(ref).action == example.action


@in_part
def test_targets_go_out_in_chunks_the_vendor_takes(example: Example, moving: Outside, connect: Connect) -> None:
    many = moving.add(example.provider, example.kind, name="many", targets={"pending": 120})
    targets = moving.targets(many)
    ref = refs.full(many)

    ids = list(connect(moving, ref.scope).cancel(ref, targets))

    sizes = [example.chunk] * (120 // example.chunk) + [120 % example.chunk]
    assert [len(named(each, targets)) for each in moving.writes()] == sizes
    assert [each["request_id"] for each in moving.writes()] == [id.lower() for id in ids]
    assert sorted(name for each in moving.writes() for name in named(each, targets)) == sorted(targets)


@in_part
def test_only_the_named_targets_are_touched(example: Example, moving: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)
    chosen = moving.targets(example.ref, "pending", "running")[:2]

    list(connect(moving, ref.scope).cancel(ref, chosen))

    touched = [one["id"] for one in moving.truth(example.ref)["targets"] if one["cancels"]]
    assert set(touched) <= set(chosen)
    assert touched or example.guarantee == "pending-only"


@as_a_whole
def test_what_has_no_parts_is_not_cancelled_in_part(example: Example, moving: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)
    cloud = connect(moving, ref.scope)

    error = refused(lambda: list(cloud.cancel(ref, ["i-0123456789abcdef0"])))

    assert error.reason is Reason.INVALID
    assert not moving.writes()


@every_kind
def test_an_id_of_another_shape_never_travels(example: Example, moving: Outside, connect: Connect) -> None:
    scope = refs.full(example.ref).scope
    cloud = connect(moving, scope)
    strange = Ref(scope=scope, kind=example.kind, id='x"}, "evil": {"')

    assert refused(lambda: list(cloud.cancel(strange))).reason is Reason.INVALID
    assert id_of(str(strange)) not in str(moving.requests())
    assert not moving.writes()


@every_cloud
def test_the_caller_is_who_the_key_belongs_to(name: str, still: Outside, connect: Connect) -> None:
    scope = next(refs.full(one.ref).scope for one in EXAMPLES if one.provider == name)

    who = connect(still, scope).identity()

    assert who.account == still.box.account_id(name)
    assert who.account in who.principal


@every_cloud
def test_regions_are_told(name: str, still: Outside, connect: Connect) -> None:
    scope = next(refs.full(one.ref).scope for one in EXAMPLES if one.provider == name)

    assert scope.region in connect(still, scope).regions()


SECRETS = {
    "aws": "AWS_SECRET_ACCESS_KEY",
    "alibaba": "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "tencent": "TENCENTCLOUD_SECRET_KEY",
}
KEYS = {
    "aws": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "alibaba": ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    "tencent": ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"),
}


@every_kind
def test_a_wrong_secret_is_bad_credentials(example: Example, still: Outside, connect: Connect) -> None:
    ref = refs.full(example.ref)
    cloud = connect(still, ref.scope, **{SECRETS[example.provider]: "canary-secret-canary-secret"})

    error = refused(lambda: list(cloud.read([ref])))

    assert error.reason is Reason.BAD_CREDENTIALS
    assert error.provider_code
    assert "canary-secret" not in error.message + str(error.hint)


@every_cloud
def test_no_credentials_name_what_was_tried(name: str, still: Outside, connect: Connect, tmp_path: Path) -> None:
    scope = next(refs.full(one.ref).scope for one in EXAMPLES if one.provider == name)
    none = dict.fromkeys(KEYS[name])

    error = refused(lambda: connect(still, scope, HOME=str(tmp_path), **none))

    assert error.reason is Reason.NO_CREDENTIALS
    assert KEYS[name][0] in error.message + str(error.hint)


@every_cloud
@pytest.mark.parametrize(
    ("fault", "reason"), [("denied", Reason.DENIED), ("expired", Reason.EXPIRED_CREDENTIALS)], ids=["denied", "expired"]
)
def test_a_refusal_is_told_apart(name: str, fault: str, reason: Reason, moving: Outside, connect: Connect) -> None:
    example = next(one for one in EXAMPLES if one.provider == name)
    ref = refs.full(example.ref)
    moving.faults(f"{example.operation}={fault}")

    error = refused(lambda: list(connect(moving, ref.scope).cancel(ref)))

    assert error.reason is reason
    assert reason is not Reason.DENIED or example.action in error.message
    assert not moving.effective(example.ref)
