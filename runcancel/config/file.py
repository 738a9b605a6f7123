"""The user's configuration: contexts, groups, caps and the team's journal, in one TOML file."""

import os
import re
import shlex
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct, structs

from runcancel.config import folders
from runcancel.config.references import NOT_A_REGION, REGION, nearest
from runcancel.config.toml import hidden, key_of, record, unselectable, wrong
from runcancel.errors import CloudError, UsageError
from runcancel.model.outcomes import Limits
from runcancel.providers import PROVIDERS, provider
from runcancel.text import words_of_shell

NOT_AN_ACCOUNT = 'an account is a number in quotes, as in "111122223333"'
LARGEST = 8 << 20  # bytes of a configuration: ten thousand accounts


class Context(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named way to connect: a provider, the vendor's own profile, and regions ("all" for every one)."""

    provider: str
    profile: str | None = None
    regions: tuple[str, ...] = ()
    endpoint_url: str | None = None
    sts_endpoint_url: str | None = None
    site: str | None = None
    protected: bool = False
    account: str | None = None  # whose runs are there; the caller's identity is then read
    role_arn: str | None = None  # is assumed with the credentials of `source_profile`, else of the environment
    role_chain: tuple[str, ...] = ()  # roles that are assumed one after another before `role_arn`
    external_id: str | None = None
    source_profile: str | None = None
    tags: tuple[str, ...] = ()  # groups that the context is in besides those of `groups`
    imported_from: str | None = None  # the source that made it: an import changes the contexts of its own source alone

    @property
    def vendor_profile(self) -> str | None:
        """The vendor's own profile whose credentials sign, or assume the role; None: the vendor's default chain."""
        return self.profile if self.role_arn is None else self.source_profile


class LimitSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Caps that hold besides those of the command line: the lower one counts."""

    max_runs: int | None = None
    max_targets: int | None = None
    max_triggers: int | None = None

    @property
    def limits(self) -> Limits:
        """The limits of a cancel, which no option raises."""
        return Limits(max_runs=self.max_runs, max_targets=self.max_targets)

    @property
    def trigger_limits(self) -> Limits:
        """The limits of a change of triggers, which no option raises."""
        return Limits(max_runs=self.max_triggers)


class JournalSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where operations are recorded besides the file of this machine: the URL of a team's PostgreSQL."""

    url: str | None = None


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `default` names what is used when nothing is named on the command line."""

    default: tuple[str, ...] = ()
    contexts: dict[str, Context] = {}
    groups: dict[str, tuple[str, ...]] = {}
    caps: LimitSettings = LimitSettings()
    journal: JournalSettings = JournalSettings()

    @property
    def all_groups(self) -> dict[str, tuple[str, ...]]:
        """The groups of the file, one for each tag of contexts, and one for each sort of import.

        One of several kinds has the contexts of all.
        """
        members: dict[str, dict[str, None]] = {group: dict.fromkeys(names) for group, names in self.groups.items()}
        for name, context in self.contexts.items():
            sort = (context.imported_from or "").partition(" ")[0]
            for group in (*context.tags, *([sort] if sort and sort not in self.contexts else [])):
                members.setdefault(group, {})[name] = None
        return {group: tuple(names) for group, names in members.items()}

    def expand(self, names: Iterable[str]) -> tuple[str, ...]:
        """The contexts of names and groups, in order, each once.

        Raises `UsageError` for a name that is neither, and for an empty group: nothing must not mean everything.
        """
        expanded: dict[str, None] = {}
        groups = self.all_groups
        for name in names:
            if name not in self.contexts and name not in groups:
                names_there = (*self.contexts, *groups)
                there = f"Expected one of: {', '.join(names_there)}" if names_there else "None is configured"
                raise UsageError(
                    f"no context or group “{name}”. {there}{nearest(name, names_there)}; nothing was sent",
                    hint=f"To use a profile of the vendor: {words_of_shell('--profile', name)}",
                )
            members = groups.get(name, (name,))
            if not members:
                raise UsageError(f"the group “{name}” has no contexts; nothing was sent")
            expanded |= dict.fromkeys(members)
        return tuple(expanded)


_TEXTS = (
    *("profile", "endpoint_url", "sts_endpoint_url", "site"),
    *("account", "role_arn", "external_id", "source_profile", "imported_from"),
)
_EXTERNAL_ID = r"(?a)[\w+=,.@:/-]{2,1224}"

_KEYS: Mapping[str, type[Struct]] = {"": Config, "contexts": Context, "caps": LimitSettings, "journal": JournalSettings}
"""The keys that the file may have, by the first word of their position."""


def path(environ: Mapping[str, str]) -> Path:
    """Where the file is: `config.toml` in the user's configuration directory."""
    return folders.configuration(environ) / "config.toml"


def load(file: Path) -> Config:
    """Read the file; a missing one is empty.

    Raises `UsageError`: for TOML that cannot be read with its line, for anything else with the whole path of the key.
    """
    text = text_of(file)
    return Config() if text is None else read(file, text)


def read(file: Path, text: str) -> Config:
    """The text of the file as its record. Raises `UsageError`."""
    config = record(file, text, Config, _KEYS, choices={"provider": PROVIDERS})
    check(file, config)
    return config


def check(file: Path, config: Config) -> None:
    """Raise `UsageError` for what the types do not check."""
    _check_names(file, config)
    for name, context in config.contexts.items():
        check_context(file, f"contexts.{key_of(name)}", context)
    for group, members in config.groups.items():
        key = f"groups.{key_of(group)}"
        if group in config.contexts:
            raise wrong(file, key, "is also the name of a context")
        for index, member in enumerate(members):
            if member not in config.contexts:
                raise wrong(file, f"{key}[{index}]", f"names no context “{member}”{nearest(member, config.contexts)}")
    names = (*config.contexts, *config.all_groups)
    for index, name in enumerate(config.default):
        if name not in names:
            raise wrong(file, f"default[{index}]", f"names no context or group “{name}”{nearest(name, names)}")
    _check_rest(file, config)


def remarks(file: Path, config: Config) -> tuple[str, ...]:
    """A sentence for each context and group that `-c` cannot name: no command of this program has made it."""
    names = [name for name in (*config.contexts, *config.all_groups) if unselectable(name)]
    rule = "a name has no comma, no outer spaces and no - at its beginning"
    return tuple(f"“{name}” in {file} cannot be selected with -c: {rule}. Rename it in that file" for name in names)


def _check_rest(file: Path, config: Config) -> None:
    for key, cap in structs.asdict(config.caps).items():
        if cap is not None and cap < 0:
            raise wrong(file, f"caps.{key}", "is negative")
    if config.journal.url is not None:
        from runcancel.config import journal_url

        what = journal_url.problem(config.journal.url)
        if what is not None:
            raise wrong(file, "journal.url", what)


def _check_names(file: Path, config: Config) -> None:
    for table, names in (("contexts", config.contexts), ("groups", config.groups)):
        for name in names:
            if hidden(name):
                raise wrong(file, f"{table}.{key_of(name)}", "is a name that is empty or not printable")
    for name, context in config.contexts.items():
        tag = next((tag for tag in context.tags if hidden(tag) or tag in config.contexts), None)
        if tag is not None:
            raise wrong(file, f"contexts.{key_of(name)}.tags", f"has “{tag}”, which cannot be the name of a group")


def text_of(file: Path) -> str | None:
    """The text of the file, None where there is none. Raises `UsageError`, also for a link or a pipe."""
    try:
        if file.is_symlink():
            raise UsageError(
                f"{file} is a link, which is refused; nothing was sent",
                hint="put the file itself there; the folder may be a link, and so may XDG_CONFIG_HOME",
            )
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
            about = os.fstat(opened.fileno())
            if stat.S_ISFIFO(about.st_mode):
                raise UsageError(f"{file} is not a file; nothing was sent")
            _check_writers(file, about.st_uid)
            data = opened.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}; nothing was sent") from None
    if len(data) > LARGEST:
        raise UsageError(f"{file} is larger than {LARGEST >> 20} MiB; nothing was sent")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text; nothing was sent") from None


