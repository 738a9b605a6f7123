"""The part of an incident report about triggers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from runcancel.model.incident import AccountReport, TriggerReport
from runcancel.model.meanings import TRIGGER_VERDICTS
from runcancel.model.runs import Ref
from runcancel.model.triggers import Origin, TriggerVerdict
from runcancel.render.incident.blocks import Block, Code, Heading, Paragraph, Table, Text
from runcancel.render.screens.returning import UNDER_WAY, after_cancel
from runcancel.text import local

_NONE = "-"
_MOST = 200  # sentences about what started runs
_WORST_FIRST = (
    TriggerVerdict.FAILED,
    TriggerVerdict.IN_DOUBT,
    TriggerVerdict.REQUESTED,
    TriggerVerdict.DRIFTED,
    TriggerVerdict.SKIPPED,
    TriggerVerdict.DISABLED,
    TriggerVerdict.ENABLED,
    TriggerVerdict.UNCHANGED,
)
_COLUMNS = ("Trigger", "Name", "Verdict", "Before", "After", "Runs", "Schedule", "Accepted at", "Result at")


def tally_of_triggers(verdicts: Mapping[TriggerVerdict, int]) -> Iterator[Block]:
    """How many triggers have which verdict, and what it means."""
    rows = tuple(
        (str(verdict), f"{verdicts[verdict]:,}", TRIGGER_VERDICTS[verdict])
        for verdict in _WORST_FIRST
        if verdict in verdicts
    )
    if rows:
        yield Table(("Verdict", "Triggers", "Meaning"), rows, right=frozenset({1}))


def of_triggers(triggers: Sequence[TriggerReport]) -> Iterator[Block]:
    """Every trigger, the worst first, with the reason of what failed and the request ids."""
    ordered = sorted(triggers, key=lambda one: _WORST_FIRST.index(one.verdict))
    yield Table(_COLUMNS, tuple(map(_row, ordered)))
    for one in ordered:
        if one.error is not None:
            yield Paragraph((Code(str(one.trigger)), f": {one.error.code}: {one.error.message}"))
    ids = tuple((Code(str(one.trigger)), Code(", ".join(one.request_ids))) for one in ordered if one.request_ids)
    if ids:
        yield Table(("Trigger", "Request ids for the vendor's support"), ids)


def of_origins(accounts: Iterable[AccountReport]) -> Iterator[Block]:
    """What started the runs of a report and starts them again."""
    runs = [run for one in accounts for run in one.runs if run.parent is None and run.verdict in UNDER_WAY]
    verdicts = {run.run: run.verdict for run in runs}
    origins = {run.run: run.origin or Origin() for run in runs if isinstance(run.run, Ref)}
    lines = after_cancel(origins, verdicts, commands=False)
    if lines:
        yield Heading(2, "What started the runs")
        yield from (Paragraph((f"{line}.",)) for line in lines[:_MOST])
    if len(lines) > _MOST:
        yield Paragraph((f"{len(lines) - _MOST:,} more are listed by -o json.",))


def _row(one: TriggerReport) -> tuple[Text, ...]:
    return (
        Code(str(one.trigger)),
        one.name or _NONE,
        str(one.verdict),
        str(one.before or _NONE),
        str(one.after or _NONE),
        ", ".join(one.documents) or _NONE,
        one.schedule_text or _NONE,
        _when(one.accepted_at),
        _when(one.seen_at),
    )


def _when(at: datetime | None) -> str:
    return _NONE if at is None else local(at)
