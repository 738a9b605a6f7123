"""What every provider makes of refusals, broken answers and odd words, without a doubt asked away."""

import logging
from typing import Any

import pytest
from fakes import HandClock
from opened import read, refused
from outside import Outside

from contract.conftest import Connect
from contract.examples import ONE_OF_EACH, Example
from runcancel.config import references
from runcancel.model.states import Reason, State

one_of_each = pytest.mark.parametrize("example", ONE_OF_EACH, ids=str)

UNPROVEN = ("half-json", "html-200", "empty-object-200", "empty-body-200", "no-request-id")
REFUSED = {"denied": Reason.DENIED, "expired": Reason.EXPIRED_CREDENTIALS}


def reasons(faults: dict[str, Reason]) -> Any:
    every = {**faults, **REFUSED, **dict.fromkeys(UNPROVEN, Reason.UNPROVEN)}
    return pytest.mark.parametrize(("fault", "reason"), every.items(), ids=every)


@one_of_each
@reasons(
    {
        "http-503": Reason.DOWN,
        "http-503,html=true": Reason.DOWN,
        "throttle": Reason.BUSY,
        "drop-before": Reason.LOST,
    }
)
def test_a_reading_that_fails_has_its_reason(
    example: Example, fault: str, reason: Reason, outside: Outside, connect: Connect
) -> None:
    ref = references.full(example.ref)
    outside.faults(f"{example.reading}={fault}")

    assert refused(lambda: list(connect(outside, ref.scope).read([ref]))).reason is reason


@one_of_each
@reasons(
    {
        "http-500": Reason.DOWN,
        "http-503": Reason.DOWN,
        "drop-after": Reason.LOST,
        "hang,seconds=30": Reason.LOST,
    }
)
def test_a_cancel_in_doubt_or_refused_is_not_repeated(
    example: Example, fault: str, reason: Reason, outside: Outside, connect: Connect
) -> None:
    ref = references.full(example.ref)
    cloud = connect(outside, ref.scope)
    outside.faults(f"{example.operation}={fault}")

    error = refused(lambda: list(cloud.cancel(ref)))

    assert error.reason is reason
    assert outside.actions() == [example.operation]
    if fault in REFUSED:
        assert error.request_id
        assert not outside.effective(example.ref)
    if reason is Reason.DENIED:
        said = f"not permitted: {example.action} ({example.vendor.id} of the environment)"
        assert error.message == said or (example.provider == "aws" and error.message.startswith(f"{said}: User: "))


@one_of_each
def test_a_throttled_cancel_is_tried_once_and_the_next_leaves_when_the_server_allows(
    example: Example, outside: Outside, connect: Connect, clock: HandClock
) -> None:
    ref = references.full(example.ref)
    outside.faults(f"{example.operation}=throttle*1,retry_after=1500")
    cloud = connect(outside, ref.scope)

    failure = refused(lambda: list(cloud.cancel(ref)))
    began = clock.now
    assert len(list(cloud.cancel(ref))) == 1

    assert failure.reason is Reason.BUSY
    assert outside.actions() == [example.operation] * 2
    assert clock.now - began >= 1.49 or example.provider == "tencent"  # which says nothing of how long


@one_of_each
def test_an_invented_word_is_unknown_and_never_over(example: Example, outside: Outside, connect: Connect) -> None:
    ref = references.full(example.ref)
    outside.faults("*=unknown-word")

    seen = read(connect(outside, ref.scope), ref)

    assert (seen.run.state, seen.run.provider_status.upper()) == (State.UNKNOWN, "HIBERNATING")
    assert seen.invocations
    assert not any(one.state.over for one in seen.invocations)


@one_of_each
def test_temporary_keys_are_sent_with_their_token_and_no_key_is_traced(
    example: Example, outside: Outside, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    ref = references.full(example.ref)
    keys = outside.box.environment(sort="temporary")

    with caplog.at_level(logging.DEBUG):
        assert read(connect(outside, ref.scope, env=keys), ref).run.state is State.RUNNING

    own = [record.getMessage() for record in caplog.records if record.name == "runcancel.wire"]
    assert any(example.reading in line for line in own)
    for name, value in keys.items():
        assert value not in "\n".join(own) or "REGION" in name or "URL" in name, name
    if example.provider != "aws":  # botocore's own log shows what it signs
        assert not any(keys[name] in caplog.text for name in keys if "SECRET" in name or "TOKEN" in name)
