"""`runcancel permissions`: the minimal policy, in the vendors' own languages."""

import sys
from typing import Annotated

import msgspec
import typer
from msgspec import structs

from runcancel.cli import options
from runcancel.cli.session import Session
from runcancel.config.settings import Settings
from runcancel.config.settings import typed_regions as typed
from runcancel.errors import Exit, UsageError
from runcancel.model.reports import AccessPolicy
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.base import PolicyScope
from runcancel.render import End

_RAW = frozenset({"table", "wide", "tsv", "ref"})
"""Formats in which a policy is printed as it is: nothing else can be pasted into a console."""

_OWNER, _TRIGGER = next(
    (each, kind) for each in map(provider, PROVIDERS) for kind in each.trigger_kinds if kind.policy_help
)
"""The one cloud that can restrict a policy to a trigger, and the kind of that."""
_FLAG = f"--{_TRIGGER.name}"


def permissions(
    session: Session,
    *,
    read_only: Annotated[bool, typer.Option("--read-only", help="Only the read permissions, no cancel.")] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Also the permission to read the audit log (status --who).")
    ] = False,
    triggers: Annotated[
        bool, typer.Option("--triggers", help="Also the permissions to find, disable and enable triggers.")
    ] = False,
    account: Annotated[str | None, typer.Option("--account", metavar="ID", help="Restrict to this account.")] = None,
    trigger: Annotated[
        str | None,
        typer.Option(_FLAG, metavar=_TRIGGER.form.rpartition("/")[2], help=_TRIGGER.policy_help),
    ] = None,
    kind: options.Kinds = None,
) -> int:
    """Print the minimal IAM, RAM or CAM policy for this program.

    \b
    Examples:
      runcancel permissions -p aws
      runcancel permissions -p aws --read-only --account 111122223333 -r us-east-2
      runcancel permissions -p aws --window mw-0c50858d01e4f7a2b
      runcancel permissions -p tencent --audit --triggers > policy.json

    It sends no request and needs no credentials. The policy of one provider can be
    pasted into its console; without -p, one policy per provider is printed. Notes
    on stderr report permissions that the vendor cannot restrict. See also -o json.
    """
    scope_settings = session.settings
    names = _names(scope_settings)
    kinds = options.kinds(kind)
    _check(names, account=account, trigger=trigger, kinds=kinds)
    scope = PolicyScope(
        read_only=read_only, audit=audit, triggers=triggers, account=account, trigger=trigger, kinds=kinds
    )
    rows = [provider(name).policy(structs.replace(scope, regions=typed(scope_settings, name))) for name in names]
    _print(session, rows)
    return Exit.OK


def _names(scope_settings: Settings) -> tuple[str, ...]:
    """The providers that were chosen, by name or by a region of theirs. Raises `UsageError` where both exclude it."""
    names_there = scope_settings.providers.value or tuple(PROVIDERS)
    words = scope_settings.regions.value if scope_settings.regions.typed else ()
    if not words or "all" in words:
        return names_there
    names = tuple(
        name for name in names_there if any(f"{name}:all" == word for word in words) or typed(scope_settings, name)
    )
    missing = [name for name in names_there if name not in names and scope_settings.providers.value]
    if missing or not names:
        raise UsageError(f"-r {','.join(words)} has no region of {' and '.join(missing or names_there)}")
    return names


def _check(names: tuple[str, ...], *, account: str | None, trigger: str | None, kinds: frozenset[str]) -> None:
    if account is not None:
        if len(names) != 1:
            raise UsageError(f"--account needs one provider: add -p, as in -p {_OWNER.name}")
        if not provider(names[0]).account_pattern.fullmatch(account):
            raise UsageError(f"--account “{account}” is not an account number such as 111122223333")
    if trigger is not None:
        if names != (_OWNER.name,):
            raise UsageError(f"{_FLAG} needs {_OWNER.title}: add -p {_OWNER.name}")
        if kinds and not kinds & set(_TRIGGER.starts):
            implied = " or ".join(_TRIGGER.starts)
            raise UsageError(f"{_FLAG} and --kind cannot be used together: {_FLAG} implies --kind {implied}")
    for name in names:
        if kinds and not kinds & _kinds(name):
            raise UsageError(f"{name} has no {' and no '.join(sorted(kinds))}: add its provider with -p")


def _kinds(name: str) -> frozenset[str]:
    return frozenset(kind.name for kind in provider(name).kinds)


def _print(session: Session, rows: list[AccessPolicy]) -> None:
    if session.format in _RAW:
        document = rows[0].policy if len(rows) == 1 else {row.provider: row.policy for row in rows}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")
        for row in rows:
            session.notes.say(*(f"{row.provider}: {note}" for note in row.notes))
        return
    answer = session.writer("permissions")
    for row in rows:
        answer.row(row)
    answer.end(End(exit_code=Exit.OK))
