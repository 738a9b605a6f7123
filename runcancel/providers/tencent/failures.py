"""What an error of Tencent Cloud means: its code, which comes with HTTP 200, to one of our reasons."""

from collections.abc import Mapping
from typing import Any

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.fields import OWN_WORDS, map_status, sentence, word

REASONS = {
    "AuthFailure": Reason.BAD_CREDENTIALS,
    "AuthFailure.TokenFailure": Reason.EXPIRED_CREDENTIALS,
    "AuthFailure.UnauthorizedOperation": Reason.DENIED,
    "UnauthorizedOperation": Reason.DENIED,
    "UnauthorizedOperation.InvalidToken": Reason.EXPIRED_CREDENTIALS,
    "IpInBlacklist": Reason.DENIED,
    "IpNotInWhitelist": Reason.DENIED,
    "ResourceNotFound": Reason.NOT_FOUND,
    "InvalidParameterValue.InstanceIsNotRelatedToInvocation": Reason.NOT_FOUND,
    "OperationDenied": Reason.NOT_CANCELLABLE,
    "UnsupportedOperation": Reason.NOT_CANCELLABLE,
    "FailedOperation": Reason.NOT_CANCELLABLE,
    "ResourceUnavailable": Reason.NOT_CANCELLABLE,
    "RequestLimitExceeded": Reason.BUSY,
    "LimitExceeded": Reason.INVALID,  # a list too long, not a throttle
    "InternalError": Reason.DOWN,
    "ServiceUnavailable": Reason.DOWN,
}
"""Vendor code to reason. A dotted code that is not listed means what its first part means; any other is `invalid`."""

_HINTS = {
    "AuthFailure.SignatureExpire": "The clock of this machine is off by more than 5 minutes.",
    "AuthFailure.SignatureFailure": "The secret key does not belong to the secret id.",
    "AuthFailure.SecretIdNotFound": "The secret id does not exist on this site; see RUNCANCEL_TENCENT_SITE.",
    "AuthFailure.TokenFailure": "Temporary keys need TENCENTCLOUD_TOKEN beside them, and they expire.",
    "UnauthorizedOperation.MFAExpired": "This operation needs a fresh second factor.",
    "UnauthorizedOperation.MFANotFound": "This operation needs a second factor.",
    "UnsupportedRegion": "Is the region spelled right?",
}


def failure(action: str, permission: str, response: Mapping[str, Any]) -> CloudError:
    """The `Error` in the `Response` of an answer."""
    error = response.get("Error")
    fields: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
    code = word(fields.get("Code"))
    reason = reason_of(code)
    message = f"not permitted: {permission}" if reason is Reason.DENIED else OWN_WORDS.get(reason)
    return CloudError(
        reason,
        message or sentence(fields.get("Message"), "the cloud returned an error"),
        provider_code=code,
        request_id=word(response.get("RequestId")),
        action=action,
        hint=_HINTS.get(code or ""),
    )


def reason_of(code: str | None) -> Reason:
    """The reason of a vendor code."""
    if code is None:
        return Reason.UNPROVEN
    return map_status(REASONS, code, None) or map_status(REASONS, code.partition(".")[0], Reason.INVALID)
