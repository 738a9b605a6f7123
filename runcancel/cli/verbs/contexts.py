"""`runcancel contexts`: named connections, and groups of them."""

from collections.abc import Iterator
from typing import Annotated

import typer
from msgspec import Struct, structs

from runcancel.cli.actions import Action
from runcancel.cli.bundles import Offers, spelled
from runcancel.cli.session import Session
from runcancel.cli.support import groups
from runcancel.cli.support.guard import rules_about
from runcancel.cli.support.importing import ImportOf, import_contexts
from runcancel.cli.support.new_context import NewContext, context_of
from runcancel.config import edit, provenance
from runcancel.config import file as config_file
from runcancel.config.file import Config, Context
from runcancel.config.settings import Settings
from runcancel.environment import plain
from runcancel.errors import Exit, UsageError
from runcancel.model.reports import ContextRow
from runcancel.providers import PROVIDERS
from runcancel.render import End
from runcancel.text import command

ACTIONS = {
    "list": Action(
        takes="",
        does="List the configured contexts.",
        examples=("runcancel contexts", "runcancel contexts list -o json"),
        more="The default contexts are marked: they are used without -c, -p and --profile.",
    ),
    "show": Action(
        takes="[NAME...]",
        does="Show the values of contexts, each with its source.",
        examples=(
            "runcancel contexts show",
            "runcancel contexts show prod",
            "runcancel contexts show -p aws --profile dev",
        ),
        more="Without a name it shows every context, and the values without a context: which profile, account, "
        "regions, endpoint and proxy are used, and which flag, variable or file sets them. It sends no request.",
        connection=True,
    ),
    "add": Action(
        takes="NAME",
        does="Add a context: a provider, one of its profiles, and regions.",
        examples=(
            "runcancel contexts add prod -p aws --profile prod -r us-east-2 --protected",
            "runcancel contexts add live -p aws --account 111122223333 --protected",
            "runcancel contexts add prod-cn -p alibaba --profile prod -r cn-hangzhou",
            'runcancel contexts add web -p aws --role-arn "$ROLE" --source-profile hub',
        ),
        more="-p is required. The profile must be in the vendor's own files, unless --no-check; without --profile "
        "the context uses the environment. With --role-arn the context assumes that role with the credentials of "
        "--source-profile, else of the environment. Keys are not stored. A name that exists is refused. The file keeps "
        "its comments and its order.",
        options=(
            *("--endpoint-url", "--site", "--account", "--role-arn", "--source-profile", "--external-id"),
            *("--protected", "--no-check"),
        ),
        connection=True,
    ),
    "import": Action(
        takes="",
        does="Import the accounts of an organization, or an accounts file of c7n-org, as contexts.",
        examples=(
            "runcancel contexts import --aws-organization --role ops --dry-run",
            "runcancel contexts import --aws-organization --ou ou-sbox-prod0000",
            "runcancel contexts import --c7n-org accounts.yml",
        ),
        more="Each account becomes a context with a role; its tags become groups, as in -c env:prod. It shows what is "
        "added, changed and missing, and asks before it writes the file. Contexts that were made by hand stay as they "
        "are, and so do those of accounts that are gone. A second import changes only what an import has made. "
        "The organization is read with the credentials of -c, of --profile or of the environment; --profile is also "
        "the source profile of the contexts. A list of roles in the file of c7n-org becomes role_chain.",
        options=(
            *("--aws-organization", "--ou", "--role", "--c7n-org", "--regions", "--external-id", "--source-profile"),
            "--dry-run",
        ),
        connection=True,
    ),
    "rename": Action(
        takes="OLD NEW",
        does="Rename a context or a group, also in groups and in the default.",
        examples=("runcancel contexts rename prod live",),
        more="References that were printed with the old name, as in prod@aws:us-east-2:…, do not work under the new "
        "one. The file keeps its comments and its order.",
    ),
    "remove": Action(
        takes="NAME",
        does="Remove a context, from groups and from the default as well.",
        examples=("runcancel contexts remove prod-cn",),
        more="The profile in the vendor's own files stays.",
    ),
    "use": Action(
        takes="[NAME...]",
        does="Use contexts or groups by default.",
        examples=("runcancel contexts use prod prod-cn", "runcancel contexts use"),
        more="They are used where no -c, -p, --profile or context before @ chooses. Without a name there is no default "
        "context: the credentials of the environment are used.",
    ),
    "groups": Action(
        takes="[list|add|remove] [NAME...]",
        does="List groups of contexts; add contexts to a group, or remove them.",
        examples=(
            "runcancel contexts groups",
            "runcancel contexts groups add everywhere prod prod-cn",
            "runcancel contexts groups remove everywhere prod-cn",
            "runcancel list -c everywhere",
        ),
        more="The first name is the group, the others are contexts. A group stands for its contexts wherever -c takes "
        "a name. add makes the group if it does not exist. remove without contexts removes the group; the contexts "
        "stay. A group without contexts is removed.",
    ),
}
"""Help of each action."""


class _Call(Struct, frozen=True):
    """What was typed behind the word."""

    names: tuple[str, ...]
    context: Context | None = None


