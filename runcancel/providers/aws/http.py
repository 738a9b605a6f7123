"""Every HTTP request of botocore, sent as the other clouds' are: clients, STS, single sign-on and metadata services."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.utils import ContainerMetadataFetcher

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.aws import private
from runcancel.providers.aws.links import partition_of
from runcancel.providers.aws.models import OURS
from runcancel.providers.aws.profile import profiles, resolve
from runcancel.providers.aws.systems_manager import check_answer
from runcancel.providers.base import Connection
from runcancel.providers.common.fields import json_object, may_repeat
from runcancel.providers.common.http import HttpClient, Reply
from runcancel.redaction import remember

_CONTAINER = "the container's credentials"
_KEYS = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
"""What an answer of a container's credentials holds."""

SENDER = "runcancel"
"""The id under which the handler of `before-send` is registered."""

_ENABLED = frozenset(
    {
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
        *("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1"),
        *("ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
    }
)
"""The regions of `aws` that every account has."""

_FIRST = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
}
"""A region of each partition whose STS is always there."""

_CONTAINER_PATIENCE = 2.0  # seconds, as botocore has it


_OURS = OURS | {"eventbridge", "sfn"}
"""Services that give no credentials, by the names of botocore's events: two have another one there."""


def send_by(session: botocore.session.Session, connection: Connection, environ: Mapping[str, str]) -> None:
    """Let a session's clients, and whatever finds its credentials, send through `HttpClient`; each request once.

    To be called before credentials are looked for. Raises what botocore raises for a profile that it cannot use.
    """
    bundle = _bundle(session, environ)
    client = HttpClient(
        environ, connect_timeout=connection.connect_timeout, read_timeout=connection.read_timeout, bundle=bundle
    )
    session.register("before-send", _Sender(client, session), unique_id=SENDER)
    session.set_default_client_config(Config(retries={"mode": "standard", "total_max_attempts": 1}))
    if not session.get_config_variable("region"):  # botocore does not read AWS_REGION, and STS needs one
        region = sts_region(connection, environ)
        session.get_component("config_store").set_config_variable("region", region)
    container = _metadata(environ, _CONTAINER_PATIENCE, bundle)
    instance = _metadata(environ, float(session.get_config_variable("metadata_service_timeout")), bundle)
    private.fetch_metadata_by(session, container=_ContainerFetcher(container), instance=_InstanceSession(instance))


def sts_region(connection: Connection, environ: Mapping[str, str], role: str | None = None) -> str:
    """Where the keys of a role are requested: they serve every region, so the one that is opened first must not decide.

    `role` None is that of the profile. Only STS of the role's own partition knows it, and STS of a region that is not
    enabled knows nobody.
    """
    vendor = resolve(environ, connection.profile)
    section = profiles(environ).profiles.get(vendor.profile.value, {})
    role = role or ("" if connection.profile else environ.get("AWS_ROLE_ARN")) or section.get("role_arn", "")
    here = vendor.region.value if vendor.region else connection.scope.region
    partition = role.split(":")[1] if role.count(":") > 1 else partition_of(here)
    if partition_of(here) == partition and (vendor.region or partition != "aws" or here in _ENABLED):
        return here
    return _FIRST.get(partition, here)


def _metadata(environ: Mapping[str, str], timeout: float, bundle: tuple[str, str] | None) -> HttpClient:
    return HttpClient(environ, connect_timeout=timeout, read_timeout=timeout, bundle=bundle, metadata=True)


