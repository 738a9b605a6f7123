"""Ask, watch, judge: the heart. Requested is never called stopped."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct, structs

from runcancel.case import IN_FLIGHT, UNREACHED, Case
from runcancel.clouds import Batch, Clouds, read
from runcancel.errors import CREDENTIALS, IN_DOUBT, CloudError, Interrupted, Refused
from runcancel.fanout import Desk
from runcancel.judge import (
    Answer,
    Asked,
    all_over,
    moved,
    selected,
)
from runcancel.ledger import Outcome, PlanItem
from runcancel.model import Problem, Ref, Scope, Snapshot
from runcancel.plan import started_since
from runcancel.progress import Progress
from runcancel.vocabulary import Reason, State
from runcancel.watch import FIRST_PAUSE, Watch

_TRIES = 3  # how often one cancel is asked when its answers are in doubt


class Patience(Struct, frozen=True, kw_only=True):
    """How long to watch. `timeout` is in seconds, per run, from its accepted answer; 0 looks once."""

    wait: bool = True
    timeout: float = 60.0


Admit = Callable[[Sequence[PlanItem]], None]
"""Raises `Refused` when caps or guards let no more than what is planned be asked."""


def carry_out(
    items: Sequence[PlanItem],
    clouds: Clouds,
    desk: Desk,
    patience: Patience,
    progress: Progress,
    *,
    admit: Admit | None = None,
) -> Iterator[Outcome]:
    """Ask every run of the plan to stop, watch them, and yield an outcome for each as soon as it is judged.

    Top down: a run is asked after the one that started it. With `admit`, what was started between the plan and the
    answer is asked as well, as far as it is admitted. After a signal the rest is judged by what was seen so far; then
    `Interrupted` is raised.
    """
    cases = {item.run: Case(item, timeout=patience.timeout) for item in items}
    left = dict(cases)
    progress.planned(items)
    try:
        _ask([case for case in cases.values() if case.item.parent not in cases], clouds, desk, progress)
        if admit is not None:
            left |= _join(cases, clouds, desk, patience, progress, admit)
        _ask(_below(cases), clouds, desk, progress)
        for case in _watch(cases, clouds, desk, progress, wait=patience.wait):
            outcome = left.pop(case.item.run).outcome()
            progress.judged(outcome)
            yield outcome
    except Interrupted:
        for case in left.values():
            outcome = case.outcome()
            progress.judged(outcome)
            yield outcome
        raise
    finally:
        progress.close()


def _ask(cases: Sequence[Case], clouds: Clouds, desk: Desk, progress: Progress) -> None:
    """Send every cancel that is due, each scope at its own pace."""
    begun: set[str] = set()

    def work(case: Case) -> Answer:
        begun.add(case.item.run)
        return structs.replace(_ask_one(case, clouds, desk), key=_key(case.ref.scope, clouds))

    waiting = [case for case in cases if case.item.ask and case.answer is UNREACHED]
    try:
        for done in desk.fanout(work, waiting, lane=lambda case: case.ref.scope):
            case = done.item
            case.answer = done.value()
            progress.asked(case.item.run, case.answer)
    except Interrupted:
        for case in waiting:
            if case.item.run in begun and case.answer is UNREACHED:
                case.answer = IN_FLIGHT
        raise


def _ask_one(case: Case, clouds: Clouds, desk: Desk) -> Answer:
    """One cancel. An error is never final by itself: the run is read again and judged by its state."""
    accepted: list[str] = []
    answer = UNREACHED
    for _ in range(_TRIES):
        try:
            for request_id in clouds.at(case.ref.scope).cancel(case.ref, case.item.targets):
                accepted.append(request_id)  # noqa: PERF402 - what was accepted before an error counts
            return Answer(asked=Asked.ACCEPTED, at=desk.clock.monotonic(), request_ids=tuple(accepted))
        except CloudError as error:
            refusal = error
        if refusal.reason is Reason.INTERRUPTED and not accepted:
            break
        seen = None if refusal.reason in CREDENTIALS and not accepted else _look_again(case, clouds)
        answer = _after_error(case, refusal, seen, tuple(accepted), now=desk.clock.monotonic())
        if refusal.reason not in IN_DOUBT or seen is None or all_over(case.item, seen):
            break
        if answer.asked is Asked.ACCEPTED and not accepted and not _part_left(case.item, seen):
            break
    return answer


def _key(scope: Scope, clouds: Clouds) -> str | None:
    """Whose answer it was, as far as a journal may say it."""
    try:
        return clouds.at(scope).checkup().key
    except CloudError:
        return None


def _join(
    cases: dict[str, Case], clouds: Clouds, desk: Desk, patience: Patience, progress: Progress, admit: Admit
) -> dict[str, Case]:
    """Plan what was started between the look and the answer; what is not admitted is not asked."""
    parents = [case.ref for case in cases.values() if case.kind.starts_runs and case.answer.under_way]
    late = {item.run: Case(item, timeout=patience.timeout) for item in started_since(parents, cases, clouds, desk)}
    if late:
        progress.planned([case.item for case in late.values()])
        cases.update(late)
        try:
            admit([case.item for case in cases.values()])
        except Refused as refused:
            for case in late.values():
                case.leave(Problem(code=Reason.REFUSED, message=refused.message, ref=case.item.run))
    return late


def _below(cases: Mapping[str, Case]) -> list[Case]:
    """The runs that others started, where these start nothing more: else a free place is taken by the next one."""
    found = [case for case in cases.values() if case.item.parent in cases]
    for case in found:
        above = cases[str(case.item.parent)]
        above.started.append(case)
        if above.answer.asked in (Asked.REFUSED, Asked.IN_DOUBT, Asked.NOT_REACHED):
            code = Reason.REFUSED if above.answer.problem is None else above.answer.problem.code
            message = (
                f"{above.item.run}, which started it, was not cancelled and would start more; nothing was sent for it"
            )
            case.leave(Problem(code=code, message=message, ref=case.item.run))
    return found


def _part_left(item: PlanItem, seen: Snapshot) -> bool:
    """Named targets travel in several requests: whether one shows no effect yet though another does."""
    chosen = selected(seen.invocations, item.targets) if item.targets else ()
    return any(not one.state.over and one.state is not State.CANCELLING for one in chosen)


def _look_again(case: Case, clouds: Clouds) -> Snapshot | None:
    ((_, seen),) = read(clouds, Batch(scope=case.ref.scope, kind=case.kind, refs=(case.ref,)))
    return seen if isinstance(seen, Snapshot) else None


def _after_error(
    case: Case, refusal: CloudError, seen: Snapshot | None, accepted: tuple[str, ...], *, now: float
) -> Answer:
    """What an error to a cancel means in the light of the state that was read after it.

    A request that went out in parts of which some were accepted is under way, whatever became of the others.
    """
    if accepted or (seen is not None and moved(case.item, seen)):
        asked = Asked.ACCEPTED
    elif refusal.reason in IN_DOUBT or refusal.reason is Reason.INTERRUPTED:
        asked = Asked.IN_DOUBT
    else:
        asked = Asked.REFUSED
    problem = refusal.problem(scope=case.ref.scope, ref=case.item.run)
    return Answer(
        asked=asked,
        at=now if asked is Asked.ACCEPTED else None,
        request_ids=accepted,
        problem=problem,
        seen=seen,
    )


def _watch(cases: dict[str, Case], clouds: Clouds, desk: Desk, progress: Progress, *, wait: bool) -> Iterator[Case]:
    """Look at what was asked, scope by scope, at growing intervals, and yield each case when its verdict is due."""
    began = desk.clock.monotonic()
    open_cases: dict[Ref, Case] = {}
    for case in cases.values():
        case.start(began)
        if wait and case.answer.under_way:
            open_cases[case.ref] = case
        else:
            case.judged = True
            yield case
    watch = Watch(open_cases, clouds, desk, first=min([FIRST_PAUSE, *(case.timeout for case in open_cases.values())]))
    while watch.left:
        readings = watch.next()
        now = desk.clock.monotonic()
        for ref, answer in readings or ():
            _observe(open_cases[ref], answer, progress, now)
        touched = tuple(watch.left) if readings is None else tuple(ref for ref, _ in readings)
        for ref in touched:
            if open_cases[ref].decided(now):
                watch.drop(ref)
                open_cases[ref].judged = True
                yield open_cases[ref]


def _observe(case: Case, answer: Snapshot | CloudError, progress: Progress, now: float) -> None:
    case.observe(answer, now)
    if isinstance(answer, Snapshot):
        progress.seen(case.item.run, answer.run, selected(answer.invocations, case.item.targets))
