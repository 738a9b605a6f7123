"""The JSON contract: one envelope per answer, and the lines of jsonl."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from msgspec import Struct, defstruct, structs

from runcancel.model.encoding import encode
from runcancel.model.logs import Output
from runcancel.model.outcomes import Found, Operation, Outcome, PlanItem, Seen, Sent
from runcancel.model.runs import Identity, Invocation, Problem, Run
from runcancel.model.triggers import Trigger, TriggerOutcome, TriggerPlan

if TYPE_CHECKING:
    from runcancel.model.incident import IncidentReport
    from runcancel.model.reports import AccessPolicy, ContextChange, ContextRow, GroupRow, ScopeCheck, SettingRow

Record: TypeAlias = (
    "Run | Invocation | Output | PlanItem | Outcome | Trigger | TriggerPlan | TriggerOutcome | Operation"
    " | IncidentReport | ContextChange | ContextRow | GroupRow | SettingRow | AccessPolicy | ScopeCheck"
)
"""What a verb answers with, row by row."""

Event: TypeAlias = Found | Sent | Seen
"""What happens during a cancel, beside its rows."""

Version: TypeAlias = Literal["1.0"]
FORMAT_VERSION: Version = "1.0"


class Caller(Struct, frozen=True, kw_only=True):
    """The caller's identity in one scope; null if it is not known. `scope` is the text form."""

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
    truncated: bool = False  # a limit kept rows back
    operation: str | None = None
    identities: tuple[Caller, ...] = ()
    operations: tuple[Operation, ...] = ()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    notes: tuple[str, ...] = ()
    further: Callable[[], tuple[str, ...]] | None = None  # more of them, looked up once the answer is printed
    files: tuple[Struct, ...] = ()  # `FileCheck`, of `doctor`


class Envelope(Struct, frozen=True, kw_only=True):
    """What sets one document apart: under `key` the list of its records, and `before` and `after` it fields of `End`.

    `verb` is the one that it answers, `about` the description in its schema, `after` has the type of each field.
    `beside`: the records of a second list, under `triggers`; they come among the others.
    """

    verb: str
    before: tuple[str, ...] = ()
    key: str
    record: type[Record]
    after: Mapping[str, Any] = {}
    beside: type[TriggerPlan | TriggerOutcome] | None = None
    about: str

    @property
    def fields(self) -> tuple[str, ...]:
        """Its keys below `verb`, in their order."""
        beside = () if self.beside is None else (_BESIDE,)
        return ("operation", *self.before, self.key, *beside, *self.after, "errors", "complete", "truncated")


class LineForm(Struct, frozen=True):
    """A record on a line of its own: the `type` of its jsonl, what its schema says, the field that `-o ref` prints."""

    type: str
    about: str
    reference: str = "run"


_BESIDE = "triggers"

DOCUMENTS: Mapping[str, Envelope] = {
    "status": Envelope(verb="status", key="runs", record=Run, about="Output of `status`."),
    "list": Envelope(verb="list", key="runs", record=Run, about="Output of `list`."),
    "wait": Envelope(verb="wait", key="runs", record=Run, about="Output of `wait`: the runs as they were seen last."),
    "invocations": Envelope(verb="invocations", key="invocations", record=Invocation, about="Output of `invocations`."),
    "logs": Envelope(verb="logs", key="outputs", record=Output, about="Output of `logs`."),
    "plan": Envelope(
        verb="cancel",
        before=("created_at", "expires_at", "identities"),
        key="plan",
        record=PlanItem,
        beside=TriggerPlan,
        about="Output of `cancel --dry-run`, and the input of `--plan`. Times are null if there is no plan.",
    ),
    "cancel": Envelope(
        verb="cancel",
        before=("operations",),
        key="outcomes",
        record=Outcome,
        beside=TriggerOutcome,
        about="Output of `cancel`. `operations` has the one that was carried out, if any was.",
    ),
    **{
        verb: Envelope(
            verb=verb,
            before=("operations",),
            key="outcomes",
            record=TriggerOutcome,
            about=f"Output of `{verb}`. `operations` has the one that was carried out, if any was.",
        )
        for verb in ("disable", "enable")
    },
    **{
        f"{verb}-plan": Envelope(
            verb=verb,
            before=("created_at", "expires_at", "identities"),
            key="triggers",
            record=TriggerPlan,
            about=f"Output of `{verb} --dry-run`, and the input of its `--plan`. Times are null if there is no plan.",
        )
        for verb in ("disable", "enable")
    },
    "triggers": Envelope(verb="triggers", key="triggers", record=Trigger, about="Output of `triggers`."),
    "history": Envelope(verb="history", key="operations", record=Operation, about="Output of `history`."),
    "operation": Envelope(
        verb="history",
        before=("operations",),
        key="outcomes",
        record=Outcome,
        beside=TriggerOutcome,
        about="Output of `history ID`: the operation and the outcomes of its runs.",
    ),
}
"""What `document` makes of runs and triggers: by the verb, or a name for each further answer of a verb.

Those of other records stand beside their columns, in `other_records`.
"""

