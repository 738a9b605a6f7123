"""Who signed a request: SigV4, ACS3 and TC3 checked against our own key pairs, refused in the vendors' words."""

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlsplit

from runcancel.sandbox.accounts import Key
from runcancel.sandbox.wire import Refusal, Request

AWS_SKEW = 300
ALIBABA_SKEW = 900
TENCENT_SKEW = 300

Keys = Mapping[str, Key]


@dataclass(frozen=True, slots=True)
class Signed:
    key: Key
    region: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class _Claim:
    algorithm: str
    credential: tuple[str, ...]
    signed_headers: tuple[str, ...]
    signature: str


def _claim(request: Request, algorithm: str, malformed: Refusal) -> _Claim:
    scheme, _, rest = request.header("authorization").partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if scheme != algorithm or not {"Credential", "SignedHeaders", "Signature"} <= fields.keys():
        raise malformed
    names = tuple(fields["SignedHeaders"].split(";"))
    present = {name.lower() for name, _ in request.headers}
    if not set(names) <= present:
        raise malformed
    return _Claim(scheme, tuple(fields["Credential"].split("/")), names, fields["Signature"])


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _escape(text: str) -> str:
    return quote(text, safe="-_.~")


def _canonical_hash(request: Request, names: tuple[str, ...]) -> str:
    url = urlsplit(request.target)
    pairs = sorted((_escape(k), _escape(v)) for k, v in parse_qsl(url.query, keep_blank_values=True))
    query = "&".join(f"{key}={value}" for key, value in pairs)
    headers = "".join(f"{name}:{request.header(name)}\n" for name in names)
    parts = [request.method, url.path or "/", query, headers, ";".join(names), _sha(request.body)]
    return _sha("\n".join(parts).encode("utf-8", "surrogateescape"))


def _matches(claim: _Claim, key: bytes, text: str) -> bool:
    return hmac.compare_digest(_mac(key, text).hex(), claim.signature)


@lru_cache(maxsize=64)
def _derive(secret: str, *scope: str) -> bytes:
    key = secret.encode()
    for part in scope:
        key = _mac(key, part)
    return key


def _body_hash_is_wrong(request: Request, header: str) -> bool:
    claimed = request.header(header)
    return bool(claimed) and claimed not in (_sha(request.body), "UNSIGNED-PAYLOAD")


@lru_cache(maxsize=64)
def _moment(text: str, form: str) -> float | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


# The services disagree about the names of the same mistakes.
_AWS_WORDS = {
    "signature": {"sts": (403, "SignatureDoesNotMatch"), "ec2": (401, "AuthFailure")},
    "key": {"sts": (403, "InvalidClientTokenId"), "ec2": (401, "AuthFailure")},
    "expired": {"sts": (403, "ExpiredToken"), "ec2": (400, "RequestExpired")},
}
_AWS_DEFAULT = {
    "signature": (400, "InvalidSignatureException"),
    "key": (400, "UnrecognizedClientException"),
    "expired": (400, "ExpiredTokenException"),
}
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)
_BAD_KEY = "The security token included in the request is invalid."


def aws_refusal(kind: str, service: str, message: str) -> Refusal:
    status, code = _AWS_WORDS[kind].get(service, _AWS_DEFAULT[kind])
    return Refusal(status, code, message)


