"""The rules of the site: what is denied on this machine and what must be confirmed, for every caller."""

import errno
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from runcancel.config.references import NOT_A_REGION, REGION, nearest
from runcancel.config.toml import hidden, record, wrong
from runcancel.errors import Refused, UsageError
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


def may_match(policy: SitePolicy, subjects: Sequence[Subject]) -> bool:
    """Whether a rule is about one of these runs, however many there will be."""
    return any(covers(rule, one) for rule in policy.rules for one in subjects)


def covers(rule: Rule, one: Subject) -> bool:
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
    words = {"actions": ACTIONS, "providers": tuple(PROVIDERS), "kinds": _kinds()}.get(word)
    for at, name in enumerate(names):
        if words is not None and name not in words:
            there = f"Expected one of: {', '.join(words)}{nearest(name, words)}"
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
    at, parts, links = Path(file.anchor), list(file.parts[1:]), 0
    while parts:
        name = parts.pop(0)
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
            parts = [*target.parts[1 if target.is_absolute() else 0 :], *parts]
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