LINES: Mapping[type[Struct], LineForm] = {
    Run: LineForm("run", "A run on its own line.", reference="ref"),
    Invocation: LineForm("invocation", "An invocation on its own line."),
    Output: LineForm("output", "The output of one invocation, on its own line."),
    PlanItem: LineForm("plan", "The planned cancel of one run, on its own line."),
    Outcome: LineForm("outcome", "The outcome of one run, on its own line."),
    Trigger: LineForm("trigger", "A trigger on its own line.", reference="ref"),
    TriggerPlan: LineForm("trigger-plan", "The planned change of one trigger, on its own line.", reference="trigger"),
    TriggerOutcome: LineForm("trigger-outcome", "The outcome of one trigger, on its own line.", reference="trigger"),
    Operation: LineForm("operation", "An operation on its own line.", reference="id"),
    Problem: LineForm("error", "An error on its own line."),
    Found: LineForm("found", "A run that a hold has found, as it happens."),
    Sent: LineForm("sent", "What one request of a cancel came to, as it happens."),
    Seen: LineForm("seen", "What a reading after a cancel shows, as it happens: once per change."),
}
"""How each record of `DOCUMENTS`, an error and an event is written on a line."""

_OTHERS = "runcancel.render.other_records"


class ErrorDocument(Struct, frozen=True, kw_only=True):
    """Any document of a command that failed before it had anything to list; the verb's own list, if any, is empty."""

    format_version: Version
    verb: str | None
    operation: str | None
    errors: tuple[Problem, ...]
    complete: Literal[False]
    truncated: Literal[False]


class EndLine(Struct, frozen=True, kw_only=True, tag_field="type", tag="end"):
    """The last line: a stream without it was cut off."""

    format_version: Version
    verb: str
    operation: str | None
    complete: bool
    truncated: bool
    exit_code: int


def envelope(name: str) -> Envelope | None:
    """What sets the document of that name apart; None where it has none of its own."""
    return DOCUMENTS.get(name) or all_documents().get(name)


def all_documents() -> Mapping[str, Envelope]:
    """Every document, by name."""
    others: Mapping[str, Envelope] = import_module(_OTHERS).DOCUMENTS
    return {**DOCUMENTS, **others}


def all_lines() -> Mapping[type[Struct], LineForm]:
    """How every record is written on a line."""
    others: Mapping[type[Struct], LineForm] = import_module(_OTHERS).LINES
    return {**LINES, **others}


def line_form(record: type[Struct]) -> LineForm:
    """How a record is written on a line. Raises KeyError for a type that no verb prints."""
    return LINES.get(record) or all_lines()[record]


def document(name: str, records: Sequence[Record], end: End) -> Struct:
    """The document of that name; an `ErrorDocument` where the name has none of its own."""
    one = envelope(name)
    if one is None:
        return ErrorDocument(
            format_version=FORMAT_VERSION,
            verb=name or None,
            operation=end.operation,
            errors=end.errors,
            complete=False,
            truncated=False,
        )
    values = {field: getattr(end, field) for field in one.fields if field not in (one.key, _BESIDE)}
    if one.beside is not None:
        values[_BESIDE] = tuple(record for record in records if isinstance(record, one.beside))
        records = [record for record in records if not isinstance(record, one.beside)]
    values[one.key] = tuple(records)
    return shape(name)(format_version=FORMAT_VERSION, verb=one.verb, **values)


@cache
def shape(name: str) -> type[Struct]:
    """The type of a document. Raises KeyError for a name that has none."""
    one = all_documents()[name] if name not in DOCUMENTS else DOCUMENTS[name]
    types: dict[str, Any] = {field.name: field.type for field in structs.fields(End)}
    types |= one.after
    types[one.key] = GenericAlias(tuple, (one.record, ...))
    if one.beside is not None:
        types[_BESIDE] = GenericAlias(tuple, (one.beside, ...))
    return defstruct(
        f"{name.title()}Document",
        [("format_version", Version), ("verb", Literal[one.verb]), *((field, types[field]) for field in one.fields)],
        namespace={"__doc__": one.about},
        module=__name__,
        frozen=True,
        kw_only=True,
    )


def verb_of(name: str) -> str:
    """The verb that a document of that name is an answer of."""
    one = envelope(name)
    return name if one is None else one.verb


def record_of(name: str) -> type[Record] | None:
    """What a document of that name lists; None where the name has no document of its own."""
    one = envelope(name)
    return None if one is None else one.record


def line(record: Struct) -> str:
    """A record as a line of jsonl, without its line feed."""
    return f'{{"type":"{line_form(type(record)).type}",{encode(record)[1:]}'


def end_line(name: str, end: End, *, operation: str | None) -> str:
    """The last line of jsonl; `operation` is the one that a line before it describes."""
    return encode(
        EndLine(
            format_version=FORMAT_VERSION,
            verb=verb_of(name),
            operation=operation,
            complete=end.complete,
            truncated=end.truncated,
            exit_code=end.exit_code,
        )
    )
