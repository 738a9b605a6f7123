"""What a file holds for a cancel: a list of references, or the plan of a dry run."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

from runcancel.config import references
from runcancel.config.references import Reference
from runcancel.engine.selection import whole_only
from runcancel.environment import plain
from runcancel.errors import Refused, UsageError
from runcancel.model.encoding import from_builtins
from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import Ref
from runcancel.model.states import Fact
from runcancel.model.triggers import TRIGGER_VERBS, TriggerPlan
from runcancel.providers import kind_of, trigger_kind_of
from runcancel.providers.common.principals import without_session
from runcancel.text import LONGEST_LINE, quoted

_A_LIST = "a list is one reference per line, or the output of `runcancel list -o jsonl`"
_MOST_TARGETS = 10**9  # more has no run of any cloud


class ReferenceList(Struct, frozen=True, kw_only=True):
    """References out of a file. `complete` is false when the list is marked as incomplete, or ends without a mark.

    `cut`: it is marked as cut by a limit, and nothing else is missing. `bare`: some are references alone, which do not
    show whether the list is complete. `matched`: through which fact a search found a run, where the list has it.
    """

    references: tuple[Reference, ...]
    complete: bool
    bare: bool
    cut: bool = False
    matched: Mapping[Reference, Fact] = {}


_RUNS: Mapping[str, str] = {"run": "ref"}
_BESIDE = frozenset({"error", "found", "sent", "seen", "operation"})
"""Lines of jsonl beside those that name the runs."""


def read_list(text: str, name: str, *, keys: Mapping[str, str] = _RUNS, triggers: bool = False) -> ReferenceList:
    """References out of a file: one a line, the first column of `-o tsv`, or the lines of `-o jsonl`.

    `keys`: the types of the lines that name a run, each with the key of its reference.
    Raises `UsageError` with the line's number; nothing is taken from a file with one bad line.
    """
    by_reference: dict[Reference, Reference] = {}
    matched: dict[Reference, Fact] = {}
    complete, cut = True, False
    open_ = False  # lines of JSON came that no end line has closed
    bare = False
    fact_at = 0  # the column of tsv that says through which fact a run was found; the first is the reference
    for number, line in enumerate(text.split("\n"), start=1):  # what else breaks a line may stand inside a name
        word = line.split("\t", 1)[0].strip(" \t\r\ufeff")
        if not word or word.startswith("#"):
            continue
        if word == "ref" and not by_reference:
            fact_at = _column(line, "matched_by")
            continue
        try:
            if not word.startswith("{"):
                _check_length(line)
                reference = _take(by_reference, word, triggers=triggers)
                if fact := _cell(line, fact_at):
                    matched[reference] = _fact(fact)
                bare = True
                continue
            entry = _json(line.strip(" \t\r\ufeff"), hint=_A_LIST)
            kind = str(entry.get("type"))  # of JSON that is not ours it may be anything
            if kind != "end":  # which holds the errors of ten thousand scopes, if there are as many
                _check_length(line)
            open_ = kind != "end"
            if kind in keys:
                reference = _take(by_reference, str(entry.get(keys[kind])), triggers=triggers)
                if entry.get("matched_by") is not None:
                    matched[reference] = _fact(entry["matched_by"])
            elif kind == "end":
                complete &= entry.get("complete") is True
                cut |= entry.get("truncated") is True
            elif kind != "error" and (keys is _RUNS or kind not in _BESIDE):
                raise _no_trigger(entry) if triggers else _no_run(entry)
        except UsageError as error:
            raise _document(text, name) or UsageError(
                f"{name}, line {number}: {error.message}", hint=error.hint
            ) from None
    whole = complete and not open_
    return ReferenceList(
        references=tuple(by_reference.values()),
        complete=whole and not cut,
        bare=bare,
        cut=whole and cut,
        matched=matched,
    )


def _document(text: str, name: str) -> UsageError | None:
    """What is wrong with a file that is one JSON document, as `-o json` writes it: a list has a line per run."""
    with suppress(ValueError, RecursionError):
        entry = json.loads(text)
        if isinstance(entry, dict) and "format_version" in entry and "plan" in entry:
            hint = "To carry it out: runcancel cancel --plan FILE"
            return UsageError(f"{name} is a plan, not a list; nothing was sent", hint=hint)
        if isinstance(entry, dict) and "format_version" in entry:
            return UsageError(f"{name} is one JSON document, not a list; nothing was sent", hint=_A_LIST)
    return None


def _column(header: str, name: str) -> int:
    """Where a column of tsv is, 0 if it is not there."""
    names = header.rstrip("\r").split("\t")
    return names.index(name) if name in names else 0


def _cell(line: str, column: int) -> str:
    cells = line.rstrip("\r").split("\t") if column else ()
    return cells[column] if 0 < column < len(cells) else ""


def _check_length(line: str) -> None:
    if len(line) > LONGEST_LINE:
        raise UsageError(f"the line is longer than {LONGEST_LINE >> 20} MiB; nothing was sent")


def _take(taken_in: dict[Reference, Reference], text: str, *, triggers: bool) -> Reference:
    """Take the reference in, once for all spellings of it; return what it means."""
    reference = references.parse(text, triggers=triggers)
    taken_in.setdefault(reference.meaning, reference)
    return reference.meaning


def _fact(word: object) -> Fact:
    try:
        return Fact(str(word))
    except ValueError:
        raise UsageError("matched_by names nothing that a run is found by; nothing was sent", hint=_A_LIST) from None


def _no_run(entry: Mapping[str, Any]) -> UsageError:
    """A line of JSON that names no run. One about a target of a run must not select the whole run."""
    if entry.get("type") == "invocation":
        return UsageError(
            "this is a target of a run, not a run; nothing was sent",
            hint="To cancel targets: name the run, and each target with --target",
        )
    if str(entry.get("type")).startswith("trigger"):
        return UsageError(
            "this is a trigger, not a run; nothing was sent",
            hint="To disable or enable triggers of a list: runcancel disable -f FILE, runcancel enable -f FILE",
        )
    return UsageError("this is not a run; nothing was sent", hint=_A_LIST)


def _no_trigger(entry: Mapping[str, Any]) -> UsageError:
    """A line of JSON that names no trigger."""
    of_run = entry.get("type") in ("run", "outcome", "invocation")
    return UsageError(
        f"this is {'a run, not a trigger' if of_run else 'not a trigger'}; nothing was sent",
        hint="a list is one reference per line, or the output of `runcancel triggers -o jsonl`",
    )


class SavedPlan(Struct, frozen=True, kw_only=True):
    """What `--plan` needs of the document that `cancel --dry-run -o json` wrote."""

    format_version: str
    verb: str
    plan: tuple[PlanItem, ...]
    expires_at: Annotated[datetime, Meta(tz=True)] | None
    identities: tuple["SavedCaller", ...] = ()
    triggers: tuple[TriggerPlan, ...] = ()  # what is disabled first
    complete: bool
    digest: str = ""  # of the file: the same plan has the same


class SavedCaller(Struct, frozen=True, kw_only=True):
    """Who made the plan, per scope."""

    scope: str
    account: str | None
    principal: str | None


def read_plan(text: str, name: str, *, now: datetime, verb: str = "cancel") -> SavedPlan:
    """A saved plan. Raises `UsageError` for what is none, `Refused` for another major version or an expired one."""
    make = "To create a plan: runcancel cancel … --dry-run -o json"
    listed = text.lstrip().startswith('{"type":')
    entry = _json(text, name, hint="To cancel the runs of a list: runcancel cancel --from FILE" if listed else make)
    version = str(entry.get("format_version"))
    if version.partition(".")[0] != "1":
        raise Refused(f"{name} has format version {version}, but only version 1 is supported; nothing was sent")
    if "plan" not in entry:
        raise UsageError(f"{name} is not a plan; nothing was sent", hint=make)
    try:
        saved = from_builtins(entry, SavedPlan, ref=_full)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the second: half a surrogate pair
        raise UsageError(
            f"{name} is not a plan: {error}; nothing was sent",
            hint=make,
        ) from None
    if saved.verb != verb:
        raise other_plan(name, saved.verb, verb)
    if saved.expires_at is None or saved.expires_at <= now:
        raise Refused(
            f"{name} has expired; nothing was sent", hint="To create a new one: runcancel cancel … --dry-run -o json"
        )
    _check_triggers(saved.triggers, name)
    return structs.replace(saved, plan=_canonical(saved.plan, name), digest=digest(entry))


def other_plan(name: str, planned: str, verb: str) -> UsageError:
    """The refusal of a plan of another verb than this, with the command that carries it out where there is one."""
    hint = f"To create a plan: runcancel {verb} … --dry-run -o json"
    if planned in ("cancel", *TRIGGER_VERBS):
        hint = f"To carry it out: runcancel {planned} --plan FILE"
    return UsageError(f"{name} is a plan of “{quoted(planned)}”, not of {verb}; nothing was sent", hint=hint)


def digest(document: Mapping[str, Any]) -> str:
    """What identifies a plan, in whatever layout and order its file has it: the SHA-256 of its JSON."""
    ordered = {
        key: sorted(value, key=_canonical_json) if isinstance(value, list) else value for key, value in document.items()
    }
    return sha256(_canonical_json(ordered).encode()).hexdigest()


def _canonical_json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _full(text: str) -> Ref:
    """A reference of a plan in its one full form, whatever form a person gave it. Raises ValueError."""
    try:
        return references.full(text)
    except UsageError as error:
        raise ValueError(error.message.removesuffix("; nothing was sent")) from None


def _canonical(items: Sequence[PlanItem], name: str) -> tuple[PlanItem, ...]:
    """The items as this program writes them. Raises `UsageError`, also for a duplicate run."""
    by_run: dict[Ref, PlanItem] = {}
    for at, item in enumerate(items):
        try:
            one = _checked(item)
        except UsageError as error:
            raise UsageError(f"{name}, plan[{at}]: {error.message}", hint=error.hint) from None
        if one.run in by_run:
            raise UsageError(f"{name}, plan[{at}]: {one.run} is in the plan twice; nothing was sent")
        by_run[one.run] = one
    return tuple(by_run.values())


def _check_triggers(triggers: Sequence[TriggerPlan], name: str) -> None:
    """Raise `UsageError` for what is no trigger, and for a duplicate one."""
    refs: set[Ref] = set()
    for at, one in enumerate(triggers):
        if trigger_kind_of(one.trigger) is None:
            raise UsageError(f"{name}, triggers[{at}]: {one.trigger} is not a trigger; nothing was sent")
        if one.trigger in refs:
            raise UsageError(f"{name}, triggers[{at}]: {one.trigger} is in the plan twice; nothing was sent")
        refs.add(one.trigger)


def _checked(item: PlanItem) -> PlanItem:
    """One item as this program would have written it. Raises `UsageError`."""
    ref = item.run
    if trigger_kind_of(ref) is not None:
        raise UsageError(f"{ref} is a trigger, not a run; nothing was sent")
    if kind_of(ref).is_alias(ref.id):
        raise UsageError(f"{ref.id} is part of a run, not a run; nothing was sent")
    if item.targets and not kind_of(ref).in_part:
        raise whole_only(ref)
    strangers = set(item.targets) - {one.target for one in item.invocations}
    if strangers:
        raise UsageError(f"the plan shows no invocation of the target {min(strangers)}; nothing was sent")
    for key, number in (("not_listed", item.not_listed), *item.counts.items()):
        if not 0 <= number <= _MOST_TARGETS:
            raise UsageError(f"{key} is {number:.3g}, which is not a number of targets; nothing was sent")
    return structs.replace(
        item,
        targets=tuple(dict.fromkeys(plain("a target", target) for target in item.targets)),
    )


def check_identities(saved: Iterable[SavedCaller], current: Mapping[str, str | None]) -> None:
    """Raise `Refused` if another user made the plan; `current` is the principal per scope, None if unknown.

    Two sessions of one role are the same user: the plan of a machine is carried out on others.
    """
    for caller in saved:
        principal = current.get(caller.scope)
        if caller.principal is None or caller.scope not in current:
            continue
        if principal is None or without_session(principal) != without_session(caller.principal):
            raise Refused(
                f"the plan was made as {caller.principal}, and this is {principal or 'an unknown identity'} "
                f"in {caller.scope}; nothing was sent"
            )


def _json(text: str, name: str = "this", *, hint: str | None = None) -> dict[str, Any]:
    try:
        entry = json.loads(text, object_pairs_hook=lambda pairs: _once(pairs, name))
    except (ValueError, RecursionError):
        raise UsageError(f"{name} is not JSON; nothing was sent", hint=hint) from None
    if not isinstance(entry, dict):
        raise UsageError(f"{name} is not a JSON object; nothing was sent")
    return entry


def _once(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    """Refuse a duplicate key: a person reads the first value, and a program the last."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise UsageError(f"{name} has a key twice; nothing was sent")
    return members
