"""`runcancel doctor`: check each scope."""

import os
import stat
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from msgspec import Struct, structs

from runcancel.cli.session import Session
from runcancel.cli.support.searched import scopes_to_search
from runcancel.config import file as config_file
from runcancel.config import protection, provenance
from runcancel.config.search_scopes import search_scopes, unusable
from runcancel.config.settings import Settings
from runcancel.engine.diagnose import Examined, LastWrites, examine, last_writes, with_writes
from runcancel.engine.search import split_gaps
from runcancel.environment import Choice
from runcancel.errors import CREDENTIALS, CloudError, Exit, JournalError, Refused, UsageError
from runcancel.guards import site_policy
from runcancel.journal.store import JournalStore
from runcancel.model.reports import FileCheck, ScopeCheck
from runcancel.model.runs import Problem, Scope
from runcancel.model.states import Reason
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.guarded import is_configured
from runcancel.render import End
from runcancel.render.screens.notes import name_list
from runcancel.runtime.throttle import Tries
from runcancel.text import command, duration

_EACH = 7.0  # seconds for each question: who we are, and what is permitted


class _Missing(Struct, frozen=True):
    """An account that cannot be checked: nothing is configured, its files are broken, or no region is known."""

    scope: str
    name: str
    configured: bool
    problem: Problem | None


def doctor(session: Session) -> int:
    """Check credentials, clocks and permissions.

    \b
    Examples:
      runcancel doctor
      runcancel doctor -p aws -r all
      runcancel doctor -c prod -o json

    One row per scope: identity, credentials, clock offset, latency, permissions.
    It reads one page and one run of each kind, and one trigger of each kind. It
    changes nothing, so it does not try to cancel, disable or enable. Only the
    journal shows whether these are permitted; otherwise the row shows cancel?.
    Exit codes: 0 all is well, 4 credentials or permissions are missing or belong
    to another account, 7 a cloud could not be reached or did not reply.
    """
    if not session.impatient:
        session.clouds.tries = Tries.of(_EACH)
    names, missing = _providers(session.settings)
    scopes = scopes_to_search(session, _only(session.settings, names)) if names else ()
    written, last_writes = _journal(session.journal)
    within = session.clouds.tries.answer
    examined = examine(scopes, session.clouds, session.workers, within=within)
    checks = tuple(_led(session.settings, with_writes(one, last_writes)) for one in examined)
    gaps, notes = split_gaps(_problems(checks), scopes)
    errors = (*(one.problem for one in missing if one.problem is not None), *gaps)
    answer = session.writer("doctor")
    rows = [_row(session.settings, one, gaps) for one in checks]
    for row in (*rows, *map(_absent, missing)):
        answer.row(row)
    code = _code(errors)
    files = (
        _file("config", config_file.path(session.settings.environ)),
        written,
        *_team_journal(session.journal),
        _site_policy(),
    )
    notes += tuple(_denied_triggers(rows))
    answer.end(End(exit_code=code, errors=errors, complete=not errors, notes=notes, files=files))
    for row in rows:
        _warn_of_clock(session, row)
    return code


def _providers(scope_settings: Settings) -> tuple[tuple[str, ...], tuple[_Missing, ...]]:
    """The providers that can be checked, and the others. Raises `UsageError` for a wrong `-r`."""
    contexts = [scope_settings.config.contexts[name].provider for name in scope_settings.contexts.value]
    names = scope_settings.providers.value or tuple(dict.fromkeys(contexts))
    configured = tuple(name for name in PROVIDERS if is_configured(name, scope_settings.environ))
    if scope_settings.regions.typed:
        scopes = search_scopes(_only(scope_settings, names or configured or PROVIDERS))
        return tuple(scope.provider for scope in scopes), ()
    selected = names or configured
    missing = [one for name in selected for one in _lacking(scope_settings, name, configured)]
    others = () if names else tuple(name for name in PROVIDERS if name not in configured)
    problems = {name: None if configured else _no_credentials(name) for name in others}
    return (
        tuple(name for name in selected if _can_be_asked(scope_settings, name)),
        (*missing, *(_Missing(name, name, False, problem) for name, problem in problems.items())),
    )


