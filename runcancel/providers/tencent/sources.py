"""Keys of Tencent Cloud that have to be requested: of STS with keys or with a pod's token, of the metadata service."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.base import ContextRole
from runcancel.providers.common.credential_client import CredentialClient
from runcancel.providers.common.credentials import Credentials, CredentialSource, shared
from runcancel.providers.common.fields import json_object, number, text
from runcancel.providers.common.files import token_in
from runcancel.providers.common.http import Endpoint
from runcancel.providers.tencent.facts import STS_VERSION
from runcancel.providers.tencent.failures import failure
from runcancel.providers.tencent.wire import Wire

METADATA = "http://metadata.tencentyun.com"
_ROLES = "/latest/meta-data/cam/security-credentials/"
_ROLE_LIVES = 7200  # seconds

Dial = Callable[[CredentialSource], Wire]
"""Opens STS with the keys that sign."""


class Sources:
    """The sources of keys, with the care of `CredentialClient`; each answer is shared by all scopes."""

    def __init__(self, client: CredentialClient, dial: Dial, sts: Endpoint, *, metadata: str = METADATA) -> None:
        self._client = client
        self._dial = dial
        self._sts = sts
        self._metadata = metadata

    def assumed(
        self,
        role: str,
        session: str,
        base: CredentialSource,
        *,
        source: str,
        external_id: str | None = None,
        once: bool = True,
    ) -> CredentialSource:
        """The credentials of a role, by AssumeRole with those of `base`. `source` is where the role is named.

        `once`: it is not repeated while STS throttles.
        """
        label = f"role {role} of {source}"

        def ask() -> Credentials:
            params: dict[str, object] = {
                "RoleArn": role,
                "RoleSessionName": session,
                "DurationSeconds": _ROLE_LIVES,
                **({} if external_id is None else {"ExternalId": external_id}),
            }
            return _assumed(self._dial(base).call("AssumeRole", params, once=once), label)

        key = ("tencent", "role", self._sts.host, role, session, external_id, base)
        return shared(key, ask, source=label)

    def of_context(self, role: ContextRole, base: CredentialSource) -> CredentialSource:
        """The keys of the role of a context."""
        for arn in (*role.chain, role.arn):
            base = self.assumed(arn, role.session, base, source="the context", external_id=role.external_id, once=False)
        return base

    def by_oidc(self, role: str, *, provider: str, token_file: str, region: str) -> CredentialSource:
        """The keys of a role, by AssumeRoleWithWebIdentity with the token in a file, which is read each time."""
        label = f"role {role} of TKE_ROLE_ARN, by the pod's token"

        def ask() -> Credentials:
            params = {
                "ProviderId": provider,
                "WebIdentityToken": token_in(token_file),
                "RoleArn": role,
                "RoleSessionName": "runcancel",
                "DurationSeconds": _ROLE_LIVES,
            }
            return _assumed(self._unsigned("AssumeRoleWithWebIdentity", params, region), label)

        return shared(("tencent", "oidc", self._sts.host, role, provider, token_file), ask, source=label)

    def of_machine(self, *, source: str) -> CredentialSource:
        """The keys of the role of this machine, by its metadata service."""

        def ask() -> Credentials:
            roles = f"{self._metadata}{_ROLES}"
            role = self._client.get_metadata(roles).content.decode("utf-8", "replace").strip()
            row = json_object(self._client.get_metadata(roles + quote(role, safe="")).content) or {}
            names = {"TmpSecretId": "TmpSecretId", "TmpSecretKey": "TmpSecretKey", "Token": "Token"}
            return _assumed({"Credentials": {key: row.get(name) for key, name in names.items()}, **row}, source)

        return shared(("tencent", "machine", self._metadata), ask, source=source)

    def _unsigned(self, action: str, params: Mapping[str, object], region: str) -> Mapping[str, Any]:
        """The reply to a request without a signature: its token proves the caller."""
        headers = {
            "authorization": "SKIP",
            "x-tc-action": action,
            "x-tc-version": STS_VERSION,
            "x-tc-region": region,
            "x-tc-timestamp": str(int(time.time())),
        }
        url = f"{self._sts.scheme}://{self._sts.host}/"
        reply = self._client.post_json(url, json.dumps(params).encode(), headers)
        inner = (json_object(reply.content) or {}).get("Response")
        response: Mapping[str, Any] = inner if isinstance(inner, Mapping) else {}
        if response.get("Error") is not None:
            error = failure(action, f"sts:{action}", response)
            message = f"{action}: {error.provider_code}"
            raise CloudError(error.reason, message, provider_code=error.provider_code, request_id=error.request_id)
        if reply.status_code != 200:
            raise CloudError(Reason.NO_CREDENTIALS, f"{action}: HTTP {reply.status_code}", action=action)
        return response


def _assumed(answer: Mapping[str, Any], source: str) -> Credentials:
    """The keys in an answer. Raises `Reason.NO_CREDENTIALS` when there are none."""
    credentials = answer.get("Credentials")
    row: Mapping[str, Any] = credentials if isinstance(credentials, Mapping) else {}
    id, secret, token = (text(row.get(name)) for name in ("TmpSecretId", "TmpSecretKey", "Token"))
    if not id or not secret or not token:
        raise CloudError(Reason.NO_CREDENTIALS, f"{source} returned an incomplete key", action="credentials")
    return Credentials(id=id, secret=secret, token=token, source=source, expires_at=number(answer.get("ExpiredTime")))
