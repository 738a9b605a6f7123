"""The exceptions of botocore and the errors of AWS as reasons: two tables, and the message of each."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runcancel.errors import CREDENTIALS, CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.fields import OWN_WORDS, STATUSES, sentence, word

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

CODES: Mapping[str, Reason] = {
    "DoesNotExistException": Reason.NOT_FOUND,
    "InvalidCommandId": Reason.NOT_FOUND,
    "AutomationExecutionNotFoundException": Reason.NOT_FOUND,
    "InvocationDoesNotExist": Reason.NOT_FOUND,
    "AssociationDoesNotExist": Reason.NOT_FOUND,
    "ResourceNotFoundException": Reason.NOT_FOUND,
    "ExecutionDoesNotExist": Reason.NOT_FOUND,
    "StateMachineDoesNotExist": Reason.NOT_FOUND,
    "InvalidArn": Reason.INVALID,
    "StateMachineTypeNotSupported": Reason.NOT_CANCELLABLE,
    "KmsAccessDeniedException": Reason.DENIED,
    "KmsInvalidStateException": Reason.DENIED,
    "KmsThrottlingException": Reason.BUSY,
    "ManagedRuleException": Reason.NOT_CANCELLABLE,
    "ConcurrentModificationException": Reason.BUSY,
    "InvalidAutomationStatusUpdateException": Reason.NOT_CANCELLABLE,
    "AccessDenied": Reason.DENIED,
    "AccessDeniedException": Reason.DENIED,
    "UnauthorizedOperation": Reason.DENIED,
    "NotAuthorized": Reason.DENIED,
    "OptInRequired": Reason.DENIED,
    "SubscriptionRequiredException": Reason.DENIED,
    "UnrecognizedClientException": Reason.BAD_CREDENTIALS,
    "InvalidClientTokenId": Reason.BAD_CREDENTIALS,
    "InvalidAccessKeyId": Reason.BAD_CREDENTIALS,
    "InvalidSignatureException": Reason.BAD_CREDENTIALS,
    "SignatureDoesNotMatch": Reason.BAD_CREDENTIALS,
    "IncompleteSignature": Reason.BAD_CREDENTIALS,
    "IncompleteSignatureException": Reason.BAD_CREDENTIALS,
    "MissingAuthenticationToken": Reason.BAD_CREDENTIALS,
    "MissingAuthenticationTokenException": Reason.BAD_CREDENTIALS,
    "AuthFailure": Reason.BAD_CREDENTIALS,
    "RequestExpired": Reason.BAD_CREDENTIALS,
    "RequestTimeTooSkewed": Reason.BAD_CREDENTIALS,
    "ExpiredToken": Reason.EXPIRED_CREDENTIALS,
    "ExpiredTokenException": Reason.EXPIRED_CREDENTIALS,
    "TokenRefreshRequired": Reason.EXPIRED_CREDENTIALS,
    "Throttling": Reason.BUSY,
    "ThrottlingException": Reason.BUSY,
    "ThrottledException": Reason.BUSY,
    "RequestThrottled": Reason.BUSY,
    "RequestThrottledException": Reason.BUSY,
    "RequestLimitExceeded": Reason.BUSY,
    "TooManyRequestsException": Reason.BUSY,
    "SlowDown": Reason.BUSY,
    "PriorRequestNotComplete": Reason.BUSY,
    "ProvisionedThroughputExceededException": Reason.BUSY,
    "TransactionInProgressException": Reason.BUSY,
    "BandwidthLimitExceeded": Reason.BUSY,
    "LimitExceededException": Reason.BUSY,
    "EC2ThrottledException": Reason.BUSY,
    "RequestTimeout": Reason.DOWN,
    "RequestTimeoutException": Reason.DOWN,
    "InternalError": Reason.DOWN,
    "InternalFailure": Reason.DOWN,
    "InternalServerError": Reason.DOWN,
    "InternalServerException": Reason.DOWN,
    "ServiceUnavailable": Reason.DOWN,
    "ServiceUnavailableException": Reason.DOWN,
}
"""Error codes; one that is not here is judged by its HTTP status."""

EXCEPTIONS: Mapping[str, Reason] = {
    "NoCredentialsError": Reason.NO_CREDENTIALS,
    "PartialCredentialsError": Reason.NO_CREDENTIALS,
    "CredentialRetrievalError": Reason.NO_CREDENTIALS,
    "MetadataRetrievalError": Reason.NO_CREDENTIALS,
    "NoAuthTokenError": Reason.NO_CREDENTIALS,
    "UnknownCredentialError": Reason.NO_CREDENTIALS,
    "UnknownTokenProviderError": Reason.NO_CREDENTIALS,
    "ProfileNotFound": Reason.NO_CREDENTIALS,
    "ConfigNotFound": Reason.NO_CREDENTIALS,
    "ConfigParseError": Reason.NO_CREDENTIALS,
    "InvalidConfigError": Reason.NO_CREDENTIALS,
    "MissingDependencyException": Reason.NO_CREDENTIALS,
    "SSOTokenLoadError": Reason.NO_CREDENTIALS,
    "LoginTokenLoadError": Reason.NO_CREDENTIALS,
    "SSOError": Reason.EXPIRED_CREDENTIALS,
    "TokenRetrievalError": Reason.EXPIRED_CREDENTIALS,
    "LoginError": Reason.EXPIRED_CREDENTIALS,
    "RefreshWithMFAUnsupportedError": Reason.EXPIRED_CREDENTIALS,
    "BotoCoreError": Reason.INVALID,  # refused before anything was sent: parameters, region, endpoint
}
"""botocore's exceptions by class name; a subclass counts as its nearest base that is here."""

