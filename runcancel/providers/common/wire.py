"""The seam to a vendor whose requests are signed here: keys, rate, trace; each vendor adds how it signs and proves."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Generic, TypeVar

from msgspec import structs

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


W = TypeVar("W", bound=SignedWire)


class Products(Generic[W]):
    """Opens the products of a vendor in one scope, each with a transport of its own. Opening makes no request."""

    def __init__(self, wire: type[W], connection: Connection, environ: Mapping[str, str], pace: Pace) -> None:
        self._wire = wire
        self._connection = connection
        self._environ = environ
        self._pace = pace

    def main(self, endpoint: Endpoint, product: str, version: str, keys: CredentialSource) -> W:
        """The product whose runs are cancelled, at the pace of the scope."""
        return self._open(endpoint, product, version, keys, self._pace)

    def beside(
        self, endpoint: Endpoint, product: str, version: str, keys: CredentialSource, *, region: str | None = None
    ) -> W:
        """Another product of the scope, at a pace of its own; `region` where it answers for all in one."""
        return self._open(endpoint, product, version, keys, self._pace.apart(), region)

    def sts(self, endpoint: Endpoint, version: str, base: CredentialSource, *, region: str | None = None) -> W:
        """The token service, signed with `base`: at one pace for all scopes that assume a role with the same keys."""
        return self._open(endpoint, "sts", version, base, self._pace.shared(("sts", endpoint, base)), region)

    def _open(
        self,
        endpoint: Endpoint,
        product: str,
        version: str,
        keys: CredentialSource,
        pace: Pace,
        region: str | None = None,
    ) -> W:
        connection = self._connection
        if region is not None:
            connection = structs.replace(connection, scope=structs.replace(connection.scope, region=region))
        transport = Transport(endpoint, connection, self._environ)
        return self._wire(transport, connection, product=product, version=version, keys=keys, pace=pace)
