"""AWS's Signature Version 4 for one POST: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html

botocore's signer stands in a module that loads two HTTP stacks, XML and time zones: more than all the rest of a call. A
test compares this one with it, byte for byte.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote

from msgspec import Struct

_ALGORITHM = "AWS4-HMAC-SHA256"


class Keys(Struct, frozen=True):
    """What signs a request, by the names that botocore's signers read."""

    access_key: str
    secret_key: str
    token: str | None = None
    account_id: str | None = None


def signed(
    path: str, headers: Mapping[str, str], body: bytes, keys: Keys, *, region: str, service: str, time: str
) -> dict[str, str]:
    """The headers with date, token and `Authorization`. All of them are signed; `time` is `YYYYMMDDTHHMMSSZ`."""
    all_headers = {**headers, "X-Amz-Date": time}
    if keys.token:
        all_headers["X-Amz-Security-Token"] = keys.token
    entries = sorted((name.lower(), " ".join(value.split())) for name, value in all_headers.items())
    names = ";".join(name for name, _ in entries)
    lines = (
        "POST",
        quote(path, safe="/-_.~"),
        "",
        *(f"{name}:{value}" for name, value in entries),
        "",
        names,
        sha256(body).hexdigest(),
    )
    scope = f"{time[:8]}/{region}/{service}/aws4_request"
    to_sign = f"{_ALGORITHM}\n{time}\n{scope}\n{sha256(chr(10).join(lines).encode()).hexdigest()}"
    key = f"AWS4{keys.secret_key}".encode()
    for part in (*scope.split("/"), to_sign):
        key = hmac.new(key, part.encode(), sha256).digest()
    authorization = f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {**all_headers, "Authorization": authorization}
