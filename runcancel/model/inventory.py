"""Accounts as an organization, or the file of another tool, lists them."""

from msgspec import Struct


class Account(Struct, frozen=True, kw_only=True):
    """One account and how it is reached. None: the source does not define it.

    `name` is as the source writes it: any text. `caller`: it is the account of the credentials that read the list, so
    no role is assumed for it.
    """

    id: str
    name: str
    caller: bool = False
    role_arn: str | None = None
    role_chain: tuple[str, ...] = ()
    external_id: str | None = None
    profile: str | None = None
    regions: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None


class Inventory(Struct, frozen=True, kw_only=True):
    """Accounts of one provider, and their source: a sort, a name, and the part of it that was read.

    `exhaustive`: how an account is reached stands in the source alone, and what is not there does not hold.
    """

    provider: str
    source: str
    accounts: tuple[Account, ...]
    exhaustive: bool = False
