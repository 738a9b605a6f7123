"""Alibaba Cloud's signature ACS3-HMAC-SHA256.

https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature

The vendor's signer stands in a module that loads aiohttp and cryptography before it signs its first request: more time
than all the rest of a call. A test holds this one against it, byte for byte.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"
EMPTY_BODY = sha256(b"").hexdigest()


def authorization(query: Mapping[str, str], headers: Mapping[str, str], *, key_id: str, secret: str) -> str:
    """The `Authorization` of a POST to `/` without a body. Every header is signed; `query` is not yet encoded."""
    entries = sorted((name.lower(), value.strip()) for name, value in headers.items())
    signed = ";".join(name for name, _ in entries)
    request = "\n".join(
        (
            "POST",
            "/",
            "&".join(f"{name}={quote(value, safe='~')}" for name, value in sorted(query.items())),
            *(f"{name}:{value}" for name, value in entries),
            "",
            signed,
            EMPTY_BODY,
        )
    )
    to_sign = f"{ALGORITHM}\n{sha256(request.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), to_sign.encode(), sha256).hexdigest()
    return f"{ALGORITHM} Credential={key_id},SignedHeaders={signed},Signature={signature}"
