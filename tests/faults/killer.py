"""Runs the program and kills it without warning at one of its journal writes.

MOMENT is `before` or `after` the write of that NUMBER, 1 being the first. With NUMBER 0 it lives, and prints how many
writes there were as the last line of stderr. With MOMENT `raise` it lives, too: that write and all later ones raise
what no journal should.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outside import Done, Outside

_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE", "COMMIT", "BEGIN")


class Mortal(sqlite3.Connection):
    """Counts what it writes, and dies at the write that was chosen."""

    writes = 0
    moment = "before"
    last = 0

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """As the original; a statement that writes may be the last."""
        return self._counted(sql, lambda: sqlite3.Connection.execute(self, sql, *values))

    def executemany(self, sql: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        """As the original; a statement that writes may be the last."""
        return self._counted(sql, lambda: sqlite3.Connection.executemany(self, sql, rows))

    def _counted(self, sql: str, run: Any) -> sqlite3.Cursor:
        if not sql.lstrip().upper().startswith(_WRITES):
            return run()
        Mortal.writes += 1
        if Mortal.moment == "raise" and Mortal.writes >= Mortal.last > 0 and sql != "ROLLBACK":
            raise AttributeError("a bug of the journal")
        due = Mortal.writes == Mortal.last
        if due and Mortal.moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        cursor = run()
        if due:
            os.kill(os.getpid(), signal.SIGKILL)
        return cursor


def mortal(outside: "Outside", moment: str, number: int, *argv: str, before: str = "") -> "Done":
    """What the command did in a process that dies at one of its journal writes. `before`: as for `Outside.run`."""
    load = f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nimport killer\n"
    return outside.run(*argv, before=f"{before}{load}killer.main({moment!r}, {number!r}, {argv!r})", check=False)


def main(moment: str, number: int, argv: tuple[str, ...]) -> None:
    """Run the command with a mortal connection, in the process that is there for it."""
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **options: connect(*args, **{**options, "factory": Mortal})
    Mortal.moment, Mortal.last = moment, number
    os.environ["RUNCANCEL_DEBUG"] = "1"  # an internal error shows where
    from runcancel.cli import run

    code = run(list(argv))
    print(Mortal.writes, file=sys.stderr)
    sys.exit(code)
