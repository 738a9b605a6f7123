"""`python -m benchmarks.journals [RUNS]`: the journal of a team beside the one of this machine, as ratios.

How many replies per second each store takes, and what each costs a cancel of so many runs. The server is a real
PostgreSQL of this machine that commits to the disk, as one is delivered.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import ACCOUNTS, CODES, spread
from benchmarks.measure import Sample, measured
from benchmarks.place import RUNCANCEL, sandbox
from benchmarks.report import Part, table
from runcancel.journal.base import Journal
from runcancel.journal.postgres import PostgresDatabase
from runcancel.journal.recorder import new_operation
from runcancel.journal.sql import SqlJournal
from runcancel.journal.store import VARIABLE, JournalStore
from runcancel.model.events import Judged
from runcancel.model.outcomes import CancelResponse, PlanItem
from runcancel.model.runs import Ref
from runcancel.model.states import Guarantee, RequestStatus, State, Verdict
from tests.databases import DURABLE, NoServer, Server

_FILE = "SQLite"
_REPLIES = 1000


@contextmanager
def server() -> Iterator[str]:
    """The URL of a team's journal on a server of its own."""
    running = Server.start(DURABLE)
    try:
        url = running.create()
        JournalStore(Path("/nowhere"), url).migrate()
        yield url
    finally:
        running.close()


def replies_per_second(url: str) -> dict[str, float]:
    """Replies that each store takes in a second, each committed. `both` waits for the file, and for all at the end."""
    with tempfile.TemporaryDirectory() as folder:
        stores: Mapping[str, Callable[[], Journal]] = {
            _FILE: lambda: JournalStore(Path(folder) / "one" / "j").open(),
            "PostgreSQL": lambda: SqlJournal(PostgresDatabase.open(url)),
            "both": lambda: JournalStore(Path(folder) / "two" / "j", url).open(),
        }
        return {name: _rate(open_()) for name, open_ in stores.items()}


def _rate(journal: Journal) -> float:
    operation = new_operation("cancel", [], None)
    refs = [Ref.parse(f"tencent:ap-guangzhou:invocation/inv-{number:08}") for number in range(_REPLIES)]
    journal.begin(operation, [_item(ref) for ref in refs])
    answer = CancelResponse(status=RequestStatus.ACCEPTED, request_ids=("r",))
    began = time.monotonic()
    for ref in refs:
        journal.responded(operation.id, ref, answer, [Judged(run=ref, at=operation.at, verdict=Verdict.REQUESTED)])
    journal.close()
    return _REPLIES / (time.monotonic() - began)


def _item(ref: Ref) -> PlanItem:
    return PlanItem(
        run=ref,
        name="patch-openssl",
        state=State.RUNNING,
        guarantee=Guarantee.STOPS_RUNNING,
        promise="stops",
        ask=True,
        why="it is running",
        counts={State.RUNNING: 12},
        not_listed=0,
        targets=(),
        invocations=(),
    )


def cancels(runs: int, url: str) -> dict[str, Sample]:
    """A cancel of so many runs without a journal, with the file, and with the team's too; each in a fresh sandbox."""
    ways: Mapping[str, tuple[str | None, tuple[str, ...]]] = {
        "no journal": (None, ("--no-journal",)),
        _FILE: (None, ()),
        "both": (url, ()),
    }
    return {name: _cancel(runs, *way) for name, way in ways.items()}


def _cancel(runs: int, url: str | None, options: tuple[str, ...]) -> Sample:
    with sandbox(accounts=ACCOUNTS) as place:
        refs = spread(place, runs)
        argv = [str(RUNCANCEL), "cancel", *refs, "--max-runs", "1000000", "--timeout", "600s", *options, "-o", "jsonl"]
        environ = dict(place.environ) | ({} if url is None else {VARIABLE: url})
        return measured(argv, environ, codes=CODES)


@dataclass(frozen=True, kw_only=True)
class Stores:
    """By store: replies a second, and a cancel of `runs` runs."""

    rates: Mapping[str, float]
    runs: int
    samples: Mapping[str, Sample]


def stores(runs: int) -> Stores:
    """Both measurements before one server. Raises `NoServer`."""
    with server() as url:
        return Stores(rates=replies_per_second(url), runs=runs, samples=cancels(runs, url))


def shown(found: Stores) -> str:
    """A table for the replies and one for the cancels, each with ratios to SQLite."""
    file, usual = found.rates[_FILE], found.samples[_FILE]
    replies = table(
        ("store", "replies recorded per second, each one committed", "ratio to SQLite"),
        ((name, f"{rate:,.0f}", f"{rate / file:.2f}") for name, rate in found.rates.items()),
    )
    samples = table(
        (f"`cancel` of {found.runs:,} runs", "CPU", "ratio to SQLite", "wall clock", "ratio to SQLite"),
        (
            (
                name,
                f"{one.cpu:.1f} s",
                f"{one.cpu / usual.cpu:.2f}",
                f"{one.wall:.1f} s",
                f"{one.wall / usual.wall:.2f}",
            )
            for name, one in found.samples.items()
        ),
    )
    return f"{replies}\n{samples}"


def part(*, quick: bool) -> Part:
    """The part of the page. A machine without PostgreSQL has no server to measure."""
    try:
        return Part(text=shown(stores(500 if quick else 5000)))
    except NoServer as error:
        return Part(text=f"Not measured: {error}\n")


if __name__ == "__main__":
    print(shown(stores(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)))
