"""Tencent Cloud: TAT invocations (API 2020-10-28)."""

import re
from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING

from runcancel.providers.base import AuditLog, Cloud, Connection, PolicyScope, Provider, VendorSettings
from runcancel.providers.tencent.facts import (
    CREDENTIALS,
    KINDS,
    PROFILE_VARIABLES,
    REGION_VARIABLES,
    REGIONS,
    SITES,
    STS_REGION,
    STS_VERSION,
    TRIGGER_KINDS,
)
from runcancel.runtime.throttle import Pace

if TYPE_CHECKING:
    from runcancel.model.reports import AccessPolicy
    from runcancel.providers.common.links import Link
    from runcancel.providers.tencent.sources import Sources


def resolve(environ: Mapping[str, str], profile: str | None) -> VendorSettings:
    """Which profile, account and region are in use. See `Provider.resolve`."""
    from runcancel.providers.tencent import profile as profile_

    return profile_.resolve(environ, profile)


def host(region: str, site: str | None) -> str:
    """Where TAT answers: one host for the regions of a site, one for each of the finance regions, which stand alone."""
    return _host("tat", region, site)


def _host(product: str, region: str, site: str | None) -> str:
    return f"{product}.{region}.{SITES[0]}" if _is_finance(region) else f"{product}.{site or SITES[0]}"


def _is_finance(region: str) -> bool:
    return region.endswith("-fsi")


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
    from runcancel.providers.common.fields import checked_region
    from runcancel.providers.common.http import endpoints
    from runcancel.providers.common.wire import Products
    from runcancel.providers.tencent import credentials
    from runcancel.providers.tencent.invocations import Tat
    from runcancel.providers.tencent.wire import Wire

    scope = connection.scope
    checked_region(scope.region)
    of = partial(_host, region=scope.region, site=connection.site)
    tat, sts = endpoints(connection, of("tat"), sts=of("sts"))
    sts_region = scope.region if _is_finance(scope.region) else STS_REGION
    products = Products(Wire, connection, environ, pace)

    def audit() -> AuditLog:
        from runcancel.providers.tencent.audit import VERSION, CloudAudit, region_of

        endpoint = tat.sibling(of("cloudaudit"))
        region = scope.region if _is_finance(scope.region) else region_of(scope.region)
        return CloudAudit(products.beside(endpoint, "cloudaudit", VERSION, keys, region=region), KINDS[0])

    @cache
    def sources() -> "Sources":
        from runcancel.providers.common.credential_client import CredentialClient
        from runcancel.providers.tencent.sources import Sources  # only for keys that have to be requested

        return Sources(CredentialClient(environ), partial(products.sts, sts, STS_VERSION, region=sts_region), sts)

    keys = credentials.find(environ, connection.profile, sources)
    if connection.role is not None:
        keys = sources().of_context(connection.role, keys)
    return Tat(
        products.main(tat, "tat", "2020-10-28", keys),
        products.beside(sts, "sts", STS_VERSION, keys, region=sts_region),
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
    ids=("inv-…",),
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
