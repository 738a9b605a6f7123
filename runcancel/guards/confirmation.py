"""The confirmation that a cancel needs before anything is sent."""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from msgspec import Struct

from runcancel.errors import Refused
from runcancel.guards.limits import counted, matches, to_proceed
from runcancel.model.events import ConfirmedBy
from runcancel.model.outcomes import CANCEL, Action, PlanItem
from runcancel.model.runs import Ref
from runcancel.model.states import Fact


class Level(IntEnum):
    """How strong a confirmation a selection needs."""

    NONE = 0  # runs named one by one
    YES = 1  # a filter, a file, a plan
    TYPED = 2  # several accounts, a protected context, or a search that compares more than names


class ConfirmationRequirement(Struct, frozen=True, kw_only=True):
    """The confirmation that is required: its level, the words that give it, and why."""

    level: Level
    names: tuple[str, ...]  # names that answer a typed question: of the account or of the context
    count: int  # the number that answers it, too
    why: str
    action: Action = CANCEL
    holds: bool = False  # more runs may join what is confirmed


class GivenConfirmation(Struct, frozen=True, kw_only=True):
    """The confirmation on the command line."""

    yes: bool = False
    confirm: str | None = None


def required(
    items: Sequence[PlanItem],
    *,
    by_filter: bool,
    accounts: Mapping[Ref, str],
    protected: Mapping[Ref, str],
    action: Action = CANCEL,
) -> ConfirmationRequirement:
    """What a plan has to be answered with.

    `by_filter` is true when a filter, a file or a plan selected the runs. `accounts`: for each run's reference the
    account (an id where known, else provider and profile). `protected`: the context's name of those that are.
    """
    to_cancel = [item.run for item in items if item.ask]
    facts = _found_by(items) if by_filter else ""
    guarded = tuple(dict.fromkeys(protected[run] for run in to_cancel if run in protected))
    owners = tuple(dict.fromkeys(accounts[run] for run in to_cancel))
    level, why = (Level.YES if by_filter and to_cancel else Level.NONE), ""
    if guarded:
        level, why = Level.TYPED, f"in protected context{'s' if len(guarded) > 1 else ''} {', '.join(guarded)}"
    elif by_filter and len(owners) > 1:
        level, why = Level.TYPED, f"in {len(owners)} accounts"
    more = _does_more(items) if action.verb == "disable" else ""
    if more:
        level, why = Level.TYPED, ", ".join(part for part in (why, more) if part)
    if facts:  # only the number answers: a command that was written for names does not cover what it did not know of
        level, guarded, why = Level.TYPED, (), ", ".join(part for part in (why, facts) if part)
    return ConfirmationRequirement(level=level, names=guarded, count=len(to_cancel), why=why, action=action)


def _does_more(items: Sequence[PlanItem]) -> str:
    """How many of these triggers do more than start one run; empty if none does."""
    triggers = [item.trigger for item in items if item.ask and item.trigger is not None]
    others = sum(one.others > 0 for one in triggers)
    tasks = sum(one.tasks - one.others > 1 for one in triggers)
    unknown = sum(one.effect_unknown is not None for one in triggers)
    parts = [f"{others} with other targets"] if others else []
    parts += [f"{tasks} with several tasks"] if tasks else []
    parts += [f"{unknown} with an unknown effect"] if unknown else []
    return f"of which {' and '.join(parts)}" if parts else ""


def _found_by(items: Sequence[PlanItem]) -> str:
    """How runs were found that were not found by their own name; empty if all were."""
    to_cancel = [item for item in items if item.ask]
    by = [item.matched_by for item in to_cancel if item.matched_by not in (None, Fact.NAME)]
    facts = " and ".join(fact for fact in Fact if fact in by)
    if not by:
        return ""
    return f"found by {facts}" if len(by) == len(to_cancel) else f"of which {len(by)} found by {facts}"


