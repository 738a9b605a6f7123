"""The columns of contexts, settings, access policies and checks."""

from collections.abc import Mapping
from typing import Any

import msgspec

from runcancel.model.reports import AccessPolicy, ContextRow, GroupRow, ScopeCheck, SettingRow
from runcancel.render.column import Column
from runcancel.render.screens import doctor
from runcancel.text import safe


def _yes(value: bool) -> str:
    return "yes" if value else ""


def _list(values: tuple[str, ...]) -> str:
    """Names with room to wrap between them."""
    return ", ".join(map(safe, values))


_CONTEXT: tuple[Column[ContextRow], ...] = (
    Column("name", "CONTEXT", reference=True, is_key=True),
    Column("provider"),
    Column("profile"),
    Column("regions", shrinkable=True),
    Column("account"),
    Column("role_arn", "ROLE", wide=True),
    Column("source_profile", "SOURCE PROFILE", wide=True),
    Column("protected", format=_yes),
    Column("default", "DEFAULT", format=_yes),
    Column("groups", format=_list),
)

_GROUP: tuple[Column[GroupRow], ...] = (
    Column("name", "GROUP", reference=True, is_key=True),
    Column("contexts", format=_list),
    Column("default", "DEFAULT", format=_yes),
)

_SETTING: tuple[Column[SettingRow], ...] = (
    Column("context"),
    Column("provider"),
    Column("key"),
    Column("value", shrinkable=True),
    Column("origin", "SOURCE"),
)

_POLICY: tuple[Column[AccessPolicy], ...] = (
    Column("provider", is_key=True),
    Column("policy", value=lambda one: msgspec.json.encode(one.policy).decode()),
    Column("notes"),
)

_SCOPE: tuple[Column[ScopeCheck], ...] = (
    Column("scope", reference=True, is_key=True),
    Column("principal", "IDENTITY"),
    Column("credentials", show=lambda one, _: doctor.credentials(one)),
    Column("clock_skew", "CLOCK", show=lambda one, _: doctor.clock(one)),
    Column("latency", "LATENCY", format=lambda seconds: f"{seconds * 1000:.0f} ms", right=True),
    Column("can", "PERMITTED", value=doctor.can),
    Column("remark", shrinkable=True),
    Column("ok", wide=True),
    Column("configured", wide=True),
    Column("account", wide=True),
    Column("key", wide=True),
    Column("region", wide=True),
    Column("region_origin", "REGION FROM", wide=True),
    Column("endpoint", wide=True),
    Column("endpoint_origin", "ENDPOINT FROM", wide=True),
    Column("proxy", wide=True),
    Column("triggers", value=doctor.on_triggers),
)

COLUMNS: Mapping[type, tuple[Column[Any], ...]] = {
    ContextRow: _CONTEXT,
    GroupRow: _GROUP,
    SettingRow: _SETTING,
    AccessPolicy: _POLICY,
    ScopeCheck: _SCOPE,
}
