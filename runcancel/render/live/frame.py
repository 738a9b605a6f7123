"""One frame of the board: what fits into so many columns and lines; parts go whole, references are never cut."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from rich.cells import cell_len
from rich.text import Text

from runcancel.model.states import Reason, State, Verdict
from runcancel.render.live.bars import bar
from runcancel.render.live.board import Board, Group, Track
from runcancel.render.screens.layout import shortened
from runcancel.render.screens.terminal import Terminal
from runcancel.render.screens.words import STYLES, Piece, counted, provider_of, readable
from runcancel.text import ago, safe

_FEW = 8  # runs that get lines of their own
_NAMED = 5  # runs that are named when there are more
_WIDEST = 120  # columns: a longer line is no easier to read
_SHORTEST_BAR, _LONGEST_BAR = 10, 40  # columns
_BESIDE = 60  # columns beside a reference that make room for where the run stands
_LEAST = 12  # columns, below which saying where a run stands is not begun
_WITH_FOOT, _WITH_LAST, _WITH_GAP = 3, 5, 16  # lines of a frame that has room for them

_HINTS_WATCHING = ("Ctrl-C: stop watching; the runs continue", "Ctrl-C: stop watching", "Ctrl-C: stop")
_HINTS = ("Ctrl-C: stop here; cancels already sent continue", "Ctrl-C: stop here", "Ctrl-C: stop")
"""What Ctrl-C does, in fewer and fewer words."""

_WHY: Mapping[Reason, str] = {Reason.BUSY: "throttled"}
_NO_REPLY = "no reply"

_UNFINISHED: Mapping[Verdict, tuple[str, str]] = {
    Verdict.FAILED: ("failed", "failed"),
    Verdict.PARTIAL: ("partial", "partial"),
    Verdict.REQUESTED: ("not verified as ended", "requested"),
    Verdict.IN_DOUBT: ("in doubt", "in-doubt"),
    Verdict.SKIPPED: ("not sent", ""),
}
"""What is counted of runs that were judged though they are not over, and in whose colour."""


class View(Struct, frozen=True, kw_only=True):
    """What a frame shows beside the board.

    `elapsed` and `left` (until the timeout, None for none) are seconds, `calls` how many there were a second lately.
    `waiting` tells for how many seconds a scope waits before it asks again, and why.
    """

    width: int
    height: int
    terminal: Terminal = Terminal()
    elapsed: float = 0.0
    left: float | None = None
    calls: float = 0.0
    waiting: Callable[[str], tuple[float, Reason] | None] = lambda scope: None
    now: datetime = datetime.fromtimestamp(0, UTC)


def frame(board: Board, view: View) -> list[Text]:
    """At most `height` lines of at most `width` columns each."""
    foot = _hint(board, view)
    rows = _of_runs(board, view, view.height - 1 - len(foot))
    if rows is None:
        foot = _with_last(board, view, foot)
        room = view.height - 1 - len(foot)
        rows = _of_scopes(board, view, room)
        rows += _longest(board, view, room - len(rows))
    lines = [_head(board, view), *rows, *foot][: view.height]
    return [Text(), *lines] if view.height >= _WITH_GAP and len(lines) < view.height else lines


def fitted(pieces: Iterable[Piece], width: int, *, between: str) -> Text:
    """As many of the pieces as fit, from the first on, whole; a first one that does not fit is shortened."""
    line = Text()
    for place, (text, word) in enumerate(pieces):
        gap, more = between if place else "", Text(text, STYLES.get(word or "", ""))
        if line.cell_len + cell_len(gap) + more.cell_len > width:
            return line if place else shortened(more, width, mark="~")
        line.append(gap).append_text(more)
    return line


def _head(board: Board, view: View) -> Text:
    """What goes on at the left, time and pace at the right; the best that fits."""
    width = min(view.width, _WIDEST)
    runs = counted(board.total.runs, "run")
    doing = f"{'cancelling' if board.asking else 'watching'} {runs}"
    clouds = len({provider_of(scope) for scope in board.groups})
    over = f"{view.terminal.dot}{board.total.over:,} ended"
    lefts = (f"{doing} on {clouds} clouds{over}" if clouds > 1 else f"{doing}{over}", f"{doing}{over}", doing, runs)
    clock = f"{int(view.elapsed // 60):02}:{int(view.elapsed % 60):02}"
    left = [] if view.left is None else [f"{max(0, math.ceil(view.left))} s left"]
    calls = [f"{view.calls:,.0f} call{'' if round(view.calls) == 1 else 's'}/s"] if view.calls >= 0.5 else []
    rights = [[clock, *left, *calls], [clock, *left], [clock]]
    for start in lefts:
        for parts in rights:
            end = view.terminal.dot.join(parts)
            gap = width - cell_len(start) - cell_len(end)
            if gap >= 2:
                return Text.assemble((start, "bold"), " " * gap, (end, "dim"))
    return shortened(Text(runs, "bold"), view.width, mark="~")


def _hint(board: Board, view: View) -> list[Text]:
    """What Ctrl-C does."""
    if view.height < _WITH_FOOT:
        return []
    hints = _HINTS if board.asking else _HINTS_WATCHING
    return [Text(text, "dim") for text in hints if len(text) <= view.width][:1]


def _with_last(board: Board, view: View, foot: list[Text]) -> list[Text]:
    """What changed last above what Ctrl-C does, or beside it."""
    if not foot or board.last is None or view.height < _WITH_LAST:
        return foot
    name = Text.assemble(("last ", "dim"), safe(board.last.ref), "  ")
    if name.cell_len + _LEAST > view.width:
        return foot
    last = name + fitted(_of_run(board.last), view.width - name.cell_len, between=view.terminal.dot)
    gap = min(view.width, _WIDEST) - last.cell_len - foot[0].cell_len
    return [last + Text(" " * gap) + foot[0]] if gap >= 3 else [last, *foot]


def _of_runs(board: Board, view: View, room: int) -> list[Text] | None:
    """A line or two per run, all alike; None where they are many or have no room."""
    if board.total.runs > _FEW:
        return None
    tracks = list(board.tracks.values())
    column = max([cell_len(safe(track.ref)) for track in tracks], default=0)
    side = view.width - column - 4
    if column + 2 > view.width or len(tracks) * (1 if side >= _BESIDE else 2) > room:
        return None
    if side >= _BESIDE:
        return [Text(f"  {safe(track.ref):<{column}}  ") + _stands(track, view, side) for track in tracks]
    return [
        line
        for track in tracks
        for line in (Text(f"  {safe(track.ref)}"), Text("    ") + _stands(track, view, view.width - 4))
    ]


def _stands(track: Track, view: View, width: int) -> Text:
    """A bar where there is room, the run's word, whether its scope waits, its targets per state."""
    line = Text()
    if length := _bar_length(width):
        line = bar(track.counts or {track.state: 1}, length, draws=view.terminal.draws).append("  ")
    word, *rest = _of_run(track)
    room = width - line.cell_len - cell_len(word[0]) - len(view.terminal.dot)
    waits = () if track.done else _waits(track.scope, view, room)
    return line + fitted([word, *waits, *rest], width - line.cell_len, between=view.terminal.dot)