def _can_be_asked(scope_settings: Settings, name: str) -> bool:
    try:
        return bool(search_scopes(_only(scope_settings, (name,))))
    except UsageError:
        return False


def _lacking(scope_settings: Settings, name: str, configured: Container[str]) -> Iterator[_Missing]:
    """The faults that prevent the check of a provider's accounts, one by one."""
    for problem in unusable(_only(scope_settings, (name,))):
        hint = problem.hint or "-r REGION"
        with_hint = structs.replace(problem, hint=hint if hint.startswith("next: ") else f"next: {hint}")
        yield _Missing(problem.scope or name, name, name in configured, with_hint)


def _only(scope_settings: Settings, names: Iterable[str]) -> Settings:
    return structs.replace(scope_settings, providers=Choice(tuple(names), scope_settings.providers.origin))


def _no_credentials(name: str) -> Problem:
    title, sign_in = provider(name).title, provider(name).sign_in
    return Problem(
        code=Reason.NO_CREDENTIALS, message=f"no credentials for {title}", hint=f"next: {sign_in}", scope=name
    )


def _led(scope_settings: Settings, one: Examined) -> Examined:
    """What was seen of a scope, with the account that its context names and does not lead to."""
    why = protection.misled(scope_settings, one.scope, one.identity.account if one.identity else None)
    if why is None:
        return one
    hint = f"correct the context: {command('contexts', 'show', str(one.scope.context))}"
    error = CloudError(Reason.REFUSED, f"{why}; a cancel is refused", action="account", hint=hint)
    return structs.replace(one, errors=(*one.errors, error))


def _problems(examined: Iterable[Examined]) -> Iterator[Problem]:
    """What went wrong, each sort once per scope, with the next command."""
    for one in examined:
        reported: set[tuple[Reason, str | None]] = set()
        for error in one.errors:
            sort = (error.reason, error.action if error.reason is Reason.DENIED else None)
            if sort not in reported:
                reported.add(sort)
                problem = error.problem(scope=one.scope)
                said_so = error.action == "credentials" and problem.hint  # what is wrong with this very source
                yield (problem if said_so else structs.replace(problem, hint=_next(one.scope, error) or problem.hint))


def _next(scope: Scope, error: CloudError) -> str | None:
    commands = {
        Reason.NO_CREDENTIALS: provider(scope.provider).sign_in,
        Reason.DENIED: command("permissions", "-p", scope.provider, "--read-only", "-r", scope.region),
    }
    suggestion = commands.get(error.reason)
    return f"next: {suggestion}" if suggestion else None


def _denied_triggers(rows: Iterable[ScopeCheck]) -> Iterator[str]:
    """What is denied of triggers, a note per provider: whoever changes no triggers lacks nothing."""
    denied: dict[str, dict[str, None]] = {}
    scopes: dict[str, list[str]] = {}
    for row in rows:
        actions = dict.fromkeys(action for check in row.triggers for action in check.denied)
        if actions:
            denied.setdefault(row.provider, {}).update(actions)
            scopes.setdefault(row.provider, []).append(row.scope)
    for name, actions in denied.items():
        allow = command("permissions", "-p", name, "--triggers", "--read-only")
        yield (
            f"{name_list(scopes[name])}: reading triggers is not permitted ({', '.join(actions)}). "
            f"runcancel triggers and --disable-triggers need it: {allow}"
        )