def _check_writers(file: Path, owner: int) -> None:
    """Raise `UsageError` if another user can change what is cancelled."""
    if owner not in (0, os.geteuid()) and os.geteuid() != 0:  # root reads what `sudo -E` leads to
        raise UsageError(f"{file} belongs to another user (uid {owner}); nothing was sent")
    shared = folders.writable_by_all(file.resolve())
    if shared is not None:
        raise UsageError(
            f"the configuration is not used: {shared} is writable by every user; nothing was sent",
            hint=f"check its content, then: chmod o-w {shlex.quote(str(shared))}",
        )


def unusable(context: Context) -> tuple[str, str] | None:
    """The key of a context whose account or role cannot be used, and why; None where both can."""
    role = context.role_arn
    if context.account is not None and not provider(context.provider).account_pattern.fullmatch(context.account):
        return "account", f"is “{context.account}”: {NOT_AN_ACCOUNT}"
    if role is None:
        word = next((word for word in ("external_id", "source_profile", "role_chain") if getattr(context, word)), None)
        return None if word is None else (word, "needs role_arn")
    return next(_of_role(context, role), None)


def _of_role(context: Context, role: str) -> Iterator[tuple[str, str]]:
    """What is wrong with the role of a context: keys, each with why."""
    cloud = provider(context.provider)
    for key, arn in (("role_arn", role), *((f"role_chain[{at}]", one) for at, one in enumerate(context.role_chain))):
        match = cloud.role_pattern.fullmatch(arn) if cloud.role_pattern else None
        if cloud.role_pattern is None:
            yield key, f"is not supported: {cloud.title} has no roles"
        elif match is None:
            yield key, f"is “{arn}”, which is not a role of {cloud.title}. Expected {cloud.role_example}"
        elif key == "role_arn" and context.account not in (None, match[1]):
            yield key, f"is a role of account {match[1]}, and account is “{context.account}”"
    if context.profile is not None:
        yield "profile", "excludes role_arn: the profile that assumes the role is source_profile"
    if context.external_id is not None and not re.fullmatch(_EXTERNAL_ID, context.external_id):
        yield "external_id", "is not an external id: 2 to 1224 letters, digits and +=,.@:/_-"


