"""What can go wrong, in closed words, and which exit code each ending has.

Exception
├── CloudError      a cloud refused, did not answer, or its answer proves nothing
├── UsageError      the command line is wrong; nothing was sent           exit 2
├── Refused         a guard refused; nothing was sent                     exit 6
├── JournalError    the journal cannot be used; a cancel goes on without   exit 6 where it is needed
└── Interrupted     a signal interrupted the program                      exit 128 + signal
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum

from msgspec import Struct

from runcancel.model.outcomes import Ending
from runcancel.model.runs import Problem, RunName, Scope
from runcancel.model.states import Reason, Verdict
from runcancel.redaction import redact

__all__ = [
    "CREDENTIALS",
    "IN_DOUBT",
    "RETRYABLE",
    "CloudError",
    "Ending",
    "Exit",
    "Goal",
    "Interrupted",
    "JournalError",
    "Problem",
    "Reason",
    "Refused",
    "Searched",
    "UsageError",
    "clean",
    "exit_of_cancel",
    "exit_of_failures",
    "exit_of_listing",
    "exit_of_plan",
    "exit_of_reading",
]


CREDENTIALS = frozenset(
    {Reason.NO_CREDENTIALS, Reason.EXPIRED_CREDENTIALS, Reason.BAD_CREDENTIALS, Reason.DENIED},
)
"""Reasons that repeating cannot mend and that end in exit code 4."""

IN_DOUBT = frozenset({Reason.DOWN, Reason.LOST, Reason.UNPROVEN})
"""Reasons after which a cancel may have worked: read before it is repeated."""

RETRYABLE = IN_DOUBT | {Reason.BUSY, Reason.UNREACHABLE}


_LONGEST = 5000  # characters of one part of an error: a message of somebody else's is quoted up to 4096


class CloudError(Exception):
    """A cloud refused or was not reached. `retry_after` is in seconds; `action` is the API of the request.

    `targets`: those of a cancel that the cloud refused; it accepted the cancel of the others.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        provider_code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        action: str | None = None,
        hint: str | None = None,
        targets: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.provider_code = provider_code
        self.request_id = request_id
        self.retry_after = retry_after
        self.action = action
        self.hint = hint
        self.targets = targets

    def fresh(self) -> "CloudError":
        """The same failure as a new object: one that is raised again and again collects frames of each time."""
        return CloudError(
            self.reason,
            self.message,
            provider_code=self.provider_code,
            request_id=self.request_id,
            retry_after=self.retry_after,
            action=self.action,
            hint=self.hint,
        )

    def problem(self, *, scope: Scope | None = None, ref: RunName | None = None) -> Problem:
        """The same as a record for a screen or a document: limited in length, without any secret."""
        return Problem(
            code=self.reason,
            message=clean(self.message) or "",
            hint=clean(self.hint),
            provider_code=clean(self.provider_code),
            request_id=clean(self.request_id),
            retryable=self.reason in RETRYABLE,
            scope=None if scope is None else str(scope),
            ref=ref,
        )


def clean(text: str | None) -> str | None:
    """A part of a message that may be printed: limited in length, without any secret."""
    if text is None:
        return None
    redacted = redact(text[:_LONGEST])
    return redacted if len(text) <= _LONGEST else f"{redacted}…"


