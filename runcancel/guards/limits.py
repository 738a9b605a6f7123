"""How much one cancel may stop, and how weak its guarantee may be."""

from collections.abc import Sequence

from runcancel.engine.verdict import counted_once
from runcancel.errors import Refused
from runcancel.model.outcomes import Limits, PlanItem
from runcancel.model.runs import Ref
from runcancel.model.states import Guarantee
from runcancel.providers import kind_of

_STRENGTH = (Guarantee.PENDING_ONLY, Guarantee.BEST_EFFORT, Guarantee.STOPS_RUNNING)

NO_LIMITS = Limits(max_runs=None)


def check_limits(
    items: Sequence[PlanItem], limits: Limits, *, sent: Sequence[PlanItem] = (), configured: Limits = NO_LIMITS
) -> None:
    """Raise `Refused` when more would be asked than the limits allow; what has ended does not count.

    `sent` is what the same operation asked for before it was interrupted; `configured` are limits that no flag raises.
    """
    to_cancel = [item for item in items if item.ask]
    again = {item.run for item in to_cancel}
    to_cancel += [item for item in sent if item.run not in again]
    _check_limit("max_runs", "run", len(to_cancel), limits.max_runs, configured.max_runs)
    unread = next((item.run for item in to_cancel if not item.read), None)
    if limits.max_targets is not None and unread is not None:
        raise Refused(
            f"{unread} could not be read, but the limit is {counted(limits.max_targets, 'target')} (--max-targets); "
            "nothing was sent",
            hint="To cancel it without a reading: leave out --max-targets",
        )
    targets = sum(size(item) for item in counted_once(to_cancel))
    _check_limit("max_targets", "target", targets, limits.max_targets, configured.max_targets)


def check_guarantee(items: Sequence[PlanItem], level: Guarantee | None) -> None:
    """Raise `Refused` when one run that would be asked has a weaker guarantee than `level`."""
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
    """How many targets of a plan item may still be stopped. One invocation may stand for several."""
    return sum(one.target_count for one in item.invocations if not one.before.over) + item.not_listed


def _check_limit(name: str, what: str, count: int, most: int | None, configured: int | None) -> None:
    """Raise `Refused` beyond a limit, with the next step. No option raises `configured`."""
    if most is None or count <= most:
        return
    option = f"--{name.replace('_', '-')}"
    source, way = option, f"To proceed: add {option} {count}"
    if configured is not None and count > configured:
        source, way = f"caps.{name}", f"No option raises caps.{name} of the configuration, which is {configured}."
    raise Refused(
        f"{matches(count, what)}; the limit is {most} ({source}); nothing was sent",
        hint=f"{way}   To preview: add --dry-run",
    )


def matches(count: int, what: str) -> str:
    """`1 run matches`, `1,204 runs match`."""
    return f"{counted(count, what)} match{'es' if count == 1 else ''}"


def counted(count: int, what: str) -> str:
    """`1 run`, `1,204 runs`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