_HINTS: Mapping[Reason, str] = {
    Reason.EXPIRED_CREDENTIALS: "sign in again (`aws sso login`, `aws login`), or get a new session token",
    Reason.BAD_CREDENTIALS: "check the access key, its secret and session token, and this machine's clock",
    Reason.UNREACHABLE: "check the region's name, the network, the proxy and AWS_ENDPOINT_URL",
}

_CODE_HINTS: Mapping[str, str] = {
    "InvalidInstanceId": "AWS also reports this for targets that are shut down, not registered or not permitted",
    "AWSOrganizationsNotInUseException": "use credentials of the management account, or of a delegated administrator",
    "OptInRequired": "the region is not enabled for this account",
    "SSOTokenLoadError": "sign in first: aws sso login",
    "LoginTokenLoadError": "sign in first: aws login",
}

_OTHER_SERVICES = {
    **dict.fromkeys(("AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"), "sts"),
    "LookupEvents": "cloudtrail",
    **dict.fromkeys(
        ("ListEventBuses", "ListRules", "ListTargetsByRule", "DescribeRule", "DisableRule", "EnableRule"), "events"
    ),
    **dict.fromkeys(("ListSchedules", "GetSchedule"), "scheduler"),
    **dict.fromkeys(
        ("ListAccounts", "ListAccountsForParent", "ListOrganizationalUnitsForParent", "ListTagsForResource"),
        "organizations",
    ),
    **dict.fromkeys(("StopExecution", "DescribeExecution", "ListStateMachines", "ListExecutions"), "states"),
}
_NAMED_ACTION = re.compile(r"perform: ([a-z0-9-]{1,40}:[A-Za-z0-9]{1,80})")


def error_response(error: "ClientError", *, action: str, source: str = "") -> CloudError:
    """The failure that botocore read in an answer; credentials may have called another API than `action`."""
    api = error.operation_name if isinstance(error.operation_name, str) else action
    detail, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    return refusal(
        detail.get("Code"),
        detail.get("Message"),
        api=api,
        status=metadata.get("HTTPStatusCode"),
        request_id=metadata.get("RequestId"),
        headers=metadata.get("HTTPHeaders") or {},
        source=source,
    )


def refusal(
    code: object,
    message: object,
    *,
    api: str,
    status: object,
    request_id: object,
    headers: Mapping[str, Any],
    source: str,
) -> CloudError:
    """The failure that AWS answered. `source`: where the credentials came from; named when they are at fault."""
    code = word(code) or ""
    code = "" if code.isdigit() else code  # botocore takes the HTTP status where the reply has no code
    reason = CODES.get(code) or by_status(status)
    words = sentence(message, "" if code else f"HTTP {status}")
    return CloudError(
        reason,
        _sentence(reason, api, code=code, message=words, source=source),
        provider_code=code or None,
        request_id=word(request_id),
        retry_after=retry_after(headers),
        action=api,
        hint=_CODE_HINTS.get(code) or _HINTS.get(reason),
    )


def no_response(error: "BotoCoreError", *, action: str, source: str = "") -> CloudError:
    """The failure that botocore met before, or instead of, an answer. `source` as in `error_response`."""
    names = [base.__name__ for base in type(error).__mro__]
    reason = EXCEPTIONS[next(name for name in names if name in EXCEPTIONS)]
    by = f" ({source})" if source and reason in CREDENTIALS else ""
    hint = _CODE_HINTS.get(names[0]) or _HINTS.get(reason)
    return CloudError(reason, f"{action}: {_described(error)}{by}", provider_code=names[0], action=action, hint=hint)


def unsent(error: CloudError, *, action: str) -> CloudError:
    """The failure of a request that got no answer of AWS, with the action that it was for."""
    if error.action is None:
        error.action = action
        error.message = f"{action}: {error.message}"
        error.hint = error.hint or _HINTS.get(error.reason)
    return error


def _sentence(reason: Reason, api: str, *, code: str, message: str, source: str) -> str:
    """One sentence. A complaint about a signature quotes what was signed, session token and all: it is not repeated."""
    by = f" ({source})" if source and reason in CREDENTIALS else ""
    if reason is Reason.DENIED:
        match = _NAMED_ACTION.search(message)
        permission = match[1] if match else f"{_OTHER_SERVICES.get(api, 'ssm')}:{api}"
        return f"not permitted: {permission}{by}" + (f": {message}" if message else "")
    if reason is Reason.BAD_CREDENTIALS and code:
        return f"{api}: {OWN_WORDS[reason]}{by}"
    if reason is Reason.BAD_CREDENTIALS or not message:
        return f"{api}: {code or 'refused'}{by}"
    return f"{api}: {code}{by}: {message}" if code else f"{api}: {message}{by}"


def _described(error: "BotoCoreError") -> str:
    """botocore's own sentence, but for what others wrote into it: that may hold anything."""
    if type(error).__name__ == "CredentialRetrievalError":
        return f"could not get credentials from {error.kwargs.get('provider', 'their source')}"
    return sentence(str(error), type(error).__name__)


def by_status(status: object) -> Reason:
    """The reason of an HTTP status that no error code explains."""
    if not isinstance(status, int) or status < 400:
        return Reason.UNPROVEN
    if status >= 500 and status not in STATUSES:
        return Reason.DOWN
    return {401: Reason.BAD_CREDENTIALS, 403: Reason.DENIED, **STATUSES}.get(status, Reason.INVALID)


def retry_after(headers: Mapping[str, Any]) -> float | None:
    """Seconds out of `x-amz-retry-after` (milliseconds) or `retry-after` (seconds)."""
    for name, unit in (("x-amz-retry-after", 0.001), ("retry-after", 1.0)):
        value = str(headers.get(name, ""))
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", value):
            return float(value) * unit
    return None
