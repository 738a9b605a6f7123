"""What every provider needs to read a reply safely: fields, times, ids, what others wrote, errors."""

import hashlib
import json
import re
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from runcancel.errors import CREDENTIALS, CloudError
from runcancel.model.runs import Identity
from runcancel.model.states import Reason
from runcancel.redaction import redact
from runcancel.text import quoted, safe

if TYPE_CHECKING:
    from logging import Logger

T = TypeVar("T")
R = TypeVar("R")
JsonObject = Mapping[str, Any]

_BEFORE_THE_CLOUDS = datetime(2000, 1, 1, tzinfo=UTC)
_BASE64 = r"[A-Za-z0-9+/]*={0,2}"  # patterns of rare use are compiled where they are used
_TARGET_ID = re.compile(r"[a-z]{1,16}-[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,16}){1,5}")

STATUSES = {408: Reason.DOWN, 429: Reason.BUSY, 509: Reason.BUSY}
"""The meaning of an HTTP status without a code of the vendor; any other from 500 on is `down`."""

OWN_WORDS = {
    Reason.BAD_CREDENTIALS: "the credentials are not accepted",
    Reason.EXPIRED_CREDENTIALS: "the credentials have expired",
}
"""Said instead of a vendor's text that may quote parts of the signed request."""

NO_RUN = "not found; it may be no longer kept, or in another region or account"
"""What is wrong with a run that is not there, in every cloud."""

NO_TRIGGER = "not found; it may have been deleted, or be in another region or account"
"""What is wrong with a trigger that is not there, in every cloud."""


_REPEATABLE = ("Describe", "Get", "List", "Lookup", "AssumeRole")
"""How the names of the actions begin that only read, in every cloud, or give keys as often as they are requested."""

LONGEST = 4096
"""Characters of a remote sentence that are quoted."""

_WORD = 128  # characters of a code or of a request id
_WORDS = r"[0-9A-Za-z_.,:;#/+=@ -]+"
_PAGE = rb"(?i)<\s*(?:!doctype\s+html|html|head|body|title|h[1-6]|center|script|meta|pre|p|br|hr)\b"


# A field of a reply may be missing, null or of another type than documented: that is data, not a crash.


def text(value: object) -> str | None:
    """The value as text; None for what is missing, empty or no scalar."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) or None


def texts(value: object) -> tuple[str, ...]:
    """The texts of a list, or a lone text."""
    values = value if isinstance(value, list) else [value]
    return tuple(one for one in values if isinstance(one, str) and one)


def digest(*values: object) -> str:
    """What these values of a reply are, in 16 letters: equal for equal values, and nothing can be read from it."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def number(value: object) -> int | None:
    """The value as a whole number; None for anything that is not one."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def json_object(content: bytes) -> JsonObject | None:
    """The JSON object in the body of a reply; None for anything else."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, Mapping) else None


def rows(value: object, *path: str) -> tuple[JsonObject, ...]:
    """The objects in the list at `path` below `value`; empty when it is missing or of another shape."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return tuple(row for row in value if isinstance(row, Mapping)) if isinstance(value, Sequence) else ()


def moment(value: object) -> datetime | None:
    """The time in UTC out of ISO 8601 text (no zone means UTC), epoch seconds or a datetime; None when it is none.

    No run is from before the clouds: the epoch, or year 1, stands for "not yet".
    """
    try:
        if isinstance(value, str) and value:
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = datetime.fromtimestamp(value, UTC)
        if not isinstance(value, datetime):
            return None
        instant = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return instant if instant > _BEFORE_THE_CLOUDS else None
    except (ValueError, OverflowError, OSError):
        return None


def wire_time(moment: datetime) -> str:
    """A time as filters of AWS and Alibaba Cloud take it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Decoded(Struct, frozen=True):
    """Text out of what a vendor encoded. `damaged`: some of it was no UTF-8, or not even base64."""

    text: str
    damaged: bool = False


def decoded(value: object) -> Decoded:
    """The UTF-8 text of base64; what is none is replaced."""
    content, intact = unpacked(value)
    try:
        return Decoded(content.decode("utf-8-sig"), not intact)
    except UnicodeDecodeError:
        return Decoded(content.decode("utf-8-sig", "replace"), damaged=True)


def unpacked(value: object) -> tuple[bytes, bool]:
    """The bytes of base64 as far as they are valid, and whether all of it was."""
    encoded = "".join((text(value) or "").split())
    whole = re.match(_BASE64, encoded)
    valid = whole[0] if whole else ""
    intact = len(valid.rstrip("=")) == len(encoded.rstrip("=")) and len(valid) % 4 == 0
    return b64decode(valid[: len(valid) - len(valid) % 4]), intact


def proven_regions(names: Iterable[str | None]) -> tuple[str, ...]:
    """The regions from a vendor, sorted. Raises `Reason.UNPROVEN` for none: every account has one."""
    regions = {name for name in names if name}
    if not regions:
        raise CloudError(Reason.UNPROVEN, "the reply has no region", action="DescribeRegions")
    return tuple(sorted(regions))