def contexts(
    session: Session,
    action: Annotated[
        str,
        typer.Argument(
            metavar="[ACTION]",
            help="list, show, add, import, rename, remove, use or groups [list].",
        ),
        Offers(lambda: [*ACTIONS]),
    ] = "list",
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="Names of contexts (use: also groups)."),
        Offers("names"),
    ] = None,
    *,
    new: NewContext,
    source: ImportOf,
) -> int:
    """List, change and group named connections.

    \b
    Examples:
      runcancel contexts
      runcancel contexts add prod -p aws --profile prod -r us-east-2 --protected
      runcancel contexts show prod
      runcancel contexts add live -p aws --account 111122223333 --protected
      runcancel contexts add prod-cn -p alibaba --profile prod -r cn-hangzhou
      runcancel contexts import --aws-organization --role ops --dry-run
      runcancel contexts groups add everywhere prod prod-cn
      runcancel contexts use everywhere
      runcancel contexts rename prod-cn cn
      runcancel contexts remove cn

    A context is a provider, one of its profiles, and regions. A group stands for
    several contexts. Help of an action: runcancel contexts add --help.
    """
    call = _Call(tuple(plain("the name", name) for name in names or ()))
    if action not in ACTIONS:
        raise UsageError(
            f"unknown action “{action}”. Expected one of: {', '.join(ACTIONS)}{groups.other_word(action, ACTIONS)}"
        )
    _check_options(action, new, source)
    if action == "add":
        call = _Call(call.names, context_of(session, new))
    if action == "import":
        if call.names:
            raise UsageError("contexts import takes no name")
        return import_contexts(session, source, new)
    return _ACTIONS[action](session, call)


def _check_options(action: str, new: NewContext, source: ImportOf) -> None:
    """Raise `UsageError` for an option of another action."""
    also = ("source_profile", "external_id")
    rest = structs.replace(new, **dict.fromkeys(also)) if action == "import" else new
    words = (*(spelled(rest) if action != "add" else ()), *(spelled(source) if action != "import" else ()))
    if words:
        raise UsageError(f"{words[0]} needs {'import' if words[0] in spelled(source) else 'add'}")


def _list(session: Session, call: _Call) -> int:
    if call.names:
        raise UsageError(f"contexts list takes no name. To show one: {command('contexts', 'show', call.names[0])}")
    return _answer(session, session.settings.config)


def _show(session: Session, call: _Call) -> int:
    answer = session.writer("settings")
    for context, name in _shown(session.settings, call.names):
        for row in provenance.shown(session.settings, name, context):
            answer.row(row)
    answer.end(End(exit_code=Exit.OK))
    return Exit.OK


def _shown(scope_settings: Settings, names: tuple[str, ...]) -> Iterator[tuple[str | None, str]]:
    """The named contexts, else those of `-c`, else every one of the chosen providers and what goes without any."""
    config = scope_settings.config
    selected = scope_settings.providers.value or PROVIDERS
    shown_names = config.expand(names) or (scope_settings.contexts.value if scope_settings.contexts.typed else ())
    for name in shown_names:
        yield name, config.contexts[name].provider
    if not shown_names:
        yield from (
            (name, context.provider) for name, context in config.contexts.items() if context.provider in selected
        )
        bare = scope_settings.profile.value
        yield from ((bare, provider) for provider in selected if bare not in config.contexts)


def _add(session: Session, call: _Call) -> int:
    if len(call.names) != 1 or call.context is None:
        raise UsageError("contexts add takes one name, as in: runcancel contexts add prod -p aws --profile prod")
    file = config_file.path(session.settings.environ)
    edit.add(file, call.names[0], call.context)
    session.notes.say(f"added {call.names[0]} to {file}")
    return _answer(session, config_file.load(file))


def _rename(session: Session, call: _Call) -> int:
    if len(call.names) != 2:
        raise UsageError("contexts rename takes two names, as in: runcancel contexts rename prod live")
    old, new = call.names
    file = config_file.path(session.settings.environ)
    stood = edit.rename(file, old, new)
    also = f", also in {', '.join(stood)}" if stood else ""
    config = config_file.load(file)
    session.notes.say(f"renamed {old} to {new}{also}")
    if new in config.contexts:
        session.notes.say(f"References that begin with {old}@ do not work any more", *rules_about(old))
    return _answer(session, config) if new in config.contexts else groups.answer(session, config)


def _groups(session: Session, call: _Call) -> int:
    return groups.act(session, call.names)


def _remove(session: Session, call: _Call) -> int:
    if len(call.names) != 1:
        raise UsageError("contexts remove takes one name")
    file = config_file.path(session.settings.environ)
    stood = edit.remove(file, call.names[0])
    also = f", also from {', '.join(stood)}" if stood else ""
    config = config_file.load(file)
    session.notes.say(f"removed {call.names[0]}{also}")
    if "default" in stood and not config.default:
        session.notes.say("No default context; using environment credentials")
    return _answer(session, config)


def _use(session: Session, call: _Call) -> int:
    file = config_file.path(session.settings.environ)
    edit.use(file, call.names)
    used = ", ".join(call.names) or "environment credentials"
    session.notes.say(f"Default: {used}")
    return _answer(session, config_file.load(file))


_NONE = "No context is configured in {file}. To add one: runcancel contexts add prod -p aws --profile prod"

_ACTIONS = {
    "list": _list,
    "show": _show,
    "add": _add,
    "rename": _rename,
    "remove": _remove,
    "use": _use,
    "groups": _groups,
}


def _answer(session: Session, config: Config) -> int:
    answer = session.writer("contexts")
    used = set(config.expand(config.default))
    groups_of: dict[str, list[str]] = {}
    for group, members in config.all_groups.items():
        for name in members:
            groups_of.setdefault(name, []).append(group)
    for name, context in config.contexts.items():
        answer.row(
            ContextRow(
                name=name,
                provider=context.provider,
                profile=context.profile,
                regions=context.regions,
                account=context.account,
                role_arn=context.role_arn,
                source_profile=context.source_profile,
                protected=context.protected,
                default=name in used,
                groups=tuple(groups_of.get(name, ())),
            )
        )
    notes = () if config.contexts else session.suggest(_NONE.format(file=config_file.path(session.settings.environ)))
    answer.end(End(exit_code=Exit.OK, notes=notes))
    return Exit.OK
