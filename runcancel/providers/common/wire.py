"""The seam to a vendor whose requests are signed here: keys, rate, trace; each vendor adds how it signs and proves."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from runcancel.errors import CloudError
from runcancel.providers.base import Checkup, Connection
from runcancel.providers.common.credentials import Credentials, CredentialSource
from runcancel.providers.common.fields import JsonObject, with_trace
from runcancel.providers.common.http import Endpoint, Transport
from runcancel.runtime.throttle import Pace, Rate


class SignedWire(ABC):
    """One product of a vendor (its API `version`) at one endpoint. `rates` are the documented limits of APIs."""

    rate: ClassVar[Rate]
    rates: ClassVar[Mapping[str, Rate]]

    def __init__(
        self,
        transport: Transport,
        connection: Connection,
        *,
        product: str,
        version: str,
        keys: CredentialSource,
        pace: Pace,
    ) -> None:
        self._transport = transport
        self._product = product
        self._version = version
        self._scope = connection.scope
        self._agent = connection.agent
        self._keys = keys
        self._pace = pace

    @property
    def endpoint(self) -> Endpoint:
        """Where this product answers."""
        return self._transport.endpoint

    def checkup(self) -> Checkup:
        """See `Cloud.checkup`."""
        keys: Credentials | None
        try:
            keys = self._keys()
        except CloudError:
            keys = None
        return self._transport.checkup(credentials=keys.source if keys else None, key=keys.id if keys else None)

    def call(self, action: str, params: JsonObject, *, once: bool = False) -> JsonObject:
        """Send one request; return the answer with its request id. `once`: without a retry. Raises `CloudError`."""
        attempt = partial(self._attempt, action, params)
        request = partial(with_trace, attempt, scope=self._scope, host=self.endpoint.host, action=action, params=params)
        return self._pace.call(action, request, rate=self.rates.get(action, self.rate), once=once)

    def _attempt(self, action: str, params: JsonObject) -> JsonObject:
        return self._send(action, params, self._keys())

    @abstractmethod
    def _send(self, action: str, params: JsonObject, keys: Credentials) -> JsonObject:
        """Sign and send one request; return the proven answer. Raises `CloudError`."""
