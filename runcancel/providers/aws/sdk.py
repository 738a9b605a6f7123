"""A client of botocore as the seam to a service: its replies proven, its failures in words."""

import json
import time
from collections.abc import Mapping
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from runcancel.errors import CloudError
from runcancel.providers.aws.credentials import signed_by
from runcancel.providers.aws.failures import error_response, no_response, unsent
from runcancel.providers.aws.fields import record
from runcancel.providers.aws.wire import proven_object, unproven
from runcancel.providers.common.fields import JsonObject, text
from runcancel.providers.common.http import EndpointHealth

_UNREADABLE = (ResponseParserError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError)
"""What botocore's parsers let through when a reply has the wrong shape."""


class SdkSender:
    """One botocore client, shared by threads and by accounts.

    `credentials` sign its requests, and `source` is their source in words; None: those of the client's session.
    """

    def __init__(
        self, client: Any, *, source: str = "", health: EndpointHealth | None = None, credentials: Any = None
    ) -> None:
        self.client = client
        self.url = str(client.meta.endpoint_url)
        self._health = health or EndpointHealth()
        self._source = source
        self._credentials = credentials

    def send(self, action: str, params: Mapping[str, Any]) -> JsonObject:
        """See `Sender`."""
        began = time.monotonic()
        try:
            with signed_by(self._credentials):
                reply: JsonObject = getattr(self.client, xform_name(action))(**params)
            self._health.note(_date(reply), time.monotonic() - began)
        except ClientError as error:
            self._health.note(_date(error.response), time.monotonic() - began)
            raise error_response(error, action=action, source=self._source) from None
        except BotoCoreError as error:
            raise no_response(error, action=action, source=self._source) from None
        except CloudError as error:
            raise unsent(error, action=action) from None
        except _UNREADABLE:
            raise unproven(action, "the answer cannot be read") from None
        return reply


def prove_body(http_response: Any, **_event: object) -> None:
    """A hook on `after-call`: botocore takes a web page, or an error under HTTP 200, for an empty success."""
    if http_response.status_code >= 300 or not http_response.content.strip():
        return
    try:
        body = json.loads(http_response.content)
    except (ValueError, RecursionError):
        body = None
    proven_object(body)


def _date(reply: JsonObject) -> str | None:
    return text(record(record(reply.get("ResponseMetadata")).get("HTTPHeaders")).get("date"))
