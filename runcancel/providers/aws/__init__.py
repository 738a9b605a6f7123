"""AWS Systems Manager: what is known about it without its SDK, and how to connect."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from runcancel.providers.aws.facts import KINDS, PROFILE_VARIABLES, REGION_VARIABLES, TRIGGER_KINDS
from runcancel.providers.aws.regions import REGIONS, host
from runcancel.providers.base import Cloud, Connection, Organization, PolicyScope, Provider, VendorSettings
from runcancel.runtime.throttle import Pace

if TYPE_CHECKING:
    from runcancel.model.inventory import Account
    from runcancel.model.reports import AccessPolicy
    from runcancel.providers.common.links import Link


def resolve(environ: Mapping[str, str], profile: str | None) -> VendorSettings:
    """Which profile, account, region and endpoint are in use. See `Provider.resolve`."""
    from runcancel.providers.aws import profile as profile_

    return profile_.resolve(environ, profile)


def configured(environ: Mapping[str, str]) -> bool:
    """Whether AWS's credential variables or profile files exist."""
    from runcancel.providers.aws import profile

    return profile.configured(environ)


def link(text: str) -> "Link | None":
    """The run that an ARN or a console URL names, None where it is not of this vendor. Raises `NotARun`."""
    from runcancel.providers.aws import links

    return links.read(text, REGIONS)


def policy(scope: PolicyScope) -> "AccessPolicy":
    """The least that has to be allowed for this program, and what could not be narrowed. Raises `UsageError`."""
    from runcancel.providers.aws import permissions

    return permissions.policy(scope)


def connect(connection: Connection, environ: Mapping[str, str], pace: Pace) -> Cloud:
    """Open one scope. Raises `CloudError` when there are no credentials, or the endpoint is plain http elsewhere."""
    from runcancel.providers.aws.cloud import Aws

    return Aws(connection, environ, pace)


def organization(connection: Connection, environ: Mapping[str, str], pace: Pace) -> Organization:
    """The organization that the credentials of a scope can read. See `Provider.organization`."""
    from msgspec import structs

    from runcancel.providers.aws.cloud import Aws
    from runcancel.providers.aws.http import sts_region

    region = sts_region(connection, environ, connection.role.arn if connection.role else None)
    here = structs.replace(connection, scope=structs.replace(connection.scope, region=region))
    return Aws(here, environ, pace).organization()


def accounts_of_file(file: str, content: str) -> "tuple[Account, ...]":
    """The accounts in the file of another tool. See `Provider.accounts_of_file`."""
    from runcancel.providers.aws import account_file

    return account_file.read(file, content)


PROVIDER = Provider(
    name="aws",
    title="AWS",
    account_pattern=re.compile(r"[0-9]{12}"),
    role_pattern=re.compile(r"arn:aws[a-z-]{0,20}:iam::([0-9]{12}):role/(?:[!-~]{1,510}/)?[\w+=,.@-]{1,64}", re.ASCII),
    role_example="arn:aws:iam::111122223333:role/NAME",
    ids=("a UUID", "the ARN of an execution"),
    link_prefixes=("arn:",),
    kinds=KINDS,
    trigger_kinds=TRIGGER_KINDS,
    regions=REGIONS,
    audit_log="CloudTrail",
    variables=("AWS_",),
    endpoint_variables=("AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL"),
    region_variables=REGION_VARIABLES,
    profile_variables=PROFILE_VARIABLES,
    not_enabled=frozenset({"UnrecognizedClientException", "InvalidClientTokenId", "AuthFailure"}),
    credentials="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile (--profile, AWS_PROFILE) in ~/.aws/config "
    "or ~/.aws/credentials",
    sign_in="aws configure, aws sso login, or export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…",
    resolve=resolve,
    host=host,
    configured=configured,
    link=link,
    policy=policy,
    connect=connect,
    organization=organization,
    accounts_of_file=accounts_of_file,
)
