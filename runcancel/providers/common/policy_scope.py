"""How narrow an access policy should be, whatever the vendor's language of policies."""

from msgspec import Struct


class PolicyScope(Struct, frozen=True, kw_only=True):
    """What a policy is for. None and empty: not narrowed in this respect.

    `audit`: also to read the audit log; `triggers`: also to find, disable and enable triggers. `account` is the
    vendor's own number; `trigger` the id of one whose runs may be cancelled; `kinds` are kinds of runs.
    """

    read_only: bool = False
    audit: bool = False
    triggers: bool = False
    account: str | None = None
    regions: tuple[str, ...] = ()
    trigger: str | None = None
    kinds: frozenset[str] = frozenset()
