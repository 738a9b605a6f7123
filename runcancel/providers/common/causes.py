"""Why a request got no reply, in words instead of the class name of a library."""

import ssl
from collections.abc import Iterator
from http import client

_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (TimeoutError, "it timed out"),
    (UnicodeError, "that is not a host"),
    (client.IncompleteRead, "the connection was closed in the middle of the answer"),
    (client.RemoteDisconnected, "the connection was closed without a reply"),
    (client.HTTPException, "what came is not HTTP"),
    (ConnectionResetError, "the connection was reset"),
)


def cause(error: BaseException) -> str:
    """The cause in the exceptions beneath an error: of the first known sort, else of the system."""
    chain = list(_beneath(error))
    if tls := next((one for one in chain if isinstance(one, ssl.SSLError)), None):
        reason = (tls.reason or "").replace("_", " ").lower()
        return f"TLS failed ({reason})" if reason else "TLS failed"
    if words_of_cause := next((words for kind, words in _CAUSES for one in chain if isinstance(one, kind)), None):
        return words_of_cause
    strerror = next((one.strerror for one in chain if isinstance(one, OSError) and one.strerror), None)
    return strerror.lower() if strerror else "the connection failed"


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it was raised from or holds, each once."""
    waiting, met = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) not in met:
            met.add(id(one))
            yield one
            waiting += [
                other for other in (one.__cause__, one.__context__, *one.args) if isinstance(other, BaseException)
            ]
