"""The JSON contract: one envelope per verb, the lines of jsonl, and the schemas of both."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import msgspec
from msgspec import Struct

from runcancel.model import (
    AccessPolicy,
    ContextRow,
    FileCheck,
    Identity,
    Invocation,
    Operation,
    Outcome,
    PlanItem,
    Problem,
    Run,
    ScopeCheck,
    SettingRow,
)
from runcancel.outputs import Output
from runcancel.text import is_plain, safe

Record: TypeAlias = (
    Run | Invocation | Output | PlanItem | Outcome | Operation | ContextRow | SettingRow | AccessPolicy | ScopeCheck
)
"""What a verb answers with, row by row."""

Version: TypeAlias = Literal["1.0"]
FORMAT_VERSION: Version = "1.0"


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks in one scope; null where it is not known. `scope` is the text form."""

    scope: str
    account: str | None
    principal: str | None

    @classmethod
    def of(cls, scope: object, identity: Identity | None) -> Self:
        """The caller of a scope, given as `Scope` or as its text."""
        if identity is None:
            return cls(scope=str(scope), account=None, principal=None)
        return cls(scope=str(scope), account=identity.account, principal=identity.principal)


class End(Struct, frozen=True, kw_only=True):
    """What is known when the last record has come. `notes` are whole sentences for people, on stderr."""

    exit_code: int
    errors: tuple[Problem, ...] = ()
    complete: bool = True
    operation: str | None = None
    identities: tuple[Caller, ...] = ()
    operations: tuple[Operation, ...] = ()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    notes: tuple[str, ...] = ()
    files: tuple[FileCheck, ...] = ()


class StatusDocument(Struct, frozen=True, kw_only=True):
    """The answer of `status`."""

    format_version: Version
    verb: Literal["status"]
    operation: str | None
    runs: tuple[Run, ...]
    errors: tuple[Problem, ...]
    complete: bool


class ListDocument(Struct, frozen=True, kw_only=True):
    """The answer of `list`."""

    format_version: Version
    verb: Literal["list"]
    operation: str | None
    runs: tuple[Run, ...]
    errors: tuple[Problem, ...]
    complete: bool


class WaitDocument(Struct, frozen=True, kw_only=True):
    """The answer of `wait`: the runs as they were seen last."""

    format_version: Version
    verb: Literal["wait"]
    operation: str | None
    runs: tuple[Run, ...]
    errors: tuple[Problem, ...]
    complete: bool


class InvocationsDocument(Struct, frozen=True, kw_only=True):
    """The answer of `invocations`."""

    format_version: Version
    verb: Literal["invocations"]
    operation: str | None
    invocations: tuple[Invocation, ...]
    errors: tuple[Problem, ...]
    complete: bool


class LogsDocument(Struct, frozen=True, kw_only=True):
    """The answer of `logs`."""

    format_version: Version
    verb: Literal["logs"]
    operation: str | None
    outputs: tuple[Output, ...]
    errors: tuple[Problem, ...]
    complete: bool


class PlanDocument(Struct, frozen=True, kw_only=True):
    """The answer of `cancel --dry-run`, and what `--plan` takes. Times are null when no plan came about."""

    format_version: Version
    verb: Literal["cancel"]
    operation: str | None
    created_at: datetime | None
    expires_at: datetime | None
    identities: tuple[Caller, ...]
    plan: tuple[PlanItem, ...]
    errors: tuple[Problem, ...]
    complete: bool


class CancelDocument(Struct, frozen=True, kw_only=True):
    """The answer of `cancel`."""

    format_version: Version
    verb: Literal["cancel"]
    operation: str | None
    outcomes: tuple[Outcome, ...]
    errors: tuple[Problem, ...]
    complete: bool


class HistoryDocument(Struct, frozen=True, kw_only=True):
    """The answer of `history`."""

    format_version: Version
    verb: Literal["history"]
    operation: str | None
    operations: tuple[Operation, ...]
    errors: tuple[Problem, ...]
    complete: bool


class OperationDocument(Struct, frozen=True, kw_only=True):
    """The answer of `history ID`: the operation, and what became of its runs."""

    format_version: Version
    verb: Literal["history"]
    operation: str | None
    operations: tuple[Operation, ...]
    outcomes: tuple[Outcome, ...]
    errors: tuple[Problem, ...]
    complete: bool


class ContextsDocument(Struct, frozen=True, kw_only=True):
    """The answer of `contexts list`, and of what changes the list."""

    format_version: Version
    verb: Literal["contexts"]
    operation: str | None
    contexts: tuple[ContextRow, ...]
    errors: tuple[Problem, ...]
    complete: bool


