"""AWS Organizations: its active accounts, below the whole organization or one unit, and their tags."""

import re
from collections.abc import Iterator
from typing import Any

from runcancel.errors import CloudError, UsageError
from runcancel.model.inventory import Account
from runcancel.model.states import Reason
from runcancel.providers.aws.wire import Wire
from runcancel.providers.common.fields import JsonObject, rows, text

_PAGE = 20  # rows, as AWS limits it
_UNIT = re.compile(r"r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}")
_ARN = re.compile(r"arn:(aws[a-z-]*):organizations::[0-9]{12}:account/(o-[a-z0-9]{10,32})/([0-9]{12})")
_DEFAULT_ROLE = "OrganizationAccountAccessRole"
"""The role that AWS makes in each account that an organization creates."""

_ROLE = re.compile(r"(?:[!-~]{1,510}/)?[\w+=,.@-]{1,64}", re.ASCII)


class AwsOrganization:
    """See `base.Organization`. `caller` is the account of the credentials."""

    def __init__(self, wire: Wire, *, caller: str) -> None:
        self._wire = wire
        self._caller = caller
        self.id = ""

    def accounts(self, units: tuple[str, ...], *, role: str | None) -> Iterator[Account]:
        """See `base.Organization.accounts`."""
        for unit in units:
            if not _UNIT.fullmatch(unit):
                raise UsageError(f"“{unit}” is not the id of a unit: expected ou-… or r-…; nothing was changed")
        if role is not None and not _ROLE.fullmatch(role):
            raise UsageError(f"“{role}” is not the name of a role; nothing was changed")
        ids: set[str] = set()
        for row in self._below(units) if units else self._pages("ListAccounts", {}, "Id"):
            account = self._account(row, role)
            if account is not None and account.id not in ids:
                ids.add(account.id)
                yield account

    def tags(self, account: Account) -> tuple[str, ...]:
        """See `base.Organization.tags`."""
        names: dict[str, None] = {}
        token: str | None = None
        while True:
            following = {} if token is None else {"NextToken": token}
            page = self._wire.call("ListTagsForResource", {"ResourceId": account.id, **following})
            names |= dict.fromkeys(
                f"{text(row.get('Key'))}:{text(row.get('Value')) or ''}" for row in rows(page, "Tags")
            )
            before, token = token, text(page.get("NextToken"))
            if token is None:
                return tuple(names)
            if token == before:
                raise CloudError(Reason.UNPROVEN, "the listing repeats a page token and would never end")

    def _below(self, units: tuple[str, ...]) -> Iterator[JsonObject]:
        """The accounts of units and of the units in them, at any depth."""
        waiting, visited = list(units), set(units)
        while waiting:
            unit = waiting.pop(0)
            yield from self._pages("ListAccountsForParent", {"ParentId": unit}, "Id")
            for row in self._pages("ListOrganizationalUnitsForParent", {"ParentId": unit}, "Id"):
                id = text(row.get("Id"))
                if id is not None and id not in visited:
                    visited.add(id)
                    waiting.append(id)

    def _pages(self, action: str, params: dict[str, Any], unique: str) -> Iterator[JsonObject]:
        return self._wire.pages(action, params, unique=unique, size=_PAGE)

    def _account(self, row: JsonObject, role: str | None) -> Account | None:
        """An account that is active. `State` takes the place of `Status`, which AWS retires."""
        id, arn = text(row.get("Id")), text(row.get("Arn")) or ""
        if (text(row.get("State")) or text(row.get("Status"))) != "ACTIVE":
            return None
        match = _ARN.fullmatch(arn)
        if id is None or match is None or match[3] != id:
            raise CloudError(Reason.UNPROVEN, f"the listing has an account without a usable id: {arn or id}")
        self.id = match[2]
        caller = id == self._caller
        return Account(
            id=id,
            name=text(row.get("Name")) or id,
            caller=caller,
            role_arn=None if caller else f"arn:{match[1]}:iam::{id}:role/{role or _DEFAULT_ROLE}",
        )
