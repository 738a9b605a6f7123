"""How much one cancel may stop, and how weak its guarantee may be."""

from collections.abc import Sequence

from msgspec import Struct

from runcancel.engine.verdict import counted_once
from runcancel.errors import Refused
from runcancel.model.outcomes import Limits, PlanItem
from runcancel.model.runs import Ref
from runcancel.model.states import Guarantee
from runcancel.providers import kind_of

_STRENGTH = (Guarantee.PENDING_ONLY, Guarantee.BEST_EFFORT, Guarantee.STOPS_RUNNING)

NO_LIMITS = Limits(max_runs=None)


class Excess(Struct, frozen=True, kw_only=True):
    """A limit that a plan exceeds. `fixed`: the configuration sets it, and no option raises it."""

    name: str  # as in the configuration
    noun: str
    count: int
    most: int
    fixed: bool

    @property
    def option(self) -> str:
        """The option that sets the limit."""
        return f"--{self.name.replace('_', '-')}"


def check_limits(
    items: Sequence[PlanItem], limits: Limits, *, sent_before: Sequence[PlanItem] = (), configured: Limits = NO_LIMITS
) -> None:
    """Raise `Refused` when more would be cancelled than the limits allow; see `excesses`."""
    if over := excesses(items, limits, sent_before=sent_before, configured=configured):
        raise over_limit(over)


def excesses(
    items: Sequence[PlanItem],
    limits: Limits,
    *,
    sent_before: Sequence[PlanItem] = (),
    configured: Limits = NO_LIMITS,
    noun: str = "run",
) -> tuple[Excess, ...]:
    """The limits that this plan exceeds; what has ended does not count.

    `noun`: what the items are, runs or triggers. `sent_before`: what the same operation sent before an interruption;
    `configured` are limits that no option raises.
    Raises `Refused` for a limit of targets and a run that could not be read.
    """
    to_cancel = [item for item in items if item.ask]
    again = {item.run for item in to_cancel}
    to_cancel += [item for item in sent_before if item.run not in again]
    runs = _excess(f"max_{noun}s", noun, len(to_cancel), limits.max_runs, configured.max_runs)
    unread = next((item.run for item in to_cancel if not item.read), None)
    if limits.max_targets is not None and unread is not None and runs is None:
        raise Refused(
            f"{unread} could not be read, but the limit is {counted(limits.max_targets, 'target')} (--max-targets); "
            "nothing was sent",
            hint="To cancel it without a reading: leave out --max-targets",
        )
    count = sum(size(item) for item in counted_once(to_cancel))
    targets = _excess("max_targets", "target", count, limits.max_targets, configured.max_targets)
    return tuple(one for one in (runs, targets) if one is not None)


def over_limit(excesses: Sequence[Excess], *, more: Sequence[str] = (), replaced: bool = False) -> Refused:
    """The refusal of a plan that exceeds these limits, with the options that would let it pass.

    `more`: other options that it needs. `replaced`: some of all these were given, with other values.
    """
    what = "; ".join(
        f"{matches(one.count, one.noun)}; the limit is {one.most} ({f'caps.{one.name}' if one.fixed else one.option})"
        for one in excesses
    )
    fixed = [f"caps.{one.name} of the configuration, which is {one.most}" for one in excesses if one.fixed]
    if fixed:
        hint = f"No option raises {' and '.join(fixed)}.   {TO_PREVIEW}"
    else:
        hint = to_proceed([*(f"{one.option} {one.count}" for one in excesses), *more], replaced=replaced)
    return Refused(f"{what}; nothing was sent", hint=hint)


def to_proceed(flags: Sequence[str], *, replaced: bool = False) -> str:
    """The hint to repeat the command with other options; `replaced`: it has some of them already."""
    return f"To proceed: {'use' if replaced else 'add'} {' '.join(flags)}   {TO_PREVIEW}"


TO_PREVIEW = "To preview: add --dry-run"


def check_guarantee(items: Sequence[PlanItem], level: Guarantee | None) -> None:
    """Raise `Refused` if a run to cancel has a weaker guarantee than `level`."""
    if level is None:
        return
    below = [item for item in items if item.ask and _STRENGTH.index(item.guarantee) < _STRENGTH.index(level)]
    if below:
        more = f" and {len(below) - 1} more" if len(below) > 1 else ""
        raise Refused(
            f"{below[0].run}{more}: the guarantee is {below[0].guarantee}, but {level} is required; nothing was sent"
        )


def is_below(ref: Ref, level: Guarantee) -> bool:
    """Whether runs of this kind have a weaker guarantee than `level`."""
    return _STRENGTH.index(kind_of(ref).guarantee) < _STRENGTH.index(level)


def lowest(*limits: Limits) -> Limits:
    """The lower of each limit; one that is None is none."""
    return Limits(
        max_runs=min((one.max_runs for one in limits if one.max_runs is not None), default=None),
        max_targets=min((one.max_targets for one in limits if one.max_targets is not None), default=None),
    )


def size(item: PlanItem) -> int:
    """The number of targets of a plan item that can still be stopped. One invocation may have several targets."""
    return sum(one.target_count for one in item.invocations if not one.before.over) + item.not_listed


def _excess(name: str, noun: str, count: int, most: int | None, configured: int | None) -> Excess | None:
    if most is None or count <= most:
        return None
    fixed = configured is not None and count > configured
    return Excess(name=name, noun=noun, count=count, most=most, fixed=fixed)


def matches(count: int, what: str) -> str:
    """`1 run matches`, `1,204 runs match`."""
    return f"{counted(count, what)} match{'es' if count == 1 else ''}"


def counted(count: int, what: str) -> str:
    """`1 run`, `1,204 runs`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