class SettingsDocument(Struct, frozen=True, kw_only=True):
    """The answer of `contexts show`."""

    format_version: Version
    verb: Literal["contexts"]
    operation: str | None
    settings: tuple[SettingRow, ...]
    errors: tuple[Problem, ...]
    complete: bool


class PoliciesDocument(Struct, frozen=True, kw_only=True):
    """The answer of `permissions`."""

    format_version: Version
    verb: Literal["permissions"]
    operation: str | None
    policies: tuple[AccessPolicy, ...]
    errors: tuple[Problem, ...]
    complete: bool


class DoctorDocument(Struct, frozen=True, kw_only=True):
    """The answer of `doctor`."""

    format_version: Version
    verb: Literal["doctor"]
    operation: str | None
    scopes: tuple[ScopeCheck, ...]
    files: tuple[FileCheck, ...]
    errors: tuple[Problem, ...]
    complete: bool


class ErrorDocument(Struct, frozen=True, kw_only=True):
    """Any document of a command that failed before it had anything to list; the verb's own list, if any, is empty."""

    format_version: Version
    verb: str | None
    operation: str | None
    errors: tuple[Problem, ...]
    complete: Literal[False]


Document: TypeAlias = (
    StatusDocument
    | ListDocument
    | WaitDocument
    | InvocationsDocument
    | LogsDocument
    | PlanDocument
    | CancelDocument
    | HistoryDocument
    | OperationDocument
    | ContextsDocument
    | SettingsDocument
    | PoliciesDocument
    | DoctorDocument
    | ErrorDocument
)


class RunLine(Run, frozen=True, kw_only=True, tag_field="type", tag="run"):
    """A run on its own line."""


class InvocationLine(Invocation, frozen=True, kw_only=True, tag_field="type", tag="invocation"):
    """An invocation on its own line."""


class OutputLine(Output, frozen=True, kw_only=True, tag_field="type", tag="output"):
    """What one invocation wrote, on its own line."""


class PlanLine(PlanItem, frozen=True, kw_only=True, tag_field="type", tag="plan"):
    """What a cancel would do to one run, on its own line."""


class OutcomeLine(Outcome, frozen=True, kw_only=True, tag_field="type", tag="outcome"):
    """What became of one run, on its own line."""


class OperationLine(Operation, frozen=True, kw_only=True, tag_field="type", tag="operation"):
    """An operation on its own line."""


class ContextLine(ContextRow, frozen=True, kw_only=True, tag_field="type", tag="context"):
    """A context on its own line."""


class SettingLine(SettingRow, frozen=True, kw_only=True, tag_field="type", tag="setting"):
    """A value on its own line."""


class PolicyLine(AccessPolicy, frozen=True, kw_only=True, tag_field="type", tag="policy"):
    """A policy on its own line."""


class ScopeLine(ScopeCheck, frozen=True, kw_only=True, tag_field="type", tag="scope"):
    """How one scope is, on its own line."""


class FileLine(FileCheck, frozen=True, kw_only=True, tag_field="type", tag="file"):
    """How one file is, on its own line."""


class ErrorLine(Problem, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """An error on its own line."""


class EndLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="end"):
    """The last line: a stream without it was cut off."""

    format_version: Version
    verb: str
    operation: str | None
    complete: bool
    exit_code: int


Line: TypeAlias = (
    RunLine
    | InvocationLine
    | OutputLine
    | PlanLine
    | OutcomeLine
    | OperationLine
    | ContextLine
    | SettingLine
    | PolicyLine
    | ScopeLine
    | FileLine
    | ErrorLine
    | EndLine
)

SCHEMAS: Mapping[str, Any] = {
    "status": StatusDocument,
    "list": ListDocument,
    "wait": WaitDocument,
    "invocations": InvocationsDocument,
    "logs": LogsDocument,
    "plan": PlanDocument,
    "cancel": CancelDocument,
    "history": HistoryDocument,
    "operation": OperationDocument,
    "contexts": ContextsDocument,
    "settings": SettingsDocument,
    "permissions": PoliciesDocument,
    "doctor": DoctorDocument,
    "error": ErrorDocument,
    "jsonl": Line,
}
"""Everything that `schema` can be asked for."""

