"""Alibaba Cloud: ECS Cloud Assistant invocations (API 2014-05-26) and executions of OOS (API 2019-06-01)."""

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from runcancel.providers.alibaba.facts import CREDENTIALS, KINDS, PROFILE_VARIABLES, REGION_VARIABLES, STS_VERSION
from runcancel.providers.base import AuditLog, Cloud, Connection, PolicyScope, Provider, VendorSettings
from runcancel.runtime.throttle import Pace

if TYPE_CHECKING:
    from runcancel.model.reports import AccessPolicy
    from runcancel.providers.alibaba.sources import Sources
    from runcancel.providers.common.links import Link

REGIONS = frozenset(
    {
        *("cn-qingdao", "cn-beijing", "cn-zhangjiakou", "cn-huhehaote", "cn-wulanchabu", "cn-hangzhou", "cn-shanghai"),
        *("cn-nanjing", "cn-fuzhou", "cn-wuhan-lr", "cn-zhengzhou-jva", "cn-shenzhen", "cn-heyuan", "cn-guangzhou"),
        *("cn-chengdu", "cn-hongkong", "ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-3"),
        *("ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "us-east-1", "us-west-1", "na-south-1", "eu-west-1"),
        *("eu-central-1", "me-east-1", "me-central-1"),
        *("cn-hangzhou-finance", "cn-shanghai-finance-1", "cn-shenzhen-finance-1", "cn-beijing-finance-1"),
        *("cn-north-2-gov-1", "cn-heyuan-acdr-1"),
    }
)
"""Regions of ECS, as known in November 2026."""


_CENTRAL = "ecs-cn-hangzhou.aliyuncs.com"
_HOSTS = {
    "cn-hangzhou": _CENTRAL,
    "cn-shanghai-finance-1": _CENTRAL,
    "cn-shenzhen-finance-1": _CENTRAL,
    "cn-hangzhou-finance": "ecs.aliyuncs.com",
    "cn-north-2-gov-1": "ecs.aliyuncs.com",
}
"""Where a region does not answer at `ecs.<region>.aliyuncs.com` (the endpoint map of the vendor's SDK)."""


def resolve(environ: Mapping[str, str], profile: str | None) -> VendorSettings:
    """Which profile, account and region are in use. See `Provider.resolve`."""
    from runcancel.providers.alibaba import profile as profile_

    return profile_.resolve(environ, profile)


def host(region: str, _site: str | None) -> str:
    """Where ECS answers in a region."""
    return _HOSTS.get(region, f"ecs.{region}.aliyuncs.com")


def configured(environ: Mapping[str, str]) -> bool:
    """Whether a variable or a file of the vendor's exists."""
    from runcancel.providers.alibaba import profile

    return profile.configured(environ)


def link(text: str) -> "Link | None":
    """The run that a console URL names, None where it is not of this vendor. Raises `NotARun`."""
    from runcancel.providers.alibaba import links

    return links.read(text, REGIONS)


def policy(scope: PolicyScope) -> "AccessPolicy":
    """The least that has to be allowed for this program, and what could not be narrowed. Raises `UsageError`."""
    from runcancel.providers.alibaba import permissions

    return permissions.policy(scope)


def connect(connection: Connection, environ: Mapping[str, str], pace: Pace) -> Cloud:
    """Open one scope. Raises `CloudError` for a wrong endpoint or when no credentials can be found."""
    from runcancel.providers.alibaba import credentials
    from runcancel.providers.alibaba.cloud import AlibabaCloud
    from runcancel.providers.alibaba.invocations import CloudAssistant
    from runcancel.providers.alibaba.oos import VERSION as OOS_VERSION
    from runcancel.providers.alibaba.oos import Executions
    from runcancel.providers.alibaba.wire import Wire
    from runcancel.providers.common.credentials import CredentialSource
    from runcancel.providers.common.fields import checked_region
    from runcancel.providers.common.http import Endpoint, endpoints
    from runcancel.providers.common.wire import Products

    scope = connection.scope
    checked_region(scope.region)
    ecs, sts = endpoints(connection, host(scope.region, None), sts="sts.aliyuncs.com")
    products = Products(Wire, connection, environ, pace)

    def audit() -> AuditLog:
        from runcancel.providers.alibaba.audit import VERSION, ActionTrail

        endpoint = ecs.sibling(f"actiontrail.{scope.region}.aliyuncs.com")
        return ActionTrail(products.beside(endpoint, "actiontrail", VERSION, keys), region=scope.region)

    @cache
    def oos() -> Wire:
        return products.beside(ecs.sibling(f"oos.{scope.region}.aliyuncs.com"), "oos", OOS_VERSION, keys)

    def dial(endpoint: Endpoint, base: CredentialSource) -> Wire:
        return products.sts(endpoint, STS_VERSION, base)

    @cache
    def sources() -> "Sources":
        from runcancel.providers.alibaba.sources import Sources  # only for keys that have to be requested
        from runcancel.providers.common.credential_client import CredentialClient

        fixed = ecs.loopback or connection.sts_endpoint_url is not None
        return Sources(CredentialClient(environ), dial, sts, fixed=fixed)

    keys = credentials.find(environ, connection.profile, sources)
    if connection.role is not None:
        keys = sources().of_context(connection.role, keys)
    assistant = CloudAssistant(
        products.main(ecs, "ecs", "2014-05-26", keys),
        products.beside(sts, "sts", STS_VERSION, keys),
        scope=scope,
        kind=KINDS[0],
        audit=audit,
    )
    return AlibabaCloud(assistant, Executions(oos, scope=scope))


PROVIDER = Provider(
    name="alibaba",
    title="Alibaba Cloud",
    account_pattern=re.compile(r"[0-9]{5,20}"),
    role_pattern=re.compile(r"acs:ram::([0-9]{5,20}):role/[\w.-]{1,64}", re.ASCII),
    role_example="acs:ram::1234567890123456:role/NAME",
    ids=("t-…", "exec-…"),
    clock_limit=900.0,
    kinds=KINDS,
    regions=REGIONS,
    audit_log="ActionTrail",
    variables=("ALIBABA_CLOUD_", "ALIBABACLOUD_", "ALICLOUD_"),
    region_variables=REGION_VARIABLES,
    profile_variables=PROFILE_VARIABLES,
    credentials=CREDENTIALS,
    sign_in="aliyun configure, or export ALIBABA_CLOUD_ACCESS_KEY_ID=… ALIBABA_CLOUD_ACCESS_KEY_SECRET=…",
    resolve=resolve,
    host=host,
    configured=configured,
    link=link,
    policy=policy,
    connect=connect,
)
