"""What the vendors' own SDKs call throttled or transient counts so here: held against their lists."""

import json
from importlib.resources import files

import pytest
from botocore.retries import standard
from botocore.session import Session
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.common.retry import StandardRetryer

from runcancel.errors import IN_DOUBT
from runcancel.model.states import Reason
from runcancel.providers.alibaba.failures import failure
from runcancel.providers.aws.failures import CODES, by_status
from runcancel.providers.common.http import Reply
from runcancel.providers.tencent.failures import REASONS, reason_of

THROTTLED = standard.ThrottledRetryableChecker()._throttled_error_codes
TRANSIENT = standard.TransientRetryableChecker()._transient_error_codes
LEGACY = json.loads((files("botocore") / "data" / "_retry.json").read_text())["definitions"]
RULES = [rule["applies_when"]["response"] for rule in LEGACY.values() if "response" in rule.get("applies_when", {})]


@pytest.mark.parametrize("code", THROTTLED)
def test_what_botocore_calls_throttled_is_busy(code: str) -> None:
    assert CODES[code] is Reason.BUSY


@pytest.mark.parametrize("code", sorted(set(TRANSIENT) - set(THROTTLED)))
def test_what_botocore_calls_transient_may_have_been_done(code: str) -> None:
    assert CODES[code] in IN_DOUBT


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_what_botocore_repeats_by_its_table_is_repeated_here(rule: dict[str, object]) -> None:
    code = rule.get("service_error_code")
    reason = CODES.get(str(code)) if code else by_status(rule["http_status_code"])
    if rule.get("http_status_code") == 400 and code is None:
        pytest.skip("a check of a body")

    assert reason in IN_DOUBT | {Reason.BUSY, Reason.NOT_CANCELLABLE} or (reason is None and code not in THROTTLED)


@pytest.mark.parametrize("status", standard.TransientRetryableChecker._TRANSIENT_STATUS_CODES)
def test_a_transient_status_of_botocore_is_in_doubt(status: int) -> None:
    assert by_status(status) in IN_DOUBT


def test_errors_that_the_service_model_calls_retryable_are_so_here() -> None:
    model = Session().get_service_model("ssm")
    shapes = [model.shape_for(name) for name in model.shape_names]
    retryable = [shape.error_code or shape.name for shape in shapes if shape.metadata.get("retryable")]

    assert [name for name in retryable if CODES.get(name) not in IN_DOUBT | {Reason.BUSY}] == []


@pytest.mark.parametrize(
    "code",
    sorted(
        {
            *REASONS,
            "RequestLimitExceeded.IPLimitExceeded",
            *(
                "RequestLimitExceeded.UinLimitExceeded",
                "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
            ),
        }
    ),
)
def test_what_the_sdk_of_tencent_cloud_repeats_is_busy(code: str) -> None:
    if StandardRetryer.should_retry(None, TencentCloudSDKException(code, "no")):
        assert reason_of(code) is Reason.BUSY


@pytest.mark.parametrize(
    ("code", "status", "headers", "reason"),
    [
        ("Throttling", 400, {}, Reason.BUSY),
        ("Throttling.User", 400, {}, Reason.BUSY),
        ("Throttling.Api", 400, {}, Reason.BUSY),
        ("Rejected.Throttling", 400, {}, Reason.BUSY),
        ("SomethingNew", 400, {"x-acs-retry-after": "1500"}, Reason.BUSY),  # the SDK's ThrottlingException
        ("SomethingNew", 400, {"x-acs-retry-after": "0"}, Reason.INVALID),
        ("ServiceUnavailable", 503, {}, Reason.DOWN),
        ("SomethingNew", 429, {"retry-after": "2"}, Reason.BUSY),
        ("SomethingNew", 500, {}, Reason.DOWN),
    ],
)
def test_what_the_sdk_of_alibaba_cloud_calls_a_throttle_is_busy(
    code: str, status: int, headers: dict[str, str], reason: Reason
) -> None:
    error = failure(
        "StopInvocation",
        "ecs:StopInvocation",
        Reply(status_code=status, headers=headers, content=b""),
        {"Code": code, "RequestId": "r"},
    )

    assert error.reason is reason
    assert error.retry_after == {"1500": 1.5, "2": 2.0}.get(next(iter(headers.values()), ""))
