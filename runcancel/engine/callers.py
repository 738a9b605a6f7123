"""The caller's identity, requested once per credential while other things are read."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from runcancel.config import settings as settings_
from runcancel.config.settings import Settings
from runcancel.engine.connections import Clouds
from runcancel.errors import CloudError, UsageError
from runcancel.model.runs import Identity, Scope
from runcancel.providers.base import ContextRole
from runcancel.runtime.workers import TaskGroup, Workers

LONGEST = 5.0  # seconds to wait for an identity, from the moment when it was requested
_MOST_SCOPES = 3  # scopes that are tried with one credential: the first region may not be enabled


class Credential(Struct, frozen=True, kw_only=True):
    """What decides who the caller is: the same in every region. `profile` None is the environment's own choice."""

    provider: str
    profile: str | None
    role: ContextRole | None
    endpoint_url: str | None
    sts_endpoint_url: str | None
    site: str | None


_Question = tuple[Credential, tuple[Scope, ...]]


class Callers:
    """The identities behind scopes. Only the caller's thread uses it; the requests run on the workers.

    An identity counts if it comes from the vendor's own identity service, or from the one at the endpoint of the
    service itself: a variable could lead to a service that returns any identity. A late one is not known.
    """

    def __init__(self, settings: Settings, clouds: Clouds, workers: Workers) -> None:
        self._settings = settings
        self._clouds = clouds
        self._workers = workers
        self._group: TaskGroup[_Question, Identity | None] | None = None
        self._until: dict[Credential, float] = {}  # those that were requested
        self._identities: dict[Credential, Identity | None] = {}

    def begin(self, scopes: Iterable[Scope]) -> None:
        """Request the identities of these scopes that were not requested yet, and return at once."""
        scopes_of: dict[Credential, list[Scope]] = {}
        for scope in scopes:
            credential = self._credential(scope)
            if credential is not None and credential not in self._until:
                scopes_of.setdefault(credential, []).append(scope)
        if not scopes_of:
            return
        if self._group is None:
            self._group = TaskGroup[_Question, Identity | None](self._workers, self._request)
        until = self._workers.clock.monotonic() + LONGEST
        self._until |= dict.fromkeys(scopes_of, until)
        questions = [(credential, tuple(tried[:_MOST_SCOPES])) for credential, tried in scopes_of.items()]
        self._group.submit_all(questions, queue=lambda question: ("caller", question[0]))

    def of(self, scopes: Sequence[Scope]) -> dict[Scope, Identity | None]:
        """The caller's identity in each scope, None if it is not known. Waits for `LONGEST`. Raises `Interrupted`."""
        self.begin(scopes)
        credentials = {scope: self._credential(scope) for scope in scopes}
        pending = {one for one in credentials.values() if one is not None and one not in self._identities}
        if pending and self._group is not None:
            self._workers.listen(self._group.inbox)  # signals go to whoever waits
        while pending and self._group is not None:
            rest = max(self._until[one] for one in pending) - self._workers.clock.monotonic()
            done = self._group.next(rest) if rest > 0 else None
            if done is None:
                self._identities |= dict.fromkeys(pending)
                break
            credential = done.item[0]
            self._identities.setdefault(credential, done.value())
            pending.discard(credential)
        return {scope: None if one is None else self._identities.get(one) for scope, one in credentials.items()}

    def _request(self, question: _Question) -> Identity | None:
        for scope in question[1]:
            try:
                identity = self._clouds.at(scope).identity()
            except (CloudError, UsageError):  # a setting of this scope alone may be wrong, too
                continue
            return identity if identity.believed else None
        return None

    def _credential(self, scope: Scope) -> Credential | None:
        try:
            connection = settings_.connection(self._settings, scope)
        except UsageError:
            return None
        return Credential(
            provider=scope.provider,
            profile=connection.profile,
            role=connection.role,
            endpoint_url=connection.endpoint_url,
            sts_endpoint_url=connection.sts_endpoint_url,
            site=connection.site,
        )
