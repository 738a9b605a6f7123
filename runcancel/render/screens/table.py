"""The formats that people read: `table` and `wide`, drawn with rich once everything is known."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

from rich.text import Text

from runcancel.model.outcomes import Outcome
from runcancel.model.reports import FileCheck, ScopeCheck
from runcancel.model.runs import Invocation, Run, RunName
from runcancel.render.columns import columns_of, extra_of
from runcancel.render.documents import End, Record
from runcancel.render.screens import doctor, screens
from runcancel.render.screens.groups import ENDS, grouped
from runcancel.render.screens.layout import Grid, lay_out, painted
from runcancel.render.screens.paint import paint
from runcancel.render.screens.terminal import Terminal
from runcancel.render.screens.words import FEW, WORST_LAST
from runcancel.render.sink import Printer, Sink
from runcancel.render.tabular import TableOptions, ordered, shown_columns
from runcancel.text import safe

_USUAL = TableOptions()


class Table(Printer):
    """Rows are kept and drawn at the end; one run or one outcome alone gets a screen of its own."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        terminal: Terminal,
        *,
        wide: bool,
        now: datetime,
        options: TableOptions | None = None,
    ) -> None:
        super().__init__(sink)
        self._name = name
        self._terminal = terminal
        self._wide = wide
        self._now = now
        self._options = options or _USUAL
        self._plain = self._options == _USUAL
        self._records: list[Record] = []

    def groups(self, count: int) -> bool:
        """Whether so many rows are printed in groups: the end of a cancel or a wait, unless a format was given."""
        return self._name in ENDS and count > FEW and not self._wide and self._plain

    def row(self, record: Record) -> None:
        """Keep one record."""
        self._records.append(record)

    def end(self, end: End) -> None:
        """Draw what came; nothing if nothing came."""
        if self._records:
            self._records = ordered(self._options, self._records)
            self._sink.write(paint(tuple(self._lines(end)), self._terminal))

    def _lines(self, end: End) -> Iterator[Text]:
        match self._records:
            case [Outcome() as outcome] if not self._wide and self._plain:
                yield from screens.of_outcome(outcome, terminal=self._terminal)
            case [Run() as run] if not self._wide and self._plain:
                yield from screens.of_run(run, terminal=self._terminal, now=self._now)
                yield from screens.scripts([run])
            case [Outcome() | Run(), *_] as records if self.groups(len(records)) and not extra_of(records):
                yield from map(painted, grouped(one for one in records if isinstance(one, Outcome | Run)))
            case [Run(), *_] as records:
                yield from self._rows(records)
                yield from screens.scripts(records)
            case [Invocation(), *_] if not self._options.columns:
                yield from self._by_run()
            case [Outcome(), *_] as records:
                outcomes = [record for record in records if isinstance(record, Outcome)]
                if not self._options.sort:
                    outcomes.sort(key=lambda one: WORST_LAST.index(one.verdict))
                yield from self._rows(_under_parents(outcomes))
            case [ScopeCheck(), *_] as records:
                yield from self._rows(records)
                yield Text()
                yield from (
                    Text(line, "dim")
                    for line in doctor.of_files([one for one in end.files if isinstance(one, FileCheck)])
                )
            case records:
                yield from self._rows(records)

    def _by_run(self) -> Iterator[Text]:
        """Invocations under the reference of their run."""
        invocations = [record for record in self._records if isinstance(record, Invocation)]
        for index, (run, group) in enumerate(groupby(invocations, key=lambda one: one.run)):
            if index:
                yield Text()
            yield Text(safe(str(run)), "bold")
            yield from self._rows(list(group), without_key=True)

    def _rows(self, records: Sequence[Record], *, without_key: bool = False) -> list[Text]:
        kind = type(records[0])
        usual = columns_of(kind, wide=self._wide, extra=extra_of(records) - {"script"})  # which stands below the rows
        columns = shown_columns(self._options, kind, usual)
        rows = tuple([column.cell(record, now=self._now) for column in columns] for record in records)
        grid = Grid(columns, rows)
        if without_key:
            grid = grid.only(lambda column: not column.is_key)
        return lay_out(
            grid,
            terminal=self._terminal,
            cut=not self._wide,
            headers=self._options.headers,
            empty=bool(self._options.columns),
        )


def _under_parents(records: Iterable[Outcome]) -> list[Record]:
    """Outcomes in their order, but each below the run that started it, at any depth."""
    outcomes = list(records)
    listed = {one.run for one in outcomes}
    below: dict[RunName | None, list[Outcome]] = {}
    for one in outcomes:
        below.setdefault(one.parent if one.parent in listed else None, []).append(one)
    ordered: list[Record] = []
    waiting = below.pop(None, [])[::-1]
    while waiting:
        ordered.append(one := waiting.pop())
        waiting += below.pop(one.run, [])[::-1]
    return ordered
