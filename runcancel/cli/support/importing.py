"""`runcancel contexts import`: accounts of an organization, or of another tool's file, as contexts."""

import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs

from runcancel.cli.bundles import Bundle
from runcancel.cli.session import Session
from runcancel.cli.support.ask import line, why_not_interactive
from runcancel.cli.support.files import called, text_of
from runcancel.cli.support.new_context import NewContext
from runcancel.config import file as config_file
from runcancel.config import settings
from runcancel.config.import_file import write_changes
from runcancel.config.imports import Change, ImportOptions, changes
from runcancel.errors import CloudError, Exit, Refused, UsageError
from runcancel.model.inventory import Account, Inventory
from runcancel.model.runs import Scope
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.base import Organization
from runcancel.providers.guarded import guarded
from runcancel.render import End
from runcancel.text import command

_LARGEST = 16 << 20  # bytes of an accounts file


class ImportOf(Bundle, frozen=True, kw_only=True):
    """Where the accounts of an import come from, and what every context of it has."""

    aws_organization: Annotated[
        bool, typer.Option("--aws-organization", help="Import the active accounts of the organization.")
    ] = False
    unit: Annotated[
        list[str] | None,
        typer.Option("--ou", metavar="ID", help="Only the accounts below this unit; repeatable."),
    ] = None
    role: Annotated[
        str | None,
        typer.Option("--role", metavar="NAME", help="The role in each account [OrganizationAccountAccessRole]."),
    ] = None
    c7n_org: Annotated[
        str | None, typer.Option("--c7n-org", metavar="FILE", help="Import an accounts file of c7n-org; - is stdin.")
    ] = None
    regions: Annotated[
        str | None, typer.Option("--regions", metavar="REGION,...", help="The regions of the imported contexts.")
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show the changes; write nothing.")] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write the changes without a question.")] = False


def import_contexts(session: Session, source: ImportOf, new: NewContext) -> int:
    """Compare, show, ask, write. Raises `UsageError`, `Refused`, and `CloudError` where accounts cannot be listed."""
    if source.aws_organization is (source.c7n_org is not None):
        raise UsageError("contexts import needs --aws-organization or --c7n-org FILE")
    if source.c7n_org is not None and (source.unit or source.role):
        raise UsageError("--ou and --role need --aws-organization")
    profile = session.settings.profile
    defaults = ImportOptions(
        regions=_regions(session, source),
        external_id=new.external_id,
        source_profile=new.source_profile or (profile.value if profile.typed else None),
        role=source.role is not None,
    )
    inventory = _of_file(source.c7n_org) if source.c7n_org is not None else _of_organization(session, source)
    config = session.settings.config
    result = changes(config, inventory, defaults)
    writes = any(one.writes for one in result)
    asks = writes and not (source.dry_run or source.yes)
    if asks and (why := why_not_interactive(session, from_stdin=source.c7n_org == "-")):
        raise Refused(f"{_totals(result)}: not confirmed ({why}); nothing was changed", hint="To write them: add --yes")
    _show(session, result)
    file = config_file.path(session.settings.environ)
    if asks and not _confirmed(session, file):
        session.notes.warn("not confirmed; nothing was changed")
        return Exit.REFUSED
    if writes and not source.dry_run:
        write_changes(file, result, config)
        session.notes.say(f"wrote {file}")
    return Exit.OK


def _regions(session: Session, source: ImportOf) -> tuple[str, ...]:
    choice = session.settings.regions
    words = source.regions.split(",") if source.regions is not None else choice.value if choice.typed else ()
    if source.regions is not None and not all(word.strip() for word in words):
        raise UsageError("--regions has an empty name; nothing was changed")
    return tuple(dict.fromkeys(word.strip() for word in words))


def _of_file(file: str) -> Inventory:
    name, read = next((name, read) for name in PROVIDERS if (read := provider(name).accounts_of_file))
    label = called(file) if file == "-" else Path(file).name
    accounts = read(called(file), text_of(file, largest=_LARGEST))
    return Inventory(provider=name, source=f"c7n-org {label.replace(' ', '_')}", accounts=accounts, exhaustive=True)


def _of_organization(session: Session, source: ImportOf) -> Inventory:
    """The active accounts with their tags, read with the credentials of `-c`, of `--profile`, or of the environment."""
    name, open_ = next((name, open_) for name in PROVIDERS if (open_ := provider(name).organization))
    scope = _scope(session, name)
    pace, units = session.clouds.pace(scope), tuple(dict.fromkeys(source.unit or ()))

    def listed(scope: Scope) -> tuple[Organization, list[Account]]:
        organization = open_(settings.connection(session.settings, scope), session.settings.environ, pace)
        return organization, list(organization.accounts(units, role=source.role))

    guarded_listing = partial(guarded, where=str(scope))
    done = next(session.workers.map(lambda one: guarded_listing(partial(listed, one)), [scope], queue=lambda one: one))
    organization, accounts = done.value()
    if not accounts:
        raise UsageError("no active account was found; nothing was changed")
    origin = " ".join(("aws-organization", organization.id, ",".join(units))).strip()
    return Inventory(provider=name, source=origin, accounts=_with_tags(session, organization, accounts, scope))


def _scope(session: Session, name: str) -> Scope:
    scope_settings = session.settings
    contexts = scope_settings.contexts.value if scope_settings.contexts.typed else ()
    if len(contexts) > 1:
        raise UsageError("contexts import --aws-organization takes one context; nothing was changed")
    context = contexts[0] if contexts else scope_settings.profile.value
    region = settings.vendor_settings(scope_settings, name, context).region
    return Scope(provider=name, region=region.value if region else settings.provider_regions(name)[0], context=context)


def _with_tags(
    session: Session, organization: Organization, accounts: list[Account], scope: Scope
) -> tuple[Account, ...]:
    """The accounts with their tags; those whose tags cannot be read keep the ones of the file."""
    tags: dict[str, tuple[str, ...]] = {}
    failures: dict[str, int] = {}
    for done in session.workers.map(organization.tags, accounts, queue=lambda _: scope):
        if done.error is None:
            tags[done.item.id] = done.value()
        elif isinstance(done.error, CloudError):
            failures[done.error.message] = failures.get(done.error.message, 0) + 1
        else:
            raise done.error
    for message, count in failures.items():
        session.notes.warn(f"the tags of {count} accounts were not read: {message}")
    return tuple(structs.replace(one, tags=tags.get(one.id)) for one in accounts)


def _show(session: Session, result: tuple[Change, ...]) -> None:
    answer = session.writer("imports")
    for one in result:
        if (row := one.row).change != "unchanged":
            answer.row(row)
    gone = any(one.row.change == "missing" for one in result)
    hint = (f"To remove a missing context: {command('contexts', 'remove', 'NAME')}",) if gone else ()
    answer.end(End(exit_code=Exit.OK, notes=(_totals(result), *session.suggest(*hint))))


def _totals(result: tuple[Change, ...]) -> str:
    counts = Counter(one.row.change for one in result)
    words = ("added", "changed", "unchanged", "skipped", "missing")
    return ", ".join(f"{counts[word]} {word}" for word in words if counts[word]) or "no accounts"


def _confirmed(session: Session, file: Path) -> bool:
    sys.stderr.write(f"Write these changes to {file}? [y/N] ")
    sys.stderr.flush()
    reply = line(session)
    return reply is not None and reply.strip().lower() in ("y", "yes")