def _of_run(track: Track) -> list[Piece]:
    """Its word and its targets per state. A long answer of the cloud is told by its code: nothing may be cut in it.

    While it is open and its targets say the same word, what remains to be said is whether its cancel was answered.
    """
    tally = _tally(track.counts)
    if track.outcome is not None or track.state.over or (track.problem is None and not track.counts.get(track.state)):
        return [track.word(), *tally]
    if track.problem is not None:
        return [(f"refused: {readable(track.problem.code)}", "failed"), *tally]
    known = track.answered is None or track.state is State.CANCELLING
    return [*([] if known else [("cancel requested" if track.answered else "no reply yet", None)]), *tally]


def _of_scopes(board: Board, view: View, room: int) -> list[Text]:
    """A line per scope, those with open runs first where not all have room; the rest in one line."""
    if room <= 0:
        return []
    groups = list(board.groups.values())
    lines_each = 1 if _side_by_side(groups, view) else 2
    most = room // lines_each
    if len(groups) <= most:
        return _lines(groups, view)
    if not most:
        return [_words(board.total, view, view.width)]
    busy = {group.scope for group in sorted(groups, key=lambda group: not group.open)[: most - 1]}
    hidden = [group for group in groups if group.scope not in busy]
    rest = Group(f"{len(hidden):,} {'more' if busy else 'scopes'}")
    for group in hidden:
        rest.add(group)
    return _lines([*(group for group in groups if group.scope in busy), rest], view)


