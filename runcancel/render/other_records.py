"""Records that are no runs (contexts, settings, policies, checks, reports): their columns, documents and lines."""

from collections.abc import Mapping
from typing import Any

import msgspec

from runcancel.model.incident import IncidentReport
from runcancel.model.reports import AccessPolicy, ContextChange, ContextRow, FileCheck, GroupRow, ScopeCheck, SettingRow
from runcancel.render.column import Column
from runcancel.render.documents import Envelope, LineForm
from runcancel.render.screens import doctor
from runcancel.render.screens.words import pairs
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

_CHANGE: tuple[Column[ContextChange], ...] = (
    Column("name", "CONTEXT", reference=True, is_key=True),
    Column("change"),
    Column("account"),
    Column("details", format=_list, shrinkable=True),
    Column("provider", wide=True),
    Column("role_arn", "ROLE", wide=True),
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

_REPORT: tuple[Column[IncidentReport], ...] = (
    Column("operations", value=lambda one: tuple(each.id for each in one.operations), is_key=True),
    Column("started_at", "STARTED"),
    Column("ended_at", "ENDED"),
    Column("finished", format=_yes),
    Column("verdicts", "RUNS", value=lambda one: pairs(one.verdicts)),
    Column("effects", "TARGETS", value=lambda one: pairs(one.effects)),
)
"""For machines: people read a report as a document."""

COLUMNS: Mapping[type, tuple[Column[Any], ...]] = {
    ContextRow: _CONTEXT,
    ContextChange: _CHANGE,
    GroupRow: _GROUP,
    SettingRow: _SETTING,
    AccessPolicy: _POLICY,
    ScopeCheck: _SCOPE,
    IncidentReport: _REPORT,
}

DOCUMENTS: Mapping[str, Envelope] = {
    "report": Envelope(
        verb="report",
        key="reports",
        record=IncidentReport,
        about="Output of `report`: one report over all the operations that were named.",
    ),
    "contexts": Envelope(
        verb="contexts",
        key="contexts",
        record=ContextRow,
        about="Output of `contexts list`, add, rename, remove and use.",
    ),
    "imports": Envelope(
        verb="contexts", key="changes", record=ContextChange, about="Output of `contexts import`: what it changes."
    ),
    "groups": Envelope(
        verb="contexts", key="groups", record=GroupRow, about="Output of `contexts groups`, its add and its remove."
    ),
    "settings": Envelope(verb="contexts", key="settings", record=SettingRow, about="Output of `contexts show`."),
    "permissions": Envelope(verb="permissions", key="policies", record=AccessPolicy, about="Output of `permissions`."),
    "doctor": Envelope(
        verb="doctor",
        key="scopes",
        record=ScopeCheck,
        after={"files": tuple[FileCheck, ...]},
        about="Output of `doctor`.",
    ),
}

LINES: Mapping[type[msgspec.Struct], LineForm] = {
    IncidentReport: LineForm("report", "An incident report on its own line."),
    ContextRow: LineForm("context", "A context on its own line.", reference="name"),
    ContextChange: LineForm("change", "A change of a context on its own line.", reference="name"),
    GroupRow: LineForm("group", "A group of contexts on its own line.", reference="name"),
    SettingRow: LineForm("setting", "A value on its own line.", reference="value"),
    AccessPolicy: LineForm("policy", "A policy on its own line.", reference="provider"),
    ScopeCheck: LineForm("scope", "The checks of one scope, on their own line.", reference="scope"),
    FileCheck: LineForm("file", "The checks of one file, on their own line."),
}
