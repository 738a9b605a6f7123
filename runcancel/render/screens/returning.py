"""What started runs and whether it starts them again, in sentences that claim no more than a cloud reports."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from runcancel.model.outcomes import Outcome
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Verdict
from runcancel.model.triggers import Origin, TriggerState
from runcancel.providers import provider, trigger_kind_of
from runcancel.render.screens.words import counted
from runcancel.text import command, local, safe

_STOPPED = frozenset({Verdict.STOPPED, Verdict.REPORTED})
UNDER_WAY = _STOPPED | {Verdict.PARTIAL, Verdict.REQUESTED, Verdict.IN_DOUBT}
"""Verdicts on runs whose cancel was sent, or perhaps sent."""

_NAMED = 3  # runs that a sentence names
_ITS_END = "a cancel is its end, and it cannot be resumed"
_MOST = 20  # triggers that a command disables without a further option


def cancelled(outcomes: Iterable[Outcome]) -> dict[Ref, Origin]:
    """The runs of a cancel that may come back, with what is known of it; those that another run started aside."""
    return {
        outcome.run: outcome.origin or Origin()
        for outcome in outcomes
        if isinstance(outcome.run, Ref) and outcome.verdict in UNDER_WAY and outcome.parent is None
    }


def after_cancel(
    origins: Mapping[Ref, Origin], verdicts: Mapping[RunName, Verdict], *, commands: bool = True
) -> tuple[str, ...]:
    """What the end of a cancel adds: schedules that it has ended, what comes back, and the `commands` that end that."""
    ended = [ref for ref, origin in origins.items() if origin.repeats and verdicts.get(ref) in _STOPPED]
    lines = [f"{safe(str(ref))} was a schedule: the cancel is its end, and it cannot be resumed" for ref in ended]
    rest = {ref: origin for ref, origin in origins.items() if ref not in ended}
    return (*lines, *returns(rest, commands=commands))


def returns(origins: Mapping[Ref, Origin], *, commands: bool = True) -> tuple[str, ...]:
    """A sentence for each trigger, for schedules and for all runs of which it is not known what started them."""
    started: dict[Ref, Origin] = {}
    for origin in origins.values():
        if origin.trigger is not None:
            started.setdefault(origin.trigger, origin)
    schedules = [_repeats(ref, origin) for ref, origin in origins.items() if origin.repeats]
    unknown = [ref for ref, origin in origins.items() if not (origin.known or origin.repeats or origin.trigger)]
    by = tuple(_by(origin) for origin in started.values())
    return (*schedules, *by, *(_disable(started) if commands else ()), *_unknown(unknown))


def without_trigger(origins: Mapping[Ref, Origin]) -> tuple[str, ...]:
    """A sentence about the runs that no trigger started, by the cloud's own report."""
    refs = [ref for ref, origin in origins.items() if origin.is_final]
    return (f"not started by a trigger: {_names(refs)}",) if refs else ()


def _repeats(ref: Ref, origin: Origin) -> str:
    comes = "" if origin.next_start_at is None else f", next round {_minute(origin.next_start_at)}"
    return f"{safe(str(ref))} is a schedule{comes}: {_ITS_END}"


def _by(origin: Origin) -> str:
    name = safe(str(origin.trigger))
    kind = None if origin.trigger is None else trigger_kind_of(origin.trigger)
    if origin.state is TriggerState.DISABLED:
        return f"started by {name}, which {'has ended' if kind is None else 'is disabled'}"
    if origin.state is not TriggerState.ENABLED:
        return f"may come back: started by {name}; whether it is enabled is unknown"
    comes = "comes back, next start unknown" if origin.next_start_at is None else _comes(origin.next_start_at)
    return f"{comes}: {name}, enabled{_fixed(origin)}"


def _comes(moment: datetime) -> str:
    return f"comes back {_minute(moment)}"


def _fixed(origin: Origin) -> str:
    kind = None if origin.trigger is None else trigger_kind_of(origin.trigger)
    if kind is None:
        return f"; it is a run, {_ITS_END}"
    return "" if kind.switchable else f"; runcancel cannot disable it: {kind.fixed_because}"


def _disable(started: Mapping[Ref, Origin]) -> Iterator[str]:
    """The commands that disable those which are enabled and have a switch, and cancel those which are runs."""
    enabled = {ref: trigger_kind_of(ref) for ref, origin in started.items() if origin.state is TriggerState.ENABLED}
    switchable = [ref for ref, kind in enabled.items() if kind is not None and kind.switchable]
    runs = [ref for ref, kind in enabled.items() if kind is None]
    for verb, refs, limit in (("disable", switchable, "--max-triggers"), ("cancel", runs, "--max-runs")):
        if refs:
            more = () if len(refs) <= _MOST else (limit, str(len(refs)))
            yield f"To {verb} {'it' if len(refs) == 1 else 'them'}:"
            yield f"  {command(verb, *refs, *more)}"


def _unknown(refs: Sequence[Ref]) -> Iterator[str]:
    if refs:
        listed = any(provider(ref.scope.provider).trigger_kinds for ref in refs)
        whose = "it is unknown; it" if len(refs) == 1 else "them is unknown; they"
        way = f"; to list what starts runs: {command('triggers')}" if listed else ""
        yield f"what started {whose} may start again: {_names(refs)}{way}"


def _names(refs: Sequence[Ref]) -> str:
    return ", ".join(safe(str(ref)) for ref in refs) if len(refs) <= _NAMED else counted(len(refs), "run")


def _minute(moment: datetime) -> str:
    """A time as the clock on the wall shows it, to the minute, with its distance from UTC."""
    text = local(moment)
    return f"{text[:16]}{text[19:]}"
