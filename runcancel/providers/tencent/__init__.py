"""Tencent Cloud: TAT invocations (API 2020-10-28)."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import structs

from runcancel.providers.base import AuditLog, Cloud, Connection, PolicyScope, Provider, VendorSettings
from runcancel.providers.tencent.facts import (
    CREDENTIALS,
    KINDS,
    PROFILE_VARIABLES,
    REGION_VARIABLES,
    REGIONS,
    SITES,
    TRIGGER_KINDS,
)
from runcancel.runtime.throttle import Pace

if TYPE_CHECKING:
    from runcancel.model.reports import AccessPolicy
    from runcancel.providers.common.links import Link


def resolve(environ: Mapping[str, str], profile: str | None) -> VendorSettings:
    """Which profile, account and region are in use. See `Provider.resolve`."""
    from runcancel.providers.tencent import profile as profile_

    return profile_.resolve(environ, profile)


def host(_region: str, site: str | None) -> str:
    """Where TAT answers, for every region of a site."""
    return f"tat.{site or SITES[0]}"


def configured(environ: Mapping[str, str]) -> bool:
    """Whether a variable or a file of the vendor's exists."""
    from runcancel.providers.tencent import profile

    return profile.configured(environ)


def link(text: str) -> "Link | None":
    """The run that a console URL names, None where it is not of this vendor. Raises `NotARun`."""
    from runcancel.providers.tencent import links

    return links.read(text, KINDS[0], REGIONS)


def policy(scope: PolicyScope) -> "AccessPolicy":
    """The least that has to be allowed for this program, and what could not be narrowed. Raises `UsageError`."""
    from runcancel.providers.tencent import permissions

    return permissions.policy(scope)


def connect(connection: Connection, environ: Mapping[str, str], pace: Pace) -> Cloud:
    """Open one scope. Raises `CloudError` for a wrong endpoint or when no credentials can be found."""
    from runcancel.providers.common.credentials import CredentialSource
    from runcancel.providers.common.fields import checked_region
    from runcancel.providers.common.http import CredentialClient, Endpoint, Transport, endpoints
    from runcancel.providers.tencent import credentials
    from runcancel.providers.tencent.invocations import Tat
    from runcancel.providers.tencent.sources import VERSION, Sources
    from runcancel.providers.tencent.wire import Wire

    scope = connection.scope
    checked_region(scope.region)
    site = connection.site or SITES[0]
    tat, sts = endpoints(connection, host(scope.region, site), sts=f"sts.{site}")

    def wire(endpoint: Endpoint, product: str, version: str, keys: CredentialSource, pace: Pace) -> Wire:
        transport = Transport(endpoint, connection, environ)
        return Wire(transport, connection, product=product, version=version, keys=keys, pace=pace)

    def audit() -> AuditLog:
        from runcancel.providers.tencent.audit import VERSION as VERSION_OF_AUDIT
        from runcancel.providers.tencent.audit import CloudAudit, region_of

        there = structs.replace(connection, scope=structs.replace(scope, region=region_of(scope.region)))
        transport = Transport(tat if tat.loopback else Endpoint.of(f"cloudaudit.{site}"), there, environ)
        log = Wire(transport, there, product="cloudaudit", version=VERSION_OF_AUDIT, keys=keys, pace=pace.apart())
        return CloudAudit(log, KINDS[0])

    def dial(base: CredentialSource) -> Wire:
        return wire(sts, "sts", VERSION, base, pace.shared(("sts", sts, base)))

    sources = Sources(CredentialClient(environ), dial, sts)
    keys = credentials.find(environ, connection.profile, sources)
    if connection.role is not None:
        keys = sources.of_context(connection.role, keys)
    return Tat(
        wire(tat, "tat", "2020-10-28", keys, pace),
        wire(sts, "sts", VERSION, keys, pace.apart()),
        scope=scope,
        kind=KINDS[0],
        invoker=TRIGGER_KINDS[0],
        pace=pace,
        audit=audit,
    )


PROVIDER = Provider(
    name="tencent",
    title="Tencent Cloud",
    account_pattern=re.compile(r"[0-9]{5,20}"),
    role_pattern=re.compile(r"qcs::cam::uin/([0-9]{5,20}):role(?:Name)?/[\w+=,.@-]{1,128}", re.ASCII),
    role_example="qcs::cam::uin/100000000001:roleName/NAME",
    ids="inv-…",
    kinds=KINDS,
    trigger_kinds=TRIGGER_KINDS,
    regions=REGIONS,
    sites=SITES,
    audit_log="CloudAudit",
    variables=("TENCENTCLOUD_", "TCCLI_"),
    region_variables=REGION_VARIABLES,
    profile_variables=PROFILE_VARIABLES,
    credentials=CREDENTIALS,
    sign_in="tccli configure, or export TENCENTCLOUD_SECRET_ID=… TENCENTCLOUD_SECRET_KEY=…",
    resolve=resolve,
    host=host,
    configured=configured,
    link=link,
    policy=policy,
    connect=connect,
)
