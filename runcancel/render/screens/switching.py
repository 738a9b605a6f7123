"""What is shown on stderr before triggers are changed: which, what each starts, when it would start next."""

from collections.abc import Iterable, Sequence

from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import Problem
from runcancel.render.documents import Caller
from runcancel.render.screens.announce import not_searched
from runcancel.render.screens.words import counted
from runcancel.text import local, safe

_MOST = 10  # triggers that are named


def announce_switch(
    items: Sequence[PlanItem], identities: Iterable[Caller], verb: str, *, missing: Iterable[Problem] = ()
) -> tuple[str, ...]:
    """Safe lines that show what a change of these triggers leaves out and what it does, before anything is sent."""
    to_change = [item for item in items if item.ask]
    lines = list(not_searched(missing))
    if to_change:
        lines.append(f"About to {verb} {counted(len(to_change), 'trigger')}:")
        for item in to_change[:_MOST]:
            lines += _of_one(item)
        if len(to_change) > _MOST:
            lines.append(f"  and {len(to_change) - _MOST:,} more (? lists them)")
        lines += dict.fromkeys(safe(item.promise) for item in to_change)
        lines += [f"  as {safe(one.principal)} in {safe(one.scope)}" for one in identities if one.principal]
    unchanged = [item for item in items if not item.ask]
    if unchanged:
        lines.append(f"{counted(len(unchanged), 'trigger')} already in that state: not changed")
    return tuple(lines)


def trigger_listing(items: Sequence[PlanItem]) -> tuple[str, ...]:
    """Every trigger of a plan, as safe lines."""
    return tuple(line for item in items if item.ask for line in _of_one(item))


def _of_one(item: PlanItem) -> list[str]:
    trigger = item.trigger
    lines = [f"  {safe(str(item.run))}" + (f"  {safe(item.name)}" if item.name else "")]
    if trigger is None:
        return lines
    facts = [f"runs {safe(', '.join(trigger.documents))}"] if trigger.documents else []
    facts += [f"what it starts is unknown: {safe(trigger.effect_unknown)}"] if trigger.effect_unknown else []
    facts += [f"on {safe(', '.join(trigger.targets[:3]))}"] if trigger.targets else []
    facts += [f"next start {local(trigger.next_start_at)}"] if trigger.next_start_at else []
    facts += [f"{counted(trigger.others, 'other target')}"] if trigger.others else []
    return [*lines, f"    {'; '.join(facts)}"] if facts else lines
