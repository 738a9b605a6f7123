"""Which runs to find, and by which of their facts a run was found."""

from datetime import datetime
from fnmatch import fnmatchcase

from msgspec import Struct

from runcancel.model.runs import Kind, Run
from runcancel.model.states import Fact, State


class Query(Struct, frozen=True, kw_only=True):
    """Which runs to find. Empty sets and None mean any; times are UTC and mean when a run was created or started.

    `script` is text that the script of a run contains: the provider applies it, since a run does not carry its script.
    """

    states: frozenset[State] = frozenset()
    kinds: frozenset[str] = frozenset()
    name: str | None = None  # exact: of the name, the comment or the document
    name_glob: str | None = None
    document: str | None = None  # exact
    script: str | None = None
    started_by: str | None = None  # text that the principal contains
    since: datetime | None = None
    until: datetime | None = None
    include_schedules: bool = False  # runs of a kind that is searched only by name, if they are schedules

    @property
    def facts(self) -> frozenset[Fact]:
        """The facts of a run that a list must have for this query. A kind without them cannot be searched."""
        filters = {Fact.DOCUMENT: self.document, Fact.SCRIPT: self.script, Fact.STARTED_BY: self.started_by}
        return frozenset(fact for fact, value in filters.items() if value is not None)

    def covers(self, kind: Kind) -> bool:
        """Whether runs of this kind are searched: some kinds only if they are named."""
        return kind.name in self.kinds if self.kinds else not kind.by_kind_only

    def matches(self, run: Run) -> bool:
        """Whether a run is one of those to find, its script aside."""
        born = run.created_at or run.started_at
        return (
            (not self.states or not self.states.isdisjoint(_read_as(run)))
            and (not self.kinds or run.kind in self.kinds)
            and (self.name is None or self._fact_of_name(run, self.name, glob=False) is not None)
            and (self.name_glob is None or self._fact_of_name(run, self.name_glob, glob=True) is not None)
            and (self.document is None or run.document == self.document)
            and (self.started_by is None or self.started_by in (run.started_by or ""))
            and (self.since is None or (born is not None and born >= self.since))
            and (self.until is None or (born is not None and born <= self.until))
        )

    def matched_by(self, run: Run) -> Fact | None:
        """The fact through which a run that matches was found; None where only states, kinds and times select.

        Of several it is the one that says least about the run: its script, its document, its comment, its name.
        """
        facts: list[Fact | None] = [fact for fact in (Fact.SCRIPT, Fact.DOCUMENT) if fact in self.facts]
        facts += [self._fact_of_name(run, self.name, glob=False)] if self.name is not None else []
        facts += [self._fact_of_name(run, self.name_glob, glob=True)] if self.name_glob is not None else []
        return next((fact for fact in (Fact.SCRIPT, Fact.DOCUMENT, Fact.COMMENT, Fact.NAME) if fact in facts), None)

    @staticmethod
    def _fact_of_name(run: Run, pattern: str, *, glob: bool) -> Fact | None:
        """By which of its names a run has this name: its own before its comment, that before its document."""
        names = {Fact.NAME: run.name, Fact.COMMENT: run.comment, Fact.DOCUMENT: run.document}
        for fact, name in names.items():
            if name is not None and (fnmatchcase(name, pattern) if glob else name == pattern):
                return fact
        return None


def _read_as(run: Run) -> set[State]:
    """The states under which a run is found: its own, unless it is called ended while invocations have not."""
    open_states = {state for state in run.counts or () if not state.over}
    return open_states if run.state.over and open_states else {run.state}
