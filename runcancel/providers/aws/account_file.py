"""The accounts file of c7n-org: YAML, or JSON, which is YAML as well."""

import re
from typing import Any

import msgspec
from msgspec import Struct

from runcancel.errors import UsageError
from runcancel.model.inventory import Account

_ID = re.compile(r"[0-9]{12}")
_OTHER_CLOUDS = ("subscriptions", "projects", "tenancies")


class _Row(Struct, frozen=True):
    """An account as c7n-org reads it; `vars`, `email` and other keys say nothing about how it is reached."""

    account_id: str
    name: str | None = None
    role: str | tuple[str, ...] | None = None
    profile: str | None = None
    external_id: str | None = None
    regions: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None


class _File(Struct, frozen=True):
    accounts: tuple[_Row, ...]


def read(file: str, content: str) -> tuple[Account, ...]:
    """The accounts of a file. Raises `UsageError` with the position of what is wrong."""
    data = _data(file, content)
    if data is None:
        raise UsageError(f"{file} is empty; nothing was changed")
    other = next((key for key in _OTHER_CLOUDS if isinstance(data, dict) and key in data), None)
    if other is not None:
        raise UsageError(f"{file} has {other}; only accounts of AWS can be imported; nothing was changed")
    try:
        rows = msgspec.convert(data, _File).accounts
    except msgspec.ValidationError as error:
        raise UsageError(f"{file}: {str(error).replace('$.', '')}; nothing was changed") from None
    return tuple(_account(file, at, row) for at, row in enumerate(rows))


def _account(file: str, at: int, row: _Row) -> Account:
    where = f"{file}: accounts[{at}]"
    if not _ID.fullmatch(row.account_id):
        raise UsageError(f"{where}.account_id is “{row.account_id}”, which is not 12 digits; nothing was changed")
    roles = (row.role,) if isinstance(row.role, str) else row.role or ()
    if not roles and row.profile is None:
        raise UsageError(f"{where} has neither role nor profile; nothing was changed")
    regions = None if row.regions is None else tuple(one.strip() for each in row.regions for one in each.split(","))
    return Account(
        id=row.account_id,
        name=row.name or row.account_id,
        role_arn=roles[-1] if roles else None,
        role_chain=roles[:-1],
        external_id=row.external_id if roles else None,
        profile=None if roles else row.profile,  # as c7n-org: a role wins
        regions=regions,
        tags=row.tags or (),
    )


def _data(file: str, content: str) -> Any:
    """The content as objects, with every scalar as the text that stands there: an id may begin with a zero."""
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        import yaml
    except ImportError:
        raise UsageError(
            f"{file} is YAML, which needs PyYAML; nothing was changed", hint="pip install 'runcancel[yaml]'"
        ) from None
    try:
        return yaml.load(content, Loader=yaml.BaseLoader)  # noqa: S506 - it makes texts, lists and mappings only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f", line {mark.line + 1}"
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise UsageError(f"{file} is not valid YAML{line}: {problem}; nothing was changed") from None
    except RecursionError:
        raise UsageError(f"{file} is nested too deeply; nothing was changed") from None
