"""The services of one AWS scope: Systems Manager, sent here, and the others through botocore."""

import os
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.aws.keys import check_numbers, described, fixed_keys
from runcancel.providers.aws.profile import (
    HOMES,
    endpoint_of,
    endpoint_url,
    own_endpoint_url,
    profile_in_use,
    profiles,
    resolve,
)
from runcancel.providers.aws.regions import REGIONS, host
from runcancel.providers.aws.systems_manager import SystemsManager
from runcancel.providers.aws.wire import Sender, Wire
from runcancel.providers.base import Checkup, Connection
from runcancel.providers.common.fields import checked_region
from runcancel.providers.common.http import EndpointHealth, believed, shared
from runcancel.providers.common.proxies import proxy_of, without_user
from runcancel.runtime.throttle import Pace

if TYPE_CHECKING:
    from runcancel.providers.aws.roles import RoleCredentials
    from runcancel.providers.aws.session import SdkClients

_UNUSUAL = ("use_fips_endpoint", "use_dualstack_endpoint", "data_path")
"""Keys of a profile, with variables of the same names, by which botocore finds another endpoint of the service."""

_STS = re.compile(
    r"sts(-fips)?(\.[a-z0-9-]+)?\.amazonaws\.(com|com\.cn|eu)|sts\.[a-z0-9-]+\.api\.(aws|amazonwebservices\.com\.cn)"
    r"|vpce-[0-9a-z-]+\.sts\.[a-z0-9-]+\.vpce\.amazonaws\.com(\.cn)?"
)
"""Where the vendor's own STS answers: public, and inside a network."""

_NOT_OF_AGENT = r"[^0-9A-Za-z!$%&'*+.^_`|~,-]"
"""What a name in a User-Agent cannot have."""


class Services:
    """The services of one scope, each opened when it is first needed."""

    def __init__(self, connection: Connection, environ: Mapping[str, str], health: EndpointHealth) -> None:
        checked_region(connection.scope.region)  # it becomes part of a host name
        self._connection = connection
        self._environ = environ
        self._health = health
        self._profile = profile_in_use(environ, connection.profile).value
        error = resolve(environ, connection.profile).error
        if error is not None:
            raise error
        check_numbers(environ)
        self.source = str(connection.role or described(environ, connection.profile))
        self._own_keys = fixed_keys(environ, connection.profile) or self._sdk.credentials
        self.role: RoleCredentials | None = None
        self._region = connection.scope.region
        self.url = self._url()
        endpoint_of(self.url)

    def ssm(self) -> Sender:
        """Systems Manager, whose replies must be JSON objects."""
        connection = self._connection
        bundle = profiles(self._environ).profiles.get(self._profile, {}).get("ca_bundle")
        client = shared(
            self._environ,
            connection.connect_timeout,
            connection.read_timeout,
            bundle=(bundle, "ca_bundle of the profile") if bundle and not self._environ.get("AWS_CA_BUNDLE") else None,
        )
        return SystemsManager(
            self.url,
            client,
            region=self._region,
            agent=self._agent(),
            credentials=self.role or self._own_keys,
            source=self.source,
            health=self._health,
        )

    def assume_role(self, pace: Pace) -> None:
        """Get the credentials of the context's role, where it has one. Raises `CloudError`.

        One pace holds for all roles that the same credentials assume: STS counts the calls of their account.
        """
        role = self._connection.role
        if role is None:
            return
        from runcancel.providers.aws.http import sts_region
        from runcancel.providers.aws.roles import assume
        from runcancel.providers.aws.sdk import SdkSender

        region = sts_region(self._connection, self._environ, role.arn)
        client = self._sdk.open("sts", self._sts_url(), region=region)
        base = (self._sdk.key, str(client.meta.endpoint_url))
        at = pace.shared(base)
        scope = self._connection.scope
        self.role = assume(
            role, lambda by: Wire(SdkSender(client, credentials=by or self._own_keys), at, scope=scope), base=base
        )

    def sts(self) -> Sender:
        """The Security Token Service.

        Unless its endpoint is chosen, it is where Systems Manager is when that is loopback.
        """
        return self._sender("sts", self._sts_url())

    def believes(self, sts: Sender) -> bool:
        """Whether the identity from this STS counts."""
        return believed(endpoint_of(sts.url), endpoint_of(self.url), _STS)

    def beside(self, service: str) -> Sender:
        """Another service. Unless its endpoint is chosen, it is where Systems Manager is when that is loopback."""
        return self._sender(service, self._beside(service))

    def checkup(self) -> Checkup:
        """See `Cloud.checkup`."""
        endpoint = endpoint_of(self.url)
        return Checkup(
            credentials=self.source,
            key=_key_ends(self.role or self._own_keys),
            endpoint=f"{endpoint.scheme}://{endpoint.host}",
            proxy=without_user(proxy_of(endpoint.scheme, endpoint.host, self._environ)),
            clock_skew=self._health.skew,
            latency=self._health.took,
        )

    @cached_property
    def _sdk(self) -> "SdkClients":
        from runcancel.providers.aws.session import SdkClients

        return SdkClients(self._connection, self._environ)

    def _sender(self, service: str, url: str | None) -> Sender:
        from runcancel.providers.aws.sdk import SdkSender

        client = self._sdk.open(service, url)
        return SdkSender(client, source=self.source, health=self._health, credentials=self.role or self._own_keys)

    def _url(self) -> str:
        """Where Systems Manager answers: where it was chosen, else at its usual host, else where botocore finds it."""
        chosen = endpoint_url(self._environ, self._profile, "ssm")
        url = self._connection.endpoint_url or (chosen.value if chosen else None)
        if self._region in REGIONS and not self._is_unusual():
            return url or f"https://{host(self._region, None)}"
        meta = self._sdk.open("ssm", url).meta
        kinds = {"FIPS": meta.config.use_fips_endpoint, "dual-stack": meta.config.use_dualstack_endpoint}
        if url is not None and any(kinds.values()):
            kind = next(name for name, used in kinds.items() if used)
            raise CloudError(
                Reason.INVALID, f"{kind} endpoints and an endpoint URL exclude each other; nothing was sent"
            )
        self._region = str(meta.region_name)  # that of fips-us-east-1 is us-east-1
        return str(meta.endpoint_url)

    def _is_unusual(self) -> bool:
        section = profiles(self._environ).profiles.get(self._profile, {})
        names = [f"AWS_{key.upper()}" for key in _UNUSUAL]
        home = next((self._environ[name] for name in HOMES if self._environ.get(name)), "~")
        models = os.path.join(os.path.expanduser(home), ".aws", "models")
        return any(map(self._environ.get, names)) or any(map(section.get, _UNUSUAL)) or os.path.isdir(models)

    def _agent(self) -> str:
        section = profiles(self._environ).profiles.get(self._profile, {})
        app = self._environ.get("AWS_SDK_UA_APP_ID") or section.get("sdk_ua_app_id")
        app = re.sub(_NOT_OF_AGENT, "-", app or "")
        return f"{self._connection.agent} app/{app}" if app else self._connection.agent

    def _sts_url(self) -> str | None:
        return self._connection.sts_endpoint_url or self._beside("sts")

    def _beside(self, service: str) -> str | None:
        own = own_endpoint_url(self._environ, self._profile, service)
        if own is not None:
            return own.value
        return self.url if endpoint_of(self.url).loopback else None


def _key_ends(credentials: Any) -> str | None:
    """The last four characters of the key's id; None where a sign-in has ended."""
    try:
        return str(credentials.get_frozen_credentials().access_key)[-4:]
    except CloudError:
        return None