class UsageError(Exception):
    """The command line is wrong: one line with the error, the correction and what was not done.

    `call`: the words of a command that ends the hint. The session adds the options that chose its scopes.
    """

    def __init__(self, message: str, *, hint: str | None = None, call: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.call = call


class Refused(Exception):
    """A guard, a policy, or no confirmation. Nothing was sent."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def about(self, ref: RunName) -> Problem:
        """This refusal as the problem of one run: `REF` in the hint is the run."""
        hint = None if self.hint is None else self.hint.replace("REF", str(ref))
        return Problem(code=Reason.REFUSED, message=self.message, hint=hint, ref=ref)


class JournalError(Exception):
    """The journal cannot be used; the text is one sentence."""


def failure_text(error: Exception) -> str:
    """What failed, as one sentence. What is no `JournalError` is a bug; the log has its frames."""
    if isinstance(error, JournalError):
        return str(error)
    import logging  # only for a bug

    logging.getLogger("runcancel.wire").error("the journal failed", exc_info=error)
    return f"the journal failed ({type(error).__name__})"


class Interrupted(Exception):
    """A signal interrupted the program."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"interrupted by signal {signum}")
        self.signum = signum


class Exit(IntEnum):
    """Exit codes. A signal is 128 + its number."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    DENIED = 4
    NOT_FOUND = 5
    REFUSED = 6
    INCOMPLETE = 7
    NOT_SEEN = 8
    ENDED_BADLY = 9


MEANINGS = {
    Exit.OK: "every run is verified stopped or had already ended; dry run done (--dry-run); accepted (--no-wait)",
    Exit.FAILED: "no cancel took effect, for another reason than below; internal error",
    Exit.USAGE: "wrong usage; nothing was sent",
    Exit.PARTIAL: "partial: some targets or runs stopped, others did not",
    Exit.DENIED: "nothing took effect: credentials missing, expired or not permitted, in every scope",
    Exit.NOT_FOUND: "not found; nothing matched and --require-match",
    Exit.REFUSED: "nothing was sent: refused by a limit or policy, or not confirmed; a required journal cannot be used",
    Exit.INCOMPLETE: "incomplete: a scope did not reply or could not be used; an operation of a report is unfinished",
    Exit.NOT_SEEN: "sent, but not verified stopped: requested, in-doubt or reported; wait timed out",
    Exit.ENDED_BADLY: "--exit-status: a run failed; the goal of wait cannot be reached",
}
"""What each exit code means, in one sentence for `help exit-codes` and the README."""

INTERRUPTED = "interrupted by SIGHUP, SIGINT, SIGTERM; cancels already sent continue"
"""What 128 + the number of a signal means."""

_EXIT_OF_REASON = {
    Reason.USAGE: Exit.USAGE,
    Reason.REFUSED: Exit.REFUSED,
    Reason.NOT_FOUND: Exit.NOT_FOUND,
    Reason.NO_CREDENTIALS: Exit.DENIED,
    Reason.EXPIRED_CREDENTIALS: Exit.DENIED,
    Reason.BAD_CREDENTIALS: Exit.DENIED,
    Reason.DENIED: Exit.DENIED,
}


class _Weight(StrEnum):
    """What one verdict contributes to an exit code."""

    GOOD = "good"
    UNSURE = "unsure"
    BAD = "bad"


_WEIGHTS: Mapping[Verdict, frozenset[_Weight]] = {
    Verdict.STOPPED: frozenset({_Weight.GOOD}),
    Verdict.ENDED: frozenset({_Weight.GOOD}),
    Verdict.REPORTED: frozenset({_Weight.UNSURE}),  # good under --accept-reported
    Verdict.REQUESTED: frozenset({_Weight.UNSURE}),  # good under --no-wait
    Verdict.IN_DOUBT: frozenset({_Weight.UNSURE}),
    Verdict.PARTIAL: frozenset({_Weight.GOOD, _Weight.BAD}),
    Verdict.FAILED: frozenset({_Weight.BAD}),
    Verdict.SKIPPED: frozenset({_Weight.BAD}),
}

_EXITS: Mapping[frozenset[_Weight], Exit] = {
    frozenset(): Exit.OK,
    frozenset({_Weight.GOOD}): Exit.OK,
    frozenset({_Weight.UNSURE}): Exit.NOT_SEEN,
    frozenset({_Weight.UNSURE, _Weight.GOOD}): Exit.NOT_SEEN,
    frozenset({_Weight.BAD}): Exit.FAILED,  # 4, 5 or 6 where every failure is of that sort
    frozenset({_Weight.BAD, _Weight.GOOD}): Exit.PARTIAL,
    frozenset({_Weight.BAD, _Weight.UNSURE}): Exit.PARTIAL,
    frozenset({_Weight.BAD, _Weight.UNSURE, _Weight.GOOD}): Exit.PARTIAL,
}


def exit_of_failures(reasons: Iterable[Reason]) -> Exit:
    """The exit code when nothing good happened: 4 or 5 if every failure is of that sort, else 1."""
    codes = {_EXIT_OF_REASON.get(reason, Exit.FAILED) for reason in reasons}
    return codes.pop() if len(codes) == 1 else Exit.FAILED


def exit_of_reading(reasons: Iterable[Reason]) -> Exit:
    """The exit code of a verb that only reads, out of its failures: one sort of failure has its own code, else 7.

    Whoever did not answer makes the reading incomplete; something found beside something not found is 5.
    """
    codes = {_EXIT_OF_REASON.get(reason, Exit.INCOMPLETE) for reason in reasons}
    if not codes:
        return Exit.OK
    return codes.pop() if len(codes) == 1 else Exit.INCOMPLETE


class Searched(Struct, frozen=True, kw_only=True):
    """How a search ended: what kept scopes from answering, and whether any scope answered."""

    gaps: tuple[Reason, ...] = ()
    replied: bool = True

    def exit(self, *, any_found: bool) -> Exit:
        """7 while something did not answer; 4 when nothing was found because every scope refused the credentials."""
        if not self.gaps:
            return Exit.OK
        refused = not any_found and not self.replied and CREDENTIALS.issuperset(self.gaps)
        return Exit.DENIED if refused else Exit.INCOMPLETE


class Goal(Struct, frozen=True, kw_only=True):
    """What counts as good. `waited` is false under `--no-wait`, where an accepted cancel is the goal."""

    waited: bool = True
    accept_reported: bool = False
    require_match: bool = False

    def weights(self, verdict: Verdict) -> frozenset[_Weight]:
        """What the verdict contributes to the exit code."""
        good = (verdict is Verdict.REQUESTED and not self.waited) or (
            verdict is Verdict.REPORTED and self.accept_reported
        )
        return _WEIGHTS[Verdict.STOPPED if good else verdict]


def exit_of_listing(searched: Searched, *, any_found: bool) -> Exit:
    """The exit code of a search: a scope that was set up wrongly is usage."""
    return Exit.USAGE if Reason.USAGE in searched.gaps else searched.exit(any_found=any_found)


def exit_of_plan(problems: Iterable[Reason], searched: Searched, *, planned: bool, require_match: bool) -> Exit:
    """The exit code of a dry run: out of what could not be planned, the search, and whether anything was planned."""
    code = exit_of_reading(problems)
    if code is Exit.OK:
        code = searched.exit(any_found=planned)
    return Exit.NOT_FOUND if code is Exit.OK and require_match and not planned else code


def exit_of_cancel(endings: Iterable[Ending], goal: Goal, searched: Searched, *, signum: int | None = None) -> int:
    """The exit code of a cancel, in the order of design §3.

    A signal; 2 and 6, only if nothing was sent; then by `_EXITS`. Something accepted beside something failed is 3: an
    exit code 4 or 5 would claim that nothing took effect. Last the search: incomplete, or nothing matched.
    """
    if signum is not None:
        return 128 + signum
    ended = list(endings)
    reasons = {one.reason or Reason.INTERNAL for one in ended if _Weight.BAD in _WEIGHTS[one.verdict]}
    any_sent = any(one.was_sent for one in ended)
    refused = next((code for code in (Reason.USAGE, Reason.REFUSED) if code in reasons), None)
    if refused is not None and not any_sent:
        return _EXIT_OF_REASON[refused]
    code = _EXITS[frozenset().union(*(goal.weights(one.verdict) for one in ended))]
    if code is Exit.FAILED:
        return exit_of_failures(reasons)
    if code is Exit.OK:
        code = searched.exit(any_found=bool(ended))
    return Exit.NOT_FOUND if code is Exit.OK and goal.require_match and not ended else code