def _row(scope_settings: Settings, one: Examined, gaps: Iterable[Problem]) -> ScopeCheck:
    """One scope as it was seen. A region that is not enabled is no gap and has a remark all the same."""
    scope, connection = one.scope, one.connection
    problem = next((gap for gap in gaps if gap.scope == str(scope)), None)
    shown = {row.key: row for row in provenance.shown(scope_settings, scope.provider, scope.context)}
    endpoint = shown["endpoint_url"]
    return ScopeCheck(
        scope=str(scope),
        provider=scope.provider,
        context=scope.context,
        region=scope.region,
        region_origin=provenance.region_origin(scope_settings, scope),
        configured=not any(error.reason is Reason.NO_CREDENTIALS for error in one.errors),
        ok=not one.errors,
        account=one.identity.account if one.identity else None,
        principal=one.identity.principal if one.identity else None,
        credentials=connection.credentials if connection else None,
        key=connection.key if connection else None,
        endpoint=connection.endpoint if connection else endpoint.value,
        endpoint_origin=endpoint.origin if connection or endpoint.value else None,
        proxy=connection.proxy if connection else None,
        clock_skew=connection.clock_skew if connection else None,
        latency=connection.latency if connection else None,
        permissions=one.permissions,
        triggers=one.triggers,
        remark=problem.message if problem else "not enabled" if one.errors else None,
    )


def _absent(one: _Missing) -> ScopeCheck:
    return ScopeCheck(
        scope=one.scope,
        provider=one.name,
        context=None,
        region=None,
        region_origin=None,
        configured=one.configured,
        ok=False,
        remark=one.problem.message if one.problem else "not configured",
    )


def _code(errors: Iterable[Problem]) -> int:
    codes = {error.code for error in errors}
    if not codes:
        return Exit.OK
    return Exit.DENIED if codes <= CREDENTIALS | {Reason.REFUSED} else Exit.INCOMPLETE


def _warn_of_clock(session: Session, row: ScopeCheck) -> None:
    if row.clock_skew is not None and row.clock_is_wrong:
        way, cloud = "behind" if row.clock_skew > 0 else "ahead of", provider(row.provider)
        session.notes.warn(
            f"this machine's clock is {duration(abs(row.clock_skew))} {way} that of {row.scope}: {cloud.title} refuses "
            f"requests from {duration(cloud.clock_limit)} on. To correct it: timedatectl set-ntp true"
        )


def _journal(store: JournalStore) -> tuple[FileCheck, LastWrites]:
    """The journal's file, and what it knows about cancels."""
    about = _file("journal", store.file)
    if not about.exists:
        return about, {}
    try:
        opened = store.peek()
        try:
            return about, last_writes(opened.answers())
        finally:
            opened.close()
    except JournalError as error:
        return structs.replace(about, problem=str(error)), {}


def _team_journal(store: JournalStore) -> tuple[FileCheck, ...]:
    """Whether the team's journal can be used, if there is one. It is read, and nothing is written."""
    if store.url is None:
        return ()
    problem = store.problem()
    fine = problem is None
    return (
        FileCheck(
            name="team-journal",
            path=store.shown_url,
            exists=fine,
            readable=fine,
            writable=fine,
            mode=None,
            problem=problem,
        ),
    )


def _site_policy() -> FileCheck:
    """The site's rules, and what is wrong with them: broken ones refuse every cancel."""
    about = _file("policy", site_policy.PATH)
    try:
        site_policy.read()
    except Refused as error:
        return structs.replace(about, problem=error.message)
    return about


def _file(name: str, path: Path) -> FileCheck:
    """What can be done with a file, or could be with one there. Nothing is opened."""
    try:
        about: os.stat_result | None = path.stat()
    except OSError:
        about = None
    folder = path if about else next((each for each in path.parents if each.exists()), path)
    return FileCheck(
        name=name,
        path=str(path),
        exists=about is not None,
        readable=about is not None and os.access(path, os.R_OK),
        writable=os.access(folder, os.W_OK),
        mode=None if about is None else f"{stat.S_IMODE(about.st_mode):04o}",
        problem=None,
    )
