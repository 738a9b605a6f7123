"""A saved plan of a change of triggers, read back."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, structs

from runcancel.config import references
from runcancel.engine.saved import SavedCaller, digest, other_plan
from runcancel.errors import Refused, UsageError
from runcancel.model.encoding import from_builtins
from runcancel.model.outcomes import CANCEL, DISABLE
from runcancel.model.runs import Ref
from runcancel.model.triggers import TriggerPlan
from runcancel.providers import trigger_kind_of
from runcancel.text import quoted


class SavedTriggerPlan(Struct, frozen=True, kw_only=True):
    """What `--plan` needs of the document that `disable --dry-run -o json` wrote, or `cancel --disable-triggers -n`."""

    format_version: str
    verb: str
    triggers: tuple[TriggerPlan, ...]
    expires_at: Annotated[datetime, Meta(tz=True)] | None
    identities: tuple[SavedCaller, ...] = ()
    digest: str = ""  # of the file: the same plan has the same


def read_trigger_plan(text: str, name: str, *, now: datetime, verb: str) -> SavedTriggerPlan:
    """A saved plan; a `disable` also takes the triggers of a plan of `cancel`.

    Raises `UsageError` for what is no plan, `Refused` for another major version or an expired one.
    """
    make = f"To create a plan: runcancel {verb} … --dry-run -o json"
    try:
        entry = msgspec.json.decode(text)
        saved = from_builtins(entry, SavedTriggerPlan, ref=_full)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise UsageError(f"{name} is not a plan: {error}; nothing was sent", hint=make) from None
    if saved.format_version.partition(".")[0] != "1":
        raise Refused(
            f"{name} has format version {quoted(saved.format_version)}, but only version 1 is supported; "
            "nothing was sent"
        )
    of_cancel = verb == DISABLE.verb and saved.verb == CANCEL.verb
    if saved.verb != verb and not of_cancel:
        raise other_plan(name, saved.verb, verb)
    if saved.expires_at is None or saved.expires_at <= now:
        raise Refused(f"{name} has expired; nothing was sent", hint=make)
    refs = [one.trigger for one in saved.triggers]
    twice = next((ref for at, ref in enumerate(refs) if ref in refs[:at]), None)
    if twice is not None:
        raise UsageError(f"{name}: {twice} is in the plan twice; nothing was sent")
    if of_cancel and not refs:
        raise UsageError(
            f"{name} is a plan of cancel that lists no trigger; nothing was sent",
            hint="To create one that does: runcancel cancel … --disable-triggers --dry-run -o json",
        )
    return structs.replace(saved, digest=digest({**entry, "verb": verb}))  # the cancel is another operation


def _full(text: str) -> Ref:
    """A reference of a plan. Raises ValueError for one that is not of a trigger."""
    try:
        ref = references.full(text)
    except UsageError as error:
        raise ValueError(error.message.removesuffix("; nothing was sent")) from None
    if trigger_kind_of(ref) is None:
        raise ValueError(f"{ref} is not a trigger")
    return ref
