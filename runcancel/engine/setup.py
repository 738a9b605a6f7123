"""What a cancel is carried out with: connections, threads, patience, observers, and what may join it."""

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from runcancel.engine.connections import Clouds
from runcancel.engine.events import Progress
from runcancel.engine.flow import Flow
from runcancel.engine.leases import Leases
from runcancel.engine.retry import WaitPolicy
from runcancel.model.outcomes import PlanItem
from runcancel.runtime.workers import Workers

if TYPE_CHECKING:
    from runcancel.engine.hold import HoldListings

Admit = Callable[[Sequence[PlanItem]], None]
"""Raises `Refused` if limits or guards permit no more runs than those of the plan."""


class CancelSetup(Struct, frozen=True, kw_only=True):
    """The means of one cancel.

    With `flow`, more is read and sent meanwhile, each scope by itself; with `hold`, what a filter finds joins. With
    `leases`, a run that another operation cancels is watched, and sent only if that one does not send it. With `admit`,
    what was started between the plan and the reply is sent as well, as far as it is admitted.
    """

    clouds: Clouds
    workers: Workers
    policy: WaitPolicy
    progress: Progress
    admit: Admit | None = None
    flow: Flow | None = None
    hold: "HoldListings | None" = None
    leases: Leases | None = None
    jitter: Callable[[], float] = random.random