def checked_id(id: str, pattern: re.Pattern[str]) -> str:
    """The id, when it has the shape of one: nothing else may travel. Raises `Reason.INVALID`."""
    if not pattern.fullmatch(id):
        raise CloudError(Reason.INVALID, f"“{quoted(id)}” is not an id of this kind; nothing was sent")
    return id


def may_repeat(action: str) -> bool:
    """Whether a request may be sent again before anything was read: it changes nothing.

    Not so a cancel: its run is read before each repetition.
    """
    return action.startswith(_REPEATABLE)


def checked_targets(targets: Iterable[str]) -> tuple[str, ...]:
    """The target ids, each once, if all have the form of an instance id (`i-…`, `ins-…`). Raises `Reason.INVALID`."""
    return tuple(checked_id(target, _TARGET_ID) for target in dict.fromkeys(targets))


def checked_region(region: str) -> str:
    """The region, if it can be part of a host name. Raises `Reason.NOT_CONFIGURED`."""
    if not _REGION.fullmatch(region):
        raise CloudError(Reason.NOT_CONFIGURED, f"“{quoted(region)}” is not the name of a region; nothing was sent")
    return region


def check_keys(keys: Iterable[str | None], source: str) -> None:
    """Raise `Reason.NO_CREDENTIALS` for keys that no HTTP header can carry; HTTP libraries would quote them."""
    if any(key and not (key.isascii() and key.isprintable()) for key in keys):
        message = f"a key of {source} has invalid characters, such as a line end or a typographic quote"
        raise CloudError(Reason.NO_CREDENTIALS, message)


def caller(account: object, principal: object, *, believed: bool) -> Identity:
    """The caller's identity from a vendor's GetCallerIdentity. Raises `Reason.UNPROVEN`."""
    account_id, principal_name = text(account), text(principal)
    if account_id is None or principal_name is None:
        raise CloudError(Reason.UNPROVEN, "STS did not return the caller's identity", action="GetCallerIdentity")
    return Identity(account=account_id, principal=principal_name, believed=believed)


def proven(action: str, answer: object) -> JsonObject:
    """The answer, when the cloud gave it: an object with a request id. Raises `Reason.UNPROVEN`."""
    if not isinstance(answer, Mapping) or text(answer.get("RequestId")) is None:
        raise CloudError(Reason.UNPROVEN, "the reply has no request id, so it is not trusted", action=action)
    return answer


def attribute_error(error: CloudError, source: str) -> CloudError:
    """The error without any secret that the vendor's text repeats, and with the source of bad credentials."""
    error.message = redact(error.message)
    if source and error.reason in CREDENTIALS:
        error.message += f" ({source})"
    error.args = (error.message,)
    return error


def with_trace(
    ask: Callable[[], JsonObject], *, scope: object, host: str, action: str, params: JsonObject
) -> JsonObject:
    """The reply of `ask` to one request, with its `RequestId`; an error gets the action."""
    began = time.monotonic()
    outcome = "no reply"
    try:
        answer = ask()
        outcome = f"HTTP 200, request {answer['RequestId']}"
        return answer
    except CloudError as error:
        error.action = error.action or action
        outcome = f"{error.reason} {error.provider_code or ''} request {error.request_id}"
        raise
    finally:
        trace(scope, host, action, params, outcome=outcome, began=began)


def trace(scope: object, host: str, action: str, params: JsonObject, *, outcome: str, began: float) -> None:
    """One `--debug` line per request. It holds ids, never headers or credentials. `began` is of `time.monotonic`."""
    log = wire_log()
    if log is not None:
        took = (time.monotonic() - began) * 1000
        line = f"{scope} {action} at {host} {dict(params)} -> {outcome} in {took:.0f} ms"
        log.debug("%s", safe(redact(line)))


def wire_log() -> "Logger | None":
    """The log of `--debug`, if it is on. Where nobody has loaded `logging` nobody reads it; to load it takes time."""
    if "logging" not in sys.modules:
        return None
    import logging

    log = logging.getLogger("runcancel.wire")
    return log if log.isEnabledFor(logging.DEBUG) else None


def is_page(content: bytes) -> bool:
    """Whether something begins like a web page, which a proxy or a server wrote and no API."""
    return re.search(_PAGE, content[:LONGEST]) is not None


def sentence(value: object, otherwise: str) -> str:
    """A message out of an answer; `otherwise` where there is none or it is a web page."""
    content = text(value)
    if content is None or is_page(content[:LONGEST].encode("utf-8", "replace")):
        return otherwise
    return content if len(content) <= LONGEST else content[: LONGEST - 1] + "…"


def word(value: object) -> str | None:
    """A code or a request id out of an answer, cut where it is longer than any; None for what has another shape."""
    content = text(value)
    if content is None or not re.fullmatch(_WORDS, content):
        return None
    return content if len(content) <= _WORD else content[: _WORD - 1] + "…"


def map_status(table: Mapping[str, T], word: object, otherwise: T) -> T:
    """The entry of a vendor's word; `otherwise` for a word that is not mapped."""
    return table.get(word, otherwise) if isinstance(word, str) else otherwise
