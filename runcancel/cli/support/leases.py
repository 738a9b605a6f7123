"""What a person reads about runs that another operation is cancelling."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from runcancel.engine.leases import Leases
from runcancel.journal.leases import UNANSWERED
from runcancel.journal.recorder import Recorder
from runcancel.model.leases import Claim, Lease
from runcancel.model.outcomes import PlanItem
from runcancel.model.runs import Ref
from runcancel.render.screens.words import counted
from runcancel.text import duration, local

_APART = 3  # runs of one operation that are named


class AnnouncedLeases(Leases):
    """The leases in the journal of an operation; `say` prints lines as soon as one matters."""

    def __init__(self, recorder: Recorder, say: Callable[..., None]) -> None:
        self._recorder = recorder
        self._say = say
        self._claims: dict[Ref, Claim] = {}

    def take(self, items: Sequence[PlanItem]) -> Mapping[Ref, Lease]:
        """Take leases, and print who cancels which run already."""
        leases = self._recorder.take(items)
        self._claims |= {ref: lease.claim for ref, lease in leases.items() if lease.live}
        lines = list(_lines(self._claims))
        if lines:
            self._say(*lines, "  To send a cancel at once: add --take-over")
        return leases

    def others(self) -> Mapping[Ref, Lease]:
        """The leases of others as they are now."""
        return self._recorder.others()

    def overtake(self, runs: Sequence[Ref]) -> None:
        """Print which runs are cancelled from here after all."""
        for ref in runs[:_APART]:
            claim = self._claims[ref]
            self._say(
                f"{ref}: {_owner(claim)} has recorded no accepted reply in time, or ended, or is gone; sent from here"
            )
        if len(runs) > _APART:
            self._say(f"{counted(len(runs) - _APART, 'more run')}: the same")


def _lines(claims: Mapping[Ref, Claim]) -> Iterator[str]:
    """A line for each run, or for all runs of one operation where they are many."""
    by_claim: dict[Claim, list[Ref]] = {}
    for ref, claim in claims.items():
        by_claim.setdefault(claim, []).append(ref)
    for claim, refs in by_claim.items():
        names = map(str, refs) if len(refs) <= _APART else [counted(len(refs), "run")]
        for name in names:
            verb = "are" if len(refs) > _APART else "is"
            yield (
                f"{name} {verb} being cancelled by {_owner(claim)}; no second cancel is sent, "
                f"except if no accepted reply is recorded within {duration(UNANSWERED)}"
            )


def _owner(claim: Claim) -> str:
    return f"{claim.user}@{claim.host} since {local(claim.since)} (operation {claim.operation})"
