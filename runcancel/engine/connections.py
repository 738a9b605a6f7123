"""The connected scopes, and how runs are read from them: in as few calls as the vendors take."""

import gc
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from runcancel.config import settings as settings_
from runcancel.config.settings import Settings
from runcancel.errors import RETRYABLE, CloudError
from runcancel.model.runs import Kind, Ref, Scope, Snapshot
from runcancel.model.states import Reason
from runcancel.model.triggers import TriggerKind
from runcancel.providers import kind_of, provider, trigger_kind_of
from runcancel.providers.base import Cloud
from runcancel.providers.common.paging import chunks
from runcancel.providers.guarded import GuardedCloud, guarded
from runcancel.runtime.throttle import Pace, Traffic, Tries
from runcancel.runtime.workers import Workers

if TYPE_CHECKING:
    from runcancel.engine.switching import Switch

MOST_OPEN = 128
"""Connections of scopes that are kept: each has a client in memory and up to eight sockets of usually 1024."""

_FEW_OPEN = 16  # connections after which what every scope shares is loaded


class Clouds:
    """The connected scopes; each is opened at its first use.

    Of very many the least recently used are let go, with their memory and their sockets, and opened again when they are
    needed; the pace of each is kept.
    """

    def __init__(self, settings: Settings, workers: Workers) -> None:
        self._settings = settings
        self._workers = workers
        self._open: OrderedDict[Scope, Cloud] = OrderedDict()
        self._paces: dict[Scope, Pace] = {}
        self._common: dict[Hashable, Pace] = {}  # of services that scopes share
        self._let_go = 0
        self._refused: dict[Scope, CloudError] = {}
        self._locks: dict[Scope, threading.Lock] = {}
        self._lock = threading.Lock()
        self.traffic = Traffic()
        """What goes to all of them, for the screen."""
        self.operation: str | None = None
        """The id that scopes opened from now on send to the clouds; None if the journal records nothing."""
        self.tries = Tries(silence=15.0, answer=15.0)
        """How long a read of any scope is repeated."""

    @cached_property
    def switch(self) -> "Switch":
        """Which way triggers are switched, and the latest readings of them; made at the first use."""
        from runcancel.engine.switching import Switch  # only where triggers are read or switched

        return Switch(enable=False)

    def at(self, scope: Scope) -> Cloud:
        """The connection of a scope. A source of credentials that does not answer holds up its own scopes alone.

        Raises `CloudError` and nothing else, and so does what it returns. What repeating cannot mend is tried once.
        """
        with self._lock:
            lock = self._locks.setdefault(scope, threading.Lock())
        with lock:
            if scope in self._refused:
                raise self._refused[scope].fresh()
            with self._lock:
                cloud = self._open.get(scope)
                if cloud is not None:
                    self._open.move_to_end(scope)
                    return cloud
            try:
                cloud = guarded(partial(self._connect, scope), where=str(scope))
            except CloudError as error:
                if error.reason is Reason.NOT_CONFIGURED and not error.hint:
                    error.hint = self._whence(scope)
                if error.reason not in RETRYABLE:
                    self._refused[scope] = error.fresh()
                raise
            self._keep(scope, cloud)
            return cloud

    def read(self, batch: "Batch", *, full: bool) -> Iterator[tuple[Ref, Snapshot | CloudError]]:
        """Read runs, or triggers. Raises `CloudError` for what concerns the whole batch."""
        cloud = self.at(batch.scope)
        if isinstance(batch.kind, TriggerKind):
            return self.switch.read(cloud.triggers(), batch.refs, now=self._workers.clock.monotonic())
        return cloud.read(batch.refs, full=full)

    def send(self, ref: Ref, targets: Sequence[str]) -> Iterator[str]:
        """Request the cancel of a run, or the switch of a trigger; yields the ids of accepted requests."""
        cloud = self.at(ref.scope)
        if trigger_kind_of(ref) is not None:
            return self.switch.send(cloud.triggers(), ref)
        return cloud.cancel(ref, targets)

    def pace(self, scope: Scope) -> Pace:
        """The pace of a scope: the same one whenever it is opened again."""
        if scope not in self._paces:
            self._paces[scope] = Pace(
                self._workers.clock,
                tries=lambda: self.tries,
                on_call=self.traffic.called,
                on_wait=partial(self._waits, str(scope)),
                on_failure=partial(self.traffic.failed, str(scope)),
                common=self._common,
            )
        return self._paces[scope]

    def _connect(self, scope: Scope) -> Cloud:
        connection = settings_.connection(self._settings, scope)
        timeout = min(connection.read_timeout, self.tries.answer)
        connection = structs.replace(connection, operation=self.operation, read_timeout=timeout)
        cloud = provider(scope.provider).connect(connection, self._settings.environ, self.pace(scope))
        return GuardedCloud(cloud, where=str(scope), report=partial(self._record_response, scope))

    def _whence(self, scope: Scope) -> str | None:
        """Where the endpoint of a scope is set, for who has to correct it."""
        context = self._settings.config.contexts.get(scope.context or "")
        if context is not None and context.endpoint_url:
            return f"the endpoint is set by the context {scope.context}"
        variables = settings_.endpoint_variables(scope.provider)
        name_there = next((name for name in variables if self._settings.environ.get(name)), None)
        return None if name_there is None else f"the endpoint is set by {name_there}"

    def _keep(self, scope: Scope, cloud: Cloud) -> None:
        with self._lock:
            self._open[scope] = cloud
            if len(self._open) == _FEW_OPEN and not self._let_go:
                gc.freeze()  # modules and service models stay for ever: no collection has to look at them
            if len(self._open) <= MOST_OPEN:
                return
            self._open.popitem(last=False)  # whoever still uses it holds it
            self._let_go += 1
            collect = self._let_go % MOST_OPEN == 0
        if collect:
            gc.collect()  # an SDK's client holds itself in circles, and its sockets with it

    def _record_response(self, scope: Scope, responsive: bool) -> None:
        self._workers.record_response(scope, responsive=responsive)

    def _waits(self, scope: str, reason: Reason, seconds: float) -> None:
        self.traffic.waits(scope, reason, until=self._workers.clock.monotonic() + seconds)


class Batch(Struct, frozen=True, kw_only=True):
    """Runs of one kind in one scope that one read call takes."""

    scope: Scope
    kind: Kind
    refs: tuple[Ref, ...]


def batches(refs: Iterable[Ref]) -> Iterator[Batch]:
    """Group references into as few read calls as the vendors take."""
    groups: dict[tuple[Scope, str], list[Ref]] = {}
    for ref in refs:
        groups.setdefault((ref.scope, ref.kind), []).append(ref)
    for (scope, _), members in groups.items():
        kind = kind_of(members[0])
        for part in chunks(members, kind.read_batch):
            yield Batch(scope=scope, kind=kind, refs=tuple(part))


def read(clouds: Clouds, batch: Batch, *, full: bool = True) -> tuple[tuple[Ref, Snapshot | CloudError], ...]:
    """Read one batch; what fails as a whole fails for each of its runs. Raises nothing."""
    answers: dict[Ref, Snapshot | CloudError] = {}
    try:
        for ref, answer in clouds.read(batch, full=full):
            answers[ref] = answer  # noqa: PERF403 - what came before an error counts
    except CloudError as error:
        answers |= {ref: error for ref in batch.refs if ref not in answers}
    return tuple((ref, answers.get(ref, _unanswered(ref))) for ref in batch.refs)


def _unanswered(ref: Ref) -> CloudError:
    return CloudError(Reason.UNPROVEN, f"the reply does not include {ref}")
