"""What signs a request, for the vendors whose requests are signed here and not by their SDK."""

from collections.abc import Callable

from msgspec import Struct

from runcancel.providers.reading import check_keys


class Keys(Struct, frozen=True, kw_only=True):
    """One key, and where it came from in words; `expires_at` is epoch seconds, None where it is not known.

    Never printed: `repr` names nothing.
    """

    id: str
    secret: str
    token: str | None = None
    source: str = ""
    expires_at: int | None = None

    def __repr__(self) -> str:
        return "Keys(…)"

    def checked(self) -> "Keys":
        """The same. Raises `Reason.NO_CREDENTIALS` when no HTTP header can carry them."""
        check_keys((self.id, self.secret, self.token), self.source)
        return self


KeySource = Callable[[], Keys]
"""Asked before each request, by many threads. Raises `CloudError`."""
