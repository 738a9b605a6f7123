"""The one seam to Alibaba Cloud: a signed request, a proof, an error in our words."""

import secrets
import time
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlencode

from runcancel.providers.alibaba.signature import EMPTY_BODY, authorization
from runcancel.providers.common.credentials import Credentials
from runcancel.providers.common.fields import JsonObject, attribute_error, json_object, may_repeat, proven
from runcancel.providers.common.http import Reply
from runcancel.providers.common.wire import SignedWire
from runcancel.runtime.throttle import Rate


class Wire(SignedWire):
    """One product of Alibaba Cloud in RPC style, with ACS3 signatures.

    The vendor's SDK has no part in a request: its transport ignores NO_PROXY, follows redirects with the security token
    and takes any HTTP 200 for success, and its signer costs more than the call (see `signature`).
    """

    rate = Rate(10, documented=False)
    rates: ClassVar[Mapping[str, Rate]] = {"StopInvocation": Rate(1000, 60.0), "LookupEvents": Rate(2)}
    """Limits that the vendor documents. The others are per account and only visible in Quota Center."""

    def _send(self, action: str, params: JsonObject, keys: Credentials) -> JsonObject:
        def headers() -> dict[str, str]:
            return self._signed(action, params, keys)

        reply = self._transport.post(
            f"/?{urlencode(params)}",
            headers=headers(),
            secrets=(keys.secret, keys.token),
            credentials=action == "AssumeRole",
            again=headers if may_repeat(action) else None,
        )
        return self._proven(action, reply, keys)

    def _signed(self, action: str, params: JsonObject, keys: Credentials) -> dict[str, str]:
        """The headers of one attempt: each has its own nonce and time."""
        headers = {
            "host": self.endpoint.host,
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
        document = json_object(reply.content)
        erred = document is not None and (document.get("Code") or document.get("code"))
        if reply.status_code != 200 or erred:
            from runcancel.providers.alibaba.failures import failure

            error = failure(action, f"{self._product}:{action}", reply, document)
            raise attribute_error(error, keys.source)
        return proven(action, document)
