"""What started runs and whether it starts them again, in sentences that claim no more than a cloud reports."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from runcancel.model.outcomes import Outcome
from runcancel.model.runs import Ref
from runcancel.model.states import Verdict
from runcancel.model.triggers import Origin, TriggerState
from runcancel.providers import provider, trigger_kind_of
from runcancel.render.screens.words import counted
from runcancel.text import command, local, safe

_STOPPED = frozenset({Verdict.STOPPED, Verdict.REPORTED})
_UNDER_WAY = _STOPPED | {Verdict.PARTIAL, Verdict.REQUESTED, Verdict.IN_DOUBT}
_NAMED = 3  # runs that a sentence names
_MOST = 20  # triggers that a command disables without a further option


def cancelled(outcomes: Iterable[Outcome]) -> dict[Ref, Origin]:
    """The runs of a cancel that may come back, with what is known of it; those that another run started aside."""
    return {
        outcome.run: outcome.origin or Origin()
        for outcome in outcomes
        if isinstance(outcome.run, Ref) and outcome.verdict in _UNDER_WAY and outcome.parent is None
    }


def after_cancel(origins: Mapping[Ref, Origin], outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """What the end of a cancel adds: schedules that it has ended, what comes back, and how to disable that."""
    verdicts = {outcome.run: outcome.verdict for outcome in outcomes}
    ended = [ref for ref, origin in origins.items() if origin.repeats and verdicts.get(ref) in _STOPPED]
    lines = [f"{safe(str(ref))} was a schedule: the cancel is its end, and it cannot be resumed" for ref in ended]
    rest = {ref: origin for ref, origin in origins.items() if ref not in ended}
    return (*lines, *returns(rest))


def returns(origins: Mapping[Ref, Origin]) -> tuple[str, ...]:
    """A sentence for each trigger, for schedules and for all runs whose starter is not known."""
    started: dict[Ref, Origin] = {}
    for origin in origins.values():
        if origin.trigger is not None:
            started.setdefault(origin.trigger, origin)
    schedules = [_repeats(ref, origin) for ref, origin in origins.items() if origin.repeats]
    unknown = [ref for ref, origin in origins.items() if not (origin.known or origin.repeats)]
    return (*schedules, *(_by(origin) for origin in started.values()), *_disable(started), *_unknown(unknown))


def _repeats(ref: Ref, origin: Origin) -> str:
    comes = "" if origin.next_start_at is None else f", next round {_minute(origin.next_start_at)}"
    return f"{safe(str(ref))} is a schedule{comes}: a cancel is its end, and it cannot be resumed"


def _by(origin: Origin) -> str:
    name = safe(str(origin.trigger))
    if origin.state is TriggerState.DISABLED:
        return f"started by {name}, which is disabled"
    if origin.state is not TriggerState.ENABLED:
        return f"may come back: started by {name}; whether it is enabled is unknown"
    comes = "comes back, next start unknown" if origin.next_start_at is None else _comes(origin.next_start_at)
    return f"{comes}: {name}, enabled{_fixed(origin)}"


def _comes(moment: datetime) -> str:
    return f"comes back {_minute(moment)}"


def _fixed(origin: Origin) -> str:
    kind = None if origin.trigger is None else trigger_kind_of(origin.trigger)
    if kind is None or kind.switchable:
        return ""
    return f"; runcancel cannot disable it: {kind.fixed_because}"


def _disable(started: Mapping[Ref, Origin]) -> Iterator[str]:
    """The command that disables those which are enabled and have a switch."""
    switchable = [
        ref
        for ref, origin in started.items()
        if origin.state is TriggerState.ENABLED and (kind := trigger_kind_of(ref)) is not None and kind.switchable
    ]
    if switchable:
        more = () if len(switchable) <= _MOST else ("--max-triggers", str(len(switchable)))
        yield f"To disable {'it' if len(switchable) == 1 else 'them'}:"
        yield f"  {command('disable', *switchable, *more)}"


def _unknown(refs: Sequence[Ref]) -> Iterator[str]:
    if refs:
        names = ", ".join(safe(str(ref)) for ref in refs) if len(refs) <= _NAMED else counted(len(refs), "run")
        listed = any(provider(ref.scope.provider).trigger_kinds for ref in refs)
        yield f"starter unknown: {names}{'; what starts runs: ' + command('triggers') if listed else ''}"


def _minute(moment: datetime) -> str:
    """A time as the clock on the wall shows it, to the minute, with its distance from UTC."""
    text = local(moment)
    return f"{text[:16]}{text[19:]}"
