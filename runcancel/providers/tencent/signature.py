"""Tencent Cloud's signature TC3-HMAC-SHA256: https://www.tencentcloud.com/document/product/1275/70305

The SDK builds what is signed in its client, whose module loads `requests`; the rest is twenty lines. A test holds the
headers against that client's, byte for byte.
"""

import hmac
import time
from hashlib import sha256

from msgspec import Struct

from runcancel.providers.common.credentials import Credentials

_ALGORITHM = "TC3-HMAC-SHA256"
_CONTENT_TYPE = "application/json"
_SIGNED = "content-type;host"


class Signer(Struct, frozen=True, kw_only=True):
    """What the requests to one product in one region have in common. `request_client` names the program."""

    product: str
    version: str
    host: str
    region: str
    request_client: str

    def headers(self, action: str, body: bytes, keys: Credentials, *, now: int) -> dict[str, str]:
        """The headers of one POST of JSON to `/`. `now` is in epoch seconds."""
        signed = {
            "Content-Type": _CONTENT_TYPE,
            "Host": self.host,
            "X-TC-Action": action,
            "X-TC-RequestClient": self.request_client,
            "X-TC-Timestamp": str(now),
            "X-TC-Version": self.version,
            "X-TC-Region": self.region,
            "X-TC-Language": "en-US",
        }
        return {
            **signed,
            **({"X-TC-Token": keys.token} if keys.token else {}),
            "Authorization": self._authorization(body, keys, now),
        }

    def _authorization(self, body: bytes, keys: Credentials, now: int) -> str:
        date = time.strftime("%Y-%m-%d", time.gmtime(now))
        head = f"POST\n/\n\ncontent-type:{_CONTENT_TYPE}\nhost:{self.host}\n\n{_SIGNED}\n"
        request = head + sha256(body).hexdigest()
        scope = f"{date}/{self.product}/tc3_request"
        to_sign = f"{_ALGORITHM}\n{now}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        key = f"TC3{keys.secret}".encode()
        for part in (date, self.product, "tc3_request"):
            key = _mac(key, part).digest()
        signature = _mac(key, to_sign).hexdigest()
        return f"{_ALGORITHM} Credential={keys.id}/{scope}, SignedHeaders={_SIGNED}, Signature={signature}"


def _mac(key: bytes, text: str) -> hmac.HMAC:
    return hmac.new(key, text.encode(), sha256)
