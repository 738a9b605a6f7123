"""The accounts of the sandbox and their keys, the same in every sandbox."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

PROVIDERS = ("aws", "alibaba", "tencent")

REGIONS: dict[str, tuple[str, ...]] = {
    "aws": ("us-east-1", "us-east-2", "eu-west-1", "ap-southeast-1"),
    "alibaba": ("cn-hangzhou", "cn-shanghai", "ap-southeast-1"),
    "tencent": ("ap-guangzhou", "ap-shanghai", "ap-singapore"),
}
_MORE_REGIONS: dict[str, tuple[str, ...]] = {
    "aws": (
        *(
            "us-west-1",
            "us-west-2",
            "ca-central-1",
            "sa-east-1",
            "eu-west-2",
            "eu-west-3",
            "eu-central-1",
            "eu-north-1",
        ),
        *("ap-south-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "eu-south-1"),
        *("af-south-1", "ap-southeast-3", "me-central-1", "il-central-1", "ca-west-1", "eu-central-2"),
    ),
    "alibaba": (
        *("cn-beijing", "cn-shenzhen", "cn-guangzhou", "cn-chengdu", "cn-qingdao", "cn-zhangjiakou", "cn-huhehaote"),
        *("cn-wulanchabu", "cn-heyuan", "cn-hongkong", "ap-northeast-1", "ap-northeast-2", "ap-southeast-3"),
        *("ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "eu-central-1", "eu-west-1", "us-east-1", "us-west-1"),
    ),
    "tencent": (
        *(
            "ap-beijing",
            "ap-chengdu",
            "ap-chongqing",
            "ap-nanjing",
            "ap-hongkong",
            "ap-tokyo",
            "ap-seoul",
            "ap-jakarta",
        ),
        *("ap-bangkok", "ap-taipei", "eu-frankfurt", "na-ashburn", "na-siliconvalley", "sa-saopaulo", "ap-shenzhen"),
    ),
}
MOST_REGIONS = max(len(REGIONS[name]) + len(more) for name, more in _MORE_REGIONS.items())


def regions_of(count: int) -> dict[str, tuple[str, ...]]:
    """So many regions of each cloud, as far as it has them here, and the usual ones at least."""
    return {name: (usual + _MORE_REGIONS[name])[: max(count, len(usual))] for name, usual in REGIONS.items()}


DEFAULT_REGION = {"aws": "us-east-2", "alibaba": "cn-hangzhou", "tencent": "ap-guangzhou"}

_FIRST_ACCOUNT = {"aws": 111122223333, "alibaba": 1234567890123456, "tencent": 100000000001}
_KEY_PREFIX = {
    ("aws", "static"): ("AKIA", 20),
    ("aws", "temporary"): ("ASIA", 20),
    ("aws", "expired"): ("ASIA", 20),
    ("alibaba", "static"): ("LTAI5t", 24),
    ("alibaba", "temporary"): ("STS.NT", 24),
    ("alibaba", "expired"): ("STS.NT", 24),
    ("tencent", "static"): ("AKID", 36),
    ("tencent", "temporary"): ("AKID", 36),
    ("tencent", "expired"): ("AKID", 36),
}
KEY_SORTS = ("static", "temporary", "expired")


@dataclass(frozen=True, slots=True)
class Key:
    """A key pair. A temporary one is good only with its token; an expired one is recognised and refused."""

    provider: str
    account: int
    id: str
    secret: str
    token: str = ""
    expired: bool = False
    principal: str = ""  # of a role's session; without, the account's user


def account_id(provider: str, account: int) -> str:
    return str(_FIRST_ACCOUNT[provider] + account)


def account_of(provider: str, number: str) -> int:
    """Which account has that number, counted from 0; there need not be one."""
    return int(number) - _FIRST_ACCOUNT[provider]


def session_key(provider: str, account: int, digest: str, *, role: str, session: str) -> Key:
    """The temporary key of a role's session."""
    prefix, length = _KEY_PREFIX[provider, "temporary"]
    number = account_id(provider, account)
    principal = {
        "aws": f"arn:aws:sts::{number}:assumed-role/{role}/{session}",
        "alibaba": f"acs:ram::{number}:assumed-role/{role}/{session}",
        "tencent": f"qcs::sts:{number}:assumed-role/{role}",
    }[provider]
    id, secret = (prefix + "ROLE" + digest.upper())[:length], ("session" + digest[::-1])[:40]
    return Key(provider, account, id, secret, f"sandbox/session+token=={digest[:40]}", principal=principal)


@lru_cache(maxsize=1024)
def key(provider: str, account: int, sort: str = "static") -> Key:
    prefix, length = _KEY_PREFIX[provider, sort]
    digest = hashlib.sha256(f"sandbox {provider} {account} {sort}".encode()).hexdigest()
    identity = (prefix + "SANDBOX" + digest.upper())[:length]
    token = "" if sort == "static" else f"sandbox/{sort}+token=={digest[:40]}"
    return Key(provider, account, identity, ("sandbox" + digest[::-1])[:40], token, sort == "expired")


def keyring(provider: str, accounts: int) -> dict[str, Key]:
    keys = (key(provider, account, sort) for account in range(accounts) for sort in KEY_SORTS)
    return {each.id: each for each in keys}


def caller(provider: str, account: int, principal: str = "") -> dict[str, str]:
    """Who the key belongs to, in the fields that the cloud's GetCallerIdentity has."""
    number = account_id(provider, account)
    user = {
        "aws": {
            "Account": number,
            "UserId": f"AIDASANDBOX{account:010d}",
            "Arn": f"arn:aws:iam::{number}:user/sandbox",
        },
        "alibaba": {
            "AccountId": number,
            "UserId": f"2{account:017d}",
            "PrincipalId": f"2{account:017d}",
            "IdentityType": "RAMUser",
            "Arn": f"acs:ram::{number}:user/sandbox",
        },
        "tencent": {
            "AccountId": number,
            "UserId": f"1000001{account:05d}",
            "PrincipalId": f"1000001{account:05d}",
            "Type": "CAMUser",
            "Arn": f"qcs::cam::uin/{number}:uin/1000001{account:05d}",
        },
    }[provider]
    if not principal:
        return user
    sort = {"aws": {}, "alibaba": {"IdentityType": "AssumedRoleUser"}, "tencent": {"Type": "CAMRole"}}[provider]
    return {**user, **sort, "Arn": principal}
