"""A provider raises `CloudError` and nothing else: the net beneath every cloud, so that none ends another's work."""

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from runcancel.environment import Choice
from runcancel.errors import CloudError, UsageError
from runcancel.model.logs import NONE_FINISHED, Capture, Finished
from runcancel.model.runs import AuditEvent, Identity, Invocation, InvocationFilter, Ref, Run, Snapshot
from runcancel.model.states import Reason
from runcancel.model.triggers import Origin, Trigger, TriggerQuery
from runcancel.providers import provider
from runcancel.providers.base import Checkup, Cloud, Triggers, VendorSettings
from runcancel.providers.common.fields import NO_RUN, NO_TRIGGER, wire_log

if TYPE_CHECKING:
    from runcancel.model.queries import Query

T = TypeVar("T")

_SILENT = frozenset({Reason.UNREACHABLE, Reason.LOST})
"""After these the scope has not replied."""

ReachabilityReport = Callable[[bool], None]
"""Called with true when the scope has answered, with false when it was silent."""


class GuardedCloud:
    """See `Cloud`. Whatever else a cloud raises becomes a `CloudError` with `Reason.INTERNAL`."""

    def __init__(self, cloud: Cloud, *, where: str, report: ReachabilityReport = lambda replied: None) -> None:
        self._cloud = cloud
        self._where = where
        self._report = report

    def read(self, refs: Sequence[Ref], *, full: bool = True) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        """See `Cloud.read`."""
        for ref, answer in self._each(lambda: self._cloud.read(refs, full=full)):
            if isinstance(answer, CloudError):
                _name_missing(answer, NO_RUN)
            yield ref, answer

    def invocations(self, ref: Ref, criteria: InvocationFilter) -> Iterator[Invocation]:
        """See `Cloud.invocations`."""
        return self._of_run(lambda: self._cloud.invocations(ref, criteria))

    def logs(self, ref: Ref, criteria: InvocationFilter, finished: Finished = NONE_FINISHED) -> Iterator[Capture]:
        """See `Cloud.logs`."""
        return self._of_run(lambda: self._cloud.logs(ref, criteria, finished))

    def script(self, ref: Ref) -> str | None:
        """See `Cloud.script`."""
        try:
            return guarded(lambda: self._cloud.script(ref), where=self._where)
        except CloudError as error:
            _name_missing(error, NO_RUN)
            raise

    def cancel(self, ref: Ref, targets: Sequence[str] = ()) -> Iterator[str]:
        """See `Cloud.cancel`."""
        return self._each(lambda: self._cloud.cancel(ref, targets))

    def runs(self, query: "Query") -> Iterator[Snapshot]:
        """See `Cloud.runs`."""
        return self._each(lambda: self._cloud.runs(query))

    def audit(self, runs: Sequence[Run]) -> Iterator[tuple[Ref, AuditEvent]]:
        """See `Cloud.audit`. Its silence shows nothing about the runs' own service."""
        events = guarded(lambda: list(self._cloud.audit(runs)), where=self._where)
        return iter(events)

    def triggers(self) -> "GuardedTriggers":
        """See `Cloud.triggers`."""
        return GuardedTriggers(guarded(self._cloud.triggers, where=self._where), self._each)

    def regions(self) -> tuple[str, ...]:
        """See `Cloud.regions`."""
        return guarded(self._cloud.regions, where=self._where)

    def identity(self) -> Identity:
        """See `Cloud.identity`."""
        return guarded(self._cloud.identity, where=self._where)

    def checkup(self) -> Checkup:
        """See `Cloud.checkup`."""
        return guarded(self._cloud.checkup, where=self._where)

    def _of_run(self, call: Callable[[], Iterator[T]]) -> Iterator[T]:
        try:
            yield from self._each(call)
        except CloudError as error:
            _name_missing(error, NO_RUN)
            raise

    def _each(self, call: Callable[[], Iterator[T]]) -> Iterator[T]:
        try:
            yield from call()
        except CloudError as error:
            if error.reason is not Reason.INTERRUPTED:
                self._report(error.reason not in _SILENT)
            raise
        except Exception as error:
            raise internal(error, where=self._where) from error
        self._report(True)


class GuardedTriggers:
    """See `Triggers`. `each` carries out a call and lets nothing but `CloudError` through."""

    def __init__(self, triggers: Triggers, each: "Each") -> None:
        self._triggers = triggers
        self._each = each

    def find(self, query: TriggerQuery) -> Iterator[Trigger]:
        """See `Triggers.find`."""
        return self._each(lambda: self._triggers.find(query))

    def read(self, ref: Ref) -> Trigger:
        """See `Triggers.read`."""
        return self._one(lambda: self._triggers.read(ref))

    def switch(self, ref: Ref, *, enabled: bool) -> str:
        """See `Triggers.switch`."""
        return self._one(lambda: self._triggers.switch(ref, enabled=enabled))

    def origins(self, refs: Sequence[Ref]) -> Iterator[tuple[Ref, Origin]]:
        """See `Triggers.origins`."""
        return self._each(lambda: self._triggers.origins(refs))

    def _one(self, call: Callable[[], T]) -> T:
        try:
            (answer,) = self._each(lambda: iter((call(),)))
        except CloudError as error:
            _name_missing(error, NO_TRIGGER)
            raise
        return answer


def _name_missing(error: CloudError, message: str) -> None:
    """Report what the vendor does not find in the same words for every cloud; its code stays."""
    if error.reason is Reason.NOT_FOUND and error.provider_code is not None:  # else the words are our own
        error.message = message


class Each(Protocol):
    """Calls a provider and yields what it gives."""

    def __call__(self, call: Callable[[], Iterator[T]]) -> Iterator[T]: ...


def is_configured(name: str, environ: Mapping[str, str]) -> bool:
    """See `Provider.configured`. A provider that fails here takes part: the fault is reported when it is used."""
    try:
        return guarded(lambda: provider(name).configured(environ), where=name)
    except CloudError:
        return True


def resolved(name: str, environ: Mapping[str, str], profile: str | None) -> VendorSettings:
    """See `Provider.resolve`. Whatever it raises is its `error`."""
    try:
        return guarded(lambda: provider(name).resolve(environ, profile), where=name)
    except CloudError as error:
        return VendorSettings(profile=Choice(profile or "default", "default"), error=error)


def guarded(call: Callable[[], T], *, where: str) -> T:
    """What `call` returns. Raises `CloudError` alone; a setting that is wrong for this scope is one of it."""
    try:
        return call()
    except CloudError:
        raise
    except UsageError as error:
        raise CloudError(Reason.USAGE, error.message, hint=error.hint) from None
    except Exception as error:
        raise internal(error, where=where) from error


def internal(error: Exception, *, where: str) -> CloudError:
    """An exception that no provider should raise, as a failure of one scope; `--debug` shows where it came from.

    Its text may hold what a process printed or a file contains: only its type and its frames are shown.
    """
    log = wire_log()
    if log is not None:
        frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
        log.debug("%s: %s\n%s", where, type(error).__name__, frames)
    if isinstance(error, MemoryError):
        return CloudError(
            Reason.INTERNAL, f"{where}: out of memory", hint="raise the limit (ulimit -v), or select less"
        )
    return CloudError(
        Reason.INTERNAL,
        f"{where}: internal error ({type(error).__name__})",
        hint="this is a bug of runcancel; the same command with --debug shows where",
    )
