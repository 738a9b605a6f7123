"""The contents of an incident report in their order, and the gaps of the journal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from runcancel.model.incident import (
    AccountReport,
    IncidentReport,
    OperationReport,
    PlanReport,
    RunReport,
    Step,
    TargetGroup,
    TimelineEntry,
)
from runcancel.model.meanings import VERDICTS
from runcancel.model.states import Effect, Stage, Verdict
from runcancel.render.incident.blocks import Block, Chart, Code, Collapsed, Commands, Heading, Paragraph, Table, Text
from runcancel.render.incident.triggers import of_origins, of_triggers, tally_of_triggers
from runcancel.render.screens.words import EFFECTS, counted
from runcancel.text import command, local

NOT_RECORDED = "not recorded"

_NONE = "-"
_QUIET = (Verdict.STOPPED, Verdict.ENDED)
_MOST_QUIET = 20  # runs of an account that need no attention and are listed all the same
_MOST_ROWS = 200  # runs of an account that need attention
_MOST_TARGETS = 50  # ids of one run
_MOST_SHARDS = 20  # missing shards of one plan
_WORST_FIRST = (
    Verdict.PARTIAL,
    Verdict.IN_DOUBT,
    Verdict.REQUESTED,
    Verdict.FAILED,
    Verdict.SKIPPED,
    Verdict.REPORTED,
    Verdict.STOPPED,
    Verdict.ENDED,
)
_STEPS: Mapping[Step, str] = {
    Step.STARTED: "Started",
    Step.RESUMED: "Resumed",
    Step.FOUND: "Found",
    Step.CONFIRMED: "Confirmed",
    Step.SENT: "Cancel sent",
    Step.ACCEPTED: "Cancel accepted",
    Step.REFUSED: "Cancel refused",
    Step.NO_REPLY: "Cancel without a reply",
    Step.SEEN: "Result",
    Step.ENDED: "Ended",
}
_CONFIRMATIONS: Mapping[str, str] = {
    "not-required": "not required: named one by one",
    "terminal": "answered on the terminal",
}
_STAGES: Mapping[Stage, str] = {
    Stage.OPEN: "unfinished: it still runs, or its process was killed",
    Stage.INTERRUPTED: "interrupted",
    Stage.DONE: "finished",
}
_COLUMNS = (
    *("Run", "Name", "Verdict", "Stopped", "Keeps running", "In doubt", "Ended before"),
    *("Accepted at", "Result at"),
)
_STOPPED = (Effect.CANCELLED, Effect.TERMINATED)
_UNSURE = (Effect.STOPPING, Effect.UNKNOWN)


def story(report: IncidentReport) -> Iterator[Block]:
    """The blocks of the document."""
    yield Heading(1, "Incident report")
    yield from _summary(report)
    yield Heading(2, "Timeline")
    yield _timeline(report)
    yield Heading(2, "Operations")
    yield from (block for one in report.operations for block in _operation(one))
    if report.accounts or not report.triggers:
        yield Heading(2, "Runs")
        yield from (block for one in report.accounts for block in _account(one))
        yield Heading(2, "States over time")
        yield from _states(report)
    yield from of_origins(report.accounts)
    if report.triggers:
        yield Heading(2, "Triggers")
        yield from of_triggers(report.triggers)
    yield Heading(2, "Next steps")
    yield from (Commands(step.text, step.command) for step in report.next_steps)
    if not report.next_steps:
        yield Paragraph((f"Nothing is left to do: {_nothing_left(report)}.",))
    yield Heading(2, "Restore")
    yield from (Commands(step.text, step.command) for step in report.restore)
    if not report.restore:
        yield Paragraph(("Nothing was cancelled or disabled.",))


def _summary(report: IncidentReport) -> Iterator[Block]:
    runs = sum(report.verdicts.values())
    what = [counted(runs, "run")] if runs or not report.triggers else []
    what += [counted(len(report.triggers), "trigger")] if report.triggers else []
    accounts = {(one.provider, one.account, one.account or one.context) for one in report.accounts}
    accounts |= {(one.provider, one.account, one.account or one.context) for one in report.triggers}
    where = counted(len(accounts), "account")
    until = NOT_RECORDED if report.ended_at is None else local(report.ended_at)
    yield Paragraph((f"{' and '.join(what)} in {where}, from {local(report.started_at)} until {until}.",))
    for reason in dict.fromkeys(one.reason for one in report.operations if one.reason):
        yield Paragraph((f"Reason: {reason}",))
    complete = {plan.plan for plan in report.plans if plan.complete}
    for plan in report.plans:
        if plan.missing and plan.plan not in complete:
            single = len(plan.missing) == 1
            yield Paragraph(
                (
                    f"This report is incomplete: {'shard' if single else 'shards'} {_shards(plan)} of plan ",
                    Code(plan.plan[:12]),
                    f" {'is' if single else 'are'} missing.",
                ),
                warning=True,
            )
    for one in report.operations:
        if one.state is not Stage.DONE and not _carried_out_again(one, report):
            yield Paragraph(
                ("This report is incomplete: operation ", Code(one.id), f" is {_STAGES[one.state]}."), warning=True
            )
    if report.verdicts:
        rows = tuple(
            (str(verdict), f"{report.verdicts[verdict]:,}", VERDICTS[verdict])
            for verdict in _WORST_FIRST
            if verdict in report.verdicts
        )
        yield Table(("Verdict", "Runs", "Meaning"), rows, right=frozenset({1}))
    yield from tally_of_triggers(report.trigger_verdicts)
    if report.effects:
        parts = (f"{count:,} {EFFECTS[effect]}" for effect, count in report.effects.items())
        yield Paragraph((f"Targets: {', '.join(parts)}.",))


def _shards(plan: PlanReport) -> str:
    names = ", ".join(f"{index}/{plan.count}" for index in plan.missing[:_MOST_SHARDS])
    more = len(plan.missing) - _MOST_SHARDS
    return f"{names} and {more:,} more" if more > 0 else names


def _carried_out_again(one: OperationReport, report: IncidentReport) -> bool:
    """Whether another operation carried out the same shard of the same plan to its end."""
    return any(
        (one.plan, one.shard) == (other.plan, other.shard) and other.state is Stage.DONE and one.id < other.id
        for other in report.operations
        if other.shard is not None
    )


def _nothing_left(report: IncidentReport) -> str:
    runs = "every run is verified stopped or has ended"
    triggers = "every trigger is in the requested state"
    if not report.triggers:
        return runs
    return f"{runs}, and {triggers}" if report.accounts else triggers


def _timeline(report: IncidentReport) -> Table:
    several = len(report.operations) > 1
    rows = tuple(_line(entry, several=several, switches=bool(report.triggers)) for entry in report.timeline)
    count = "Count" if report.triggers else "Runs"
    head = ("Time", "Step", count, "By", "Detail", *(("Operation",) if several else ()))
    return Table(head, rows, right=frozenset({2}))


def _line(entry: TimelineEntry, *, several: bool, switches: bool) -> tuple[Text, ...]:
    detail: Text = entry.detail or _NONE
    if entry.step is Step.STARTED:  # the command stands with the operation
        detail = _NONE
    elif entry.step is Step.CONFIRMED:
        detail = _CONFIRMATIONS.get(entry.detail or "", entry.detail or _NONE)
    return (
        _period(entry.at, entry.last_at),
        _STEPS[entry.step].replace("Cancel", "Request") if switches else _STEPS[entry.step],
        _NONE if entry.runs is None else f"{entry.runs:,}",
        entry.by or (NOT_RECORDED if entry.step is Step.CONFIRMED and entry.at is None else _NONE),
        detail,
        *((Code(entry.operation),) if several else ()),
    )


def _operation(one: OperationReport) -> Iterator[Block]:
    rows: list[tuple[Text, ...]] = [
        ("Operation", Code(one.id)),
        ("Called by", f"{one.user}@{one.host}"),
        ("Command", Code(command(*one.argv))),
        ("Reason", one.reason or "none given"),
        ("Started", local(one.at)),
        ("Ended", _ended(one)),
        ("State", _STAGES[one.state]),
        *_part_of_plan(one),
        ("Exit code", NOT_RECORDED if one.exit_code is None else str(one.exit_code)),
    ]
    yield Table(("Field", "Value"), tuple(rows))


def _part_of_plan(one: OperationReport) -> Iterator[tuple[Text, ...]]:
    if one.plan is not None:
        yield ("Plan", Code(one.plan[:12]))
    if one.shard is not None:
        yield ("Shard", f"{one.shard.index} of {one.shard.count}, from 0")


def _ended(one: OperationReport) -> str:
    return NOT_RECORDED if one.ended_at is None else local(one.ended_at)


def _account(one: AccountReport) -> Iterator[Block]:
    yield Heading(3, _title(one))
    who = ", ".join(one.principals) or NOT_RECORDED
    yield Paragraph((f"Regions: {', '.join(one.regions) or NOT_RECORDED}. Identity: {who}.",))
    runs = sorted(one.runs, key=lambda run: _WORST_FIRST.index(run.verdict))
    quiet = [run for run in runs if run.verdict in _QUIET]
    loud = [run for run in runs if run.verdict not in _QUIET]
    listed = loud[:_MOST_ROWS] + (quiet if len(quiet) <= _MOST_QUIET else [])
    if listed:
        yield _runs(listed)
    folded = (loud[_MOST_ROWS:], quiet if len(quiet) > _MOST_QUIET else [])
    for several in filter(None, folded):
        yield Collapsed(_tally(several), _runs(several), "They are listed by -o html and -o json.")
    for run in loud[:_MOST_ROWS]:
        yield from _where(run)
    yield from _requests(listed, [run for several in folded for run in several])


def _title(one: AccountReport) -> str:
    if one.account is not None:
        return f"{one.provider} {one.account}"
    context = f", context {one.context}" if one.context else ""
    return f"{one.provider}{context}, account {NOT_RECORDED}"


def _tally(runs: Sequence[RunReport]) -> str:
    counts = [(verdict, sum(run.verdict is verdict for run in runs)) for verdict in _WORST_FIRST]
    return "Also " + ", ".join(f"{counted(count, 'run')} {verdict}" for verdict, count in counts if count) + "."


def _runs(runs: Sequence[RunReport]) -> Table:
    return Table(_COLUMNS, tuple(map(_row, runs)))


def _row(run: RunReport) -> tuple[Text, ...]:
    return (
        Code(str(run.run)),
        run.name or _NONE,
        str(run.verdict),
        _targets(run, _STOPPED),
        _targets(run, (Effect.KEPT_RUNNING,)),
        _targets(run, _UNSURE),
        _targets(run, (Effect.ALREADY_ENDED,)),
        _when(run.accepted_at, happened=bool(run.request_ids)),
        _when(run.seen_at, happened=True),
    )


def _targets(run: RunReport, effects: Sequence[Effect]) -> str:
    groups = [group for group in run.targets if group.effect in effects]
    return ", ".join(f"{group.count:,} {_label(group)}" for group in groups) or _NONE


def _label(group: TargetGroup) -> str:
    return EFFECTS[group.effect] if group.confirmed or group.effect not in _STOPPED else f"reported {group.effect}"


def _when(at: datetime | None, *, happened: bool) -> str:
    return local(at) if at is not None else NOT_RECORDED if happened else _NONE


def _period(at: datetime | None, last: datetime | None) -> str:
    if at is None:
        return NOT_RECORDED
    return local(at) if last is None or local(last) == local(at) else f"{local(at)} to {local(last)}"


def _where(run: RunReport) -> Iterator[Block]:
    """Which targets of a run keep running or are in doubt, and why."""
    for group in run.targets:
        if group.effect not in (Effect.KEPT_RUNNING, *_UNSURE):
            continue
        ids = ", ".join(group.targets[:_MOST_TARGETS]) or "the cloud lists none"
        more = group.count - min(len(group.targets), _MOST_TARGETS)
        rest = f" and {more:,} more" if group.targets and more > 0 else ""
        yield Paragraph(
            (
                Code(str(run.run)),
                f": {counted(group.count, 'target')} {EFFECTS[group.effect]}: {ids}{rest}",
            )
        )
    if run.error is not None:
        yield Paragraph((Code(str(run.run)), f": {run.error.code}: {run.error.message}"))


def _requests(listed: Iterable[RunReport], folded: Sequence[RunReport]) -> Iterator[Block]:
    """The request ids, for the vendor's support."""
    head = ("Run", "Request ids for the vendor's support")
    rows = _request_rows(listed)
    if rows:
        yield Table(head, rows)
    more = _request_rows(folded)
    if more:
        yield Collapsed(
            f"Request ids of {counted(len(more), 'run')} more.",
            Table(head, more),
            "They are listed by -o html and -o json.",
        )


def _request_rows(runs: Iterable[RunReport]) -> tuple[tuple[Text, ...], ...]:
    return tuple((Code(str(run.run)), Code(", ".join(run.request_ids))) for run in runs if run.request_ids)


def _states(report: IncidentReport) -> Iterator[Block]:
    if not report.states:
        yield Paragraph((f"Readings with state counts: {NOT_RECORDED}.",))
        return
    if any(run.parent is not None for one in report.accounts for run in one.runs):
        yield Paragraph(("A run and the runs that it started are counted separately.",))
    yield Chart(report.states)
