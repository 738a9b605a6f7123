"""What must be true, and who must have said so, before anything is sent: limits, guarantees, consent."""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from msgspec import Struct

from runcancel.engine.verdict import counted_once
from runcancel.errors import Refused
from runcancel.model.outcomes import Limits, PlanItem
from runcancel.model.runs import Ref
from runcancel.model.states import Guarantee
from runcancel.providers import kind_of

_STRENGTH = (Guarantee.PENDING_ONLY, Guarantee.BEST_EFFORT, Guarantee.STOPS_RUNNING)


class Level(IntEnum):
    """How much consent a selection needs."""

    NONE = 0  # runs named one by one
    YES = 1  # a filter, a file, a plan
    TYPED = 2  # several accounts, or a protected context


class ConfirmationRequirement(Struct, frozen=True, kw_only=True):
    """What has to be answered: how strongly, which words answer it, and why."""

    level: Level
    names: tuple[str, ...]  # names that answer a typed question: of the account or of the context
    count: int  # the number that answers it, too
    why: str


class GivenConfirmation(Struct, frozen=True, kw_only=True):
    """What the command line said beforehand."""

    yes: bool = False
    confirm: str | None = None


NO_LIMITS = Limits(max_runs=None)


def check_limits(
    items: Sequence[PlanItem], limits: Limits, *, sent: Sequence[PlanItem] = (), configured: Limits = NO_LIMITS
) -> None:
    """Raise `Refused` when more would be asked than the limits allow; what has ended does not count.

    `sent` is what the same operation asked for before it was interrupted; `configured` are limits that no flag raises.
    """
    asked = [item for item in items if item.ask]
    again = {item.run for item in asked}
    asked += [item for item in sent if item.run not in again]
    _check_limit("max_runs", "run", len(asked), limits.max_runs, configured.max_runs)
    unread = next((item.run for item in asked if not item.read), None)
    if limits.max_targets is not None and unread is not None:
        raise Refused(
            f"{unread} could not be read, and at most {limits.max_targets} targets may be asked to stop; "
            "nothing was sent",
            hint="to cancel it unread: leave --max-targets out",
        )
    targets = sum(size(item) for item in counted_once(asked))
    _check_limit("max_targets", "target", targets, limits.max_targets, configured.max_targets)


def check_guarantee(items: Sequence[PlanItem], level: Guarantee | None) -> None:
    """Raise `Refused` when one run that would be asked has a weaker guarantee than `level`."""
    if level is None:
        return
    below = [item for item in items if item.ask and _STRENGTH.index(item.guarantee) < _STRENGTH.index(level)]
    if below:
        more = f" and {len(below) - 1} more" if len(below) > 1 else ""
        raise Refused(
            f"{below[0].run}{more}: a cancel is {below[0].guarantee} there, and {level} is required; nothing was sent"
        )


def is_below(ref: Ref, level: Guarantee) -> bool:
    """Whether runs of this kind have a weaker guarantee than `level`."""
    return _STRENGTH.index(kind_of(ref).guarantee) < _STRENGTH.index(level)


def need(
    items: Sequence[PlanItem], *, chosen: bool, accounts: Mapping[str, str], protected: Mapping[str, str]
) -> ConfirmationRequirement:
    """What a plan has to be answered with.

    `chosen` is true when a filter, a file or a plan selected the runs. `accounts` tells for each run's reference whose
    account it is in (an id where known, else provider and profile), `protected` the context's name of those that are.
    """
    asked = [item.run for item in items if item.ask]
    guarded = tuple(dict.fromkeys(protected[run] for run in asked if run in protected))
    owners = tuple(dict.fromkeys(accounts[run] for run in asked))
    if guarded:
        what = ", ".join(guarded)
        return ConfirmationRequirement(level=Level.TYPED, names=guarded, count=len(asked), why=f"protected: {what}")
    if chosen and len(owners) > 1:
        return ConfirmationRequirement(level=Level.TYPED, names=(), count=len(asked), why="several accounts")
    level = Level.YES if chosen and asked else Level.NONE
    return ConfirmationRequirement(level=level, names=(), count=len(asked), why="")


def answered(wanted: ConfirmationRequirement, given: GivenConfirmation) -> bool:
    """Whether the command line already answers. Raises `Refused` when it answers something else."""
    if given.confirm is not None:
        if _fits(wanted, given.confirm):
            return True
        raise Refused(
            f"--confirm {given.confirm} does not fit: {_matched(wanted)}; nothing was sent",
            hint=_way_on(wanted),
        )
    return wanted.level is Level.NONE or (wanted.level is Level.YES and given.yes)


def question(wanted: ConfirmationRequirement) -> str:
    """What a person is asked."""
    if wanted.level is Level.YES:
        return "Go on? [y/N] "
    alone = wanted.names if len(wanted.names) == 1 else ()  # one of several names would answer for the others
    words = " or ".join([*alone, str(wanted.count)])
    return f"{wanted.why[:1].upper()}{wanted.why[1:]}. Type {words} to go on: "


def accepts(wanted: ConfirmationRequirement, reply: str) -> bool:
    """Whether a typed reply means yes."""
    reply = reply.strip()
    return reply.lower() in ("y", "yes") if wanted.level is Level.YES else _fits(wanted, reply)


def declines(reply: str) -> bool:
    """Whether a typed reply means no: so does an empty one."""
    return reply.strip().lower() in ("", "n", "no")


def nobody_to_ask(wanted: ConfirmationRequirement, why: str) -> Refused:
    """The refusal where a question would be needed and nobody can be asked."""
    return Refused(f"{_matched(wanted)} and nobody can be asked ({why}); nothing was sent", hint=_way_on(wanted))


def size(item: PlanItem) -> int:
    """How many targets of a plan item may still be stopped. One invocation may stand for several."""
    return sum(one.target_count for one in item.invocations if not one.before.over) + item.not_listed


def _check_limit(name: str, what: str, count: int, most: int | None, configured: int | None) -> None:
    """Raise `Refused` beyond a limit, with how to go on. `configured` is what no flag raises."""
    if most is None or count <= most:
        return
    flag = f"to go on: add --{name.replace('_', '-')} {count}."
    if configured is not None and count > configured:
        flag = f"caps.{name} of the configuration is {configured}, which no flag raises."
    raise Refused(
        f"{_counted(count, what)} would be asked to stop and at most {most} may be; nothing was sent",
        hint=f"{flag}   To look first: add --dry-run.",
    )


def _fits(wanted: ConfirmationRequirement, word: str) -> bool:
    return word == str(wanted.count) or (len(wanted.names) == 1 and word == wanted.names[0])


def _matched(wanted: ConfirmationRequirement) -> str:
    return f"{_counted(wanted.count, 'run')} would be asked to stop{f' ({wanted.why})' if wanted.why else ''}"


def _way_on(wanted: ConfirmationRequirement) -> str:
    if not wanted.count:
        return "no run is left to ask.   To see how they stand: leave out --confirm."
    flag = "--yes" if wanted.level is Level.YES else f"--confirm {wanted.count}"
    return f"to go on: add {flag}.   To look first: add --dry-run."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
