"""The one seam to Alibaba Cloud: a signed request, a pace, a proof, an error in our words."""

import json
import secrets
import time
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlencode

from runcancel.errors import CloudError
from runcancel.providers.alibaba.failures import failure
from runcancel.providers.alibaba.signature import EMPTY_BODY, authorization
from runcancel.providers.base import Checkup, Connection
from runcancel.providers.common.credentials import Credentials, CredentialSource
from runcancel.providers.common.fields import JsonObject, attribute_error, proven, with_trace
from runcancel.providers.common.http import Endpoint, Reply, Transport
from runcancel.runtime.throttle import Pace, Rate

_RATES = {"StopInvocation": Rate(1000, 60.0)}
"""Limits that the vendor documents. The others are per account and only visible in Quota Center."""

_RATE = Rate(10, documented=False)


class Wire:
    """One product of Alibaba Cloud (its API `version`) at one endpoint, in RPC style with ACS3 signatures.

    The vendor's SDK has no part in a request: its transport ignores NO_PROXY, follows redirects with the security token
    and takes any HTTP 200 for success, and its signer costs more than the call (see `signature`).
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
        self._product = product
        self._version = version
        self._scope = connection.scope
        self._keys = keys
        self._pace = pace
        self._agent = connection.agent

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

    def call(self, action: str, params: Mapping[str, str], *, once: bool = False) -> JsonObject:
        """Send one request; return the whole answer, which carries a request id. Raises `CloudError`.

        With `once` it is tried once.
        """
        host = self._transport.endpoint.host
        attempt = partial(self._once, action, params)
        ask = partial(with_trace, attempt, scope=self._scope, host=host, action=action, params=params)
        return self._pace.call(action, ask, rate=_RATES.get(action, _RATE), once=once)

    def _once(self, action: str, params: Mapping[str, str]) -> JsonObject:
        keys = self._keys()
        headers = self._signed(action, params, keys)
        held = (keys.secret, keys.token)
        reply = self._transport.post(
            f"/?{urlencode(params)}", headers=headers, secrets=held, credentials=action == "AssumeRole"
        )
        return self._proven(action, reply, keys)

    def _signed(self, action: str, params: Mapping[str, str], keys: Credentials) -> dict[str, str]:
        """The headers of one attempt: each has its own nonce and time."""
        headers = {
            "host": self._transport.endpoint.host,
            "accept": "application/json",
            "user-agent": self._agent,
            "x-acs-action": action,
            "x-acs-version": self._version,
            "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-content-sha256": EMPTY_BODY,
        }
        if keys.token:
            headers |= {"x-acs-accesskey-id": keys.id, "x-acs-security-token": keys.token}
        return {**headers, "Authorization": authorization(params, headers, key_id=keys.id, secret=keys.secret)}

    def _proven(self, action: str, reply: Reply, keys: Credentials) -> JsonObject:
        """The answer, when the cloud gave it: HTTP 200, a JSON object, no error code, a request id."""
        document = _decoded(reply)
        erred = isinstance(document, Mapping) and (document.get("Code") or document.get("code"))
        if reply.status_code != 200 or erred:
            error = failure(action, f"{self._product}:{action}", reply, document)
            raise attribute_error(error, keys.source)
        return proven(action, document)


def _decoded(reply: Reply) -> object:
    try:
        return json.loads(reply.content)
    except (ValueError, RecursionError):
        return None
