"""Runs that are watched and could not be read again: since when, and why."""

from datetime import UTC, datetime

from msgspec import structs

from runcancel.cli.session import Session
from runcancel.errors import CREDENTIALS, CloudError
from runcancel.model.runs import Problem, Ref


class Stale:
    """What is shown of these runs is as old as their last reading.

    The first failure of each is printed on stderr, unless it ends the watching: then it is in the answer.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._began = datetime.now(UTC)
        self._read_at: dict[Ref, datetime] = {}
        self._failures: dict[Ref, Problem] = {}

    def read(self, ref: Ref) -> None:
        """Note that a run was read."""
        self._read_at[ref] = datetime.now(UTC)
        self._failures.pop(ref, None)

    def failed(self, ref: Ref, error: CloudError) -> bool:
        """Note that a reading failed; whether no other one can succeed, because the credentials are refused."""
        since = self._read_at.get(ref, self._began).astimezone()
        problem = error.problem(ref=ref)
        problem = structs.replace(problem, message=f"stale since {since:%H:%M:%S %z}: {problem.message}")
        final = error.reason in CREDENTIALS
        if ref not in self._failures and not final:
            self._session.notes.say(f"{ref}: {problem.message}")
        self._failures[ref] = problem
        return final

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The runs whose latest reading failed, each with since when and why."""
        return tuple(self._failures.values())
