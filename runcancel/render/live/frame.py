"""One frame of the board: what fits into so many columns and lines; parts go whole, references are never cut."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from rich.cells import cell_len
from rich.text import Text

from runcancel.model.states import Reason, State, Verdict
from runcancel.render.live.board import LEFT, OPEN_FIRST, Board, RunProgress, Totals, tally
from runcancel.render.screens.layout import shortened
from runcancel.render.screens.terminal import Terminal
from runcancel.render.screens.words import ENDED_FIRST, STYLES, Piece, counted
from runcancel.text import safe

_FEW = 8  # runs that get lines of their own
_WIDEST = 120  # columns: a longer line is no easier to read
_SHORTEST_BAR, _LONGEST_BAR = 10, 40  # columns
_BESIDE = 60  # columns beside a reference that make room for where the run stands
_WITH_FOOT, _WITH_TARGETS, _WITH_GAP = 3, 4, 16  # lines of a frame that has room for them

_HINTS_WATCHING = ("Ctrl-C: stop watching; the runs continue", "Ctrl-C: stop watching", "Ctrl-C: stop")
_HINTS = ("Ctrl-C: stop here; cancels already sent continue", "Ctrl-C: stop here", "Ctrl-C: stop")
"""What Ctrl-C does, in fewer and fewer words."""

_NOT_DONE = (Verdict.IN_DOUBT, Verdict.SKIPPED, Verdict.FAILED)
_WHY: Mapping[Reason, str] = {Reason.BUSY: "throttled"}
_NO_REPLY = "no reply"
_ENDED, _OPEN = ("━", "="), ("─", "-")  # with the characters of bars, and without


class View(Struct, frozen=True, kw_only=True):
    """What a frame shows beside the board.

    `elapsed` and `left` (until the timeout, None for none) are seconds, `calls` how many there were a second lately.
    `waiting` returns for how many seconds a scope waits before its next request, and why.
    """

    width: int
    height: int
    terminal: Terminal = Terminal()
    elapsed: float = 0.0
    seconds_left: float | None = None
    calls: float = 0.0
    waiting: Callable[[str], tuple[float, Reason] | None] = lambda scope: None


def frame(board: Board, view: View) -> list[Text]:
    """At most `height` lines of at most `width` columns each."""
    foot = _hint(board, view)
    rows = _of_runs(board, view, view.height - 1 - len(foot))
    head = _head(board, view, bar_=rows is None)
    if rows is None:
        if view.height >= _WITH_TARGETS and (targets := _targets(board.total, view)):
            foot = [targets, *foot]
        room = view.height - 1 - len(foot)
        rows = _of_scopes(board, view, room)
        foot = [*foot[:-1], *_last(board, view, room - len(rows)), *foot[-1:]]
    lines = [head, *rows, *foot][: view.height]
    return [Text(), *lines] if view.height >= _WITH_GAP and len(lines) < view.height else lines


def bar(counts: Mapping[State, int], length: int, *, draws: bool) -> Text:
    """Exactly `length` columns in the colours of the states, heavy where nothing more will happen, and all the way
    only if everything has ended; a state that occurs has a column if there are enough of them."""
    present = [state for state in ENDED_FIRST if counts.get(state, 0) > 0]
    drawn = Text()
    for state, cells in zip(present, shares([counts[state] for state in present], length), strict=True):
        drawn.append((_ENDED if state.over else _OPEN)[not draws] * cells, _style(state))
    return drawn.append(_OPEN[not draws] * (length - drawn.cell_len), "dim")


def shares(counts: Sequence[int], length: int) -> list[int]:
    """`length` cells divided in proportion, each at least one; the first get none when there are too many.

    >>> shares([1, 998, 1], 10)
    [1, 8, 1]
    """
    if len(counts) > length:
        # What has not ended stands last: it must not be the part that is lost.
        return [0] * (len(counts) - length) + [1] * length
    total = sum(counts)
    exact = [count * length / total for count in counts] if total else []
    cells = [max(1, int(part)) for part in exact]
    while sum(cells) > length:
        at = max(range(len(cells)), key=lambda index: (cells[index] > 1, cells[index] - exact[index]))
        cells[at] -= 1
    while cells and sum(cells) < length:
        at = max(range(len(cells)), key=lambda index: exact[index] - cells[index])
        cells[at] += 1
    return cells


def fitted(pieces: Iterable[Piece], width: int, *, between: str) -> Text:
    """As many of the pieces as fit, from the first on, whole; a first one that does not fit is shortened."""
    line = Text()
    for index, (text, word) in enumerate(pieces):
        gap, more = between if index else "", Text(text, STYLES.get(word or "", ""))
        if line.cell_len + cell_len(gap) + more.cell_len > width:
            return line if index else shortened(more, width, mark="~")
        line.append(gap).append_text(more)
    return line


def _head(board: Board, view: View, *, bar_: bool) -> Text:
    """The activity at the left, the bar of all runs, time and rate at the right: the longest form that fits."""
    width = min(view.width, _WIDEST)
    runs, ended = counted(board.total.runs, "run"), f"{view.terminal.dot}{board.total.ended:,} ended"
    doing = f"{'cancelling' if board.cancels else 'watching'} {runs}"
    where = f" in {counted(len(board.scopes), 'scope')}" if len(board.scopes) > 1 else ""
    lefts = dict.fromkeys((f"{doing}{where}{ended}", f"{doing}{ended}", f"{runs}{ended}", doing, runs))
    clock = f"{int(view.elapsed // 60):02}:{int(view.elapsed % 60):02}"
    remaining = [] if view.seconds_left is None else [f"{max(0, math.ceil(view.seconds_left))} s left"]
    calls = [f"{view.calls:,.0f} call{'' if round(view.calls) == 1 else 's'}/s"] if view.calls >= 0.5 else []
    rights = [view.terminal.dot.join(parts) for parts in ([clock, *remaining, *calls], [clock, *remaining], [clock])]
    for least in (_SHORTEST_BAR + 4, 2) if bar_ else (2,):
        for start in lefts:
            for end in rights:
                gap = width - cell_len(start) - cell_len(end)
                if gap >= least:
                    length = min(_LONGEST_BAR, gap - 4) if least > 2 else 0
                    drawn = Text("  ").append_text(bar(board.total.states, length, draws=view.terminal.draws))
                    return Text.assemble((start, "bold"), drawn, " " * (gap - drawn.cell_len), (end, "dim"))
    return shortened(Text(runs, "bold"), view.width, mark="~")


def _hint(board: Board, view: View) -> list[Text]:
    """What Ctrl-C does."""
    if view.height < _WITH_FOOT:
        return []
    hints = _HINTS if board.cancels else _HINTS_WATCHING
    return [Text(text, "dim") for text in hints if len(text) <= view.width][:1]


def _of_runs(board: Board, view: View, room: int) -> list[Text] | None:
    """A line or two per run, all alike; None where they are many or have no room."""
    if board.total.runs > _FEW:
        return None
    runs = list(board.runs.values())
    column = max([cell_len(safe(str(run.ref))) for run in runs], default=0)
    side = view.width - column - 4
    if column + 2 > view.width or len(runs) * (1 if side >= _BESIDE else 2) > room:
        return None
    if side >= _BESIDE:
        return [Text(f"  {safe(str(run.ref)):<{column}}  ") + _of_run(run, view, side) for run in runs]
    return [
        line
        for run in runs
        for line in (Text(f"  {safe(str(run.ref))}"), Text("    ") + _of_run(run, view, view.width - 4))
    ]


def _of_run(run: RunProgress, view: View, width: int) -> Text:
    """A bar of its targets where there is room, its word, whether its scope waits, its targets per state."""
    line = Text()
    if width >= 3 * _SHORTEST_BAR + 6:
        length = min(_LONGEST_BAR, width // 3)
        line = bar(run.counts or {run.state: 1}, length, draws=view.terminal.draws).append("  ")
    word = run.word(brief=True)
    room = width - line.cell_len - cell_len(word[0]) - len(view.terminal.dot)
    waits = () if run.done else _waits(run.scope, view, room)
    return line + fitted([word, *waits, *_labelled(run.counts)], width - line.cell_len, between=view.terminal.dot)


def _labelled(counts: Mapping[State, int]) -> list[Piece]:
    """`targets: 3 running`, `17 cancelled`: so that no count of targets is read as one of runs."""
    return [(f"targets: {text}" if not index else text, word) for index, (text, word) in enumerate(tally(counts))]


def _targets(total: Totals, view: View) -> Text | None:
    """All targets per state; those for which there is no room as one number, so that none is missing."""
    pieces = _labelled(total.targets)
    counts = [count for state in OPEN_FIRST if (count := total.targets[state]) > 0]
    for size in range(len(pieces), 0, -1):
        rest: list[Piece] = [(f"{sum(counts[size:]):,} other", None)] if size < len(pieces) else []
        line = view.terminal.dot.join(text for text, _ in [*pieces[:size], *rest])
        if cell_len(line) <= view.width:
            return fitted([*pieces[:size], *rest], view.width, between=view.terminal.dot)
    return None


def _of_scopes(board: Board, view: View, room: int) -> list[Text]:
    """A line of runs per scope, the worst last; where not all have room, the others are one line above them."""
    if room <= 0:
        return []
    scopes = sorted(board.scopes.values(), key=lambda scope: _trouble(scope, view))
    if (apart := len(scopes) - room + 1) > 1:
        scopes = scopes[apart:]
        scopes.insert(0, board.total.without(scopes, f"{apart:,} {'more scopes' if room > 1 else 'scopes'}"))
    counts = [f"{scope.ended:,} of {scope.runs:,} ended" for scope in scopes]
    pad = max(map(len, counts))
    column = max(0, min(max(cell_len(safe(scope.name)) for scope in scopes), view.width - pad - 4))
    rows = []
    for scope, ended in zip(scopes, counts, strict=True):
        name = shortened(Text(safe(scope.name)), column, mark=view.terminal.mark)
        row = Text("  ") + name + Text(" " * (column - name.cell_len) + "  " + ended.rjust(pad))
        rows.append(_with_trouble(row if row.cell_len <= view.width else Text(ended), scope, view))
    return [shortened(row, view.width, mark="~") for row in rows]


def _with_trouble(row: Text, scope: Totals, view: View) -> Text:
    """The row with what keeps its runs from ending: verdicts, pauses, cancels without a reply."""
    dot = view.terminal.dot
    pieces: list[Piece] = [
        (f"{scope.verdicts[verdict]:,} {text}", verdict) for verdict, text in LEFT.items() if scope.verdicts[verdict]
    ]
    used = row.cell_len + sum(len(dot) + cell_len(text) for text, _ in pieces)
    pieces += _waits(scope.name, view, view.width - used - len(dot)) if scope.open else ()
    pieces += [(f"{scope.unanswered:,} without a reply", None)] if scope.unanswered else []
    side = view.width - row.cell_len - len(dot)
    if not pieces or side < cell_len(pieces[0][0]):
        return row
    return row + Text(dot) + fitted(pieces, side, between=dot)


def _trouble(scope: Totals, view: View) -> int:
    """How much attention a scope needs: a few steps, so that lines seldom change their places."""
    if any(scope.verdicts.values()):
        return 5 if any(scope.verdicts[verdict] for verdict in _NOT_DONE) else 4
    if not scope.open:
        return 0
    if view.waiting(scope.name) is not None:
        return 3
    return 2 if scope.unanswered else 1


def _waits(scope: str, view: View, room: int) -> tuple[Piece, ...]:
    """For how long a scope sends nothing, and why if there is room for it."""
    wait = view.waiting(scope)
    if wait is None:
        return ()
    short = f"next try in {math.ceil(wait[0])} s"
    long = f"{_WHY.get(wait[1], _NO_REPLY)}, {short}"
    return ((long if len(long) <= room else short, "cancelling"),)


def _last(board: Board, view: View, room: int) -> list[Text]:
    """The run that changed last, where there is a line for it and its reference fits."""
    run = board.last
    name = Text.assemble(("last: ", "dim"), safe(str(run.ref)) if run else "", "  ")
    if run is None or room <= 0 or name.cell_len > view.width:
        return []
    return [name + fitted([run.word(brief=True)], view.width - name.cell_len, between="")]


def _style(state: State) -> str:
    return "dim" if state is State.UNKNOWN else STYLES.get(state, "dim")
