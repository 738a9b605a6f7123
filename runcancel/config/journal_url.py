"""The URL of a team's journal: checked without a connection, and never with a password in it."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from runcancel.errors import UsageError
from runcancel.redaction import remember

_SCHEMES = ("postgresql", "postgres")
_PASSWORDS = ("password", "sslpassword")


def problem(url: str) -> str | None:
    """What is wrong with a URL, without a word of it; None if it can be used."""
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return "is not a URL. Expected postgresql://HOST/DATABASE"
    user_info, _, _ = parts.netloc.rpartition("@")  # libpq allows several hosts, which `SplitResult.password` does not
    secrets = [user_info.partition(":")[2], *(value for name, value in query if name.lower() in _PASSWORDS)]
    if any(secrets) or ":" in user_info:
        remember(*secrets, *map(unquote, secrets))
        return "contains a password, which is refused. Put it into ~/.pgpass (mode 0600) or a libpq service"
    if parts.scheme not in _SCHEMES or not url.startswith(f"{parts.scheme}://"):
        return "is not a PostgreSQL URL. Expected postgresql://HOST/DATABASE"
    return None


def from_environment(variable: str, environ: Mapping[str, str], configured: str | None) -> str | None:
    """The URL in use: that of the variable, else the configured one. An empty variable means none.

    Raises `UsageError`.
    """
    if variable not in environ:
        return configured
    url = environ[variable].strip()
    what = problem(url) if url else None
    if what is not None:
        raise UsageError(f"{variable} {what}; nothing was sent")
    return url or None


def shown(url: str) -> str:
    """The URL without user and parameters, for messages."""
    parts = urlsplit(url)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
