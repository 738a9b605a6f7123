"""`pytest --workers N`: one process collects the tests, and N copies of it run them.

To collect takes seconds of a core, and so does what `copies.py` loads; each worker of pytest-xdist does both. Here
the pieces of work are numbers in a pipe, whoever is free reads the next one, and reports come back through sockets.
"""

import os
import pickle
import select
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import pytest
from _pytest.runner import runtestprotocol

_LENGTH = 4  # bytes
_NUMBER = 2  # bytes
_MOST_IN_A_PIECE = 8  # tests of one file: they share what its fixtures start
_SLOW_FILES = frozenset(
    {
        *("tests/adversary/test_answers.py", "tests/adversary/test_echoes.py", "tests/adversary/test_plans.py"),
        *("tests/cli/test_calls.py", "tests/cli/test_examples.py", "tests/cli/test_rates.py"),
        *("tests/cli/test_scopes.py", "tests/cli/test_stop_running.py", "tests/cli/test_switching.py"),
        *("tests/cli/test_wait.py", "tests/faults/test_campaign.py", "tests/faults/test_cancel_and_disable.py"),
        *("tests/faults/test_flow.py", "tests/faults/test_kills.py", "tests/faults/test_late_children.py"),
        *("tests/faults/test_schedules.py", "tests/faults/test_team_kills.py", "tests/faults/test_trigger_campaign.py"),
        *("tests/faults/test_trigger_kills.py", "tests/fuzz/test_payloads.py", "tests/journal/test_leases.py"),
        *("tests/journal/test_resume.py", "tests/journal/test_stores_agree.py", "tests/providers/aws/test_moto.py"),
        *("tests/sandbox/test_demo.py", "tests/test_scaling.py"),
    }
)
"""Files with tests that take many seconds: all would wait for one that begins last. Each is a piece."""
_SLOW_BEGIN_BY = 0.7  # of the others
_SINGLE_FROM = 0.8  # of the others


class Workers:
    """The plugin that takes the place of pytest's own loop over the tests. All copies have what `prepare` makes.

    It starts a process that loads for seconds: this one collects meanwhile.
    """

    def __init__(self, number: int, prepare: Callable[[], object]) -> None:
        self._number = number
        self._prepare = prepare

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Prepare what the tests will need."""
        if not session.config.option.collectonly:
            self._prepare()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run every test in some copy of this process."""
        if session.testsfailed or session.config.option.collectonly or not session.items:
            return None
        assert threading.active_count() == 1, "a process with threads cannot be copied"
        pieces = _pieces(session.items)
        queue, numbers = os.pipe()
        os.write(numbers, b"".join(number.to_bytes(_NUMBER) for number in range(len(pieces))))
        os.close(numbers)
        copies = [_Copy(session, f"gw{number}", pieces, queue) for number in range(min(self._number, len(pieces)))]
        os.close(queue)
        try:
            _Collector(session).collect(copies)
        finally:
            for each in copies:
                each.close()
        return True


def _pieces(items: Sequence[pytest.Item]) -> Sequence[Sequence[int]]:
    """What one copy runs in a row, as places in the list.

    What waits and what works are mixed, so that the processors always have something to do: the same way every time.
    Slow tests begin early enough, and the last pieces are single tests, so that all copies end at the same time.
    """
    slow: list[Sequence[int]] = []
    others: list[Sequence[int]] = []
    for name, places in groupby(range(len(items)), lambda at: items[at].nodeid.partition("::")[0]):
        numbers = [*places]
        size, into = (1, slow) if name in _SLOW_FILES else (_MOST_IN_A_PIECE, others)
        into.extend(numbers[at : at + size] for at in range(0, len(numbers), size))
    mixed = Random(0)
    mixed.shuffle(slow)
    mixed.shuffle(others)
    late = round(len(others) * _SINGLE_FROM)
    others[late:] = [[place] for piece in others[late:] for place in piece]
    order = [(at / len(slow) * _SLOW_BEGIN_BY, piece) for at, piece in enumerate(slow)]
    order += [(at / len(others), piece) for at, piece in enumerate(others)]
    return [piece for _, piece in sorted(order)]


