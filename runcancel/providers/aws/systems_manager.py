"""Requests to Systems Manager, signed and sent as those of the other clouds are.

The whole service speaks one protocol, AWS JSON 1.1: a POST of an object whose action is in a header. Loading botocore
and making a client for that takes as long as the rest of a command. It stays for keys that have to be requested, for
endpoints beside the usual ones and for every other service.
"""

import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from runcancel.errors import CloudError
from runcancel.providers.aws.failures import by_status, refusal, retry_after, unsent
from runcancel.providers.aws.signature import Keys, signed
from runcancel.providers.aws.wire import proven_object
from runcancel.providers.common.exchange import plain_path
from runcancel.providers.common.fields import JsonObject, is_page, json_object, may_repeat
from runcancel.providers.common.http import EndpointHealth, HttpClient, Reply
from runcancel.redaction import remember

_OK = 300  # statuses below are successes


class SystemsManager:
    """One endpoint of the service; shared by threads. `credentials` sign, and `source` is their source in words."""

    def __init__(
        self,
        url: str,
        client: HttpClient,
        *,
        region: str,
        agent: str,
        credentials: Any,
        source: str = "",
        health: EndpointHealth | None = None,
    ) -> None:
        parts = urlsplit(url)
        self.url = url
        self._client = client
        self._host = parts.netloc
        self._path = re.sub("/{2,}", "/", plain_path(f"{parts.path}/"))  # so it is signed, too
        self._target = f"{parts.scheme}://{parts.netloc}{self._path}"
        self._region = region
        self._agent = agent
        self._credentials = credentials
        self._source = source
        self._health = health or EndpointHealth()

    def send(self, action: str, params: Mapping[str, Any]) -> JsonObject:
        """See `Sender`."""
        try:
            return self._read(action, self._post(action, json.dumps(params).encode()))
        except CloudError as error:
            raise unsent(error, action=action) from None

    def _post(self, action: str, body: bytes) -> Reply:
        keys: Keys = self._credentials.get_frozen_credentials()
        remember(keys.secret_key, keys.token)
        headers = {
            "Host": self._host,
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"AmazonSSM.{action}",
        }
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = signed(self._path, headers, body, keys, region=self._region, service="ssm", time=now)
        all_headers = {**headers, "User-Agent": self._agent}
        began = time.monotonic()
        reply = self._client.send(
            "POST",
            self._target,
            headers=all_headers,
            body=body,
            secrets=(keys.secret_key, keys.token),
            again=(lambda: all_headers) if may_repeat(action) else None,
        )
        self._health.note(reply.headers.get("date"), time.monotonic() - began)
        return reply

    def _read(self, action: str, reply: Reply) -> JsonObject:
        """The object of a success. Raises `CloudError` for a refusal, and for what AWS does not write."""
        content = reply.content.strip()
        body = json_object(content)
        request_id = reply.headers.get("x-amzn-requestid")
        check_answer(reply, self._host)
        if reply.status_code >= _OK:
            error = body or {}
            raise refusal(
                _code(error, reply.headers),
                error.get("message", error.get("Message")),
                api=action,
                status=reply.status_code,
                request_id=request_id,
                headers=reply.headers,
                source=self._source,
            )
        metadata = {"RequestId": request_id, "HTTPStatusCode": reply.status_code, "HTTPHeaders": reply.headers}
        return {**(proven_object(body) if content else {}), "ResponseMetadata": metadata}


def check_answer(reply: Reply, host: str) -> None:
    """Raise `CloudError` for a web page, or another text that AWS does not write; its words are not printed."""
    content = reply.content.strip()
    readable = content.startswith(b"{") or (content.startswith(b"<") and not is_page(content))
    if reply.status_code < _OK and (readable or not content):
        return
    if reply.status_code >= 400 and readable:
        return
    explanation = "" if reply.status_code >= _OK else ", but not from AWS: a proxy or gateway replied"
    raise CloudError(
        by_status(reply.status_code),
        f"HTTP {reply.status_code} from {host}{explanation}",
        request_id=reply.headers.get("x-amzn-requestid"),
        retry_after=retry_after(reply.headers),
    )


def _code(body: Mapping[str, Any], headers: Mapping[str, str]) -> object:
    """The code of an error, without the namespace and the address that may stand around it."""
    code = body.get("__type") or headers.get("x-amzn-errortype")
    return code.split(":")[0].rpartition("#")[2] if isinstance(code, str) else code
