"""Roles of every cloud: who may assume one, and the keys of a session, which are good until they end."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from runcancel.sandbox.accounts import Key, account_of, session_key
from runcancel.sandbox.wire import Call, Refusal
from runcancel.sandbox.world import World

_SESSION = re.compile(r"[\w+=,.@-]{2,64}")
_DURATIONS = {"aws": (900, 43200), "alibaba": (900, 43200), "tencent": (0, 43200)}
_DEFAULT = {"aws": 3600, "alibaba": 3600, "tencent": 7200}
_ARNS = {
    "aws": re.compile(r"arn:aws:iam::([0-9]{12}):role/([\w+=,.@/-]{1,128})"),
    "alibaba": re.compile(r"acs:ram::([0-9]{1,20}):role/([\w.-]{1,64})"),
    "tencent": re.compile(r"qcs::cam::uin/([0-9]{1,20}):role(?:Name)?/([\w+=,.@-]{1,128})"),
}
_WRONG = {
    "aws": (400, "ValidationError"),
    "alibaba": (400, "InvalidParameter.{0}"),
    "tencent": (200, "InvalidParameter.ParamError"),
}
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}")
_UNTRUSTED = {
    "aws": (403, "AccessDenied", "Not authorized to perform sts:{0} on resource {1}"),
    "alibaba": (403, "NoPermission", "You are not authorized to do this action. {1} does not trust you."),
    "tencent": (200, "UnauthorizedOperation", "you are not authorized to assume {1}"),
}
_UNKNOWN = {
    "aws": (403, "AccessDenied", "Not authorized to perform sts:{0} on resource {1}"),
    "alibaba": (404, "EntityNotExist.Role", "The role not exists: {1}."),
    "tencent": (200, "InvalidParameter.ResouceNotFound", "role not exist"),
}


@dataclass(frozen=True, slots=True)
class Session:
    """The keys that a role gave, until `ends` (epoch seconds), and who they make of the caller."""

    key: Key
    ends: int

    @property
    def end(self) -> str:
        return datetime.fromtimestamp(self.ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def assume(world: World, call: Call) -> Session:
    """A new session of the role that the call names. The keys are known to the clouds from now on."""
    cloud, role = call.provider, str(call.params.get("RoleArn", ""))
    session = str(call.params.get("RoleSessionName", ""))
    match = _ARNS[cloud].fullmatch(role)
    if match is None:
        raise _wrong(cloud, "RoleArn")
    if not _SESSION.fullmatch(session):
        raise _wrong(cloud, "RoleSessionName")
    external_id = call.params.get("ExternalId")
    if external_id is not None and not _EXTERNAL_ID.fullmatch(str(external_id)):
        raise _wrong(cloud, "ExternalId")
    seconds = _seconds(cloud, call.params.get("DurationSeconds"))
    account = account_of(cloud, match[1])
    if not 0 <= account < world.accounts:
        status, code, text = _UNKNOWN[cloud]
        raise Refusal(status, code, text.format(call.action, role))
    if world.external_id and call.params.get("ExternalId") != world.external_id:
        status, code, text = _UNTRUSTED[cloud]
        raise Refusal(status, code, text.format(call.action, role))
    digest = hashlib.sha256(f"{cloud} {role} {session} {len(world.sessions)}".encode()).hexdigest()
    key = session_key(cloud, account, digest, role=match[2], session=session)
    world.sessions[key.id] = key
    return Session(key, int(world.clock.wall()) + seconds)


def proved(call: Call, *names: str) -> None:
    """Refuse a request without signature that lacks the token of somebody else's sign-in."""
    for name in names:
        if not str(call.params.get(name, "")).strip():
            raise _wrong(call.provider, name)


def _seconds(cloud: str, value: object) -> int:
    if value in (None, ""):
        return _DEFAULT[cloud]
    least, most = _DURATIONS[cloud]
    text = str(value)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise _wrong(cloud, "DurationSeconds")
    return int(text)


def _wrong(cloud: str, name: str) -> Refusal:
    status, code = _WRONG[cloud]
    return Refusal(status, code.format(name), f"The parameter {name} is wrongly formed.")
