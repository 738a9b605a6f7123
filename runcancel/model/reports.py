"""Records that verbs print besides runs: contexts, settings, access policies, scopes, files."""

from datetime import datetime
from typing import Any

from msgspec import Struct


class ContextRow(Struct, frozen=True, kw_only=True):
    """A configured context as `contexts list` prints it."""

    name: str
    provider: str
    profile: str | None
    regions: tuple[str, ...]
    account: str | None
    role_arn: str | None
    source_profile: str | None
    protected: bool
    default: bool
    groups: tuple[str, ...]


class ContextChange(Struct, frozen=True, kw_only=True):
    """What an import changes about one context: `added`, `changed`, `missing` (kept, but not in the source any more).

    `skipped`: its account is in another context. `details` has the keys that change, or the reason.
    """

    name: str
    change: str
    provider: str
    account: str | None
    role_arn: str | None
    details: tuple[str, ...]


class GroupRow(Struct, frozen=True, kw_only=True):
    """A group of contexts as `contexts groups` prints it. `default`: whether it is used when nothing is named."""

    name: str
    contexts: tuple[str, ...]
    default: bool


class SettingRow(Struct, frozen=True, kw_only=True):
    """One value that decides where a connection leads, and where it was found."""

    context: str | None
    provider: str
    key: str
    value: str | None
    origin: str


class AccessPolicy(Struct, frozen=True, kw_only=True):
    """What one provider has to allow, in its own language, and what that language could not say."""

    provider: str
    read_only: bool
    policy: dict[str, Any]
    notes: tuple[str, ...]


class PermissionCheck(Struct, frozen=True, kw_only=True):
    """What is known to be permitted for one kind of run; None: not known.

    `cancel` is known only from a cancel that was accepted or denied, at `cancel_seen_at`.
    """

    kind: str
    list: bool | None
    read: bool | None
    cancel: bool | None = None
    cancel_seen_at: datetime | None = None


class TriggerCheck(Struct, frozen=True, kw_only=True):
    """What is known to be permitted for one kind of trigger; None: not known, because it was not tried.

    `disable` and `enable` are known only from a request that was accepted or denied, at `…_seen_at`. `switchable`:
    whether runcancel disables and enables triggers of the kind at all. `denied` has the vendor's operations that were
    refused.
    """

    kind: str
    switchable: bool
    list: bool | None
    read: bool | None
    disable: bool | None = None
    disable_seen_at: datetime | None = None
    enable: bool | None = None
    enable_seen_at: datetime | None = None
    denied: tuple[str, ...] = ()


class ScopeCheck(Struct, frozen=True, kw_only=True):
    """How one scope is reached and what it answers. Null: not known, or there is none.

    `scope` is the text form, the provider alone where there is no region. `key` holds the last four characters of the
    key's id. `clock_skew`: seconds by which the cloud's clock is ahead of ours, to a second. `latency`: seconds of the
    latest answer. `remark`: what stands in the way.
    """

    scope: str
    provider: str
    context: str | None
    region: str | None
    region_origin: str | None
    configured: bool
    ok: bool
    account: str | None = None
    principal: str | None = None
    credentials: str | None = None
    key: str | None = None
    endpoint: str | None = None
    endpoint_origin: str | None = None
    proxy: str | None = None
    clock_skew: float | None = None
    latency: float | None = None
    permissions: tuple[PermissionCheck, ...] = ()
    triggers: tuple[TriggerCheck, ...] = ()
    remark: str | None = None

    @property
    def clock_is_wrong(self) -> bool:
        """Whether the difference is worth a correction: most clouds refuse what is signed five minutes off."""
        return self.clock_skew is not None and abs(self.clock_skew) >= _WRONG_CLOCK


_WRONG_CLOCK = 300.0  # seconds


class FileCheck(Struct, frozen=True, kw_only=True):
    """A file of this program: whether it is there and what can be done with it. `mode` as in `0600`."""

    name: str
    path: str
    exists: bool
    readable: bool
    writable: bool
    mode: str | None
    problem: str | None
