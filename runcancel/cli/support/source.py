"""Where the runs of a cancel come from: one source out of the command line; and the runs that it came to."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from runcancel.cli import options
from runcancel.cli.changes import Sources
from runcancel.cli.session import Session
from runcancel.engine.selection import Selection
from runcancel.environment import check_partner, plain_file
from runcancel.errors import Searched, UsageError
from runcancel.model.outcomes import LeftOver, PlanItem, Shard
from runcancel.model.runs import Problem, Ref, Scope

if TYPE_CHECKING:
    from runcancel.engine.saved import SavedCaller
    from runcancel.model.queries import Query


class Named(Struct, frozen=True, kw_only=True):
    """Runs named one by one."""

    refs: tuple[str, ...]


class Filtered(Struct, frozen=True, kw_only=True):
    """Every run that a search finds."""

    query: "Query"


class Listed(Struct, frozen=True, kw_only=True):
    """The runs of a list in a file, `-` for standard input; `incomplete`: also one that is not whole."""

    file: str
    incomplete: bool


class Past(Struct, frozen=True, kw_only=True):
    """All runs of an earlier operation."""

    operation: str


class Saved(Struct, frozen=True, kw_only=True):
    """A plan that a dry run wrote, `-` for standard input; with `shard` one part of it."""

    file: str
    shard: Shard | None = None


class Picked(Struct, frozen=True):
    """Runs that a person chooses on the terminal."""


Source: TypeAlias = Named | Filtered | Listed | Past | Saved | LeftOver | Picked
"""Where the runs of a cancel come from; a `LeftOver` is an operation that is resumed."""


class SelectionRequest(Struct, frozen=True, kw_only=True):
    """What a cancel is about: one source, and what to do with it. `by_hand`: each run was typed as such."""

    source: Source
    by_hand: bool
    targets: tuple[str, ...] = ()
    stop_running: bool = False

    @property
    def resumed(self) -> LeftOver | None:
        """The operation that is resumed, if one is."""
        return self.source if isinstance(self.source, LeftOver) else None


class WholePlan(Struct, frozen=True, kw_only=True):
    """A saved plan of which this process cancels one shard: limits, policy and confirmation are about all of it.

    `items`, `triggers` and `callers` are as the plan recorded them; the parts are what is in this shard of them.
    """

    items: tuple[PlanItem, ...]
    part: tuple[PlanItem, ...]
    callers: "tuple[SavedCaller, ...]"
    shard: Shard
    triggers: tuple[PlanItem, ...] = ()
    part_of_triggers: tuple[PlanItem, ...] = ()

    @property
    def elsewhere(self) -> tuple[PlanItem, ...]:
        """What other shards send: it counts for the limits."""
        here = {item.run for item in self.part}
        return tuple(item for item in self.items if item.ask and item.run not in here)

    @property
    def triggers_elsewhere(self) -> tuple[PlanItem, ...]:
        """The triggers that other shards disable: they count for the limit on triggers."""
        here = {item.run for item in self.part_of_triggers}
        return tuple(item for item in self.triggers if item.ask and item.run not in here)


class RunChoice(Struct, frozen=True, kw_only=True):
    """A selection and how it came about. `by_hand` is true for runs named one by one, which need no consent."""

    selection: Selection
    by_hand: bool
    gaps: tuple[Problem, ...] = ()
    replied: bool = True  # whether any scope answered the search, if there was one
    notes: tuple[str, ...] = ()
    planned_by: "tuple[SavedCaller, ...]" = ()
    plan: str | None = None  # the digest of the saved plan
    whole: WholePlan | None = None  # the plan of which this is a shard
    planned_triggers: tuple[Ref, ...] = ()  # triggers that the saved plan disables before its runs are cancelled
    scopes: tuple[Scope, ...] = ()  # those of a search, without regions that are not enabled
    coverage: tuple[str, ...] = ()  # of a search that found nothing, for a person
    from_stdin: bool = False
    max_runs: int | None = None  # the limit that a person raised for these runs

    @property
    def to_confirm(self) -> tuple[PlanItem, ...]:
        """What a confirmation is about: the whole plan, also where this process cancels a part of it."""
        return self.selection.items if self.whole is None else self.whole.items

    @property
    def searched(self) -> Searched:
        """How the search ended, for the exit code."""
        return Searched(gaps=tuple(gap.code for gap in self.gaps), replied=self.replied)


def selection_request(
    session: Session,
    refs: Sequence[str],
    filters: options.Filters,
    sources: Sources,
    *,
    target: Sequence[str] | None = None,
    stop_running: bool = False,
    allow_incomplete: bool = False,
    take_over: bool = False,
    dry_run: bool = False,
) -> SelectionRequest:
    """What the command line selects. Raises `UsageError` for more than one source, or none and nobody to choose.

    Raises `Refused` for a journal that cannot be read, and for an operation to resume that another process is carrying
    out, unless it is a `take_over` or a `dry_run`.
    """
    targets = options.targets(target)
    shard = shard_of(session, sources.shard, of_plan=sources.plan is not None)
    ways: dict[str, Callable[[], Source] | None] = {
        "references": (lambda: Named(refs=tuple(refs))) if refs else None,
        "filters": (lambda: Filtered(query=filters.query())) if filters.any else None,
        "--from": _maker(
            sources.from_, lambda name: Listed(file=plain_file("--from", name), incomplete=allow_incomplete)
        ),
        "--operation": _maker(sources.operation, lambda id: Past(operation=id)),
        "--plan": _maker(sources.plan, lambda name: Saved(file=plain_file("--plan", name), shard=shard)),
        "--resume": _maker(sources.resume, lambda id: _left_over(session, id, take_over, dry_run)),
    }
    used = {way: make for way, make in ways.items() if make is not None}
    check_partner("--allow-incomplete", "-f FILE", is_given=allow_incomplete, is_there="--from" in used)
    if len(used) > 1:
        raise UsageError(f"{' and '.join(used)} cannot be used together; nothing was sent")
    for way in {"--plan", "--resume"} & used.keys():
        if targets or stop_running:
            more = "--target" if targets else "--stop-running"
            raise UsageError(f"{way} already lists every cancel: {more} cannot be used with it; nothing was sent")
    if not used and targets:
        used["--target"] = lambda: Filtered(query=filters.query())
    source = next((make() for make in used.values()), None) or _picked_by(session)
    # What a request names, it selects: only a hand that types the names needs no question.
    typed = session.request.values.keys().isdisjoint({"refs", "resume"})
    return SelectionRequest(
        source=source,
        by_hand=typed and isinstance(source, Named | LeftOver),
        targets=targets,
        stop_running=stop_running,
    )


def _maker(value: str | None, make: Callable[[str], Source]) -> Callable[[], Source] | None:
    return None if value is None else lambda: make(value)


def empty_shard(shard: Shard) -> str:
    """That a shard has nothing to send, in one sentence."""
    return f"Shard {shard} is empty: no scope of the plan is in it; nothing was sent"


def shard_of(session: Session, text: str | None, *, of_plan: bool) -> Shard | None:
    """The part of the plan that `--shard` names, None for all of it. Raises `UsageError`, also without a plan."""
    if text is None:
        return None
    from runcancel.engine.shards import parse

    shard = parse(text, session.settings.environ)
    if not of_plan:
        raise UsageError(f"--shard {shard} is a part of a saved plan: add --plan FILE; nothing was sent")
    return shard


def _left_over(session: Session, id: str, take_over: bool, dry_run: bool) -> LeftOver:
    from runcancel.cli.support.resume import left_over

    left_items = left_over(session.journal, id, take_over=take_over, dry_run=dry_run)
    session.notes.say(*left_items.remarks)
    return left_items


def _picked_by(session: Session) -> Picked:
    """Nothing is selected: a person chooses. Raises `UsageError` where none can."""
    from runcancel.cli.support.ask import why_not_interactive

    if why := why_not_interactive(session, from_stdin=False):
        raise UsageError(
            f"no run was selected, and there is no terminal to choose on ({why}); nothing was sent",
            hint=f"name runs, or add a filter: {session.command('cancel', '--name', 'patch-openssl', '-n')}",
        )
    return Picked()
