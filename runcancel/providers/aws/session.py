"""Opening AWS clients: botocore's own credential chain and endpoints, with its retries off."""

import os
import re
import threading
from collections import ChainMap
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import JSONFileCache

from runcancel.errors import CloudError
from runcancel.providers import Checkup, Connection
from runcancel.providers.aws.failures import answered, unanswered
from runcancel.providers.aws.http import send_by
from runcancel.providers.aws.models import models
from runcancel.providers.aws.profile import HOMES, PREFIX, files, profile_in_use
from runcancel.providers.aws.wire import prove_body
from runcancel.providers.files import home
from runcancel.providers.proxies import proxy_of, without_user
from runcancel.providers.reading import check_keys, checked_region
from runcancel.providers.transport import Endpoint, Heard, believed
from runcancel.vocabulary import Reason

_LOCK = threading.Lock()  # clients may be shared by threads, but not created by them (botocore issue 2991)
_SESSIONS: dict[int, botocore.session.Session] = {}
_FAILED: dict[int, CloudError] = {}

_SOURCES = {
    "env": "AWS_ACCESS_KEY_ID of the environment",
    "assume-role-with-web-identity": "the web identity",
    "container-role": "the container's role",
    "iam-role": "the instance's role",
}
"""Where credentials come from that belong to no profile, by botocore's name for it."""


_STS = re.compile(
    r"sts(-fips)?(\.[a-z0-9-]+)?\.amazonaws\.(com|com\.cn|eu)|sts\.[a-z0-9-]+\.api\.(aws|amazonwebservices\.com\.cn)"
    r"|vpce-[0-9a-z-]+\.sts\.[a-z0-9-]+\.vpce\.amazonaws\.com(\.cn)?"
)
"""Where the vendor's own STS answers: public, and inside a network."""


class Doors:
    """The clients of one scope, made one at a time and only when needed."""

    def __init__(self, connection: Connection, environ: Mapping[str, str]) -> None:
        checked_region(connection.scope.region)  # it becomes part of a host name
        self._connection = connection
        self._environ = environ
        self._session = _session(connection, environ)
        self.source = _source(self._session, profile_in_use(environ, connection.profile).value)

    def ssm(self) -> Any:
        """A Systems Manager client whose answers must be JSON objects."""
        client = self._open("ssm", self._connection.endpoint_url)
        client.meta.events.register("after-call.ssm", prove_body)
        return client

    def sts(self, ssm: Any) -> Any:
        """A Security Token Service client; it goes where the `ssm` client goes when that is loopback."""
        chosen = self._connection.sts_endpoint_url
        same = chosen is None and _endpoint(ssm).loopback
        return self._open("sts", ssm.meta.endpoint_url if same else chosen)

    def believes(self, sts: Any, ssm: Any) -> bool:
        """Whether this STS may say who the caller is."""
        return believed(_endpoint(sts), _endpoint(ssm), _STS)

    def ec2(self, ssm: Any) -> Any:
        """An EC2 client, for the list of regions; on loopback it goes where the `ssm` client goes."""
        return self._open("ec2", ssm.meta.endpoint_url if _endpoint(ssm).loopback else None)

    def checkup(self, ssm: Any, heard: Heard) -> Checkup:
        """See `Cloud.checkup`."""
        endpoint = _endpoint(ssm)
        return Checkup(
            credentials=self.source,
            key=_key_ends(self._session),
            endpoint=f"{endpoint.scheme}://{endpoint.host}",
            proxy=without_user(proxy_of(endpoint.scheme, endpoint.host, self._environ)),
            clock_skew=heard.skew,
            latency=heard.took,
        )

    def _open(self, service: str, endpoint_url: str | None) -> Any:
        with _LOCK:
            client = self._create(service, endpoint_url)
            _endpoint(client)
        return client

    def _create(self, service: str, endpoint_url: str | None) -> Any:
        config = Config(user_agent_extra=self._connection.agent)
        region = self._connection.scope.region
        try:
            return self._session.create_client(service, region_name=region, endpoint_url=endpoint_url, config=config)
        except BotoCoreError as error:
            raise unanswered(error, action="connect") from None
        except ValueError:  # its text quotes the URL, and a password in it
            raise CloudError(Reason.USAGE, "an endpoint URL cannot be read; nothing was sent") from None


