"""Where the runs of a cancel come from: one source out of the command line."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec import Struct

from runcancel.cli import options
from runcancel.cli.changes import Sources
from runcancel.cli.session import Session
from runcancel.cli.support.ask import why_not_interactive
from runcancel.cli.support.resume import LeftOver, left_over
from runcancel.environment import plain_file
from runcancel.errors import UsageError
from runcancel.model.outcomes import Shard
from runcancel.model.queries import Query


class Named(Struct, frozen=True, kw_only=True):
    """Runs named one by one."""

    refs: tuple[str, ...]


class Filtered(Struct, frozen=True, kw_only=True):
    """Every run that a search finds."""

    query: Query


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


def selection_request(
    session: Session,
    refs: Sequence[str],
    filters: options.Filters,
    sources: Sources,
    *,
    target: Sequence[str] | None = None,
    stop_running: bool = False,
    allow_incomplete: bool = False,
) -> SelectionRequest:
    """What the command line selects. Raises `UsageError` for more than one source, or none and nobody to choose.

    Raises `Refused` for a journal that cannot be read.
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
        "--resume": _maker(sources.resume, lambda id: _left_over(session, id)),
    }
    used = {way: make for way, make in ways.items() if make is not None}
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


def shard_of(session: Session, text: str | None, *, of_plan: bool) -> Shard | None:
    """The part of the plan that `--shard` names, None for all of it. Raises `UsageError`, also without a plan."""
    if text is None:
        return None
    from runcancel.engine.shards import parse

    shard = parse(text, session.settings.environ)
    if not of_plan:
        raise UsageError(f"--shard {shard} is a part of a saved plan: add --plan FILE; nothing was sent")
    return shard


def _maker(value: str | None, make: Callable[[str], Source]) -> Callable[[], Source] | None:
    return None if value is None else lambda: make(value)


def _left_over(session: Session, id: str) -> LeftOver:
    return left_over(session.journal, id, pause=session.workers.pause)


def _picked_by(session: Session) -> Picked:
    """Nothing is selected: a person chooses. Raises `UsageError` where none can."""
    if why := why_not_interactive(session, from_stdin=False):
        raise UsageError(
            f"no run was selected, and there is no terminal to choose on ({why}); nothing was sent",
            hint=f"name runs, or add a filter: {session.command('cancel', '--name', 'patch-openssl', '-n')}",
        )
    return Picked()