def given_by(requirement: ConfirmationRequirement, flags: GivenConfirmation) -> ConfirmedBy | None:
    """What of the command line already answers; None: nothing does. Raises `Refused` when it answers something else.

    Where nothing is left to send, any answer fits.
    """
    by = _given_by(requirement, flags)
    if flags.confirm is not None and by is None:
        raise Refused(
            f"--confirm {flags.confirm} does not match: {_matched(requirement)}; nothing was sent",
            hint=_way_on(requirement, flags),
        )
    return by


def fits(requirement: ConfirmationRequirement, flags: GivenConfirmation) -> bool:
    """Whether the command line gives what is required; a wrong `--confirm` never does."""
    return _given_by(requirement, flags) is not None


def _given_by(requirement: ConfirmationRequirement, flags: GivenConfirmation) -> ConfirmedBy | None:
    if not requirement.count and not requirement.holds:  # all has ended: a runbook that runs again succeeds
        return ConfirmedBy.NOT_REQUIRED
    if flags.confirm is not None:
        return ConfirmedBy.CONFIRM if _fits(requirement, flags.confirm) else None
    if requirement.level is Level.NONE:
        return ConfirmedBy.NOT_REQUIRED
    return ConfirmedBy.YES if requirement.level is Level.YES and flags.yes else None


def option(requirement: ConfirmationRequirement, flags: GivenConfirmation) -> str:
    """The option that gives the confirmation; one that stands there with a wrong value is the one."""
    by_yes = requirement.level is Level.YES and flags.confirm is None
    return "--yes" if by_yes else f"--confirm {requirement.count}"


def question(requirement: ConfirmationRequirement) -> str:
    """The question to a person."""
    noun = requirement.action.noun
    if requirement.holds and requirement.level is Level.YES:
        return f"Cancel {counted(requirement.count, noun)} now, and what matches later? [y/N/?] "
    if requirement.level is Level.YES:
        return (
            f"{requirement.action.question} this {noun}? [y/N/?] "
            if requirement.count == 1
            else f"{requirement.action.question} these {requirement.count:,} {noun}s? [y/N/?] "
        )
    alone = requirement.names if len(requirement.names) == 1 else ()  # one of several names would answer for the others
    words = " or ".join([*alone, str(requirement.count)])
    return f"{_selected(requirement)}. Type {words} to confirm (? lists them): "


def accepts(requirement: ConfirmationRequirement, reply: str) -> bool:
    """Whether a typed reply means yes."""
    reply = reply.strip()
    return reply.lower() in ("y", "yes") if requirement.level is Level.YES else _fits(requirement, reply)


def declines(reply: str) -> bool:
    """Whether a typed reply means no: so does an empty one."""
    return reply.strip().lower() in ("", "n", "no")


def wants_list(reply: str) -> bool:
    """Whether a typed reply requests the list of all runs."""
    return reply.strip() == "?"


def nobody_to_ask(requirement: ConfirmationRequirement, why: str) -> Refused:
    """The refusal if a confirmation is needed and there is no terminal for it."""
    return Refused(
        f"{_matched(requirement)}, and there is no terminal to confirm on ({why}); nothing was sent",
        hint=_way_on(requirement, GivenConfirmation()),
    )


def _fits(requirement: ConfirmationRequirement, word: str) -> bool:
    return word == str(requirement.count) or (len(requirement.names) == 1 and word == requirement.names[0])


def _matched(requirement: ConfirmationRequirement) -> str:
    return f"{matches(requirement.count, requirement.action.noun)}{f' ({requirement.why})' if requirement.why else ''}"


def _selected(requirement: ConfirmationRequirement) -> str:
    """`6 runs in 2 accounts`: what is to be confirmed, and why a word is required."""
    return f"{counted(requirement.count, requirement.action.noun)} {requirement.why}".rstrip()


def _way_on(requirement: ConfirmationRequirement, flags: GivenConfirmation) -> str:
    return to_proceed([option(requirement, flags)], replaced=flags.confirm is not None)
