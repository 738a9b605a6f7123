"""Triggers of every cloud that has them: found, read, switched by the vendor's own switch, and nothing else changed."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from msgspec import structs
from outside import Outside

from contract.conftest import Connect
from runcancel.errors import CloudError
from runcancel.model.queries import Query
from runcancel.model.runs import Ref, Scope, Snapshot
from runcancel.model.states import Reason
from runcancel.model.triggers import Trigger, TriggerKind, TriggerQuery, TriggerState
from runcancel.providers import PROVIDERS, provider

HOMES = {"aws": "us-east-2", "alibaba": "cn-hangzhou", "tencent": "ap-guangzhou"}
KINDS = [(name, kind) for name in PROVIDERS for kind in provider(name).trigger_kinds]
SWITCHABLE = [(name, kind) for name, kind in KINDS if kind.switchable]
each_kind = pytest.mark.parametrize(("name", "kind"), KINDS, ids=lambda value: getattr(value, "name", value))
each_switch = pytest.mark.parametrize(("name", "kind"), SWITCHABLE, ids=lambda value: getattr(value, "name", value))


def scope(name: str) -> Scope:
    return Scope(provider=name, region=HOMES[name])


@pytest.fixture
def found(outside: Outside, connect: Connect) -> Callable[[str, TriggerKind], list[Trigger]]:
    """The triggers of one kind."""

    def find(name: str, kind: TriggerKind) -> list[Trigger]:
        triggers = connect(outside, scope(name)).triggers()
        return list(triggers.find(TriggerQuery(kinds=frozenset({kind.name}))))

    return find


@each_kind
def test_a_listing_gives_what_a_reading_gives(
    outside: Outside, connect: Connect, found: Callable[..., list[Trigger]], name: str, kind: TriggerKind
) -> None:
    listed = found(name, kind)

    assert listed
    for one in listed:
        assert (one.kind, one.provider, one.region) == (kind.name, name, HOMES[name])
        assert kind.id_pattern.fullmatch(one.id)
        assert str(one.ref) == f"{name}:{HOMES[name]}:{kind.name}/{one.id}"
        assert connect(outside, scope(name)).triggers().read(one.ref) == one


@each_kind
def test_what_starts_by_a_schedule_has_a_next_start(
    found: Callable[..., list[Trigger]], name: str, kind: TriggerKind
) -> None:
    starts = [one.next_start_at for one in found(name, kind) if one.state is TriggerState.ENABLED and one.next_start_at]

    assert all(start > datetime.now(UTC) for start in starts)
    assert starts or kind.name == "rule"


@each_switch
def test_disabling_and_enabling_changes_the_state_alone(
    outside: Outside, connect: Connect, found: Callable[..., list[Trigger]], name: str, kind: TriggerKind
) -> None:
    before = next(one for one in found(name, kind) if one.state is TriggerState.ENABLED and one.fixed_because is None)
    triggers = connect(outside, scope(name)).triggers()

    assert triggers.switch(before.ref, enabled=False)
    disabled = triggers.read(before.ref)
    assert triggers.switch(before.ref, enabled=True)
    after = triggers.read(before.ref)

    assert disabled.state is TriggerState.DISABLED
    assert disabled.edition == before.edition
    same = ("ref", "name", "state", "schedule", "timezone", "documents", "targets", "edition", "tasks", "others")
    assert [getattr(after, field) for field in same] == [getattr(before, field) for field in same]


@each_switch
def test_what_is_not_there_is_not_found(outside: Outside, connect: Connect, name: str, kind: TriggerKind) -> None:
    ids = {"invoker": "ivk-00000000", "window": "mw-00000000000000000", "rule": "default/no-such-rule"}
    ref = Ref(scope=scope(name), kind=kind.name, id=ids[kind.name])
    triggers = connect(outside, scope(name)).triggers()

    for call in (lambda: triggers.read(ref), lambda: triggers.switch(ref, enabled=False)):
        with pytest.raises(CloudError) as raised:
            call()
        assert raised.value.reason is Reason.NOT_FOUND


@each_kind
def test_an_id_of_another_shape_never_travels(outside: Outside, connect: Connect, name: str, kind: TriggerKind) -> None:
    ref = Ref(scope=scope(name), kind=kind.name, id="../x\n")
    triggers = connect(outside, scope(name)).triggers()
    before = len(outside.requests())

    for call in (lambda: triggers.read(ref), lambda: triggers.switch(ref, enabled=False)):
        with pytest.raises(CloudError):
            call()
    assert len(outside.requests()) == before


@pytest.mark.parametrize("name", [name for name in PROVIDERS if provider(name).trigger_kinds])
def test_another_kind_costs_no_request(outside: Outside, connect: Connect, name: str) -> None:
    triggers = connect(outside, scope(name)).triggers()
    before = len(outside.requests())

    assert list(triggers.find(TriggerQuery(kinds=frozenset({"no-such-kind"})))) == []
    assert len(outside.requests()) == before


@each_switch
def test_what_is_disabled_starts_nothing_and_what_is_enabled_does(
    begin: Callable[..., Outside], connect: Connect, name: str, kind: TriggerKind
) -> None:
    still = begin(speed=0)
    cloud = connect(still, scope(name))
    one = next(
        each
        for each in cloud.triggers().find(TriggerQuery(kinds=frozenset({kind.name})))
        if each.state is TriggerState.ENABLED and each.fixed_because is None and each.next_start_at is not None
    )

    def runs() -> set[str]:
        return {snapshot.run.id for snapshot in cloud.runs(Query())}

    cloud.triggers().switch(one.ref, enabled=False)
    before = runs()
    still.box.clock.advance(3 * 86_400)
    quiet = runs()
    cloud.triggers().switch(one.ref, enabled=True)
    still.box.clock.advance(3 * 86_400)
    started = runs() - quiet

    assert quiet - before == set() or kind.name != "invoker"
    assert started
    refs = [found.run.ref for found in cloud.runs(Query()) if found.run.id in started]
    origins = dict(cloud.triggers().origins(refs))

    if kind.name == "rule":  # a command does not tell what sent it
        assert not any(ref.kind == "command" for ref in origins)
        return
    assert {origin.trigger for origin in origins.values()} >= {one.ref}
    assert all(origin.known for origin in origins.values())


@pytest.mark.parametrize(("spec", "moves"), [({"category": "TimerTrigger", "every": 600.0}, 600.0)])
def test_a_schedule_that_is_a_run_is_the_origin_of_its_rounds(
    begin: Callable[..., Outside], connect: Connect, spec: dict[str, object], moves: float
) -> None:
    still = begin(speed=0)
    timer = Ref.parse(still.add("alibaba", "oos", targets={"scheduled": 1}, age=0, **spec))
    cloud = connect(still, scope("alibaba"))
    ((_, before),) = cloud.read([timer])
    still.box.clock.advance(moves)
    ((_, during),) = cloud.read([timer])
    assert isinstance(before, Snapshot)
    assert isinstance(during, Snapshot)
    (child,) = [row.child for row in during.invocations if row.child is not None]

    origins = dict(cloud.triggers().origins([child, timer]))

    assert (before.run.repeats, before.run.trigger_known, during.run.repeats) == (True, True, True)
    assert before.run.next_start_at is not None
    assert during.run.next_start_at is not None
    assert before.run.next_start_at < during.run.next_start_at
    assert origins[child].trigger == timer
    assert (origins[timer].trigger, origins[timer].repeats) == (None, True)
    assert (origins[child].known, origins[child].repeats) == (True, False)
    assert origins[child].state is TriggerState.ENABLED
    assert origins[child].next_start_at == during.run.next_start_at


def test_the_edition_of_a_trigger_is_no_part_of_its_state(outside: Outside, connect: Connect) -> None:
    (one,) = connect(outside, scope("tencent")).triggers().find(TriggerQuery())

    assert structs.replace(one, state=TriggerState.DISABLED).edition == one.edition
    assert one.documents == ("hourly-report",)
    assert one.schedule_text is not None
    assert "Asia/Shanghai" in one.schedule_text