def _side_by_side(groups: Sequence[Group], view: View) -> bool:
    return max(cell_len(safe(group.scope)) for group in groups) + 4 + len("1,000 of 1,000 ended") <= view.width


def _lines(groups: Sequence[Group], view: View) -> list[Text]:
    column = max(cell_len(safe(group.scope)) for group in groups) + 2
    side = view.width - column - 2
    if not _side_by_side(groups, view):
        return [
            line
            for group in groups
            for line in (
                shortened(Text(safe(group.scope)), view.width, mark=view.terminal.mark),
                Text("  ") + _words(group, view, view.width - 2),
            )
        ]
    length = _bar_length(side)
    counted = max(cell_len(_over(group)) for group in groups)
    rows = []
    for group in groups:
        row = Text(f"  {safe(group.scope):<{column}}")
        if length:
            row.append_text(bar(_states(group), length, draws=view.terminal.draws)).append("  ")
        rows.append(row + _words(group, view, view.width - row.cell_len, pad=counted))
    return rows


def _states(group: Group) -> Mapping[State, int]:
    return group.targets if group.targets.total() else group.states


def _words(group: Group, view: View, width: int, *, pad: int = 0) -> Text:
    """How many runs are over; who waits, what failed, what has no reply yet; then the targets per state."""
    unanswered: list[Piece] = [(f"{group.unanswered:,} without a reply", None)] if group.unanswered else []
    ends = [
        (f"{group.verdicts[verdict]:,} {text}", word)
        for verdict, (text, word) in _UNFINISHED.items()
        if group.verdicts[verdict]
    ]
    over = _over(group)
    waits = _waits(group.scope, view, width - max(pad, cell_len(over)) - len(view.terminal.dot)) if group.open else ()
    return fitted(
        [(" " * (pad - cell_len(over)) + over, None), *waits, *ends, *unanswered, *_tally(group.targets)],
        width,
        between=view.terminal.dot,
    )


def _over(group: Group) -> str:
    return f"{group.over:,} of {group.runs:,} ended"


def _waits(scope: str, view: View, room: int) -> tuple[Piece, ...]:
    """For how long a scope asks nothing, and why if there is room for it."""
    wait = view.waiting(scope)
    if wait is None:
        return ()
    short = f"next try in {math.ceil(wait[0])} s"
    long = f"{_WHY.get(wait[1], _NO_REPLY)}, {short}"
    return ((long if len(long) <= room else short, "cancelling"),)


def _tally(counts: Mapping[State, int]) -> list[Piece]:
    """Counts per state, what is not over first."""
    return [
        (f"{counts[state]:,} {readable(state)}", state)
        for state in sorted(State, key=lambda state: state.over)
        if counts.get(state, 0) > 0
    ]


def _bar_length(room: int) -> int:
    """Columns of a bar beside words, 0 where there is no room for one."""
    return min(_LONGEST_BAR, room // 3) if room >= 3 * _SHORTEST_BAR + 6 else 0


def _longest(board: Board, view: View, room: int) -> list[Text]:
    """The runs that began first of those unfinished, as far as their references fit."""
    tracks = board.longest(min(_NAMED, room - 1)) if room > 1 else []
    ages = {track.ref: ago(track.began, view.now) if track.began else "" for track in tracks}
    old = max(map(len, ages.values()), default=0)
    names = [
        (track, Text.assemble("  ", (f"{ages[track.ref]:>{old}}", "dim"), "  " if old else "", safe(track.ref)))
        for track in tracks
    ]
    names = [(track, name) for track, name in names if name.cell_len <= view.width]
    if not names:
        return []
    column = max(name.cell_len for _, name in names) + 2
    more = ", longest-running first" if board.total.open > len(names) else ""
    rows = [shortened(Text(f"{board.total.open:,} unfinished{more}:", "dim"), view.width, mark="~")]
    for track, name in names:
        side = view.width - column
        stands = fitted(_of_run(track), side, between=view.terminal.dot) if side >= _LEAST else Text()
        rows.append(name + Text(" " * (column - name.cell_len)) + stands if stands else name)
    return rows
