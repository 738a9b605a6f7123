"""One cancel from its first request to its report: the engine, the journal, the screen and the writer together."""

import math
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from msgspec import structs

from runcancel.cli import changes
from runcancel.cli.session import Session
from runcancel.cli.support.flowing import Flowing
from runcancel.cli.support.leases import AnnouncedLeases
from runcancel.cli.support.source import RunChoice
from runcancel.engine.cancel import Admit, CancelSetup, carry_out
from runcancel.engine.events import CombinedProgress, Progress, Shielded
from runcancel.engine.flow import Flow
from runcancel.engine.retry import DEFAULT_GIVE_UP_AFTER, READ_WITHIN, WaitPolicy
from runcancel.engine.selection import Selection
from runcancel.errors import IN_DOUBT, Exit, Goal, Interrupted, Refused, exit_of_cancel
from runcancel.journal.recorder import Recorder, new_operation
from runcancel.model.outcomes import LeftOver, Limits, Operation, Outcome
from runcancel.model.runs import Problem, RunName
from runcancel.model.states import Reason, Stage, Verdict
from runcancel.render import End, Writer
from runcancel.render.documents import Record
from runcancel.render.screens.verdicts import hints
from runcancel.render.screens.words import counted
from runcancel.text import command, duration

if TYPE_CHECKING:
    from runcancel.cli.support.holding import Holding

_SIGNALLED = 128  # an exit code above it is that of a signal
_NOT_DONE = (Verdict.SKIPPED, Verdict.FAILED, Verdict.IN_DOUBT)


