"""The role of a context: one AssumeRole per account, for every region; renewed before its credentials end."""

import re
from collections.abc import Callable, Hashable
from functools import partial

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.aws.fields import record
from runcancel.providers.aws.signature import Keys
from runcancel.providers.aws.wire import Wire
from runcancel.providers.base import ContextRole
from runcancel.providers.common.credentials import Credentials, CredentialSource, expiry, shared
from runcancel.providers.common.fields import text

_SECONDS = 3600  # the most that a role assumed with the credentials of another role can have
_PRINCIPAL = re.compile(r"arn:[a-z-]+:sts::([0-9]{12}):assumed-role/.+")


class RoleCredentials:
    """The credentials of a role, as botocore's signers use them; `principal` is the session that they are of."""

    def __init__(self, source: CredentialSource, *, account: str, principal: str) -> None:
        self._source = source
        self.account = account
        self.principal = principal

    def get_frozen_credentials(self) -> Keys:
        """The keys, renewed where they had to be. Raises `CloudError`."""
        keys = self._source()
        return Keys(keys.id, keys.secret, keys.token)


def assume(role: ContextRole, sts: Callable[[RoleCredentials | None], Wire], *, base: Hashable) -> RoleCredentials:
    """The credentials of a role, requested by the first of its scopes. Raises `CloudError`.

    `sts` is where they are requested, with the credentials that sign; None: with those of `base`, which is everything
    that decides about them. The roles of its chain are assumed first, each once for all contexts that have it.
    """
    credentials, key = None, base
    for arn in role.chain:
        credentials, key = _assumed(arn, role, sts(credentials), key)
    return _assumed(role.arn, role, sts(credentials), key)[0]


def _assumed(arn: str, role: ContextRole, sts: Wire, base: Hashable) -> tuple[RoleCredentials, Hashable]:
    key = ("aws", "role", base, arn, role.session, role.external_id)
    source = shared(key, partial(_requested, arn, role, sts), source=f"role {arn}")
    source()
    return RoleCredentials(source, account=_account(arn), principal=_principal(arn, role.session)), key


def _requested(arn: str, role: ContextRole, sts: Wire) -> Credentials:
    params = {"RoleArn": arn, "RoleSessionName": role.session, "DurationSeconds": _SECONDS}
    if role.external_id is not None:
        params["ExternalId"] = role.external_id
    reply = sts.call("AssumeRole", params)
    principal = text(record(reply.get("AssumedRoleUser")).get("Arn")) or ""
    match = _PRINCIPAL.fullmatch(principal)
    if match is None or match[1] != _account(arn):
        raise CloudError(Reason.UNPROVEN, f"STS returned the credentials of {principal or 'nobody'}")
    keys = record(reply.get("Credentials"))
    id, secret, token = (text(keys.get(name)) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    if not id or not secret or not token:
        raise CloudError(Reason.UNPROVEN, "STS returned incomplete credentials")
    ends = expiry(keys.get("Expiration"))
    return Credentials(id=id, secret=secret, token=token, source=f"role {arn}", expires_at=ends)


def _account(arn: str) -> str:
    return arn.split(":")[4]


def _principal(arn: str, session: str) -> str:
    """The session of a role as GetCallerIdentity names it: without the path of the role."""
    return f"arn:{arn.split(':')[1]}:sts::{_account(arn)}:assumed-role/{arn.rpartition('/')[2]}/{session}"
