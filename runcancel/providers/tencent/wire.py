"""The one seam to Tencent Cloud: a request by the SDK, a pace, a proof, an error in our words."""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

from runcancel.errors import CloudError, Reason
from runcancel.model import Scope
from runcancel.pace import READ_AGAIN, Pace
from runcancel.providers import AGENT, Checkup
from runcancel.providers.reading import Row, blamed, scrubbed, text, trace
from runcancel.providers.tencent.failures import failure
from runcancel.providers.transport import Reply, Transport

_RATE = 20.0  # calls a second for each API, as documented
_STATUS_REASONS = {429: Reason.BUSY}
_SDK_LOG = "tencentcloud_sdk_common"


class KeySource(Protocol):
    """What the SDK asks for keys before each request."""

    def get_credential_info(self) -> tuple[str, str, str | None]: ...


class Wire:
    """One product of Tencent Cloud (its API `version`) at one endpoint, with TC3 signatures.

    The vendor's SDK builds and signs; bytes travel by our transport and errors are judged here, because the SDK follows
    redirects, tests NO_PROXY by substring and overlooks an error whose content type carries a charset. `source` says in
    words where the keys came from.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        product: str,
        version: str,
        scope: Scope,
        keys: KeySource,
        pace: Pace,
        agent: str = AGENT,
        source: str = "",
    ) -> None:
        from tencentcloud.common.common_client import CommonClient
        from tencentcloud.common.profile.client_profile import ClientProfile
        from tencentcloud.common.profile.http_profile import HttpProfile
        from tencentcloud.common.retry import NoopRetryer

        logging.getLogger(_SDK_LOG).disabled = True  # it writes whole requests, signature included
        endpoint = transport.endpoint
        profile = ClientProfile(
            httpProfile=HttpProfile(protocol=endpoint.scheme, endpoint=endpoint.host),
            language="en-US",
            disable_region_breaker=True,
            request_client=agent.replace("/", "-"),  # the SDK takes no slash
            retryer=NoopRetryer(),
        )
        self._client: Any = CommonClient(product, version, keys, scope.region, profile)
        self._client.request.conn = _Connection(transport, agent)
        self._host = endpoint.host
        self._transport = transport
        self._product = product
        self._scope = scope
        self._keys = keys
        self._source = source
        self._pace = pace

    def checkup(self) -> Checkup:
        """See `Cloud.checkup`."""
        try:
            key: str | None = self._keys.get_credential_info()[0]
        except CloudError:
            key = None
        return self._transport.checkup(credentials=self._source or None, key=key)

    def call(self, action: str, params: Row, *, again: frozenset[Reason] = READ_AGAIN) -> Mapping[str, Any]:
        """Ask and return the answer's `Response`, which carries a request id. Raises `CloudError`."""
        return self._pace.call(action, lambda: self._once(action, params), rate=_RATE, again=again)

    def _once(self, action: str, params: Row) -> Mapping[str, Any]:
        began = time.monotonic()
        outcome = "no answer"
        try:
            response = self._proven(action, self._sent(action, params))
            outcome = f"HTTP 200, request {response['RequestId']}"
            return response
        except CloudError as error:
            error.action = error.action or action
            outcome = f"{error.reason} {error.provider_code or ''} request {error.request_id}"
            raise
        finally:
            trace(self._scope, self._host, action, params, outcome=outcome, began=began)

    def _sent(self, action: str, params: Row) -> bytes:
        from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

        try:
            content = self._client.call(action, dict(params))
        except TencentCloudSDKException as error:
            _explain(error)
        return bytes(content)

    def _proven(self, action: str, content: bytes) -> Mapping[str, Any]:
        """The `Response`, when the cloud gave it: a JSON object, no error, a request id; whatever its content type."""
        response = _response(content)
        error = None if response is None else failure(action, f"{self._product}:{action}", response)
        if error is not None:
            said = scrubbed(error.message, self._keys.get_credential_info()[1:])
            error.message = blamed(error.reason, said, self._source)
            error.args = (error.message,)
            raise error
        if response is None or text(response.get("RequestId")) is None:
            raise CloudError(Reason.UNPROVEN, "an answer without a request id proves nothing", action=action)
        return response


class _Connection:
    """Takes the place of the SDK's own connection: `request` as the SDK calls it, over our transport.

    The reply's header names are lower case, so the SDK does not find a content type and leaves the judging to `Wire`.
    """

    request_length = 0

    def __init__(self, transport: Transport, agent: str) -> None:
        self._transport = transport
        self._agent = agent

    def request(self, method: str, url: str, body: str | bytes | None, headers: Mapping[str, str]) -> Reply:
        """Send one signed request; anything but HTTP 200 is raised unless its body explains it."""
        data = body.encode() if isinstance(body, str) else body or b""
        reply = self._transport.post("/", headers={**headers, "User-Agent": self._agent}, body=data)
        if reply.status_code == 200:
            return reply
        if _response(reply.content) is not None:
            return Reply(status_code=200, headers=reply.headers, content=reply.content)
        otherwise = Reason.DOWN if reply.status_code >= 500 else Reason.UNPROVEN
        raise CloudError(_STATUS_REASONS.get(reply.status_code, otherwise), f"HTTP {reply.status_code}")


def _explain(error: Exception) -> NoReturn:
    """Raise what our transport raised and the SDK wrapped; else say that the SDK refused to send."""
    if isinstance(error.__context__, CloudError):
        raise error.__context__ from None
    code = text(getattr(error, "code", None))
    raise CloudError(Reason.INTERNAL, "the SDK could not build the request", provider_code=code) from None


def _response(content: bytes) -> Mapping[str, Any] | None:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    response = document.get("Response") if isinstance(document, Mapping) else None
    return response if isinstance(response, Mapping) else None
