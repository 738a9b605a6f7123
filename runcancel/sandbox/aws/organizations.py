"""The organization of the sandbox: its accounts, units and tags, for credentials of the management account."""

from collections.abc import Sequence
from typing import Any

from runcancel.sandbox.accounts import account_id
from runcancel.sandbox.wire import Action, Call, Cursor, Document, Refusal, token_page
from runcancel.sandbox.world import Book, World

TARGET = "AWSOrganizationsV20161128."
SERVICE = "organizations"
ID = "o-sandbox0001"
ROOT = "r-sbox"
UNITS = {
    "ou-sbox-prod0000": ("prod", ROOT),
    "ou-sbox-prodpay0": ("payments", "ou-sbox-prod0000"),
    "ou-sbox-dev00000": ("dev", ROOT),
    "ou-sbox-empty000": ("empty", ROOT),
}
"""Unit -> its name and what it is in."""

_HOLDERS = (ROOT, "ou-sbox-prod0000", "ou-sbox-prodpay0", "ou-sbox-dev00000")
_TEAMS = ("payments", "search", "web")
_MOST = 20  # rows of a page


def _unit(number: int) -> str:
    return ROOT if number == 0 else _HOLDERS[1 + (number - 1) % 3]


def _account(number: int, active: bool) -> Document:
    id = account_id("aws", number)
    return {
        "Id": id,
        "Arn": f"arn:aws:organizations::{account_id('aws', 0)}:account/{ID}/{id}",
        "Email": f"account{number + 1}@example.com",
        "Name": "management" if number == 0 else f"Account {number + 1}",
        "Status": "ACTIVE" if active else "SUSPENDED",
        "State": "ACTIVE" if active else "CLOSED",
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": 1700000000.0 + number,
    }


def _accounts(world: World) -> list[Document]:
    """Every account of the sandbox, and one that was closed."""
    return [_account(number, number < world.accounts) for number in range(world.accounts + 1)]


def tags_of(number: int) -> dict[str, str]:
    """The tags of an account, by its place in the sandbox."""
    if number == 0:
        return {}
    return {"env": "dev" if _unit(number) == "ou-sbox-dev00000" else "prod", "team": _TEAMS[number % len(_TEAMS)]}


def _managed(call: Call) -> None:
    if call.account != 0:
        message = "You don't have permissions to access this resource."
        raise Refusal(400, "AccessDeniedException", message)


def _page(call: Call, key: str, every: Sequence[Document]) -> Document:
    size = call.params.get("MaxResults", _MOST)
    if not isinstance(size, int) or not 1 <= size <= _MOST:
        raise Refusal(400, "InvalidInputException", "You provided a value that is out of range: MaxResults.")
    bad = Refusal(400, "InvalidInputException", "You provided an invalid next token.")
    rows, token = token_page(every, call, size=size, keep=lambda _: True, bad_token=bad)
    return {key: list(rows), **({"NextToken": token} if token else {})}


def list_accounts(world: World, book: Book, call: Call) -> Document:
    _managed(call)
    return _page(call, "Accounts", _accounts(world))


def list_accounts_for_parent(world: World, book: Book, call: Call) -> Document:
    """The first page is empty, which the real listing may be as well: only the token tells the end."""
    _managed(call)
    parent = _parent(call)
    if "NextToken" not in call.params:
        bad = Refusal(400, "InvalidInputException", "You provided an invalid next token.")
        return {"Accounts": [], "NextToken": Cursor(call, bad).write(0)}
    every = [one for number, one in enumerate(_accounts(world)) if _unit(number) == parent]
    return _page(call, "Accounts", every)


def list_units(world: World, book: Book, call: Call) -> Document:
    _managed(call)
    parent = _parent(call)
    arn = f"arn:aws:organizations::{account_id('aws', 0)}:ou/{ID}/"
    every = [{"Id": id, "Arn": arn + id, "Name": name} for id, (name, above) in UNITS.items() if above == parent]
    return _page(call, "OrganizationalUnits", every)


def list_roots(world: World, book: Book, call: Call) -> Document:
    _managed(call)
    arn = f"arn:aws:organizations::{account_id('aws', 0)}:root/{ID}/{ROOT}"
    return _page(call, "Roots", [{"Id": ROOT, "Arn": arn, "Name": "Root", "PolicyTypes": []}])


def list_tags(world: World, book: Book, call: Call) -> Document:
    """Tags come one to a page here: whoever forgets the token misses some."""
    _managed(call)
    id: Any = call.params.get("ResourceId")
    numbers = {account_id("aws", number): number for number in range(world.accounts + 1)}
    if id not in numbers:
        raise Refusal(400, "TargetNotFoundException", "You specified a target that doesn't exist.")
    every = [{"Key": key, "Value": value} for key, value in tags_of(numbers[id]).items()]
    bad = Refusal(400, "InvalidInputException", "You provided an invalid next token.")
    rows, token = token_page(every, call, size=1, keep=lambda _: True, bad_token=bad)
    return {"Tags": list(rows), **({"NextToken": token} if token else {})}


def _parent(call: Call) -> str:
    parent = str(call.params.get("ParentId", ""))
    if parent not in UNITS and parent != ROOT:
        raise Refusal(
            400, "ParentNotFoundException", "We can't find a root or OU with the ParentId that you specified."
        )
    return parent


ACTIONS: dict[tuple[str, str], Action] = {
    (SERVICE, "ListAccounts"): Action(list_accounts, ("Accounts",)),
    (SERVICE, "ListAccountsForParent"): Action(list_accounts_for_parent, ("Accounts",)),
    (SERVICE, "ListOrganizationalUnitsForParent"): Action(list_units, ("OrganizationalUnits",)),
    (SERVICE, "ListRoots"): Action(list_roots, ("Roots",)),
    (SERVICE, "ListTagsForResource"): Action(list_tags, ("Tags",)),
}
