"""Tencent Cloud's signature TC3-HMAC-SHA256: https://www.tencentcloud.com/document/product/1275/70305

The key and the last step are the SDK's. What is signed is built here, because the SDK builds it in its client, whose
module loads `requests`. A test holds the headers against that client's, byte for byte.
"""

import time
from hashlib import sha256

from msgspec import Struct
from tencentcloud import __version__
from tencentcloud.common.sign import Sign

from runcancel.providers.keys import Keys

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

    def headers(self, action: str, body: bytes, keys: Keys, *, now: int) -> dict[str, str]:
        """The headers of one POST of JSON to `/`. `now` is in epoch seconds."""
        given = {
            "Content-Type": _CONTENT_TYPE,
            "Host": self.host,
            "X-TC-Action": action,
            "X-TC-RequestClient": f"SDK_PYTHON_{__version__}; {self.request_client}",
            "X-TC-Timestamp": str(now),
            "X-TC-Version": self.version,
            "X-TC-Region": self.region,
            "X-TC-Language": "en-US",
        }
        return {
            **given,
            **({"X-TC-Token": keys.token} if keys.token else {}),
            "Authorization": self._authorization(body, keys, now),
        }

    def _authorization(self, body: bytes, keys: Keys, now: int) -> str:
        date = time.strftime("%Y-%m-%d", time.gmtime(now))
        head = f"POST\n/\n\ncontent-type:{_CONTENT_TYPE}\nhost:{self.host}\n\n{_SIGNED}\n"
        request = head + sha256(body).hexdigest()
        scope = f"{date}/{self.product}/tc3_request"
        to_sign = f"{_ALGORITHM}\n{now}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = Sign.sign_tc3(keys.secret, date, self.product, to_sign)
        return f"{_ALGORITHM} Credential={keys.id}/{scope}, SignedHeaders={_SIGNED}, Signature={signature}"
