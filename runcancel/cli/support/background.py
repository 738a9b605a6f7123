"""What `status` also shows on request: the scripts of runs, who sent them, and what started them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from msgspec import structs

from runcancel.cli.session import Session
from runcancel.errors import CloudError
from runcancel.model.runs import AuditEvent, Ref, Run, Scope
from runcancel.model.states import Reason
from runcancel.providers import kind_of, provider
from runcancel.text import command

_DELAY = timedelta(minutes=15)
"""How long an event may take into an audit log."""

_NAMED = 3  # runs that a note names


def background(
    session: Session, runs: Mapping[Ref, Run], *, script: bool, who: bool, trigger: bool
) -> tuple[dict[Ref, Run], tuple[str, ...]]:
    """The runs with the requested data, and notes on what is missing, which is not a failure of the reading."""
    notes: list[str] = []
    enriched = dict(runs)
    if script:
        enriched = dict(_with_scripts(session, enriched, notes))
    if who:
        enriched = dict(_with_events(session, enriched, notes))
    returning: tuple[str, ...] = ()
    if trigger:
        from runcancel.cli.support.returning import with_triggers

        enriched, returning = with_triggers(session, enriched)
    return enriched, (*(f"note: {note}" for note in notes), *returning)


def _with_scripts(session: Session, runs: Mapping[Ref, Run], notes: list[str]) -> Iterator[tuple[Ref, Run]]:
    def read(ref: Ref) -> str | CloudError | None:
        try:
            return session.clouds.at(ref.scope).script(ref)
        except CloudError as error:
            return error

    answers = session.workers.map(read, list(runs), queue=lambda ref: ref.scope)
    scripts = {done.item: done.value() for done in answers}
    for ref, run in runs.items():
        answer = scripts[ref]
        if isinstance(answer, CloudError):
            notes.append(f"{ref}: its script cannot be read: {answer.message}")
            answer = None
        elif answer is None and kind_of(ref).parameters:
            tasks = command("invocations", str(ref), "--parameters")
            notes.append(f"{ref}: the cloud lists no script of a {run.kind}; what its tasks run: {tasks}")
        yield ref, structs.replace(run, script=answer)


def _with_events(session: Session, runs: Mapping[Ref, Run], notes: list[str]) -> Iterator[tuple[Ref, Run]]:
    """Each run with its event; null if the log lacks it or cannot be read, with a note."""
    groups: dict[Scope, list[Run]] = {}
    for ref, run in runs.items():
        if kind_of(ref).started_with:
            groups.setdefault(ref.scope, []).append(run)
    events, refused = _look_up(session, groups)
    for scope, error in refused.items():
        notes.append(_unreadable(scope, len(groups[scope]), error))
    missing: list[Run] = []
    for ref, run in runs.items():
        if not kind_of(ref).started_with:
            notes.append(f"{ref}: a {run.kind} starts by its own schedule; nobody sends it")
        elif ref not in events and ref.scope not in refused:
            missing.append(run)
        yield ref, structs.replace(run, audit=events.get(ref))
    notes += _absent(missing, datetime.now(UTC))


def _look_up(
    session: Session, groups: Mapping[Scope, list[Run]]
) -> tuple[dict[Ref, AuditEvent], dict[Scope, CloudError]]:
    def read(scope: Scope) -> dict[Ref, AuditEvent] | CloudError:
        try:
            return dict(session.clouds.at(scope).audit(groups[scope]))
        except CloudError as error:
            return error

    events: dict[Ref, AuditEvent] = {}
    refused: dict[Scope, CloudError] = {}
    for done in session.workers.map(read, list(groups), queue=lambda scope: scope):
        answer = done.value()
        if isinstance(answer, CloudError):
            refused[done.item] = answer
        else:
            events |= answer
    return events, refused


def _unreadable(scope: Scope, count: int, error: CloudError) -> str:
    log = provider(scope.provider).audit_log or "the audit log"
    allowed = f"; what has to be allowed: {command('permissions', '--audit', '-p', scope.provider)}"
    runs = "1 run" if count == 1 else f"{count:,} runs"
    return (
        f"{scope}: {log} cannot be read ({error.message}), so who sent {runs} is unknown"
        f"{allowed if error.reason is Reason.DENIED else ''}"
    )


def _absent(runs: list[Run], now: datetime) -> Iterator[str]:
    """Runs whose request is in no log: those of the last minutes may still come."""
    young = [run for run in runs if (born := run.created_at or run.started_at) is not None and now - born < _DELAY]
    minutes = int(_DELAY.total_seconds() // 60)
    for group, why in (
        (young, f"not in the audit log yet; events take up to {minutes} minutes"),
        (
            [run for run in runs if run not in young],
            "not in the audit log: it keeps 90 days, and no runs that a schedule started",
        ),
    ):
        if group:
            more = f" and {len(group) - _NAMED:,} more" if len(group) > _NAMED else ""
            yield f"{', '.join(str(run.ref) for run in group[:_NAMED])}{more}: {why}"
