"""What an import of accounts would change in the configuration: a comparison, which changes nothing."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from runcancel.config.file import Config, Context, check_context
from runcancel.config.toml import hidden
from runcancel.model.inventory import Account, Inventory
from runcancel.model.reports import ContextChange

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")  # a reference begins with it
_LONGEST = 100  # characters of a name, and of a tag


class ImportOptions(Struct, frozen=True, kw_only=True):
    """What the command line sets for every account that its source does not set. `role`: a role was named."""

    regions: tuple[str, ...] = ()
    external_id: str | None = None
    source_profile: str | None = None
    role: bool = False


class Change(Struct, frozen=True, kw_only=True):
    """One context as it is and as it would be; None: it is not there."""

    name: str
    before: Context | None = None
    after: Context | None = None
    why: str = ""  # why nothing is changed

    @property
    def row(self) -> ContextChange:
        """The change as it is printed."""
        one = self.after or self.before
        return ContextChange(
            name=self.name,
            change=self._word,
            provider=one.provider if one else "",
            account=one.account if one else None,
            role_arn=one.role_arn if one else None,
            details=self._details,
        )

    @property
    def writes(self) -> bool:
        """Whether the file changes."""
        return self.after is not None and self.after != self.before

    @property
    def _word(self) -> str:
        if self.after is None:
            return "skipped" if self.why else "missing"
        return "added" if self.before is None else "changed" if self.writes else "unchanged"

    @property
    def _details(self) -> tuple[str, ...]:
        if self.why or self.before is None or self.after is None:
            return (self.why,) if self.why else ()
        pairs = {key: (getattr(self.before, key), getattr(self.after, key)) for key in Context.__struct_fields__}
        return tuple(f"{key}: {_written(old)} → {_written(new)}" for key, (old, new) in pairs.items() if old != new)


def changes(config: Config, inventory: Inventory, options: ImportOptions) -> tuple[Change, ...]:
    """What an import would change: an entry for each account, and one for each that is no longer in the source.

    An account keeps its context, whatever it is called today. One that is in a context of another origin is skipped.
    Raises `UsageError` for an account that no context can reach.
    """
    own = {name: one for name, one in config.contexts.items() if _same_origin(one.imported_from, inventory.source)}
    matches = _matches(own, inventory)
    taken = {*config.contexts, *config.all_groups}
    names = {at: name or _free_name(inventory.accounts[at], taken) for at, name in matches.items()}
    others = {name: one.account for name, one in config.contexts.items() if name not in own}
    elsewhere = {account: name for name, account in others.items() if account}
    rows = [
        _change(name, config.contexts.get(name), inventory, inventory.accounts[at], options, elsewhere)
        for at, name in names.items()
    ]
    used = {*config.contexts, *(one.name for one in rows)}
    compared = (_without_tags(one, used) for one in rows)
    new_names = set(names.values())
    gone = (
        Change(name=name, before=one)
        for name, one in own.items()
        if name not in new_names and f"{one.imported_from} ".startswith(f"{inventory.source} ")
    )
    return (*compared, *gone)


def _matches(own: Mapping[str, Context], inventory: Inventory) -> dict[int, str | None]:
    """For each account, by its position, the context that an earlier import made of it.

    An account that is listed several times has as many contexts: first those that are called as it is today, then,
    where the numbers are equal, the others in their order.
    """
    names_of: dict[str | None, list[str]] = {}
    for name, one in own.items():
        names_of.setdefault(one.account, []).append(name)
    matches: dict[int, str | None] = {}
    rest: dict[str, list[int]] = {}
    for at, account in enumerate(inventory.accounts):
        names = names_of.get(account.id, [])
        slug = _slug(account)
        matches[at] = next((name for name in names if name == slug or name.startswith(f"{slug}-{account.id}")), None)
        if matches[at] is None:
            rest.setdefault(account.id, []).append(at)
        else:
            names.remove(str(matches[at]))
    for id, positions in rest.items():
        names = names_of.get(id, [])
        if len(names) == len(positions):
            matches |= dict(zip(positions, names, strict=True))
    return matches


def _change(
    name: str,
    before: Context | None,
    inventory: Inventory,
    account: Account,
    options: ImportOptions,
    elsewhere: Mapping[str, str],
) -> Change:
    if account.id in elsewhere:
        return Change(name=name, why=f"account {account.id} is in the context {elsewhere[account.id]}")
    after = _context(before or Context(provider=inventory.provider), inventory, account, options)
    check_context(Path(inventory.source), f"account {account.id}", after)
    return Change(name=name, before=before, after=after)


def _context(before: Context, inventory: Inventory, account: Account, options: ImportOptions) -> Context:
    """The context of an account. What neither the source nor the command line sets stays as it is."""
    regions = account.regions if account.regions is not None else options.regions or before.regions
    tags = before.tags if account.tags is None else tuple(dict.fromkeys(filter(None, map(_tag, account.tags))))
    context = structs.replace(
        before,
        account=account.id,
        regions=tuple(regions),
        tags=tags,
        imported_from=before.imported_from or inventory.source,
    )
    return structs.replace(context, **_credentials(before, inventory, account, options))


def _credentials(before: Context, inventory: Inventory, account: Account, options: ImportOptions) -> dict[str, Any]:
    if account.role_arn is None:
        profile = account.profile or options.source_profile or before.profile
        return {"profile": profile, "role_arn": None, "role_chain": (), "external_id": None, "source_profile": None}
    keeps = before.role_arn is not None and not options.role and not inventory.exhaustive
    external_id = None if inventory.exhaustive else before.external_id
    return {
        "profile": None,
        "role_arn": before.role_arn if keeps else account.role_arn,
        "role_chain": before.role_chain if keeps else account.role_chain,
        "external_id": account.external_id or options.external_id or external_id,
        "source_profile": options.source_profile or before.source_profile,
    }


def _without_tags(change: Change, names: set[str]) -> Change:
    """The change without tags that are names of contexts: a group cannot have the name of one."""
    if change.after is None or names.isdisjoint(change.after.tags):
        return change
    tags = tuple(tag for tag in change.after.tags if tag not in names)
    return structs.replace(change, after=structs.replace(change.after, tags=tags))


def _same_origin(imported_from: str | None, source: str) -> bool:
    """Whether two imports are of one organization, whichever part of it, or of one file."""
    return imported_from is not None and imported_from.split()[:2] == source.split()[:2]


def _free_name(account: Account, taken: set[str]) -> str:
    """The name of a new context; what it was made of is unique with the account behind it."""
    candidates: Iterable[str] = (_slug(account), f"{_slug(account)}-{account.id}")
    name = next((one for one in candidates if one not in taken), None)
    number = 2
    while name is None or name in taken:
        name, number = f"{_slug(account)}-{account.id}-{number}", number + 1
    taken.add(name)
    return name


def _slug(account: Account) -> str:
    name = _NOT_IN_A_NAME.sub("-", account.name).strip("-._")[:_LONGEST]
    return account.id if hidden(name) else name


def _tag(text: str) -> str:
    """A tag as the name of a group: on one line, printable, without a comma."""
    tag = "".join(char if char.isprintable() and char != "," else "-" for char in text).strip().lstrip("-")[:_LONGEST]
    return "" if hidden(tag) else tag.strip()


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
