"""The one seam to Tencent Cloud: a signed request, a pace, a proof, an error in our words."""

import json
import time
from collections.abc import Mapping
from functools import partial

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.base import Checkup, Connection
from runcancel.providers.common.credentials import Credentials, CredentialSource
from runcancel.providers.common.fields import STATUSES, JsonObject, attribute_error, number, proven, with_trace
from runcancel.providers.common.http import Endpoint, Transport
from runcancel.providers.tencent.failures import failure
from runcancel.providers.tencent.signature import Signer
from runcancel.runtime.throttle import Pace, Rate

_RATE = Rate(20)  # for each API, as documented


class Wire:
    """One product of Tencent Cloud (its API `version`) at one endpoint, with TC3 signatures.

    The vendor's SDK is not used: its client loads `requests`, follows redirects, tests NO_PROXY
    by substring and overlooks an error whose content type carries a charset.
    """

    def __init__(
        self,
        transport: Transport,
        connection: Connection,
        *,
        product: str,
        version: str,
        keys: CredentialSource,
        pace: Pace,
    ) -> None:
        self._transport = transport
        self._signer = Signer(
            product=product,
            version=version,
            host=transport.endpoint.host,
            region=connection.scope.region,
            request_client=connection.agent.replace("/", "-"),  # the SDK's rule for this header
        )
        self._agent = connection.agent
        self._host = transport.endpoint.host
        self._product = product
        self._scope = connection.scope
        self._keys = keys
        self._pace = pace

    @property
    def endpoint(self) -> Endpoint:
        """Where this product answers."""
        return self._transport.endpoint

    def checkup(self) -> Checkup:
        """See `Cloud.checkup`."""
        keys: Credentials | None
        try:
            keys = self._keys()
        except CloudError:
            keys = None
        return self._transport.checkup(credentials=keys.source if keys else None, key=keys.id if keys else None)

    def call(self, action: str, params: JsonObject, *, once: bool = False) -> JsonObject:
        """Send one request; return the answer's `Response`, which carries a request id. Raises `CloudError`.

        With `once` it is tried once.
        """
        attempt = partial(self._once, action, params)
        ask = partial(with_trace, attempt, scope=self._scope, host=self._host, action=action, params=params)
        return self._pace.call(action, ask, rate=_RATE, once=once)

    def _once(self, action: str, params: JsonObject) -> JsonObject:
        keys = self._keys()
        return self._proven(action, self._sent(action, params, keys), keys)

    def _sent(self, action: str, params: JsonObject, keys: Credentials) -> bytes:
        """The body of the answer. Raises `CloudError` for anything but HTTP 200 unless the body explains it."""
        body = json.dumps(params).encode()
        headers = self._signer.headers(action, body, keys, now=int(time.time()))
        sent = {**headers, "User-Agent": self._agent}
        held = (keys.secret, keys.token)
        reply = self._transport.post("/", headers=sent, body=body, secrets=held, credentials=action == "AssumeRole")
        if reply.status_code != 200 and _response(reply.content) is None:
            otherwise = Reason.DOWN if reply.status_code >= 500 else Reason.UNPROVEN
            wait = number(reply.headers.get("retry-after"))
            raise CloudError(
                STATUSES.get(reply.status_code, otherwise),
                f"HTTP {reply.status_code}",
                retry_after=float(wait) if wait is not None and wait > 0 else None,
            )
        return reply.content

    def _proven(self, action: str, content: bytes, keys: Credentials) -> JsonObject:
        """The `Response`, when the cloud gave it: a JSON object, no error, a request id; whatever its content type."""
        response = _response(content)
        error = None if response is None else failure(action, f"{self._product}:{action}", response)
        if error is not None:
            raise attribute_error(error, keys.source)
        return proven(action, response)


def _response(content: bytes) -> JsonObject | None:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    response = document.get("Response") if isinstance(document, Mapping) else None
    return response if isinstance(response, Mapping) else None
