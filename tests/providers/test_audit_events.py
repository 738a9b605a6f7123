"""Events of audit logs in any shape: data, never a crash."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from fakes import COMMAND, PATCH
from fuzz.budget import tries
from hypothesis import given
from hypothesis import strategies as st

from runcancel.config import references
from runcancel.errors import CloudError
from runcancel.model.runs import AuditEvent, Run
from runcancel.model.states import State
from runcancel.providers import kind_of
from runcancel.providers.alibaba.audit import ActionTrail
from runcancel.providers.aws.audit import CloudTrail
from runcancel.providers.base import AuditLog
from runcancel.providers.tencent.audit import CloudAudit, region_of

ONE_SHOT = "alibaba:cn-hangzhou:invocation/t-7d2a745b412b4601b2d47f6a768d0001"
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


class Wire:
    """A cloud that answers every call with one reply, or lists one row."""

    def __init__(self, reply: Mapping[str, Any]) -> None:
        self._reply = reply

    def call(self, action: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._reply

    def pages(self, action: str, params: Mapping[str, Any], **_: object) -> Iterator[Mapping[str, Any]]:
        yield self._reply


def run(ref: str) -> Run:
    named = references.full(ref)
    born = datetime(2026, 11, 27, tzinfo=UTC)
    return Run.at(named, kind_of(named), state=State.RUNNING, provider_status="x", created_at=born)


def logs(wire: object) -> dict[str, tuple[AuditLog, Run]]:
    there = cast(Any, wire)
    alibaba, tencent, aws = run(ONE_SHOT), run(PATCH), run(COMMAND)
    return {
        "aws": (CloudTrail(there), aws),
        "alibaba": (ActionTrail(there, region="cn-hangzhou"), alibaba),
        "tencent": (CloudAudit(there, kind_of(tencent.ref)), tencent),
    }


SHAPES: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "aws": lambda event: {"EventId": event.get("id"), "CloudTrailEvent": json.dumps(event), **event},
    "alibaba": lambda event: {"Events": [event], "NextToken": ""},
    "tencent": lambda event: {"Events": [{"CloudAuditEvent": json.dumps(event), **event}], "ListOver": True},
}
FIELDS = ("userIdentity", "eventTime", "EventTime", "sourceIPAddress", "sourceIpAddress", "userAgent", "Username")


@pytest.mark.parametrize("cloud", SHAPES)
@tries(30)
@given(fields=st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_an_event_that_names_the_run_is_told_whatever_else_is_in_it(cloud: str, fields: dict[str, Any]) -> None:
    id = logs(Wire({}))[cloud][1].id
    log, asked = logs(Wire(SHAPES[cloud]({"responseElements": {"any": id}, **fields})))[cloud]

    ((ref, event),) = log.of([asked])

    assert ref == asked.ref
    assert isinstance(event, AuditEvent)
    assert event.principal is None or isinstance(event.principal, str)
    assert event.at is None or event.at.tzinfo is not None


@pytest.mark.parametrize("cloud", SHAPES)
@tries(30)
@given(reply=st.dictionaries(st.sampled_from(["Events", "NextToken", "ListOver", "CloudTrailEvent"]), ANYTHING))
def test_a_reply_of_any_shape_is_data_or_a_failure_of_the_log(cloud: str, reply: dict[str, Any]) -> None:
    log, asked = logs(Wire(reply))[cloud]

    with suppress(CloudError):
        assert list(log.of([asked])) == []


def test_the_log_of_an_account_is_asked_in_a_region_that_has_it() -> None:
    assert region_of("ap-singapore") == "ap-singapore"
    assert region_of("ap-beijing") == "ap-guangzhou"
