"""The rules of the site: what is denied on this machine and what must be confirmed, for every caller."""

import errno
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, structs

from runcancel.config.references import NOT_A_REGION, REGION, nearest
from runcancel.config.toml import hidden, record, wrong
from runcancel.errors import Refused, UsageError
from runcancel.guards.confirmation import ConfirmationRequirement, Level
from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import Ref
from runcancel.providers import PROVIDERS, provider

PATH = Path("/etc/runcancel/policy.toml")
"""Where the rules are. No flag, variable or configuration moves it."""

OWNERS = frozenset({0})
"""The users (numbers) whose rules count: whoever could change the file could lift it."""

ACTIONS = ("cancel", "disable", "enable")
"""What a rule can be about: runs are cancelled, what starts them is disabled and enabled."""

_LARGEST = 1024 * 1024  # bytes
_MOST_LINKS = 40  # as Linux has it
_ADMINISTRATOR = "the administrator of this machine"


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule; a run that fits every list that is given falls under it, without lists every run does.

    `over_runs` and `over_targets` let a rule begin only where a cancel sends more than so many that fall under it.
    """

    why: str
    actions: tuple[str, ...] | None = None
    contexts: tuple[str, ...] | None = None
    profiles: tuple[str, ...] | None = None
    accounts: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    over_runs: int | None = None
    over_targets: int | None = None


class SitePolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `contact` is who can change it."""

    contact: str = _ADMINISTRATOR
    deny: tuple[Rule, ...] = ()
    confirm: tuple[Rule, ...] = ()

    @property
    def asks_accounts(self) -> bool:
        """Whether a rule is about accounts, which only the clouds know."""
        return any(rule.accounts is not None for rule in self.rules)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules."""
        return (*self.deny, *self.confirm)

    @property
    def asks_contexts(self) -> bool:
        """Whether a rule is about contexts, which may name their account."""
        return any(rule.contexts is not None for rule in (*self.deny, *self.confirm))


_KEYS: Mapping[str, type[Struct]] = {"": SitePolicy, "deny": Rule, "confirm": Rule}


class Subject(Struct, frozen=True, kw_only=True):
    """One run that would be cancelled, as rules see it: where it is, by whatever name that was reached.

    `contexts` are all configured ones that lead there. `account` is None where it could not be found out.
    """

    run: Ref
    provider: str
    region: str
    kinds: tuple[str, ...]
    contexts: tuple[str, ...]
    profile: str
    account: str | None
    targets: int
    action: str = "cancel"


class Ruling(Struct, frozen=True, kw_only=True):
    """The result of one rule for one cancel, and the runs that match it. `position` is that of the rule: `deny[0]`."""

    denies: bool
    position: str
    why: str
    runs: tuple[Ref, ...]
    guessed: bool  # an account is not known, and might be the one that the rule is about


def read(file: Path | None = None, *, owners: Iterable[int] | None = None) -> SitePolicy:
    """The rules of `PATH`; none where there is no such file.

    Raises `Refused` for a file that cannot be read, understood or trusted: then nothing may be cancelled.
    """
    file = file or PATH
    try:
        text = _text(file, frozenset(OWNERS if owners is None else owners))
        policy = SitePolicy() if text is None else record(file, text, SitePolicy, _KEYS)
        _check(file, policy)
    except UsageError as error:
        raise Refused(
            f"the site policy cannot be read, so every cancel is refused: {error.message}",
            hint=f"{_ADMINISTRATOR} must correct {file}.   To preview: add --dry-run",
        ) from None
    return policy


def rulings(policy: SitePolicy, subjects: Sequence[Subject]) -> tuple[Ruling, ...]:
    """The results of the rules for a cancel of all these runs, in the order of the file, denials first."""
    matching = (
        _ruling(rule, f"{word}[{at}]", subjects, denies=word == "deny")
        for word, rules in (("deny", policy.deny), ("confirm", policy.confirm))
        for at, rule in enumerate(rules)
    )
    return tuple(ruling for ruling in matching if ruling is not None)


def may_match(policy: SitePolicy, subjects: Sequence[Subject]) -> bool:
    """Whether a rule is about one of these runs, however many there will be."""
    return any(_covers(rule, one) for rule in policy.rules for one in subjects)


def check(policy: SitePolicy, rulings: Sequence[Ruling]) -> None:
    """Raise `Refused` when a rule denies; the first one speaks."""
    ruling = next((one for one in rulings if one.denies), None)
    if ruling is not None:
        raise Refused(
            f"{_about(ruling)}: denied by the site policy: {ruling.why} ({_position(ruling)}); nothing was sent",
            hint=f"No option overrides this. Policy contact: {policy.contact}",
        )


def stricter(requirement: ConfirmationRequirement, rulings: Sequence[Ruling]) -> ConfirmationRequirement:
    """The same need, to be answered by typing a name or the number where a rule wants it confirmed."""
    confirm = tuple(one for one in rulings if not one.denies)
    if not confirm or not requirement.count:
        return requirement
    whys = dict.fromkeys(f"under site policy: {one.why} ({_position(one)})" for one in confirm)
    why = "; ".join([*([requirement.why] if requirement.why else []), *whys])
    return structs.replace(requirement, level=Level.TYPED, why=why)


def planned(items: Sequence[PlanItem], rulings: Sequence[Ruling]) -> tuple[PlanItem, ...]:
    """A plan with the results of the rules: a denied run is not sent, and a run to confirm has a note."""
    by_run: dict[Ref, list[Ruling]] = {}
    for one in rulings:
        for run in one.runs:
            by_run.setdefault(run, []).append(one)
    return tuple(_ruled(item, by_run.get(item.run, ())) for item in items)


def notes(policy: SitePolicy, rulings: Sequence[Ruling]) -> tuple[str, ...]:
    """The rulings as sentences beside a dry run."""
    denied = [
        f"{_about(one)}: denied by the site policy: {one.why} ({_position(one)})" for one in rulings if one.denies
    ]
    confirmations = [
        f"{_about(one)}: the site policy requires confirmation: {one.why}" for one in rulings if not one.denies
    ]
    if denied:
        denied.append(f"A cancel of these runs is refused as a whole. Policy contact: {policy.contact}")
    return (*denied, *confirmations)


def _ruling(rule: Rule, position: str, subjects: Sequence[Subject], *, denies: bool) -> Ruling | None:
    under = [one for one in subjects if _covers(rule, one)]
    if not under or not _begins(rule, under):
        return None
    return Ruling(
        denies=denies,
        position=position,
        why=rule.why,
        runs=tuple(one.run for one in under),
        guessed=rule.accounts is not None and any(one.account is None for one in under),
    )


def _covers(rule: Rule, one: Subject) -> bool:
    """Whether a run matches a rule. An unknown account matches."""
    tests: tuple[tuple[tuple[str, ...] | None, tuple[str, ...]], ...] = (
        (rule.actions, (one.action,)),
        (rule.contexts, one.contexts),
        (rule.profiles, (one.profile,)),
        (rule.providers, (one.provider,)),
        (rule.regions, (one.region,)),
        (rule.kinds, one.kinds),
        (rule.accounts if one.account is not None else None, (one.account or "",)),
    )
    return all(required is None or bool(set(required) & set(there)) for required, there in tests)


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
    return f"{ruling.position} of {PATH}{guessed}"


def _check(file: Path, policy: SitePolicy) -> None:
    """Check what the types do not."""
    if hidden(policy.contact):
        raise wrong(file, "contact", "is empty or not printable")
    for word, rules in (("deny", policy.deny), ("confirm", policy.confirm)):
        for at, rule in enumerate(rules):
            _check_rule(file, f"{word}[{at}]", rule)


def _check_rule(file: Path, position: str, rule: Rule) -> None:
    if hidden(rule.why):
        raise wrong(file, f"{position}.why", "is empty or not printable")
    for word in ("over_runs", "over_targets"):
        if (getattr(rule, word) or 0) < 0:
            raise wrong(file, f"{position}.{word}", "is negative")
    for word in ("actions", "contexts", "profiles", "accounts", "providers", "regions", "kinds"):
        names = getattr(rule, word)
        if names is not None:
            _check_names(file, f"{position}.{word}", word, names)


def _check_names(file: Path, position: str, word: str, names: Sequence[str]) -> None:
    """Refuse an empty list, which matches nothing, and an unknown word."""
    if not names:
        raise wrong(file, position, "is empty; remove the key to match all")
    known = {"actions": ACTIONS, "providers": tuple(PROVIDERS), "kinds": _kinds()}.get(word)
    for at, name in enumerate(names):
        if known is not None and name not in known:
            there = f"Expected one of: {', '.join(known)}{nearest(name, known)}"
            raise wrong(file, f"{position}[{at}]", f"is “{name}”. {there}")
        if word == "regions" and not REGION.fullmatch(name):
            raise wrong(file, f"{position}[{at}]", f"“{name}” {NOT_A_REGION}")
        if hidden(name):
            raise wrong(file, f"{position}[{at}]", "is empty or not printable")


def _kinds() -> tuple[str, ...]:
    return tuple(dict.fromkeys(kind.name for name in PROVIDERS for kind in provider(name).kinds))


def _text(file: Path, owners: frozenset[int]) -> str | None:
    """The text of the file; None only where there is nothing of that name."""
    try:
        real = _find(file, owners)
        data = None if real is None else _bytes(file, real, owners)
    except OSError as error:
        raise _unreadable(file, error.strerror or "for an unknown reason") from None
    if data is None:
        return None
    if len(data) > _LARGEST:
        raise _unreadable(file, f"it is larger than {_LARGEST >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable(file, "it is not UTF-8 text") from None


def _find(file: Path, owners: frozenset[int]) -> Path | None:
    """Where the file really is; None where there is nothing of that name and no link has been followed.

    Every folder on the way, also behind links, has to be trusted: who may write there may put another in its place.
    """
    at, left, links = Path(file.anchor), list(file.parts[1:]), 0
    while left:
        name = left.pop(0)
        if name == "..":
            at = at.parent
            continue
        try:
            about = (at / name).lstat()
        except FileNotFoundError:
            if not links:
                return None
            raise _unreadable(file, "it is a broken link") from None
        _trust(file, at, at.stat(), owners | {0})
        at /= name
        if stat.S_ISLNK(about.st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            _own(file, at, about, owners | {0})
            target = at.readlink()
            at = Path(target.anchor) if target.is_absolute() else at.parent
            left = [*target.parts[1 if target.is_absolute() else 0 :], *left]
    return at


def _bytes(file: Path, real: Path, owners: frozenset[int]) -> bytes:
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)  # a pipe must not hold us
    with os.fdopen(descriptor, "rb") as opened:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise _unreadable(file, "it is not a regular file")
        _trust(file, file, about, owners)
        for folder in dict.fromkeys((file.parent, real.parent)):
            _trust(file, folder, folder.stat(), owners)
        return opened.read(_LARGEST + 1)


def _trust(file: Path, what: Path, about: os.stat_result, owners: frozenset[int]) -> None:
    _own(file, what, about, owners)
    sticky = stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_ISVTX
    if about.st_mode & 0o022 and not sticky:
        raise _unreadable(file, f"{what} is writable by others (mode {stat.S_IMODE(about.st_mode):04o})")


def _own(file: Path, what: Path, about: os.stat_result, owners: frozenset[int]) -> None:
    if about.st_uid not in owners:
        raise _unreadable(file, f"{what} belongs to user {about.st_uid}, not to root")


def _unreadable(file: Path, why: str) -> UsageError:
    return UsageError(f"{file} is not a readable policy: {why}; nothing was sent")
