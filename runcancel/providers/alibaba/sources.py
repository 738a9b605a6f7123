"""Keys of Alibaba Cloud that have to be requested: of STS, a metadata service, an address, a command, a sign-in.

The vendor's credentials library has no part in it: it writes the keys that a command prints into the profile's file,
follows redirects, and honours neither NO_PROXY nor the variables that name a certificate authority.
"""

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.alibaba.facts import STS_VERSION
from runcancel.providers.alibaba.failures import failure
from runcancel.providers.alibaba.wire import Wire
from runcancel.providers.base import ContextRole
from runcancel.providers.common.credential_client import CredentialClient
from runcancel.providers.common.credential_process import printed
from runcancel.providers.common.credentials import Credentials, CredentialSource, expiry, shared
from runcancel.providers.common.fields import json_object, text
from runcancel.providers.common.files import token_in
from runcancel.providers.common.http import Endpoint, Reply
from runcancel.text import quoted

METADATA = "http://100.100.100.200"
_ROLES = "/latest/meta-data/ram/security-credentials/"
_SESSION = "runcancel"
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{1,80}")
_TOKEN_LIVES = 21600  # seconds
DEFAULT_LIFETIME = 3600  # seconds, also where the vendor's CLI wrote 0

Dial = Callable[[Endpoint, CredentialSource], Wire]
"""Opens STS at an endpoint, with the keys that sign."""


class Role(Struct, frozen=True, kw_only=True):
    """A role to assume; `source` is where it is named, `sts_region` the region of its STS."""

    arn: str
    source: str
    session: str | None = None
    seconds: int | None = None
    external_id: str | None = None
    policy: str | None = None
    sts_region: str | None = None

    def parameters(self) -> dict[str, str]:
        """What every way of assuming it takes."""
        parameters = {
            "RoleArn": self.arn,
            "RoleSessionName": self.session or _SESSION,
            "DurationSeconds": str(self.seconds or DEFAULT_LIFETIME),
            "ExternalId": self.external_id or "",
            "Policy": self.policy or "",
        }
        return {name: value for name, value in parameters.items() if value}