_TAGS: Mapping[type, str] = {
    Run: "run",
    Invocation: "invocation",
    Output: "output",
    PlanItem: "plan",
    Outcome: "outcome",
    Operation: "operation",
    ContextRow: "context",
    SettingRow: "setting",
    AccessPolicy: "policy",
    ScopeCheck: "scope",
    FileCheck: "file",
    Problem: "error",
}
_DOCUMENTS: Mapping[str, tuple[type[Document], str, type[Record]]] = {
    "status": (StatusDocument, "runs", Run),
    "list": (ListDocument, "runs", Run),
    "wait": (WaitDocument, "runs", Run),
    "invocations": (InvocationsDocument, "invocations", Invocation),
    "logs": (LogsDocument, "outputs", Output),
    "plan": (PlanDocument, "plan", PlanItem),
    "cancel": (CancelDocument, "outcomes", Outcome),
    "history": (HistoryDocument, "operations", Operation),
    "operation": (OperationDocument, "outcomes", Outcome),
    "contexts": (ContextsDocument, "contexts", ContextRow),
    "settings": (SettingsDocument, "settings", SettingRow),
    "permissions": (PoliciesDocument, "policies", AccessPolicy),
    "doctor": (DoctorDocument, "scopes", ScopeCheck),
}
_MAY_BE_ABSENT = frozenset({"parameters"})


def document(name: str, records: Sequence[Record], end: End) -> Document:
    """The document of that name (a verb, or `plan`); an `ErrorDocument` where the name has none of its own."""
    common: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "operation": end.operation,
        "errors": end.errors,
        "complete": end.complete,
    }
    if name not in _DOCUMENTS:
        return ErrorDocument(**common | {"verb": name or None, "complete": False})
    kind, key, _ = _DOCUMENTS[name]
    if kind is PlanDocument:
        common |= {"created_at": end.created_at, "expires_at": end.expires_at, "identities": end.identities}
    if kind is OperationDocument:
        common |= {"operations": end.operations}
    if kind is DoctorDocument:
        common |= {"files": end.files}
    return kind(**common | {"verb": verb_of(name), key: tuple(records)})


def verb_of(name: str) -> str:
    """The verb that a document of that name is an answer of."""
    return {"plan": "cancel", "operation": "history", "settings": "contexts"}.get(name, name)


def record_of(name: str) -> type[Record] | None:
    """What a document of that name lists; None where the name has no document of its own."""
    return _DOCUMENTS[name][2] if name in _DOCUMENTS else None


def encode(value: object) -> str:
    """A record or JSON data on one line. What would not show as itself is `\\uXXXX`; a lone surrogate becomes text."""
    return _plain(_json(value).decode())


def pretty(value: object) -> str:
    """The same, indented."""
    return msgspec.json.format(encode(value), indent=2)


def line(record: Record | FileCheck | Problem) -> str:
    """A record as a line of jsonl, without its line feed."""
    return f'{{"type":"{_TAGS[type(record)]}",{encode(record)[1:]}'


def end_line(name: str, end: End) -> str:
    """The last line of jsonl."""
    return encode(
        EndLine(
            format_version=FORMAT_VERSION,
            verb=verb_of(name),
            operation=end.operation,
            complete=end.complete,
            exit_code=end.exit_code,
        )
    )


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one output. Raises KeyError for a name that is not in `SCHEMAS`."""
    kind = SCHEMAS[name]
    (root,), parts = msgspec.json.schema_components((kind,), ref_template="#/$defs/{name}")
    for part in parts.values():
        _tighten(part)
    top = parts.pop(root["$ref"].rpartition("/")[2]) if "$ref" in root else root
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"runcancel {name}"}
    return head | {key: value for key, value in top.items() if key != "title"} | {"$defs": parts}


def schema_text(name: str) -> str:
    """The schema as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema(name), order="deterministic"), indent=2).decode() + "\n"


def schema_file(name: str) -> Path:
    """Where the schema is shipped."""
    return Path(__file__).parents[1] / "schemas" / f"{name}.json"


def write_schemas(names: Iterable[str] = SCHEMAS) -> None:
    """Write the shipped files anew: `python -m runcancel.render.documents`."""
    for name in names:
        schema_file(name).write_text(schema_text(name), encoding="utf-8")


def _tighten(part: dict[str, Any]) -> None:
    """Say what the generator leaves out: every key is always there, times are RFC 3339, counts are by state."""
    properties = part.get("properties", {})
    if properties:
        part["required"] = [key for key in properties if key not in _MAY_BE_ABSENT]
    for key, value in properties.items():
        value.pop("default", None)
        for each in (value, *value.get("anyOf", ())):
            if (key == "at" or key.endswith("_at")) and each.get("type") == "string":
                each["format"] = "date-time"
            if key == "counts" and each.get("type") == "object" and not str(part.get("title")).startswith("Operation"):
                each["propertyNames"] = {"$ref": "#/$defs/State"}


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_without_surrogates(msgspec.to_builtins(value)))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(safe(char) if "\ud800" <= char <= "\udfff" else char for char in value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(each) for key, each in value.items()}
    return [_without_surrogates(each) for each in value] if isinstance(value, (list, tuple)) else value


def _plain(text: str) -> str:
    return text if is_plain(text) else "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    if is_plain(char):
        return char
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


if __name__ == "__main__":
    write_schemas()
