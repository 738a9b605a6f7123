"""Keys that a command prints, for the vendors whose profiles name one: it runs once, without a terminal to ask on."""

import json
import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.credentials import plain_words

_TIMEOUT = 60  # seconds, as the vendors' SDKs wait


def printed(command: str, what: str) -> Mapping[str, Any]:
    """The JSON object that a command prints. `what` names it in messages; nothing that could be a key is quoted.

    Raises `Reason.NO_CREDENTIALS` with the cause.
    """
    return document(_output(command, what), what)


def document(output: str, what: str) -> Mapping[str, Any]:
    """What a command printed as a JSON object. Raises `Reason.NO_CREDENTIALS`."""
    try:
        document = json.loads(output)
    except (ValueError, RecursionError):
        words = plain_words(output)
        end = f": “{words}”" if words else "" if output.strip() else ": it printed nothing"
        raise _failed(f"{what} printed no JSON{end}") from None
    if not isinstance(document, Mapping):
        raise _failed(f"{what} printed JSON that is no object")
    return document


def ended(what: str, status: int, errors: str) -> CloudError:
    """The failure of a command that ended with an exit status."""
    words = plain_words(errors)
    how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
    return _failed(f"{what} {how}" + (f": “{words}”" if words else ""))


def not_started(what: str, error: OSError) -> CloudError:
    """The failure of a command that could not be run."""
    return _failed(f"{what} cannot be run: {(error.strerror or 'unknown reason').lower()}")


def _output(command: str, what: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        raise _failed(f"{what} cannot be read as a command: a quote is not closed") from None
    if not words:
        raise _failed(f"{what} is empty")
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT, check=False)  # noqa: S603 - the user's own profile names it
    except subprocess.TimeoutExpired:
        raise _failed(f"{what} did not end within {_TIMEOUT} s") from None
    except OSError as error:
        raise not_started(what, error) from None
    if done.returncode:
        raise ended(what, done.returncode, done.stderr.decode("utf-8", "replace"))
    return done.stdout.decode("utf-8", "replace")


def _failed(message: str) -> CloudError:
    hint = "run the command by hand; it must print the keys as JSON and nothing else"
    return CloudError(Reason.NO_CREDENTIALS, message, action="credentials", hint=hint)
