"""A lease: the claim of one operation to cancel a run, which other operations respect."""

from datetime import datetime

from msgspec import Struct


class Claim(Struct, frozen=True, kw_only=True):
    """Which operation cancels a run: of whom, on which machine, since when by the clock of the journal."""

    operation: str
    user: str
    host: str
    since: datetime


class Lease(Struct, frozen=True, kw_only=True):
    """The lease of another operation on a run. `accepted`: its cancel was accepted, as far as the journal knows.

    `live`: the operation has not ended. A lease that ran out is none.
    """

    claim: Claim
    accepted: bool
    live: bool
