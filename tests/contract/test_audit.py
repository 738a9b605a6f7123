"""Who sent a run, out of the audit log of each cloud."""

from typing import Any

import pytest
from opened import read, refused
from outside import Outside

from contract.conftest import Connect
from contract.examples import EXAMPLES, Example
from runcancel.config import references
from runcancel.errors import CloudError
from runcancel.model.runs import AuditEvent, Ref
from runcancel.model.states import Reason
from runcancel.providers import PROVIDERS, kind_of, provider
from runcancel.providers.base import Cloud

KINDS = tuple({(one.provider, one.kind): one for one in reversed(EXAMPLES)}.values())
SENT = [of for of in KINDS if kind_of(references.full(of.ref)).started_with]
ACTION = {"aws": "LookupEvents", "alibaba": "LookupEvents", "tencent": "DescribeEvents"}
RATE = {"aws": 2, "alibaba": 2, "tencent": 20}

every_sent = pytest.mark.parametrize("of", SENT, ids=str)


def events(cloud: Cloud, *refs: str | Ref) -> dict[Ref, AuditEvent]:
    return dict(cloud.audit([read(cloud, ref if isinstance(ref, Ref) else references.full(ref)).run for ref in refs]))


def lookups(at: Outside, of: Example) -> list[Any]:
    return [each for each in at.requests() if each["action"] == ACTION[of.provider]]


def test_every_cloud_has_an_audit_log() -> None:
    assert {of.provider for of in SENT} == set(PROVIDERS)
    assert all(provider(name).audit_log for name in PROVIDERS)


@every_sent
def test_the_log_tells_who_sent_a_run(of: Example, still: Outside, connect: Connect) -> None:
    ref = references.full(of.ref)

    event = events(connect(still, of.scope), of.ref)[ref]

    assert event.action in kind_of(references.full(of.ref)).started_with
    assert "ops" in (event.principal or "")
    assert event.address == "203.0.113.7"
    assert event.at is not None
    assert event.agent
    assert event.id


@every_sent
def test_runs_of_the_same_minutes_are_looked_up_together(of: Example, still: Outside, connect: Connect) -> None:
    still.box.log.clear()
    again = [one.ref for one in EXAMPLES if (one.provider, one.kind, one.region) == (of.provider, of.kind, of.region)]
    cloud = connect(still, of.scope)

    found = events(cloud, *again)

    assert len(found) == len(again)
    assert len(lookups(still, of)) <= 2 * len(again)
    assert all(each["service"] in ("cloudtrail", "actiontrail", "cloudaudit") for each in lookups(still, of))


def test_what_a_window_starts_was_sent_by_the_service(still: Outside, connect: Connect) -> None:
    window = next(of for of in KINDS if of.kind == "maintenance-window")
    cloud = connect(still, window.scope)
    snapshot = read(cloud, references.full(window.ref))
    children = [one.child for one in snapshot.invocations if one.child]

    assert {event.principal for event in events(cloud, *children[:2]).values()} == {"ssm.amazonaws.com"}
    assert dict(cloud.audit([snapshot.run])) == {}


@every_sent
@pytest.mark.parametrize(
    ("fault", "reason"),
    [("denied", Reason.DENIED), ("html-200", Reason.UNPROVEN), ("empty-object-200", Reason.UNPROVEN)],
)
def test_a_log_that_does_not_answer_is_an_error_of_its_own(
    of: Example, fault: str, reason: Reason, still: Outside, connect: Connect
) -> None:
    cloud = connect(still, of.scope)
    run = read(cloud, references.full(of.ref)).run
    still.faults(f"{of.provider}:{ACTION[of.provider]}={fault}")
    try:
        error = refused(lambda: list(cloud.audit([run])))
    finally:
        still.faults()

    assert isinstance(error, CloudError)
    assert error.reason is reason
    assert read(cloud, references.full(of.ref)).run.id == run.id


def test_a_quoted_id_names_nobody() -> None:
    from datetime import UTC, datetime

    from msgspec import structs

    from runcancel.model.runs import Run
    from runcancel.model.states import State
    from runcancel.providers.common.audit import events_of

    ref = references.full(SENT[0].ref)
    run = Run.at(
        ref, kind_of(ref), state=State.RUNNING, provider_status="x", created_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    quoted = {"requestParameters": {"comment": ref.id}, "requestParameterJson": ref.id}
    named = {**quoted, "responseElements": {"command": {"commandId": ref.id.upper()}}}

    assert list(events_of([run], ("SendCommand",), lambda *_: iter([quoted]))) == []
    assert list(events_of([run], ("SendCommand",), lambda *_: iter([quoted, named]))) == [
        (run.ref, "SendCommand", named)
    ]
    assert list(events_of([structs.replace(run, created_at=None)], ("SendCommand",), lambda *_: iter([named]))) == []
