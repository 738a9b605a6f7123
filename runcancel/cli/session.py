"""What every verb is given: settings, connections, streams; made from the options that mean the same everywhere."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from msgspec import structs

from runcancel import environment
from runcancel.cli import options
from runcancel.cli.bundles import spelled
from runcancel.cli.options import format_of, one_of, read_query
from runcancel.cli.support.request import Request
from runcancel.config import file as config_file
from runcancel.config import references, settings
from runcancel.config.references import Reference
from runcancel.config.settings import Settings
from runcancel.engine.connections import Clouds
from runcancel.engine.events import Progress
from runcancel.engine.lookup import LookupResult, look_up
from runcancel.errors import Exit, UsageError
from runcancel.model.runs import Scope
from runcancel.render import (
    QUERYABLE,
    ROW_FORMATS,
    TABULAR,
    Writer,
    default_format,
    writer,
)
from runcancel.render.screens.notes import Notes
from runcancel.render.screens.terminal import Color, Terminal
from runcancel.runtime.schedule import THREADS, threads_that_fit
from runcancel.runtime.throttle import StoppableClock, Tries
from runcancel.runtime.workers import Workers
from runcancel.text import command

if TYPE_CHECKING:
    from runcancel.cli.support.accounts import Accounts
    from runcancel.engine.callers import Callers
    from runcancel.engine.events import SearchCount
    from runcancel.journal.store import JournalStore
    from runcancel.render.formats.query import Expression
    from runcancel.render.tabular import TableOptions

_SCOPE_OPTIONS = ("context", "provider", "profile", "region")

_WITHOUT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "logs": ("table", "wide"),
    "permissions": ("table", "wide", "tsv"),
    "report": TABULAR,
    "schema": TABULAR,
}
"""Formats of a verb that are a text of their own."""

_ABOUT_RUNS = frozenset({"cancel", "wait"})
"""Answers whose exit code reports the result of runs, whether or not somebody could read it."""


class Session:
    """One call of the program: where it connects, where it writes, how it waits."""

    def __init__(
        self,
        verb: str,
        scope_settings: Settings,
        *,
        format: str,
        color: Color,
        quiet: bool,
        verbose: bool,
        no_input: bool,
        query: "Expression | None" = None,
        debug: bool = False,
    ) -> None:
        environ = scope_settings.environ
        self.verb = verb
        self._answer = verb
        self.settings = scope_settings
        self.format = format
        self.query = query
        self.table: TableOptions | None = None
        """The columns and the order of rows, if they were chosen."""
        self.request = Request()
        self.read_within: float | None = None
        """Seconds after which runs that have not answered are not waited for; None: they are."""
        self.impatient = False
        """Whether a time to wait was given."""
        self.scope_flags: tuple[str, ...] = ()
        """The options that chose the scopes, as words of a command line."""
        self.shaped = True
        """Whether that format was given."""
        self.quiet = quiet
        self.verbose = verbose
        self.no_input = no_input
        self.debug = debug
        self.notes = Notes(sys.stderr, quiet=quiet, environ=environ)
        self.out = Terminal.of(sys.stdout, environ, color=color)
        self.err = Terminal.of(sys.stderr, environ, color=color)
        self.workers = Workers(StoppableClock(), threads=threads_that_fit(THREADS))
        self.workers.acknowledge = self.notes.warn
        self.clouds = Clouds(scope_settings, self.workers)
        self.asks_caller: Callable[[Scope], bool] = lambda _: False
        """Whether the caller's identity decides about a cancel in a scope. It is then requested during the lookup."""

    @classmethod
    def open(cls, verb: str, args: options.Everywhere) -> Self:
        """Put flags before variables and check them. Raises `UsageError`; sends nothing to a cloud."""
        environ = dict(os.environ)  # read often, and by threads: an SDK's session takes empty variables out of it
        scope_settings = settings.gather(
            contexts=args.context or (),
            config=config_file.load(config_file.path(environ)),
            providers=args.provider or (),
            profile=args.profile,
            regions=args.region or (),
            environ=environ,
        )
        debug = environment.switch("--debug", args.debug, environ)
        if debug:
            _show_requests(sys.stderr)
        default = default_format(Terminal.of(sys.stdout, environ))
        session = cls(
            verb,
            scope_settings,
            format=format_of(args.output, query=args.query, environ=environ, default=default),
            query=None if args.query is None else read_query(args.query),
            color=Color(one_of("--color", args.color, environ, tuple(Color), Color.AUTO)),
            quiet=environment.switch("--quiet", args.quiet, environ),
            verbose=environment.switch("--verbose", args.verbose, environ),
            no_input=environment.switch("--no-input", args.no_input, environ),
            debug=debug,
        )
        session.scope_flags = spelled(args, _SCOPE_OPTIONS)
        chosen_timeout = environment.text("--timeout", args.timeout, environ)
        if chosen_timeout.value is not None:
            seconds = environment.duration(chosen_timeout.origin, chosen_timeout.value)
            session.clouds.tries, session.impatient = Tries.of(seconds), True
        session.shaped = args.query is not None or environment.text("--output", args.output, environ).value is not None
        for remark in config_file.remarks(config_file.path(environ), scope_settings.config):
            session.notes.warn(remark)
        for unknown in settings.unknown_regions(scope_settings):
            session.notes.say(f"note: “{unknown}” is not a known region; trying it anyway")
        if args.columns is not None or args.sort is not None or args.no_headers:
            from runcancel.render.tabular import table_options

            session._shape_tables(table_options(verb, args.columns, args.sort, headers=not args.no_headers))
        return session

    def _shape_tables(self, shape: "TableOptions") -> None:
        """Take the options of tables. Raises `UsageError` where the format is none."""
        tables = [each for each in TABULAR if each not in _WITHOUT_COLUMNS.get(self.verb, ())]
        if self.query is not None or self.format not in tables:
            now = "without --query" if self.query is not None else f"the format is {self.format}"
            fitting = f"need -o {' or '.join(tables)}; {now}" if tables else f"do not apply to {self.verb}"
            raise UsageError(f"--columns, --sort and --no-headers {fitting}; nothing was sent")
        self.table = shape
        self.shaped = True

    def __enter__(self) -> Self:
        self.workers.install()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.workers.clock.stop()
        if "journal" in vars(self):
            self.journal.close()
        if isinstance(error, UsageError) and error.call:
            error.hint = f"{error.hint} {self.command(*error.call)}"

    def choose_format(self, output: str | None, formats: Sequence[str], *, default: str) -> None:
        """Take the `-o` of a verb with formats of its own; a variable that is none is ignored. Raises `UsageError`."""
        formats_there = formats if self.query is None else QUERYABLE
        if output is not None:
            self.format = one_of("--output", output, self.settings.environ, formats_there, default)
        elif self.query is None and not (self.shaped and self.format in formats_there):
            self.format = default

    def writer(self, name: str) -> Writer:
        """Where the answer goes; `name` is the document's: the verb, or `plan`.

        Raises `UsageError` for a column that this document lacks.
        """
        self._answer = name
        if self.table is not None:
            from runcancel.render.tabular import check

            check(self.table, name)
        return writer(
            self.format,
            name,
            out=sys.stdout,
            terminal=self.out,
            notes=self.notes,
            query=self.query,
            options=self.table,
        )

    def limit(self, rows: int | None, on_terminal: int) -> int:
        """The largest number of rows of a list; 0 is all. Only a terminal has a default limit."""
        if rows is not None:
            return rows
        return on_terminal if self.out.is_terminal else 0

    @cached_property
    def accounts(self) -> "Accounts":
        """The accounts behind the scopes, where they decide."""
        from runcancel.cli.support.accounts import Accounts

        return Accounts(self.settings, self._callers)

    @cached_property
    def _callers(self) -> "Callers":
        from runcancel.engine.callers import Callers

        return Callers(self.settings, self.clouds, self.workers)

    @cached_property
    def journal(self) -> "JournalStore":
        """Where the journal of this user is. Raises `UsageError` for a variable with a wrong URL."""
        from runcancel.journal.store import JournalStore

        url, warn = self.settings.config.journal.url, self.notes.warn
        return JournalStore.of(self.settings.environ, url, warn, self.workers.pause)

    def command(self, *words: str) -> str:
        """A call of this program over the same scopes, as a person can paste it.

        One that names runs in full needs no options: their references have the scope.
        """
        return command(*words, *self.scope_flags)

    def suggest(self, *lines: str) -> tuple[str, ...]:
        """What a person could do next, as notes for the end of an answer: nothing where no person reads."""
        return lines if self.err.is_terminal and self.out.is_terminal else ()

    def ended(self, code: int) -> int:
        """The exit code. A reading that could not be written has failed; a cancel and a wait keep their own code."""
        if self.workers.signum is not None:
            return 128 + self.workers.signum
        failed = self.notes.cut_off and self._answer not in _ABOUT_RUNS
        return code or int(Exit.FAILED) if failed else code

    @property
    def _paints_alone(self) -> bool:
        return not (self.debug or (self.out.is_terminal and self.format in ROW_FORMATS))

    def progress(self, *, cancels: bool, timeout: float | None = None) -> Progress:
        """The observer that reports on stderr while this waits; it is repainted as time goes by.

        `timeout`: the seconds for which each run is watched. Nothing is painted over where others write between: rows
        that go to the terminal as they come, and the lines of `--debug`.
        """
        from runcancel.render.live.progress import progress

        shown = progress(
            sys.stderr,
            terminal=structs.replace(self.err, moves=self.err.moves and self._paints_alone),
            environ=self.settings.environ,
            quiet=self.quiet,
            verbose=self.verbose,
            cancels=cancels,
            timeout=timeout,
            traffic=self.clouds.traffic,
        )
        self.workers.tick = shown.tick
        self.notes.aside = shown.close
        return shown

    @contextmanager
    def search_count(self, doing: str = "searched", things: str = "scopes") -> "Iterator[SearchCount]":
        """How far a search is: shown on stderr inside the block, as `progress` is."""
        from runcancel.engine.events import SearchCount
        from runcancel.render.live.searching import show

        before, alone = (self.workers.tick, self.notes.aside), self._paints_alone
        terminal = structs.replace(self.err, moves=self.err.moves and alone)
        count = SearchCount(doing, things)
        if not self.quiet:
            line = show(sys.stderr, count, terminal=terminal, environ=self.settings.environ)
            self.workers.tick, self.notes.aside = line.tick, line.close
        try:
            yield count
        finally:
            self.notes.aside()
            self.workers.tick, self.notes.aside = before

    def wait_timeout(self, timeout: str | None) -> float:
        """`--timeout` in seconds: the flag, the variable, or 60. From now on reads are repeated within it."""
        within = self.seconds("--timeout", timeout, settings.DEFAULT_TIMEOUT)
        self.clouds.tries = Tries.watching(within)
        return within

    def seconds(self, flag: str, value: str | None, otherwise: float) -> float:
        """An amount of patience in seconds: the flag, its variable, or `otherwise`."""
        choice = environment.text(flag, value, self.settings.environ)
        return otherwise if choice.value is None else environment.duration(choice.origin, choice.value)

    def look_up_texts(self, texts: Sequence[str], *, full: bool) -> list[LookupResult]:
        """Read every named run, in the order named. Raises `UsageError` before the first request."""
        return self.look_up(references.parse_all(texts), full=full)

    def look_up(
        self,
        references: Sequence[Reference],
        *,
        full: bool = True,
        scopes_of: Mapping[str, Sequence[Scope]] | None = None,
    ) -> list[LookupResult]:
        """Read every run, in the order given; `scopes_of` as for `Lookup`.

        Raises `UsageError` before the first request.
        """
        self.tell_origins(references)
        scopes_there = scopes_of or {}
        self.begin_callers(
            scope
            for one in references
            for scope in scopes_there.get(one.text) or settings.scopes_of(self.settings, one)
        )
        if with_account := [reference for reference in references if reference.account is not None]:
            self.notes.say(*self.accounts.check(with_account))
        results = look_up(
            references,
            self.settings,
            self.clouds,
            self.workers,
            full=full,
            within=self.read_within,
            scopes_of=scopes_of,
        )
        by_reference = {result.reference: result for result in results}
        for result in by_reference.values():
            if result.note:
                self.notes.say(f"note: {result.note}")
        return [by_reference[reference] for reference in references]

    def begin_callers(self, scopes: Iterable[Scope]) -> None:
        """Request the caller's identity in those of these scopes where it decides, and return at once."""
        if asking := [scope for scope in dict.fromkeys(scopes) if self.asks_caller(scope)]:
            self._callers.begin(asking)

    def tell_origins(self, references: Sequence[Reference]) -> None:
        """Print the sources of the settings of each reference, under `-v`."""
        if self.verbose:
            from runcancel.config import provenance

            lines = (provenance.origins(self.settings, reference) for reference in references)
            self.notes.say(*dict.fromkeys(line for part in lines for line in part))


def _show_requests(stream: TextIO) -> None:
    import logging

    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(relativeCreated)6.0f ms  %(message)s"))
    logger = logging.getLogger("runcancel.wire")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
