"""The one seam to Tencent Cloud: a signed request, a proof, an error in our words."""

import json
import time
from collections.abc import Mapping
from typing import ClassVar

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.base import Connection
from runcancel.providers.common.credentials import Credentials, CredentialSource
from runcancel.providers.common.fields import (
    STATUSES,
    JsonObject,
    attribute_error,
    json_object,
    may_repeat,
    number,
    proven,
)
from runcancel.providers.common.http import Transport
from runcancel.providers.common.wire import SignedWire
from runcancel.providers.tencent.signature import Signer
from runcancel.runtime.throttle import Pace, Rate


class Wire(SignedWire):
    """One product of Tencent Cloud, with TC3 signatures.

    The vendor's SDK is not used: its client loads `requests`, follows redirects, tests NO_PROXY
    by substring and overlooks an error whose content type carries a charset.
    """

    rate = Rate(20)  # for each API, as documented
    rates: ClassVar[Mapping[str, Rate]] = {}

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
        super().__init__(transport, connection, product=product, version=version, keys=keys, pace=pace)
        self._signer = Signer(
            product=product,
            version=version,
            host=transport.endpoint.host,
            region=connection.scope.region,
            request_client=connection.agent.replace("/", "-"),  # the SDK's rule for this header
        )

    def _send(self, action: str, params: JsonObject, keys: Credentials) -> JsonObject:
        return self._proven(action, self._post(action, params, keys), keys)

    def _post(self, action: str, params: JsonObject, keys: Credentials) -> bytes:
        """The body of the answer. Raises `CloudError` for anything but HTTP 200 unless the body explains it."""
        body = json.dumps(params).encode()
        headers = self._signer.headers(action, body, keys, now=int(time.time()))
        all_headers = {**headers, "User-Agent": self._agent}
        secrets = (keys.secret, keys.token)
        reply = self._transport.post(
            "/",
            headers=all_headers,
            body=body,
            secrets=secrets,
            credentials=action == "AssumeRole",
            again=(lambda: all_headers) if may_repeat(action) else None,
        )
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
        if response is not None and response.get("Error") is not None:
            from runcancel.providers.tencent.failures import failure

            raise attribute_error(failure(action, f"{self._product}:{action}", response), keys.source)
        return proven(action, response)


def _response(content: bytes) -> JsonObject | None:
    response = (json_object(content) or {}).get("Response")
    return response if isinstance(response, Mapping) else None
