"""What happened during an operation, with its time: the journal keeps it, the incident report reads it."""

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from runcancel.model.outcomes import Found, Seen, Sent, Shard, Started
from runcancel.model.runs import Ref, RunName
from runcancel.model.states import Verdict
from runcancel.model.triggers import Origin


class ConfirmedBy(StrEnum):
    """How a cancel was confirmed."""

    NOT_REQUIRED = "not-required"  # the runs were named one by one
    YES = "--yes"
    CONFIRM = "--confirm"
    TERMINAL = "terminal"  # a person answered the question


class FromPlan(Struct, frozen=True, kw_only=True):
    """The first event of an operation that carries out a saved plan with this digest, or one shard of it."""

    at: datetime
    plan: str
    shard: Shard | None


class Resumed(Struct, frozen=True, kw_only=True):
    """An operation continues after an interruption, by this user on this host."""

    at: datetime
    user: str
    host: str


class Confirmed(Struct, frozen=True, kw_only=True):
    """The operation may be sent; `given` is the name or number that was typed."""

    at: datetime
    how: ConfirmedBy
    given: str | None
    runs: int


class CalledBy(Struct, frozen=True, kw_only=True):
    """Whose credentials are used in one scope; null where it is not known."""

    at: datetime
    scope: str
    account: str | None
    principal: str | None


class Judged(Struct, frozen=True, kw_only=True):
    """A run got its verdict."""

    run: RunName
    at: datetime
    verdict: Verdict


class Beside(Struct, frozen=True, kw_only=True):
    """The runs that had not ended when the triggers of a cancel were read: what these start later started meanwhile."""

    at: datetime
    runs: tuple[Ref, ...]


class HoldStarted(Struct, frozen=True, kw_only=True):
    """What matches the filter joins the operation until then."""

    at: datetime
    until: datetime


class SearchedAgain(Struct, frozen=True, kw_only=True):
    """The runs that the triggers started meanwhile are found: nothing more is searched for."""

    at: datetime


class OriginFound(Struct, frozen=True, kw_only=True):
    """What started a run and whether that starts it again, as a search of the triggers found it after the cancel."""

    run: Ref
    at: datetime
    origin: Origin


class Ended(Struct, frozen=True, kw_only=True):
    """The process reported and left."""

    at: datetime
    exit_code: int


JournalEvent: TypeAlias = (
    FromPlan
    | Resumed
    | Started
    | Confirmed
    | CalledBy
    | Found
    | Beside
    | HoldStarted
    | Sent
    | Seen
    | Judged
    | SearchedAgain
    | OriginFound
    | Ended
)
