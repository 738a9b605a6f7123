"""Screens of one run: its state and its outcome."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import UNSET, Struct
from rich.cells import cell_len
from rich.text import Text

from runcancel.model.outcomes import InvocationOutcome, Outcome
from runcancel.model.runs import AuditEvent, Run
from runcancel.model.states import Effect, Verdict
from runcancel.render.screens.terminal import Terminal
from runcancel.render.screens.verdicts import label, sentence
from runcancel.render.screens.words import EFFECTS, PROMISES, STYLES, counted, readable
from runcancel.text import distance, duration, local, safe, safe_lines

_LONGEST_BAR = 32  # columns
_NAMES = 3  # targets named beside a bar
_IDS = 3  # request ids shown


def of_run(run: Run, *, terminal: Terminal, now: datetime) -> Iterator[Text]:
    """One run: its reference, what is known of it, a bar per state of its targets."""
    yield Text(safe(str(run.ref)), "bold")
    yield from (Text(line) for line in flowed(_facts(run, now), terminal))
    bars = [_Bar(readable(state), count, state) for state, count in (run.counts or {}).items()]
    yield Text()
    yield from _state(run)
    if bars or run.not_listed:
        yield from _drawn([*bars, *_missing(run.not_listed)], terminal)


def scripts(runs: Iterable[object]) -> Iterator[Text]:
    """The script of each run with one: every line safe, and indented."""
    for run in runs:
        if isinstance(run, Run) and run.script is not UNSET:
            yield Text()
            yield Text(f"Script of {safe(str(run.ref))}", "bold")
            lines = ["(not listed by the cloud)"] if run.script is None else safe_lines(run.script)
            yield from (Text(f"  {line}") for line in lines)


def of_outcome(outcome: Outcome, *, terminal: Terminal) -> Iterator[Text]:
    """What became of one run: a bar per effect with some names, the verdict, how long it took."""
    yield Text(safe(str(outcome.run)), "bold")
    if outcome.label:
        yield Text(safe(outcome.label))
    bars = [*_effects(outcome), *_missing(outcome.not_listed)]
    if bars:
        yield Text()
        yield from _drawn(bars, terminal)
    yield Text()
    yield from _verdict(outcome, terminal)
    yield from (Text(line, "dim") for line in flowed(_evidence(outcome), terminal))
    if outcome.error is not None and outcome.error.hint:
        yield Text(safe(outcome.error.hint))


def flowed(parts: Iterable[str], terminal: Terminal) -> list[str]:
    """Parts joined by dots, broken between parts only."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1]) + len(terminal.dot) + cell_len(part) <= terminal.width:
            lines[-1] += terminal.dot + part
        else:
            lines.append(part)
    return lines


class _Bar(Struct, frozen=True):
    """One line of a chart. `word` is whose colour it has."""

    label: str
    count: int
    word: str
    names: tuple[str, ...] = ()


def _state(run: Run) -> Iterator[Text]:
    details = (
        run.provider_status
        if run.status_detail in (None, run.provider_status)
        else f"{run.provider_status}: {run.status_detail}"
    )
    targets = "" if run.target_count is None else f" · {counted(run.target_count, 'target')}"
    yield Text.assemble((readable(run.state), STYLES.get(run.state, "")), (f"  {safe(details)}", "dim"), targets)


def _facts(run: Run, now: datetime) -> list[str]:
    facts = [safe(run.name)] if run.name else []
    facts += [f"“{safe(run.comment)}”"] if run.comment else []
    facts += [safe(run.document)] if run.document not in (None, run.name) else []
    facts += [f"started by {safe(run.started_by)}"] if run.started_by else []
    facts += _request_lines(run.audit) if isinstance(run.audit, AuditEvent) else []
    facts += [f"stopped by alarm {safe(', '.join(run.alarms))}"] if run.alarms else []
    facts += [f"account {safe(run.account)}"] if run.account else []
    began = run.started_at or run.created_at
    facts += [f"{'started' if run.started_at else 'created'} {local(began)} ({distance(began, now)})"] if began else []
    facts += [f"ended {local(run.ended_at)} ({distance(run.ended_at, now)})"] if run.ended_at else []
    return [*facts, f"cancel: {PROMISES[run.guarantee]}"]


