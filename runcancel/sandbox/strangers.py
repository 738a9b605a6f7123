"""What a web page could send: refused before anybody reads it. The sandbox is for programs on this machine."""

import re
from urllib.parse import urlsplit

from runcancel.sandbox.wire import Reply, Request, encode

_HERE = re.compile(r"(127\.0\.0\.1|([a-z0-9-]+\.)*localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_SAME = frozenset({"", "same-origin", "none"})


def refusal(request: Request) -> Reply | None:
    """The answer to a request that is not this machine's own; None for any other.

    A page of another site is known by its `Origin` or `Sec-Fetch-Site`, which no script can change; one whose name
    was bent to this address (DNS rebinding) by its `Host`.
    """
    host = request.header("host").removeprefix("http://")  # the SDK for Python sends the scheme when it was given one
    if not _HERE.fullmatch(host):
        return _refused(421, "the Host is not this machine: use 127.0.0.1 or localhost")
    if not _own_origin(request, host) or request.header("sec-fetch-site").lower() not in _SAME:
        return _refused(403, "a request from a web page is refused")
    return None


def _own_origin(request: Request, host: str) -> bool:
    origins = [value.strip() for name, value in request.headers if name.lower() == "origin"]
    return all(urlsplit(origin).scheme == "http" and urlsplit(origin).netloc == host for origin in origins)


def not_json(request: Request) -> Reply | None:
    """The answer to a body that is not declared as JSON; None for any other. A page's form cannot declare it."""
    sort = request.header("content-type").partition(";")[0].strip().lower()
    if not request.body or sort == "application/json":
        return None
    return _refused(415, "send the body as Content-Type: application/json")


def _refused(status: int, why: str) -> Reply:
    return Reply(status, encode({"error": why}), {"Content-Type": "application/json"})