def _session(connection: Connection, environ: Mapping[str, str]) -> botocore.session.Session:
    """A session with credentials, shared by all scopes that see the same profile and variables.

    Sharing means that one sign-in, one assumed role and one parsed service model serve every region; and that a
    search that found nothing, which asks the metadata service in vain, is not made once per region.
    """
    profile = connection.profile
    seen = {name: value for name, value in environ.items() if name.startswith(PREFIX) or name in HOMES}
    key = hash((profile, connection.connect_timeout, connection.read_timeout, frozenset(seen.items())))
    with _LOCK:
        if key in _FAILED:
            raise _FAILED[key]
        if key not in _SESSIONS:
            session = _resolved(profile, environ)
            try:
                _require_credentials(session, connection, environ)
            except CloudError as error:
                if error.reason is Reason.NO_CREDENTIALS:
                    _FAILED[key] = error
                raise
            session.register_component("data_loader", models(session.get_config_variable("data_path")))
            _SESSIONS[key] = session
        return _SESSIONS[key]


def _resolved(profile: str | None, environ: Mapping[str, str]) -> botocore.session.Session:
    """A session that reads the profile and the files which `profile.resolve` reports, not what it would choose itself.

    An empty variable is an unset one: botocore takes it for the name of a profile, a role or a file.
    """
    for name in [name for name, value in os.environ.items() if name.startswith(PREFIX) and not value]:
        del os.environ[name]
    session = botocore.session.Session(profile=profile)
    store = session.get_component("config_store")
    config, credentials = files(environ)
    store.set_config_variable("config_file", str(config))
    store.set_config_variable("credentials_file", str(credentials))
    if profile is None:  # to name one for the session would keep it from the keys in the environment
        chosen = profile_in_use(environ, None)
        store.set_config_variable("profile", None if chosen.origin == "default" else chosen.value)
    return session


def _require_credentials(session: botocore.session.Session, connection: Connection, environ: Mapping[str, str]) -> None:
    tried = _tried(connection.profile, environ)
    try:
        send_by(session, connection, environ)
        _never_ask(session)
        found = session.get_credentials()
    except ClientError as error:
        raise answered(error, action="credentials") from None
    except BotoCoreError as error:
        raise unanswered(error, action="credentials", source=f"tried {tried}") from None
    if found is None:
        raise CloudError(
            Reason.NO_CREDENTIALS,
            f"no AWS credentials: tried {tried}",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, sign in (`aws sso login`), or name a --profile",
        )
    if type(found) is Credentials:  # fixed keys: nothing has to be asked for them
        check_keys((found.access_key, found.secret_key, found.token), _SOURCES.get(found.method, found.method))


def _never_ask(session: botocore.session.Session) -> None:
    """Take a second factor from the session that the vendor's CLI keeps, never by a question amid threads.

    That cache is read and not written. Raises what botocore raises for a profile that does not exist.
    """
    provider = session.get_component("credential_provider").get_provider("assume-role")
    kept: Any = JSONFileCache(str(home(os.environ) / ".aws" / "cli" / "cache"))
    provider.cache = ChainMap({}, kept)
    provider._prompter = _refuse_to_ask


def _refuse_to_ask(_question: str) -> str:
    raise CloudError(
        Reason.NO_CREDENTIALS,
        "the profile needs a second factor, which is not asked for here",
        action="credentials",
        hint="sign in with the vendor's CLI, whose session is then used: aws sts get-caller-identity --profile NAME",
    )


def _source(session: botocore.session.Session, profile: str) -> str:
    """Where the credentials came from, in words."""
    method = str(getattr(session.get_credentials(), "method", None) or "")
    return _SOURCES.get(method) or f"profile {profile}, {method}"


def _key_ends(session: botocore.session.Session) -> str | None:
    """The last four characters of the key's id; None where a sign-in has ended."""
    found: Any = session.get_credentials()
    try:
        return None if found is None else str(found.get_frozen_credentials().access_key)[-4:]
    except (BotoCoreError, ClientError):
        return None


def _tried(profile: str | None, environ: Mapping[str, str]) -> str:
    """Profile and variables exclude each other: a named profile takes its keys from files only."""
    config, credentials = files(environ)
    in_files = f'profile "{profile_in_use(environ, profile).value}" in {config} and {credentials}'
    if profile is not None:
        return in_files
    return f"AWS_ACCESS_KEY_ID, web identity, {in_files}, container and instance roles"


def _endpoint(client: Any) -> Endpoint:
    """Where a client goes. Raises `Reason.USAGE` for plain http beyond loopback."""
    parts = urlsplit(client.meta.endpoint_url)
    return Endpoint.of(f"{parts.scheme}://{parts.netloc}")