def _request_lines(event: AuditEvent) -> list[str]:
    """Who sent it, as the audit log has it."""
    origin = f" from {safe(event.address)}" if event.address else ""
    at = f" at {local(event.at)}" if event.at else ""
    return [f"{safe(event.action)} by {safe(event.principal or 'an unknown principal')}{origin}{at}"]


def _effects(outcome: Outcome) -> list[_Bar]:
    order = list(EFFECTS)
    groups: dict[str, list[InvocationOutcome]] = {}
    for one in sorted(outcome.invocations, key=lambda one: order.index(one.effect)):
        groups.setdefault(label(one), []).append(one)
    return [_Bar(name, len(group), group[0].effect, _names(group)) for name, group in groups.items()]


def _evidence(outcome: Outcome) -> list[str]:
    """The data that a vendor's support requests."""
    error = outcome.error
    code = [safe(error.provider_code)] if error is not None and error.provider_code else []
    last = (error.request_id,) if error is not None and error.request_id else ()
    ids = list(dict.fromkeys((*outcome.request_ids, *last)))
    shown = [f"request {safe(each)}" for each in ids[:_IDS]]
    return [*code, *shown, *([f"{len(ids) - _IDS:,} more"] if len(ids) > _IDS else [])]


def _names(group: Sequence[InvocationOutcome]) -> tuple[str, ...]:
    """Targets worth a name: those that were not verified as ended, or the few."""
    if group[0].effect is Effect.ALREADY_ENDED:
        return ()
    return tuple(safe(one.target) for one in group if one.target)


def _missing(count: int) -> list[_Bar]:
    return [_Bar("not yet listed", count, "")] if count else []


def _drawn(bars: Sequence[_Bar], terminal: Terminal) -> Iterator[Text]:
    """Label, count, bar, names: the names go where they do not fit, the bar shrinks."""
    wide = max(cell_len(bar.label) for bar in bars)
    digits = max(len(f"{bar.count:,}") for bar in bars)
    most = max(1, *(bar.count for bar in bars))
    room = max(4, min(_LONGEST_BAR, terminal.width // 4, terminal.width - wide - digits - 8))
    for bar in bars:
        length = max(1, round(bar.count / most * room))
        line = Text(f"  {bar.label:<{wide}}  {bar.count:>{digits},}  ")
        line.append(("━" if terminal.draws else "=") * length, STYLES.get(bar.word, "dim"))
        line.append(_beside(bar.names, terminal.width - line.cell_len - (room - length) - 2, pad=room - length + 2))
        yield line


def _beside(names: Sequence[str], room: int, *, pad: int) -> str:
    """As many whole names as there is room for, and how many more there are."""
    for count in range(min(_NAMES, len(names)), 0, -1):
        more = [f"+{len(names) - count:,}"] if len(names) > count else []
        text = "  ".join([*names[:count], *more])
        if cell_len(text) <= room:
            return " " * pad + text
    return ""


def _verdict(outcome: Outcome, terminal: Terminal) -> Iterator[Text]:
    in_sentence = outcome.seconds is None or outcome.verdict is Verdict.REQUESTED  # its sentence says how long
    took = "" if in_sentence or outcome.seconds is None else duration(outcome.seconds)
    text = sentence(outcome)
    if cell_len(text) + 2 + len(took) <= terminal.width:
        gap = min(terminal.width, 100) - cell_len(text) - len(took) if took else 0
        lines = [text + " " * max(2, gap) + took if took else text]
    else:
        lines = textwrap.wrap(
            f"{text}  ({took})" if took else text, terminal.width, break_long_words=False, break_on_hyphens=False
        )
    for index, line in enumerate(lines):
        drawn = Text(line)
        if not index:
            drawn.stylize(STYLES.get(outcome.verdict, ""), 0, len(outcome.verdict))
        yield drawn