def check_aws(request: Request, keys: Keys, *, service: str, now: float | None = None) -> Signed:
    if not request.header("authorization"):
        raise Refusal(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
    malformed = Refusal(400, "IncompleteSignatureException", "Authorization header is not a complete AWS4 signature.")
    claim = _claim(request, "AWS4-HMAC-SHA256", malformed)
    if len(claim.credential) != 5 or claim.credential[4] != "aws4_request" or "host" not in claim.signed_headers:
        raise malformed
    key_id, date, region, scope_service, _ = claim.credential
    stamp = request.header("x-amz-date")
    _check_aws_time(stamp, date, service, time.time() if now is None else now)
    if scope_service != service:
        raise aws_refusal("signature", service, f"Credential should be scoped to correct service: '{service}'.")
    key = keys.get(key_id)
    if key is None or request.header("x-amz-security-token") != key.token:
        raise aws_refusal("key", service, _BAD_KEY)
    derived = _derive("AWS4" + key.secret, date, region, service, "aws4_request")
    scope = f"{date}/{region}/{service}/aws4_request"
    text = "\n".join([claim.algorithm, stamp, scope, _canonical_hash(request, claim.signed_headers)])
    if _body_hash_is_wrong(request, "x-amz-content-sha256") or not _matches(claim, derived, text):
        raise aws_refusal("signature", service, _MISMATCH)
    if key.expired:
        raise aws_refusal("expired", service, "The security token included in the request is expired")
    return Signed(key, region, service)


def _check_aws_time(stamp: str, date: str, service: str, now: float) -> None:
    at = _moment(stamp, "%Y%m%dT%H%M%SZ")
    if at is None:
        raise Refusal(400, "IncompleteSignatureException", "Date must be in ISO-8601 'basic format'.")
    if stamp[:8] != date:
        raise aws_refusal("signature", service, f"Date in Credential scope does not match YYYYMMDD: '{stamp[:8]}'.")
    if abs(at - now) > AWS_SKEW:
        here = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        word = "Signature expired" if at < now else "Signature not yet current"
        side = "earlier than" if at < now else "later than"
        raise aws_refusal("signature", service, f"{word}: {stamp} is now {side} {here} (5 min.)")


_ACS_REQUIRED = frozenset({"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce"})


class Nonces:
    """Which nonces were used lately; Alibaba takes each only once."""

    def __init__(self) -> None:
        self._nonces: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def first_use(self, key: str, nonce: str, now: float) -> bool:
        with self._lock:
            if len(self._nonces) > 50_000:
                self._nonces = {pair: at for pair, at in self._nonces.items() if now - at < ALIBABA_SKEW}
            if (key, nonce) in self._nonces:
                return False
            self._nonces[key, nonce] = now
            return True


def check_alibaba(request: Request, keys: Keys, nonces: Nonces, *, now: float | None = None) -> Signed:
    now = time.time() if now is None else now
    malformed = Refusal(400, "IncompleteSignature", "The request signature does not conform to Aliyun standards.")
    claim = _claim(request, "ACS3-HMAC-SHA256", malformed)
    names = {name.lower() for name, _ in request.headers if name.lower().startswith("x-acs-")}
    if not (_ACS_REQUIRED | names) <= set(claim.signed_headers):
        raise malformed
    at = _moment(request.header("x-acs-date"), "%Y-%m-%dT%H:%M:%SZ")
    if at is None:
        raise Refusal(400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
    if abs(at - now) > ALIBABA_SKEW:
        raise Refusal(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
    key = keys.get(claim.credential[0])
    if key is None:
        raise Refusal(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
    _check_alibaba_token(request, key)
    text = f"{claim.algorithm}\n{_canonical_hash(request, claim.signed_headers)}"
    if _body_hash_is_wrong(request, "x-acs-content-sha256") or not _matches(claim, key.secret.encode(), text):
        raise Refusal(400, "SignatureDoesNotMatch", "Specified signature does not match our calculation.")
    if key.expired:
        raise Refusal(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
    if not nonces.first_use(key.id, request.header("x-acs-signature-nonce"), now):
        raise Refusal(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
    return Signed(key)


def _check_alibaba_token(request: Request, key: Key) -> None:
    token = request.header("x-acs-security-token")
    if key.token and not token:
        raise Refusal(400, "MissingSecurityToken", "SecurityToken is mandatory for this action.")
    if token and not key.token:
        raise Refusal(400, "InvalidSecurityToken.MismatchWithAccessKey", "SecurityToken mismatches the AccessKey.")
    if token != key.token:
        raise Refusal(400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.")


_PORT = re.compile(r":[0-9]+$")


def _tencent_readings(request: Request) -> Iterator[Request]:
    """The request as it came, and as the SDK for Node.js signs it: the host name alone, while `host:port` is sent."""
    yield request
    bare = [(name, _PORT.sub("", value) if name.lower() == "host" else value) for name, value in request.headers]
    yield replace(request, headers=tuple(bare))


def check_tencent(request: Request, keys: Keys, *, service: str, now: float | None = None) -> Signed:
    now = time.time() if now is None else now
    malformed = Refusal(200, "AuthFailure.InvalidAuthorization", "The Authorization header is invalid.")
    claim = _claim(request, "TC3-HMAC-SHA256", malformed)
    if len(claim.credential) != 4 or claim.credential[3] != "tc3_request":
        raise malformed
    if not {"content-type", "host"} <= set(claim.signed_headers):
        raise malformed
    key_id, date, scope_service, _ = claim.credential
    stamp = request.header("x-tc-timestamp")
    if not re.fullmatch(r"[0-9]{1,12}", stamp):
        raise Refusal(200, "MissingParameter", "The request is missing a required parameter `Timestamp`.")
    if abs(int(stamp) - now) > TENCENT_SKEW:
        raise Refusal(200, "AuthFailure.SignatureExpire", "Signature has expired: the timestamp is off by over 5 min.")
    key = keys.get(key_id)
    if key is None:
        raise Refusal(200, "AuthFailure.SecretIdNotFound", "The SecretId is not found.")
    if request.header("x-tc-token") != key.token:
        raise Refusal(200, "AuthFailure.TokenFailure", "Token verification failed.")
    derived = _derive("TC3" + key.secret, date, scope_service, "tc3_request")
    scope = f"{date}/{scope_service}/tc3_request"
    hashes = (_canonical_hash(each, claim.signed_headers) for each in _tencent_readings(request))
    texts = ("\n".join([claim.algorithm, stamp, scope, each]) for each in hashes)
    day = datetime.fromtimestamp(int(stamp), UTC).strftime("%Y-%m-%d")
    # The SDK for Node.js takes the first label of its endpoint for the service: "127" when that is an address.
    services = (service, request.header("host").split(".")[0])
    if scope_service not in services or date != day or not any(_matches(claim, derived, text) for text in texts):
        raise Refusal(200, "AuthFailure.SignatureFailure", "The provided credentials could not be validated.")
    if key.expired:
        raise Refusal(200, "AuthFailure.TokenFailure", "The token has expired.")
    return Signed(key, service=service)
