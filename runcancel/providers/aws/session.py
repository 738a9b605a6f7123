"""Opening AWS clients: botocore's own credential chain and endpoints, with its retries off."""

import os
import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.aws.config_files import Session, read_here
from runcancel.providers.aws.credentials import acquire, check_numbers, described, in_words
from runcancel.providers.aws.failures import no_response
from runcancel.providers.aws.http import send_by
from runcancel.providers.aws.models import models
from runcancel.providers.aws.profile import HOMES, PREFIX, files, profile_in_use, resolve, sts_endpoint_url
from runcancel.providers.aws.profile import endpoint_url as endpoint_url_of
from runcancel.providers.aws.wire import prove_body
from runcancel.providers.base import Checkup, Connection
from runcancel.providers.common.fields import checked_region
from runcancel.providers.common.http import Endpoint, EndpointHealth, believed
from runcancel.providers.common.proxies import proxy_of, without_user

_LOCK = threading.Lock()  # clients may be shared by threads, but not created by them (botocore issue 2991)
_OPENING: dict[int, threading.Lock] = {}
_SESSIONS: dict[int, botocore.session.Session] = {}
_FAILED: dict[int, CloudError] = {}


_STS = re.compile(
    r"sts(-fips)?(\.[a-z0-9-]+)?\.amazonaws\.(com|com\.cn|eu)|sts\.[a-z0-9-]+\.api\.(aws|amazonwebservices\.com\.cn)"
    r"|vpce-[0-9a-z-]+\.sts\.[a-z0-9-]+\.vpce\.amazonaws\.com(\.cn)?"
)
"""Where the vendor's own STS answers: public, and inside a network."""


class ClientFactory:
    """The clients of one scope, made one at a time and only when needed."""

    def __init__(self, connection: Connection, environ: Mapping[str, str]) -> None:
        checked_region(connection.scope.region)  # it becomes part of a host name
        self._connection = connection
        self._environ = environ
        self._session = _session(connection, environ)
        self._profile = profile_in_use(environ, connection.profile).value
        self.source = described(environ, connection.profile)

    def ssm(self) -> Any:
        """A Systems Manager client whose answers must be JSON objects."""
        client = self._open("ssm", self._connection.endpoint_url)
        client.meta.events.register("after-call.ssm", prove_body)
        return client

    def sts(self, ssm: Any) -> Any:
        """A Security Token Service client.

        Unless its endpoint is chosen, it goes where the `ssm` client goes when that is loopback.
        """
        own = sts_endpoint_url(self._environ, self._profile)
        chosen = self._connection.sts_endpoint_url or (own.value if own else None)
        same = chosen is None and _endpoint(ssm).loopback
        return self._open("sts", ssm.meta.endpoint_url if same else chosen)

    def believes(self, sts: Any, ssm: Any) -> bool:
        """Whether the identity from this STS counts."""
        return believed(_endpoint(sts), _endpoint(ssm), _STS)

    def beside(self, ssm: Any, service: str) -> Any:
        """A client of another service; on loopback it goes where the `ssm` client goes."""
        client = self._open(service, ssm.meta.endpoint_url if _endpoint(ssm).loopback else None)
        if service != "ec2":  # which answers in XML
            name = client.meta.service_model.service_id.hyphenize()
            client.meta.events.register(f"after-call.{name}", prove_body)
        return client

    def checkup(self, ssm: Any, health: EndpointHealth) -> Checkup:
        """See `Cloud.checkup`."""
        endpoint = _endpoint(ssm)
        return Checkup(
            credentials=self.source,
            key=_key_ends(self._session),
            endpoint=f"{endpoint.scheme}://{endpoint.host}",
            proxy=without_user(proxy_of(endpoint.scheme, endpoint.host, self._environ)),
            clock_skew=health.skew,
            latency=health.took,
        )

    def _open(self, service: str, endpoint_url: str | None) -> Any:
        with _LOCK:
            client = self._create(service, endpoint_url)
            _endpoint(client)
        return client

    def _create(self, service: str, endpoint_url: str | None) -> Any:
        config = Config(user_agent_extra=self._connection.agent)
        region = self._connection.scope.region
        endpoint = endpoint_url_of(self._environ, self._profile, service)
        url = endpoint_url or (endpoint.value if endpoint else None)
        try:
            return self._session.create_client(service, region_name=region, endpoint_url=url, config=config)
        except BotoCoreError as error:
            raise no_response(error, action="connect") from None
        except ValueError:  # its text quotes the URL, and a password in it
            raise CloudError(Reason.NOT_CONFIGURED, "an endpoint URL cannot be read; nothing was sent") from None


def _session(connection: Connection, environ: Mapping[str, str]) -> botocore.session.Session:
    """A session with credentials, shared by all scopes that see the same profile and variables.

    Sharing means that one sign-in, one assumed role and one parsed service model serve every region; and that what
    failed is not requested once per region. A source that does not answer holds up its own scopes alone.
    """
    profile = connection.profile
    seen = {name: value for name, value in environ.items() if name.startswith(PREFIX) or name in HOMES}
    key = hash((profile, connection.connect_timeout, connection.read_timeout, frozenset(seen.items())))
    with _LOCK:
        lock = _OPENING.setdefault(key, threading.Lock())
    with lock:
        if key in _FAILED:
            raise _FAILED[key].fresh()
        if key not in _SESSIONS:
            try:
                _SESSIONS[key] = _opened(connection, environ)
            except CloudError as error:
                _FAILED[key] = error.fresh()
                raise
        return _SESSIONS[key]


def _opened(connection: Connection, environ: Mapping[str, str]) -> botocore.session.Session:
    error = resolve(environ, connection.profile).error
    if error is not None:
        raise error
    check_numbers(environ)
    session = _resolved(connection.profile, environ)
    with in_words(described(environ, connection.profile)):
        send_by(session, connection, environ)
    acquire(session, connection.profile, environ)
    session.register_component("data_loader", models(session.get_config_variable("data_path")))
    return session


def _resolved(profile: str | None, environ: Mapping[str, str]) -> botocore.session.Session:
    """A session that reads the profile and the files which `profile.resolve` reports, not what it would choose itself.

    An empty variable is an unset one: botocore takes it for the name of a profile, a role or a file.
    """
    for name in [name for name, value in os.environ.items() if name.startswith(PREFIX) and not value]:
        os.environ.pop(name, None)  # another profile is opened at the same time
    session = Session(profile=profile)
    store = session.get_component("config_store")
    config, credentials = files(environ)
    store.set_config_variable("config_file", str(config))
    store.set_config_variable("credentials_file", str(credentials))
    if profile is None:  # to name one for the session would keep it from the keys in the environment
        chosen = profile_in_use(environ, None)
        store.set_config_variable("profile", None if chosen.origin == "default" else chosen.value)
    read_here(session)
    return session


def _key_ends(session: botocore.session.Session) -> str | None:
    """The last four characters of the key's id; None where a sign-in has ended."""
    try:
        return str(session.get_credentials().get_frozen_credentials().access_key)[-4:]
    except CloudError:
        return None


def _endpoint(client: Any) -> Endpoint:
    """Where a client goes. Raises `Reason.NOT_CONFIGURED` for plain http beyond loopback."""
    parts = urlsplit(client.meta.endpoint_url)
    return Endpoint.of(f"{parts.scheme}://{parts.netloc}")