def check_context(file: Path, key: str, context: Context) -> None:
    """Raise `UsageError` for what the types of a context do not check. `key`: where it stands in the file."""
    if context.provider not in PROVIDERS:
        there = f"Expected one of: {', '.join(PROVIDERS)}{nearest(context.provider, PROVIDERS)}"
        raise wrong(file, f"{key}.provider", f"is “{context.provider}”. {there}")
    for word in _TEXTS:
        value = getattr(context, word)
        if value is not None and hidden(value):
            raise wrong(file, f"{key}.{word}", "is empty or not printable; remove the key")
    problem = unusable(context)
    if problem is not None:
        raise wrong(file, f"{key}.{problem[0]}", problem[1])
    for index, region in enumerate(context.regions):
        if region != "all" and not REGION.fullmatch(region):
            raise wrong(file, f"{key}.regions[{index}]", f"“{region}” {NOT_A_REGION}; or “all”")
    for word, url in (("endpoint_url", context.endpoint_url), ("sts_endpoint_url", context.sts_endpoint_url)):
        if url is not None:
            _check_endpoint(file, f"{key}.{word}", url)


def _check_endpoint(file: Path, key: str, url: str) -> None:
    from runcancel.providers.common.http import Endpoint

    try:
        Endpoint.of(url)
    except CloudError as error:
        raise UsageError(f"{file}: {key}: {error.message}") from None
