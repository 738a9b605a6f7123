"""What the rules of the site come to for a plan: what they deny, and what they want confirmed."""

from collections.abc import Sequence
from typing import Self

from msgspec import Struct, structs

from runcancel.errors import Refused
from runcancel.guards import site_policy
from runcancel.guards.confirmation import ConfirmationRequirement, Level
from runcancel.guards.site_policy import Rule, SitePolicy, Subject, covers
from runcancel.model.outcomes import Action, PlanItem
from runcancel.model.runs import Ref


class Ruling(Struct, frozen=True, kw_only=True):
    """The result of one rule for one cancel, and the runs that match it. `position` is that of the rule: `deny[0]`."""

    denies: bool
    position: str
    why: str
    runs: tuple[Ref, ...]
    guessed: bool  # an account is not known, and might be the one that the rule is about


class Rulings(Struct, frozen=True, kw_only=True):
    """The results of all rules for one plan; `contact` is who can change them."""

    contact: str
    rulings: tuple[Ruling, ...]

    @classmethod
    def of(cls, policy: SitePolicy, subjects: Sequence[Subject]) -> Self:
        """The results for a cancel of all these runs, in the order of the file, denials first."""
        matching = (
            _ruling(rule, f"{word}[{at}]", subjects, denies=word == "deny")
            for word, rules in (("deny", policy.deny), ("confirm", policy.confirm))
            for at, rule in enumerate(rules)
        )
        return cls(contact=policy.contact, rulings=tuple(ruling for ruling in matching if ruling is not None))

    def check(self) -> None:
        """Raise `Refused` when a rule denies, with the first one that does."""
        ruling = next((one for one in self.rulings if one.denies), None)
        if ruling is not None:
            raise Refused(
                f"{_about(ruling)}: denied by the site policy: {ruling.why} ({_position(ruling)}); nothing was sent",
                hint=f"No option overrides this. Policy contact: {self.contact}",
            )

    @property
    def denials(self) -> dict[Ref, Refused]:
        """What is denied, each with the first rule that denies it."""
        refusals: dict[Ref, Refused] = {}
        for ruling in (one for one in self.rulings if one.denies):
            message = f"denied by the site policy: {ruling.why} ({_position(ruling)})"
            hint = f"No option overrides this. Policy contact: {self.contact}"
            refusals |= {run: Refused(message, hint=hint) for run in ruling.runs if run not in refusals}
        return refusals

    def stricter(self, requirement: ConfirmationRequirement) -> ConfirmationRequirement:
        """The same requirement, to be answered by typing a name or the number where a rule wants it confirmed."""
        confirm = tuple(one for one in self.rulings if not one.denies)
        if not confirm or not requirement.count:
            return requirement
        whys = dict.fromkeys(f"under site policy: {one.why} ({_position(one)})" for one in confirm)
        why = "; ".join([*([requirement.why] if requirement.why else []), *whys])
        return structs.replace(requirement, level=Level.TYPED, why=why)

    def planned(self, items: Sequence[PlanItem]) -> tuple[PlanItem, ...]:
        """A plan with the results of the rules: a denied run is not sent, and a run to confirm has a note."""
        by_run: dict[Ref, list[Ruling]] = {}
        for one in self.rulings:
            for run in one.runs:
                by_run.setdefault(run, []).append(one)
        return tuple(_ruled(item, by_run.get(item.run, ())) for item in items)

    def notes(self, action: Action, *, whole: bool) -> tuple[str, ...]:
        """The rulings as sentences beside a dry run. `whole`: one denial refuses all."""
        denied = [
            f"{_about(one)}: denied by the site policy: {one.why} ({_position(one)})"
            for one in self.rulings
            if one.denies
        ]
        confirmations = [
            f"{_about(one)}: the site policy requires confirmation: {one.why}" for one in self.rulings if not one.denies
        ]
        if denied:
            all_refused = f"A {action.verb} of these {action.noun}s is refused as a whole. " if whole else ""
            denied.append(f"{all_refused}Policy contact: {self.contact}")
        return (*denied, *confirmations)


def _ruling(rule: Rule, position: str, subjects: Sequence[Subject], *, denies: bool) -> Ruling | None:
    under = [one for one in subjects if covers(rule, one)]
    if not under or not _begins(rule, under):
        return None
    return Ruling(
        denies=denies,
        position=position,
        why=rule.why,
        runs=tuple(one.run for one in under),
        guessed=rule.accounts is not None and any(one.account is None for one in under),
    )


def _begins(rule: Rule, under: Sequence[Subject]) -> bool:
    if rule.over_runs is None and rule.over_targets is None:
        return True
    runs = rule.over_runs is not None and len(under) > rule.over_runs
    targets = rule.over_targets is not None and sum(one.targets for one in under) > rule.over_targets
    return runs or targets


def _ruled(item: PlanItem, rulings: Sequence[Ruling]) -> PlanItem:
    if not rulings or not item.ask:
        return item
    why = rulings[0].why
    if rulings[0].denies:
        return structs.replace(item, ask=False, why=f"the site policy denies it: {why}")
    return structs.replace(item, why=f"{item.why}; the site policy requires confirmation: {why}")


def _about(ruling: Ruling) -> str:
    more = f" and {len(ruling.runs) - 1} more" if len(ruling.runs) > 1 else ""
    return f"{ruling.runs[0]}{more}"


def _position(ruling: Ruling) -> str:
    guessed = "; an account is unknown, so the rule may apply" if ruling.guessed else ""
    return f"{ruling.position} of {site_policy.PATH}{guessed}"