class _Sender:
    """A handler of `before-send`, whose answer botocore takes in the place of its own client's."""

    def __init__(self, client: HttpClient, session: botocore.session.Session) -> None:
        self._client = client
        self._session = session

    def __call__(self, request: Any, *, event_name: str, **_event: object) -> AWSResponse:
        """The answer. Raises `CloudError` for one that did not come, or that something in between gave."""
        _, service, action = event_name.split(".")
        for_keys = service not in _OURS and action != "GetCallerIdentity"
        try:
            reply = _send(
                self._client,
                request,
                credentials=for_keys,
                secrets=() if for_keys else self._secrets(),
                repeat=may_repeat(action),
            )
            check_answer(reply, urlsplit(request.url).netloc)
        except CloudError as error:
            if for_keys:
                raise _with_action(error, action) from None
            raise
        return _response(request.url, reply)

    def _secrets(self) -> tuple[str | None, ...]:
        """What the request in hand was signed with."""
        keys = self._session.get_credentials().get_frozen_credentials()
        remember(keys.secret_key, keys.token)
        return keys.secret_key, keys.token


class _InstanceSession:
    """Stands in the place of botocore's HTTP session towards the instance's metadata service."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def send(self, request: Any) -> AWSResponse:
        """The reply. Without a service there, the error is botocore's own: then the instance has no role."""
        try:
            return _response(request.url, _send(self._client, request))
        except CloudError as error:
            if error.reason is Reason.UNREACHABLE:
                raise ConnectTimeoutError(endpoint_url=_origin(request.url)) from None
            if error.reason is Reason.LOST:
                raise ReadTimeoutError(endpoint_url=_origin(request.url)) from None
            raise


class _ContainerFetcher:
    """Replaces botocore's client for a container's credentials, which sends three times and quotes replies."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def full_url(self, path: str) -> str:
        """Where a path of AWS_CONTAINER_CREDENTIALS_RELATIVE_URI leads."""
        return f"http://{ContainerMetadataFetcher.IP_ADDRESS}{path}"

    def retrieve_full_uri(self, url: str, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """The keys at a URL. Raises `CloudError`, `NOT_CONFIGURED` for plain http elsewhere than on this host."""
        try:
            reply = self._client.send(
                "GET", url, headers={"Accept": "application/json", **(headers or {})}, credentials=True
            )
        except CloudError as error:
            raise _no_credentials(error, _CONTAINER) from None
        host = urlsplit(url).netloc.rpartition("@")[2]
        keys = json_object(reply.content) or {}
        if reply.status_code != 200 or not all(isinstance(keys.get(name), str) for name in _KEYS):
            why = f"HTTP {reply.status_code} from {host}" if reply.status_code != 200 else f"no whole key from {host}"
            raise CloudError(Reason.NO_CREDENTIALS, f"{_CONTAINER}: {why}", action="credentials")
        return keys


class _Raw:
    """A body as `AWSResponse` reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_options: object) -> Iterator[bytes]:
        """The body, in one piece."""
        yield self._content


def _send(
    client: HttpClient,
    request: Any,
    *,
    credentials: bool = True,
    secrets: tuple[str | None, ...] = (),
    repeat: bool = False,
) -> Reply:
    headers = {name: _plain(value) for name, value in request.headers.items()}
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    return client.send(
        request.method,
        request.url,
        headers=headers,
        body=body,
        secrets=secrets,
        credentials=credentials,
        again=(lambda: headers) if repeat else None,
    )


def _plain(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _response(url: str, reply: Reply) -> AWSResponse:
    return AWSResponse(url, reply.status_code, dict(reply.headers), _Raw(reply.content))


def _no_credentials(error: CloudError, whose: str) -> CloudError:
    """The failure of a request for credentials: no API received a request. A usage error stays one."""
    reason = error.reason if error.reason is Reason.NOT_CONFIGURED else Reason.NO_CREDENTIALS
    return _with_action(CloudError(reason, error.message, hint=error.hint), whose)


def _with_action(error: CloudError, whose: str) -> CloudError:
    message = f"{whose}: {error.message}"
    return CloudError(error.reason, message, action="credentials", hint=error.hint, retry_after=error.retry_after)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _bundle(session: botocore.session.Session, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The CA file that the profile names; a variable wins over it, as in botocore."""
    if environ.get("AWS_CA_BUNDLE"):
        return None
    path = session.get_config_variable("ca_bundle")
    return (str(path), "ca_bundle of the profile") if path else None