class Execution:
    """The requests, readings and results of one operation. Without a recorder nothing is recorded."""

    verb: ClassVar[str] = "cancel"
    requests: ClassVar[str] = "cancels"  # what is sent, in the words of a message
    noun: ClassVar[str] = "run"

    def __init__(
        self,
        session: Session,
        policy: WaitPolicy,
        goal: Goal,
        recorder: Recorder | None,
        *,
        hold: "Holding | None" = None,
    ) -> None:
        self._session = session
        self._hold = hold
        self._policy = policy
        self._goal = goal
        self._recorder = recorder
        self._outcomes: list[Outcome] = []
        self._broken: list[Exception] = []
        self._operation: Operation | None = None

    def flow(self, flow: Flowing) -> int:
        """Cancel the runs scope by scope as they are read; the exit code."""
        self._announce_resume()
        within = min(self._session.read_within or READ_WITHIN, self._policy.give_up_after or math.inf)
        nothing = RunChoice(selection=Selection(items=()), by_hand=True)
        begin = partial(flow.begin, self._recorder)
        return self._report(nothing, flow=Flow(flow.lookup, flow.choose, within, begin))

    def run(self, choice: RunChoice, *, admit: Admit | None) -> int:
        """Cancel what is chosen, and what `admit` lets through of the runs that these start; the exit code."""
        self._announce_resume()
        return self._report(choice, admit=admit)

    def _announce_resume(self) -> None:
        if self._recorder is not None:
            self._session.workers.last_words = (
                f"stopped at once; {self.requests} already sent continue; operation {self._recorder.id}. To continue:\n"
                f"  runcancel {self.verb} --resume {self._recorder.id}"
            )

    def _report(self, choice: RunChoice, *, admit: Admit | None = None, flow: Flow | None = None) -> int:
        session, outcomes = self._session, self._outcomes
        answer = session.writer(self.verb)
        self._operation = operation = self._describe(choice)
        if operation is not None and operation.shard is not None and session.format == "jsonl":
            answer.row(operation)  # a report over the shards needs no journal
        self._put(answer, choice.selection.decided)
        signum = self._send(choice.selection, answer, admit, flow)
        choice = choice if self._hold is None else self._hold.covered(choice)
        if not outcomes:
            session.notes.say(*_nothing(choice, self.verb, self.noun))
        code = exit_of_cancel((one.ending for one in outcomes), self._goal, choice.searched, signum=signum)
        code = code or int(Exit.FAILED) if self._broken else code
        answer.end(self._end(choice, code, signum))
        return code

    def _describe(self, choice: RunChoice) -> Operation | None:
        """The operation at its start; a shard of a plan is one also without a journal."""
        if self._recorder is not None:
            return self._recorder.described
        if choice.whole is None:
            return None
        return structs.replace(new_operation(self.verb, sys.argv[1:], None), plan=choice.plan, shard=choice.whole.shard)

    def _ended(self, code: int) -> tuple[Operation, ...]:
        """The operation at its end, as the journal has it."""
        if self._operation is None:
            return ()
        counts = dict(Counter(self._word(outcome) for outcome in self._outcomes))
        state = Stage.INTERRUPTED if code > _SIGNALLED else Stage.DONE
        return (structs.replace(self._operation, state=state, exit_code=code, counts=counts),)

    def _word(self, outcome: Outcome) -> str:
        """The verdict as it is counted."""
        return str(outcome.verdict)

    def _further(self, operation: str | None) -> tuple[str, ...]:
        """What is looked up once the results are printed."""
        if not self._policy.wait or self._session.workers.signum is not None:
            return ()
        if all(outcome.origin is not None and outcome.origin.is_final for outcome in self._runs):
            return ()
        from runcancel.cli.support.returning import what_returns

        return what_returns(self._session, self._runs, operation, self._recorder)

    def _send(self, selection: Selection, answer: Writer, admit: Admit | None, flow: Flow | None) -> int | None:
        """Carry the cancel out; the signal that ended it. What else is raised is kept for the report."""
        session, policy = self._session, self._policy
        watchers: list[Progress] = [] if self._recorder is None else [self._recorder]
        progress = CombinedProgress(*watchers, *self._screens(answer))

        def tick() -> None:
            self._report_failures()
            progress.tick()

        session.workers.tick = tick
        try:
            hold = None if self._hold is None else self._hold.begin()
            leases = None if self._recorder is None else AnnouncedLeases(self._recorder, session.notes.say)
            setup = CancelSetup(
                clouds=session.clouds,
                workers=session.workers,
                policy=policy,
                progress=progress,
                admit=admit,
                flow=flow,
                hold=hold,
                leases=leases,
            )
            self._put(answer, carry_out(selection.items, setup))
        except Interrupted as signal:
            return signal.signum
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - it is reported beside the outcome of each run
            self._broken.append(error)
        return None

    def _screens(self, answer: Writer) -> list[Progress]:
        """Who shows what happens meanwhile."""
        timeout = self._policy.timeout if self._policy.wait else None
        shown = Shielded(self._session.progress(cancels=True, timeout=timeout))
        if self._session.format != "jsonl":
            return [shown]
        from runcancel.render.event_lines import EventLines

        return [Shielded(EventLines(answer, joins=self._hold is not None)), shown]

    def _row(self, outcome: Outcome) -> Record:
        """The outcome as the answer has it."""
        return outcome

    @property
    def _runs(self) -> Sequence[Outcome]:
        """The outcomes of runs."""
        return self._outcomes

    def _hints(self, operation: str | None) -> Sequence[str]:
        """Sentences for people below the answer."""
        return hints(self._runs, accept_reported=self._goal.accept_reported, operation=operation)

    def _put(self, answer: Writer, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._outcomes.append(outcome)
            try:
                answer.row(self._row(outcome))
            except Exception as error:  # noqa: BLE001 - what cannot be printed is cancelled all the same
                self._broken.append(error)

    def _end(self, choice: RunChoice, code: int, signum: int | None) -> End:
        outcomes = self._outcomes
        if self._recorder is not None:
            self._recorder.end(code)
        operation = None if self._recorder is None else self._recorder.operation
        problems = (*choice.gaps, *(outcome.error for outcome in outcomes if outcome.error is not None))
        problems += tuple(_internal(self._session, error, operation, self.requests) for error in self._broken[:1])
        return End(
            exit_code=code,
            errors=problems,
            complete=signum is None and not choice.gaps and not self._broken,
            operation=operation,
            operations=self._ended(code),
            notes=(
                *(() if signum is None else (self._what_continues(),)),
                *self._hints(operation),
                *(() if self._hold is None else self._hold.hints(interrupted=signum is not None)),
                *self._next(choice),
            ),
            further=lambda: self._further(operation),
        )

    def _next(self, choice: RunChoice) -> Iterator[str]:
        """How to continue with the rest, if there is a rest. What a hold found and a guard refused never joined it."""
        rest = [one.run for one in self._outcomes if one.verdict in _NOT_DONE and not one.is_final]
        if not rest or self._recorder is None or self._recorder.operation is None:
            return
        refused = any(one.error is not None and one.error.code is Reason.REFUSED for one in self._outcomes)
        if self._hold is not None or not refused:
            yield f"To continue with the rest: {command(self.verb, '--resume', self._recorder.operation)}"
            return
        from runcancel.journal.rest import Rest

        targets: dict[RunName, tuple[str, ...]] = {item.run: item.targets for item in choice.selection.items}
        commands = Rest(runs=tuple(rest), targets=targets, refused=True).commands(self._recorder.described)
        yield from (f"To continue with the rest: {each}" for each in commands)

    def _what_continues(self) -> str:
        doubt = sum(outcome.verdict is Verdict.IN_DOUBT for outcome in self._outcomes)
        unsent = sum(outcome.verdict is Verdict.SKIPPED for outcome in self._outcomes)
        sent_count = sum(outcome.was_sent for outcome in self._outcomes) - doubt
        if not sent_count and not doubt:
            return f"interrupted: no {self.requests.removesuffix('s')} was sent"
        return (
            f"interrupted: {counted(sent_count, self.requests.removesuffix('s'))} sent, {doubt:,} uncertain, "
            f"{unsent:,} not sent; {self.requests} already sent continue"
        )

    def _report_failures(self) -> None:
        """Print at once what does not reply, and for how long it is tried."""
        for scope, error in self._session.clouds.traffic.failures():
            limit = self._policy.limit(error.reason, doubtful=error.reason in IN_DOUBT)
            if limit is None:
                continue
            flag = "--give-up-after" if error.reason is Reason.UNREACHABLE else "--timeout"
            within = "without end" if limit == math.inf else f"for {duration(limit)}"
            hint = f" ({error.hint})" if error.hint else ""
            self._session.notes.say(f"{scope}: {error.message}{hint}; it is tried again {within} ({flag})")


def wait_policy(session: Session, args: changes.Waiting) -> WaitPolicy:
    """How long to try and to watch. Raises `UsageError` for a wrong time."""
    return WaitPolicy(
        wait=args.wait,
        timeout=session.wait_timeout(args.timeout),
        give_up_after=session.seconds("--give-up-after", args.give_up_after, DEFAULT_GIVE_UP_AFTER),
    )


def recorder_of(
    session: Session, verb: str, args: changes.Record, resumed: LeftOver | None, limits: Limits
) -> Recorder | None:
    """What writes the operation down; None with --no-journal. It begins with the first intent."""
    if args.journal is False:
        if args.reason is not None:  # no cancel is refused for what is said about it
            session.notes.say("--no-journal: the reason is not kept")
        return None
    operation = new_operation(verb, sys.argv[1:], args.reason) if resumed is None else resumed.operation
    session.clouds.operation = operation.id
    return Recorder(
        session.journal,
        operation,
        limits=limits,
        warn=session.notes.warn,
        required=args.journal is True,
        resumed=resumed is not None,
        earlier_starts=() if resumed is None else resumed.starts,
    )


def _nothing(choice: RunChoice, verb: str, noun: str) -> tuple[str, ...]:
    """That nothing was sent, and why; what did not reply is among the errors."""
    what = f"no {noun} is left to {verb}" if choice.by_hand else f"No {noun}s match"
    return choice.coverage or (() if choice.gaps else (f"{what}; nothing was sent",))


def _internal(session: Session, error: Exception, operation: str | None, requests: str) -> Problem:
    """The internal error of a cancel; with `--debug` its frames go to stderr."""
    if session.debug:
        traceback.print_exception(error)
    under = "" if operation is None else f" (operation {operation})"
    return Problem(
        code=Reason.INTERNAL,
        message=f"internal error: {type(error).__name__}{under}; {requests} already sent continue, "
        "nothing more was sent",
        hint="this is a bug of runcancel; the same command with --debug shows where",
    )
