"""Verdicts as sentences that claim no more than was verified."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from runcancel.model.outcomes import InvocationOutcome, Outcome, external, left_alone, left_running
from runcancel.model.runs import ExternalExecution, Run, RunName
from runcancel.model.states import Effect, State, Verdict
from runcancel.render.screens.words import (
    EFFECTS,
    ENDED_FIRST,
    FEW,
    WORST_LAST,
    counted,
    is_unproven,
    per_effect,
    readable,
)
from runcancel.text import command, duration, safe

_OVER = (Effect.CANCELLED, Effect.TERMINATED, Effect.ALREADY_ENDED)
_OPEN = (Effect.STOPPING, Effect.UNKNOWN)
_UNSURE = (Verdict.REQUESTED, Verdict.IN_DOUBT)
_LABELS = ("cancelled", "terminated", "reported cancelled", "reported terminated", "already ended", "ended by itself")
_MOST_COMMANDS = 3  # references that a hint spells out


def sentence(outcome: Outcome) -> str:
    """The verdict on one run in one line of safe text: what was seen, what was not, and what is not verified."""
    text = _SENTENCES[outcome.verdict](outcome)
    return safe("; ".join([f"{outcome.verdict}: {text}", *_reservations(outcome)]))


def summary(outcomes: Sequence[Outcome], *, operation: str | None = None) -> list[str]:
    """The parts of the last line under several: `2 runs: 1 stopped, 1 partial`, `9 targets keep running`."""
    runs = {outcome.run for outcome in outcomes}
    rows = [one for outcome in outcomes for one in outcome.invocations if one.child not in runs]
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    effects = Counter(one.effect for one in rows)
    counts = ", ".join(f"{verdicts[verdict]:,} {verdict}" for verdict in WORST_LAST if verdicts[verdict])
    parts = [f"{counted(len(outcomes), 'run')}: {counts}"]
    if running := effects[Effect.KEPT_RUNNING]:
        parts.append(f"{counted(running, 'target')} {_keep(running)} running")
    if still := sum(effects[effect] for effect in _OPEN):
        parts.append(f"{counted(still, 'target')} not verified as ended")
    if unproven := sum(map(is_unproven, rows)):
        parts.append(f"{counted(unproven, 'target')} reported, not verified")
    if missing := sum(outcome.not_listed for outcome in outcomes):
        parts.append(f"{counted(missing, 'target')} not yet listed")
    return [*parts, *([safe(f"operation {operation}")] if operation else [])]


def run_summary(runs: Sequence[Run]) -> list[str]:
    """The same of runs that were watched: `3 runs: 2 cancelled, 1 running`; `9 targets not ended`."""
    states = Counter(run.state for run in runs)
    counts = ", ".join(f"{states[state]:,} {readable(state)}" for state in ENDED_FIRST if states[state])
    open_count = sum(count for run in runs for state, count in (run.counts or {}).items() if not state.over)
    return [
        f"{counted(len(runs), 'run')}: {counts}",
        *([f"{counted(open_count, 'target')} not ended"] if open_count else []),
    ]


def hints(
    outcomes: Sequence[Outcome], *, accept_reported: bool = False, operation: str | None = None
) -> tuple[str, ...]:
    """What to do next, as safe lines: about what keeps running, was not verified as ended, or is only reported.

    One hint for all runs that it is about, by the `operation` where they are many.
    """
    lines = _of_others(outcomes)
    if children := left_running(outcomes):
        lines += ["To stop the running tasks too:", *_commands("cancel", children, "--stop-running")]
    lines += _external_hints(outcomes)
    lines += _of_running(left_alone(outcomes), operation, many=len(outcomes) > FEW)
    unseen = [outcome.run for outcome in outcomes if outcome.verdict in _UNSURE]
    if len(unseen) > _MOST_COMMANDS and operation is not None:
        lines += ["To check again:", f"  {command('status', '--operation', operation)}"]
    elif unseen:
        lines += ["To check again:", *_commands("status", unseen)]
    if not accept_reported and any(outcome.verdict is Verdict.REPORTED for outcome in outcomes):
        lines.append("To count reported stops as stopped: add --accept-reported")
    return tuple(lines)


def _of_running(runs: Sequence[RunName], operation: str | None, *, many: bool) -> list[str]:
    """How to list what keeps running, where no cancel stops it. `many`: the report of many runs has its own lines."""
    if not runs or (many and operation is not None):
        return []
    if operation is not None:
        commands = [f"  {command('invocations', '--operation', operation, '--status', 'running')}"]
    else:
        commands = _commands("invocations", runs, "--status", "running")
    return ["To list the targets that keep running:", *commands]


def _of_others(outcomes: Sequence[Outcome]) -> list[str]:
    """Which runs another operation has cancelled, so that nothing was sent for them."""
    counts = Counter(outcome.cancelled_by for outcome in outcomes if outcome.cancelled_by is not None)
    return [
        safe(
            f"{counted(count, 'run')}: cancelled by {claim.user}@{claim.host} (operation {claim.operation}); "
            "nothing was sent from here"
        )
        for claim, count in counts.items()
    ]


def label(one: InvocationOutcome) -> str:
    """An effect as a heading of what it counts.

    It distinguishes earlier ends from ends in the meantime, and confirmed stops from reported ones.
    """
    if one.effect is Effect.ALREADY_ENDED:
        return "already ended" if one.before is not None and one.before.over else "ended by itself"
    return f"reported {EFFECTS[one.effect]}" if is_unproven(one) else EFFECTS[one.effect]


def _stopped(outcome: Outcome) -> str:
    total, over = len(outcome.invocations), _count(outcome, *_OVER)
    if not total:
        return f"the run ended{_how(outcome.after)}" if _is_over(outcome.after) else "the run was reported as stopped"
    listed = "listed " if outcome.not_listed else ""
    reported = any(map(is_unproven, outcome.invocations))
    how = f"{'is' if total == 1 else 'are'} reported as ended" if reported else "ended"
    if over < total:
        who = f"{over:,} of {total:,} {listed}targets {how}"
    else:
        who = f"the {listed}target {how}" if total == 1 else f"all {total:,} {listed}targets {how}"
    return f"{who}{_in_brackets(_tally(outcome))}"


def _partial(outcome: Outcome) -> str:
    total = len(outcome.invocations)
    counts = _effects(outcome)
    ended = {effect: counts[effect] for effect in (Effect.CANCELLED, Effect.TERMINATED) if effect in counts}
    done = sum(ended.values())
    how = readable(next(iter(ended))) if len(ended) == 1 else "stopped"
    split = _in_brackets(f"{count:,} {readable(effect)}" for effect, count in ended.items()) if len(ended) > 1 else ""
    who = f"{done:,} of {counted(total, 'target')}" if done else f"none of {counted(total, 'target')}"
    rest = [f"{running:,} {_keep(running)} running"] if (running := counts.get(Effect.KEPT_RUNNING, 0)) else []
    rest += [f"{open_:,} not verified as ended"] if (open_ := _count(outcome, *_OPEN)) else []
    rest += _tally(outcome, only=(Effect.ALREADY_ENDED,))
    return f"{who} {_was(done)} {how}{split}, {', '.join(rest)}".rstrip(", ")


def _ended(outcome: Outcome) -> str:
    how = _how(outcome.after)
    if outcome.before is not None and outcome.before.over:
        return f"the run had already ended{how}" + ("" if outcome.request_ids else "; nothing was sent")
    if _is_over(outcome.after):
        return f"the run ended by itself{how}"
    return "the run was reported as ended"


def _requested(outcome: Outcome) -> str:
    if outcome.request_ids:
        response = "the cloud accepted the cancel"
    elif State.CANCELLING in (outcome.before, outcome.after):
        response = "a cancel is in progress"
    else:
        response = "the cancel was sent without a clear reply"
    if not outcome.seconds:
        return f"{response}; its effect was not verified"
    still = _count(outcome, *_OPEN, Effect.KEPT_RUNNING)
    who = f"{counted(still, 'target')} {_was(still)}" if still else "the run was"
    done = _in_brackets(_tally(outcome))
    return f"{response}, but {who} not verified as ended within {_within(outcome.seconds)}{done}"


def _in_doubt(outcome: Outcome) -> str:
    if outcome.request_ids:
        return "the cloud accepted the cancel, but its result could not be read"
    return _why(outcome, "the cancel may or may not have been accepted")


def _why(outcome: Outcome, otherwise: str) -> str:
    return outcome.error.message if outcome.error is not None else otherwise


_SENTENCES: Mapping[Verdict, Callable[[Outcome], str]] = {
    Verdict.STOPPED: _stopped,
    Verdict.REPORTED: _stopped,
    Verdict.PARTIAL: _partial,
    Verdict.ENDED: _ended,
    Verdict.REQUESTED: _requested,
    Verdict.IN_DOUBT: _in_doubt,
    Verdict.FAILED: lambda outcome: _why(outcome, "the cancel had no verified effect"),
    Verdict.SKIPPED: lambda outcome: _why(outcome, "nothing was sent"),
}


def _reservations(outcome: Outcome) -> list[str]:
    unproven = sum(map(is_unproven, outcome.invocations))
    reservations = [f"{unproven:,} reported by the cloud, not verified"] if unproven else []
    return reservations + ([f"{counted(outcome.not_listed, 'target')} not yet listed"] if outcome.not_listed else [])


def _tally(outcome: Outcome, *, only: Sequence[Effect] = _OVER) -> list[str]:
    """`3 cancelled`, `5 already ended`: what has ended, and how."""
    counts = Counter(label(one) for one in outcome.invocations if one.effect in only)
    return [f"{counts[text]:,} {text}" for text in _LABELS if counts[text]]


def _effects(outcome: Outcome) -> dict[Effect, int]:
    return per_effect(one.effect for one in outcome.invocations)


def _count(outcome: Outcome, *effects: Effect) -> int:
    return sum(one.effect in effects for one in outcome.invocations)


def _in_brackets(parts: Iterable[str]) -> str:
    text = ", ".join(parts)
    return f" ({text})" if text else ""


def _how(state: State | None) -> str:
    return "" if state is None else f" ({readable(state)})"


def _is_over(state: State | None) -> bool:
    return state is not None and state.over


def _keep(count: int) -> str:
    return "keeps" if count == 1 else "keep"


def _was(count: int) -> str:
    return "was" if count <= 1 else "were"


def _within(seconds: float) -> str:
    """`60s`, not `60.0s` and not `1m00s`: as it was given."""
    return f"{round(seconds)}s" if 9.95 <= seconds < 600 else duration(seconds)


def _external_hints(outcomes: Iterable[Outcome]) -> list[str]:
    """External executions that keep running, one line per kind, with the command that stops it if there is one."""
    kinds: dict[tuple[str, bool], list[ExternalExecution]] = {}
    for one in external(outcomes):
        kinds.setdefault((one.what, one.command is not None), []).append(one)
    lines: list[str] = []
    for (what, stoppable), group in kinds.items():
        runs_on = f"{what[:1].upper()}{what[1:]} keeps running"
        lines.append(f"{runs_on}. To cancel it:" if stoppable else f"{runs_on} and cannot be stopped.")
        lines += _at_most([safe(one.command) for one in group if one.command is not None])
    return lines


def _commands(verb: str, runs: Sequence[RunName], *more: str) -> list[str]:
    return _at_most([command(verb, run, *more) for run in runs])


def _at_most(commands: Sequence[str]) -> list[str]:
    rest = len(commands) - _MOST_COMMANDS
    return [f"  {one}" for one in commands[:_MOST_COMMANDS]] + ([f"  and {rest:,} more"] if rest > 0 else [])
