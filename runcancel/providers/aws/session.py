"""Clients of botocore: its own chain of credentials and its endpoints, with its retries off."""

import os
import re
import threading
from collections.abc import Hashable, Mapping
from typing import Any
from weakref import WeakValueDictionary

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from msgspec import Struct, structs

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.aws.config_files import new_session, read_here
from runcancel.providers.aws.credentials import Once, acquire, in_words
from runcancel.providers.aws.failures import no_response
from runcancel.providers.aws.http import send_by
from runcancel.providers.aws.keys import described
from runcancel.providers.aws.models import models
from runcancel.providers.aws.profile import HOMES, PREFIX, endpoint_of, files, profile_in_use, profiles
from runcancel.providers.aws.profile import endpoint_url as endpoint_url_of
from runcancel.providers.aws.sdk import prove_body
from runcancel.providers.base import Connection

_LOCK = threading.Lock()  # clients may be shared by threads, but not created by them (botocore issue 2991)
_OPENING: dict[int, threading.Lock] = {}
_OPENED: dict[int, "_Opened"] = {}
_FAILED: dict[int, CloudError] = {}
_SHARED: dict[Hashable, botocore.session.Session] = {}
"""Sessions that make clients, by everything in a profile that a client heeds: accounts differ in credentials alone."""

_CLIENTS: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
"""Clients by what decides about them: the accounts of a region share one, for as long as any of them is open."""

_OF_CREDENTIALS = re.compile(
    "aws_access_key_id|aws_secret_access_key|aws_session_token|aws_security_token|aws_account_id|region|output"
    "|role_arn|source_profile|credential_source|external_id|mfa_serial|role_session_name|duration_seconds"
    "|web_identity_token_file|credential_process|login_session|sso_.+|cli_.+"
)
"""Keys of a profile that no client heeds, but for the region, which each is given."""

_IN_XML = ("ec2", "sts")
"""Services that answer in XML."""


class SdkClients:
    """The clients of botocore for one scope, made one at a time and only when needed."""

    def __init__(self, connection: Connection, environ: Mapping[str, str]) -> None:
        self._connection = connection
        self._environ = environ
        self.key = _key(connection, environ)
        self._opened = _opened(self.key, connection, environ)
        self._profile = profile_in_use(environ, connection.profile).value
        self.credentials: Once = self._opened.credentials

    def open(self, service: str, endpoint_url: str | None, *, region: str | None = None) -> Any:
        """A client; that of another account where all but the credentials is the same."""
        endpoint = endpoint_url_of(self._environ, self._profile, service)
        url = endpoint_url or (endpoint.value if endpoint else None)
        region, agent = region or self._connection.scope.region, self._connection.agent
        key = (id(self._opened.clients), service, region, url, agent)
        with _LOCK:
            client = _CLIENTS.get(key)
            if client is None:
                client = self._create(service, region, url, agent)
                endpoint_of(str(client.meta.endpoint_url))
                if service not in _IN_XML:
                    name = client.meta.service_model.service_id.hyphenize()
                    client.meta.events.register(f"after-call.{name}", prove_body)
                _CLIENTS[key] = client
        return client

    def _create(self, service: str, region: str, url: str | None, agent: str) -> Any:
        config = Config(user_agent_extra=agent)
        try:
            return self._opened.clients.create_client(service, region_name=region, endpoint_url=url, config=config)
        except BotoCoreError as error:
            raise no_response(error, action="connect") from None
        except ValueError:  # its text quotes the URL, and a password in it
            raise CloudError(Reason.NOT_CONFIGURED, "an endpoint URL cannot be read; nothing was sent") from None


def _key(connection: Connection, environ: Mapping[str, str]) -> int:
    """What decides about a session: the profile, the variables and how long a reply is waited for."""
    settings = {name: value for name, value in environ.items() if name.startswith(PREFIX) or name in HOMES}
    return hash((connection.profile, connection.connect_timeout, connection.read_timeout, frozenset(settings.items())))


class _Opened(Struct, frozen=True):
    """Credentials, and a session that makes clients; its own credentials may be those of another profile."""

    credentials: Once
    clients: botocore.session.Session


def _opened(key: int, connection: Connection, environ: Mapping[str, str]) -> _Opened:
    """What all scopes share that see the same profile and variables.

    Sharing means that one sign-in and one assumed role serve every region; and that what failed is not requested once
    per region. A source that does not answer holds up its own scopes alone. Service models are parsed once for all
    profiles that differ in nothing that a client heeds.
    """
    with _LOCK:
        lock = _OPENING.setdefault(key, threading.Lock())
    with lock:
        if key in _FAILED:
            raise _FAILED[key].fresh()
        if key not in _OPENED:
            try:
                _OPENED[key] = _open(connection, environ)
            except CloudError as error:
                _FAILED[key] = error.fresh()
                raise
        return _OPENED[key]


def _open(connection: Connection, environ: Mapping[str, str]) -> _Opened:
    session = _resolved(connection.profile, environ)
    with in_words(described(environ, connection.profile)):
        send_by(session, connection, environ)
    credentials = acquire(session, connection.profile, environ)
    key = _settings_key(connection, environ)
    with _LOCK:
        if key not in _SHARED:
            session.register_component("data_loader", models(session.get_config_variable("data_path")))
            _SHARED[key] = session
        return _Opened(credentials, _SHARED[key])


def _settings_key(connection: Connection, environ: Mapping[str, str]) -> Hashable:
    """What decides about a client, besides its region and endpoint."""
    section = profiles(environ).profiles.get(profile_in_use(environ, connection.profile).value, {})
    settings = frozenset(item for item in section.items() if not _OF_CREDENTIALS.fullmatch(item[0]))
    return settings, _key(structs.replace(connection, profile=None), environ)


def _resolved(profile: str | None, environ: Mapping[str, str]) -> botocore.session.Session:
    """A session that reads the profile and the files which `profile.resolve` reports, not what it would choose itself.

    An empty variable is an unset one: botocore takes it for the name of a profile, a role or a file.
    """
    for name in [name for name, value in os.environ.items() if name.startswith(PREFIX) and not value]:
        os.environ.pop(name, None)  # another profile is opened at the same time
    session = new_session(profile)
    store = session.get_component("config_store")
    config, credentials = files(environ)
    store.set_config_variable("config_file", str(config))
    store.set_config_variable("credentials_file", str(credentials))
    if profile is None:  # to name one for the session would keep it from the keys in the environment
        choice = profile_in_use(environ, None)
        store.set_config_variable("profile", None if choice.origin == "default" else choice.value)
    read_here(session)
    return session