class _Copy:
    """A copy of this process, as this process sees it."""

    def __init__(self, session: pytest.Session, name: str, pieces: Sequence[Sequence[int]], queue: int) -> None:
        self.name = name
        self.running: pytest.Item | None = None
        base = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        self.line, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            self.line.close()
            _live(session, base / name, pieces, queue, theirs)
        theirs.close()

    def received(self) -> tuple[str, Any] | None:
        """What it reports next; None at its end."""
        head = self.line.recv(_LENGTH, socket.MSG_WAITALL)
        if len(head) < _LENGTH:
            return None
        kind, value = pickle.loads(self.line.recv(int.from_bytes(head), socket.MSG_WAITALL))
        return kind, value

    def stop(self) -> None:
        """Have it begin no other test."""
        with suppress(OSError):
            self.line.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End it, and wait for its end."""
        self.line.close()
        os.kill(self.pid, signal.SIGTERM)  # one that has ended is there until it is waited for
        os.waitpid(self.pid, 0)


class _Collector:
    """Makes the reports of the copies those of this process."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._hook = session.config.hook
        self._left = {item.nodeid: item for item in session.items}

    def collect(self, copies: Sequence[_Copy]) -> None:
        """Until every copy has ended. What none of them finished is an error."""
        lines = {copy.line: copy for copy in copies}
        stopped = ""
        while lines:
            for line in select.select([*lines], [], [])[0]:
                copy = lines[line]
                found = copy.received()
                if found is None:
                    del lines[line]
                    self._fail(copy.running, f"the process {copy.name}, which ran this test, has ended")
                else:
                    self._take(copy, *found)
            if (self._session.shouldfail or self._session.shouldstop) and not stopped:
                stopped = str(self._session.shouldfail or self._session.shouldstop)
                for copy in copies:
                    copy.stop()
        if stopped:
            raise self._session.Failed(stopped) if self._session.shouldfail else self._session.Interrupted(stopped)
        for item in [*self._left.values()]:
            self._fail(item, "the process that was to run this test has ended")

    def _take(self, copy: _Copy, kind: str, value: Any) -> None:
        if kind == "begins":
            copy.running = self._session.items[value]
            self._hook.pytest_runtest_logstart(nodeid=copy.running.nodeid, location=copy.running.location)
        elif kind == "warning":
            self._hook.pytest_warning_recorded.call_historic(kwargs=value)
        else:
            self._log(self._hook.pytest_report_from_serializable(config=self._session.config, data=value))
            if value["when"] == "teardown":
                copy.running = None

    def _log(self, report: pytest.TestReport) -> None:
        self._hook.pytest_runtest_logreport(report=report)
        if report.when == "teardown":
            self._left.pop(report.nodeid, None)
            self._hook.pytest_runtest_logfinish(nodeid=report.nodeid, location=report.location)

    def _fail(self, item: pytest.Item | None, why: str) -> None:
        if item is not None:
            for when, outcome in (("setup", "failed"), ("teardown", "passed")):
                report = pytest.TestReport(item.nodeid, item.location, {}, outcome, why, when)  # type: ignore[arg-type]
                self._log(report)


def _live(
    session: pytest.Session, base: Path, pieces: Sequence[Sequence[int]], queue: int, line: socket.socket
) -> NoReturn:
    """What a copy does until no piece is left."""
    code = 1
    try:
        config = session.config
        os.environ["PYTEST_XDIST_WORKER"] = base.name
        base.mkdir(mode=0o700)
        config._tmp_path_factory._basetemp = base  # type: ignore[attr-defined]
        config.pluginmanager.unregister(name="terminalreporter")
        capture: Any = config.pluginmanager.getplugin("capturemanager")
        capture.stop_global_capturing()  # its files are those of the process that this one is a copy of
        capture.start_global_capturing()
        config.pluginmanager.register(_Sender(session, line))
        _run(session, _numbers(pieces, queue, line))
        code = 0
    except BaseException:  # noqa: BLE001 - a copy must not go on with what only the first process does
        traceback.print_exc()
    os._exit(code)


def _numbers(pieces: Sequence[Sequence[int]], queue: int, line: socket.socket) -> Iterator[int]:
    while piece := os.read(queue, _NUMBER):
        for number in pieces[int.from_bytes(piece)]:
            if select.select([line], [], [], 0)[0]:  # closed on the other side
                return
            yield number


def _run(session: pytest.Session, numbers: Iterator[int]) -> None:
    """Run tests. Each must know which is next: that decides which fixtures stay."""
    number = next(numbers, None)
    while number is not None:
        following = next(numbers, None)
        item = session.items[number]
        after = None if following is None else session.items[following]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        number = following


class _Sender:
    """Runs a test as pytest does, and sends its reports instead of writing them."""

    def __init__(self, session: pytest.Session, line: socket.socket) -> None:
        self._hook = session.config.hook
        self._config = session.config
        self._line = line
        self._places = {item.nodeid: at for at, item in enumerate(session.items)}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        self._send("begins", self._places[item.nodeid])
        for report in runtestprotocol(item, nextitem=nextitem, log=False):
            data = self._hook.pytest_report_to_serializable(config=self._config, report=report)
            self._send("report", data)
        return True

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        warning_message.source = None  # any object
        about = {"warning_message": warning_message, "when": when, "nodeid": nodeid, "location": location}
        self._send("warning", about)

    def _send(self, kind: str, value: object) -> None:
        text = pickle.dumps((kind, value))
        self._line.sendall(len(text).to_bytes(_LENGTH) + text)