class Sources:
    """The sources of keys, with the care of `CredentialClient`; each answer is shared by all scopes.

    `sts` is where STS answers; `fixed` keeps it there whatever region a profile names for it.
    """

    def __init__(
        self, client: CredentialClient, dial: Dial, sts: Endpoint, *, fixed: bool, metadata: str = METADATA
    ) -> None:
        self._client = client
        self._dial = dial
        self._sts = sts
        self._fixed = fixed
        self._metadata = metadata

    def assumed(self, role: Role, base: CredentialSource, *, once: bool = True) -> CredentialSource:
        """The keys of a role, by AssumeRole with the keys of `base`. `once`: it is not repeated while STS throttles."""
        source = f"role {role.arn} of {role.source}"
        sts = self._sts_of(role)

        def ask() -> Credentials:
            answer = self._dial(sts, base).call("AssumeRole", role.parameters(), once=once)
            return _credentials_of(answer.get("Credentials"), source)

        return shared(("alibaba", "role", sts.host, *role.parameters().items(), base), ask, source=source)

    def of_context(self, role: ContextRole, base: CredentialSource) -> CredentialSource:
        """The keys of the role of a context."""
        for arn in (*role.chain, role.arn):
            next_role = Role(arn=arn, source="the context", session=role.session, external_id=role.external_id)
            base = self.assumed(next_role, base, once=False)
        return base

    def by_oidc(self, role: Role, *, provider: str, token_file: str) -> CredentialSource:
        """The keys of a role, by AssumeRoleWithOIDC with the token in a file, which is read each time."""
        source = f"role {role.arn} of {role.source}, by OIDC"
        sts = self._sts_of(role)

        def ask() -> Credentials:
            query = {
                "Action": "AssumeRoleWithOIDC",
                "Version": STS_VERSION,
                "Format": "JSON",
                "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "SignatureNonce": secrets.token_hex(16),
            }
            form = {**role.parameters(), "OIDCProviderArn": provider, "OIDCToken": token_in(token_file)}
            reply = self._client.post_form(f"{sts.scheme}://{sts.host}/?{urlencode(query)}", form)
            return _credentials_of(_answer("AssumeRoleWithOIDC", reply).get("Credentials"), source)

        return shared(
            ("alibaba", "oidc", sts.host, *role.parameters().items(), provider, token_file), ask, source=source
        )

    def of_machine(self, role: str | None, *, source: str) -> CredentialSource:
        """The keys of the role of this machine, by its metadata service; None: the role that it has."""

        def ask() -> Credentials:
            headers = self._metadata_headers()
            roles = f"{self._metadata}{_ROLES}"
            name = role or self._client.get_metadata(roles, headers).content.decode("utf-8", "replace").strip()
            reply = self._client.get_metadata(roles + quote(name, safe=""), headers)
            return _credentials_of(_successful(reply, "the metadata service"), source)

        return shared(("alibaba", "machine", self._metadata, role), ask, source=source)

    def at(self, uri: str, *, source: str) -> CredentialSource:
        """The keys that an address gives."""

        def ask() -> Credentials:
            return _credentials_of(_successful(self._client.get(uri), "the address"), source)

        return shared(("alibaba", "uri", uri), ask, source=source)

    def of_command(self, command: str, *, source: str) -> CredentialSource:
        """The keys that a command prints."""

        def ask() -> Credentials:
            row = printed(command, f"process_command of {source}")
            mode = text(row.get("mode")) or "AK"
            if mode not in ("AK", "StsToken"):
                raise CloudError(
                    Reason.NO_CREDENTIALS, f"process_command printed the mode “{quoted(mode)}”, not AK or StsToken"
                )
            spelled = {"AccessKeyId": "access_key_id", "AccessKeySecret": "access_key_secret"}
            spelled |= {"SecurityToken": "sts_token", "Expiration": "expiration"}
            return _credentials_of({name: row.get(key) for name, key in spelled.items()}, source)

        return shared(("alibaba", "command", source, command), ask, source=source)

    def of_cloud_sso(self, url: str, token: str, body: Mapping[str, str], *, source: str) -> CredentialSource:
        """The keys that CloudSSO gives for the token of a sign-in, which is good until it ends."""

        def ask() -> Credentials:
            headers = {"accept": "application/json", "authorization": f"Bearer {token}"}
            reply = self._client.post_json(f"{url}/cloud-credentials", json.dumps(body).encode(), headers)
            return _credentials_of(_answer("CreateCloudCredential", reply).get("CloudCredential"), source)

        return shared(("alibaba", "cloudsso", url, *body.values()), ask, source=source)

    def _sts_of(self, role: Role) -> Endpoint:
        if self._fixed or not role.sts_region:
            return self._sts
        return Endpoint.of(f"sts.{role.sts_region}.aliyuncs.com")

    def _metadata_headers(self) -> dict[str, str]:
        """The token of the hardened metadata service; nothing where only the older one answers."""
        headers = {"X-aliyun-ecs-metadata-token-ttl-seconds": str(_TOKEN_LIVES)}
        reply = self._client.put(f"{self._metadata}/latest/api/token", headers)
        token = reply.content.decode("ascii", "replace").strip()
        return {"X-aliyun-ecs-metadata-token": token} if reply.status_code == 200 and token.isprintable() else {}


def _successful(reply: Reply, who: str) -> Mapping[str, Any]:
    """The object that a metadata service or an address answered. Its text is never quoted: it may hold keys."""
    if reply.status_code != 200:
        raise CloudError(Reason.NO_CREDENTIALS, f"{who} replied HTTP {reply.status_code}", action="credentials")
    row = json_object(reply.content)
    if row is None:
        raise CloudError(Reason.NO_CREDENTIALS, f"{who} did not reply with a JSON object", action="credentials")
    if row.get("Code") != "Success":
        raise CloudError(Reason.NO_CREDENTIALS, f"{who} replied without Code Success", action="credentials")
    return row


def _answer(action: str, reply: Reply) -> Mapping[str, Any]:
    """The object that STS or CloudSSO answered without a signed request. Raises `CloudError`."""
    row = json_object(reply.content)
    if reply.status_code != 200 or row is None:
        error = failure(action, f"sts:{action}", reply, row)
        code = error.provider_code if _CODE.fullmatch(error.provider_code or "") else None
        message = f"{action}: {code or f'HTTP {reply.status_code}'}"
        raise CloudError(error.reason, message, provider_code=code, request_id=error.request_id, action=action)
    return row


def _credentials_of(answer: object, source: str) -> Credentials:
    """The keys in an answer. Raises `Reason.NO_CREDENTIALS` when there are none."""
    row: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    id, secret = text(row.get("AccessKeyId")), text(row.get("AccessKeySecret"))
    if not id or not secret:
        raise CloudError(Reason.NO_CREDENTIALS, f"{source} returned an incomplete access key", action="credentials")
    token, end = text(row.get("SecurityToken")), expiry(row.get("Expiration"))
    return Credentials(id=id, secret=secret, token=token, source=source, expires_at=end)
