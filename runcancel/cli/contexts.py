"""`runcancel contexts`: named ways to connect."""

from typing import Annotated

import typer
from msgspec import Struct

from runcancel import config, settings
from runcancel.cli.session import Session
from runcancel.config import Config, Context
from runcancel.errors import Exit, UsageError
from runcancel.model import ContextRow
from runcancel.providers import PROVIDERS
from runcancel.refs import nearest
from runcancel.render import End
from runcancel.settings import plain


class _Call(Struct, frozen=True):
    """What was typed behind the word."""

    names: tuple[str, ...]
    context: Context | None = None


def contexts(
    session: Session,
    action: Annotated[str, typer.Argument(metavar="[list|show|add|remove|use]", help="What to do [list].")] = "list",
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Contexts (use: groups, too).")] = None,
    *,
    endpoint_url: Annotated[
        str | None, typer.Option("--endpoint-url", metavar="URL", help="With add: another endpoint.")
    ] = None,
    site: Annotated[
        str | None, typer.Option("--site", metavar="DOMAIN", help="With add: Tencent Cloud's site.")
    ] = None,
    protected: Annotated[
        bool, typer.Option("--protected", help="With add: every cancel there has to be confirmed.")
    ] = False,
) -> int:
    """List, show, add, remove and use named ways to connect.

    \b
    Examples:
      runcancel contexts
      runcancel contexts show prod
      runcancel contexts add prod -p aws --profile prod -r us-east-2 --protected
      runcancel contexts add prod-cn -p alibaba --profile prod -r cn-hangzhou
      runcancel contexts use prod prod-cn
      runcancel contexts remove prod-cn

    A context is a provider, one of its own profiles, and regions; groups of them
    are written by hand in config.toml. show tells for every value where it is from.
    """
    call = _Call(tuple(plain("the name", name) for name in names or ()))
    if action not in _ACTIONS:
        raise UsageError(f"contexts has no “{action}”: there are {', '.join(_ACTIONS)}{nearest(action, _ACTIONS)}")
    if action != "add" and (endpoint_url or site or protected):
        raise UsageError("--endpoint-url, --site and --protected go with add")
    if action == "add":
        call = _Call(call.names, _new(session, endpoint_url=endpoint_url, site=site, protected=protected))
    return _ACTIONS[action](session, call)


def _list(session: Session, call: _Call) -> int:
    return _told(session, session.settings.config)


def _show(session: Session, call: _Call) -> int:
    known = session.settings.config
    answer = session.writer("settings")
    chosen = known.expand(call.names) if call.names else (*known.contexts, None)
    for name in chosen:
        for provider in PROVIDERS if name is None else (known.contexts[name].provider,):
            for row in settings.shown(session.settings, provider, name):
                answer.row(row)
    answer.end(End(exit_code=Exit.OK))
    return Exit.OK


def _add(session: Session, call: _Call) -> int:
    if len(call.names) != 1 or call.context is None:
        raise UsageError("contexts add takes one name: runcancel contexts add prod -p aws --profile prod")
    file = config.path(session.settings.environ)
    config.add(file, call.names[0], call.context)
    session.notes.say(f"added {call.names[0]} to {file}")
    return _told(session, config.load(file))


def _remove(session: Session, call: _Call) -> int:
    if len(call.names) != 1:
        raise UsageError("contexts remove takes one name")
    file = config.path(session.settings.environ)
    stood = config.remove(file, call.names[0])
    also = f", also from {', '.join(stood)}" if stood else ""
    session.notes.say(f"removed {call.names[0]}{also}")
    return _told(session, config.load(file))


def _use(session: Session, call: _Call) -> int:
    file = config.path(session.settings.environ)
    config.use(file, call.names)
    used = ", ".join(call.names) or "the bare environment"
    session.notes.say(f"without -c: {used}")
    return _told(session, config.load(file))


_ACTIONS = {"list": _list, "show": _show, "add": _add, "remove": _remove, "use": _use}


def _new(session: Session, *, endpoint_url: str | None, site: str | None, protected: bool) -> Context:
    """A context out of the options that mean the same everywhere. Raises `UsageError`."""
    chosen = session.settings
    if len(chosen.providers.value) != 1:
        raise UsageError("contexts add needs one provider: -p aws, -p alibaba or -p tencent")
    return Context(
        provider=chosen.providers.value[0],
        profile=chosen.profile.value if chosen.profile.typed else None,
        regions=chosen.regions.value if chosen.regions.typed else (),
        endpoint_url=endpoint_url,
        site=site,
        protected=protected,
    )


def _told(session: Session, known: Config) -> int:
    answer = session.writer("contexts")
    used = known.expand(known.default)
    for name, context in known.contexts.items():
        answer.row(
            ContextRow(
                name=name,
                provider=context.provider,
                profile=context.profile,
                regions=context.regions,
                protected=context.protected,
                default=name in used,
                groups=tuple(group for group, members in known.groups.items() if name in members),
            )
        )
    answer.end(End(exit_code=Exit.OK))
    return Exit.OK
