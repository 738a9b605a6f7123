"""Broken credentials, files and variables of one cloud end no other cloud's work.

Each command meets one broken set-up of two clouds; the third one is whole and has to be listed.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import pytest
from outside import Outside

KEYS: Mapping[str, Mapping[str, None]] = {
    "aws": dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")),
    "alibaba": dict.fromkeys(("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")),
    "tencent": dict.fromkeys(("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY")),
}

FOLDER = object()
LOOP = object()
Content = str | bytes | object


@dataclass(frozen=True)
class Setup:
    """What is broken: variables (`~` in them is the home), and files under the home."""

    what: str
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Content] = field(default_factory=dict)


def aws(what: str, config: Content | None = None, /, **env: str) -> Setup:
    files = {} if config is None else {".aws/config": config}
    return Setup(f"aws {what}", {"AWS_EC2_METADATA_DISABLED": "true", **env}, files)


def process(what: str, line: str) -> Setup:
    return aws(f"credential_process {what}", f"[default]\nregion = us-east-2\ncredential_process = {line}\n")


def aliyun(what: str, content: Content | None = None, /, **env: str) -> Setup:
    return Setup(f"alibaba {what}", env, {} if content is None else {".aliyun/config.json": content})


def mode(name: str, **fields: object) -> Setup:
    row = {"name": "default", "mode": name, "region_id": "cn-hangzhou", **fields}
    return aliyun(f"mode {name} {' '.join(fields)}", json.dumps({"current": "default", "profiles": [row]}))


def tccli(what: str, credential: Content | None = None, configure: Content | None = None, /, **env: str) -> Setup:
    named = {".tccli/default.credential": credential, ".tccli/default.configure": configure}
    return Setup(f"tencent {what}", env, {path: content for path, content in named.items() if content is not None})


ROLE = "arn:aws:iam::111122223333:role/x"
NOT_TEXT = b"\xff\xfe[\x00d\x00e\x00f\x00\x00\x9c\x81"
DEEP = "[" * 100_000

AWS = [
    aws("config is a folder", FOLDER),
    aws("config is a link to itself", LOOP),
    aws("config has no section", "region = us-east-2\n"),
    aws("config is binary", NOT_TEXT),
    aws("config holds zero bytes", b"[default]\n\0\0\0"),
    aws("config has a half section", "[default\nregion"),
    aws("nested value", "[default]\ns3 =\n  broken\n"),
    Setup("aws .aws is a file", {"AWS_EC2_METADATA_DISABLED": "true"}, {".aws": "x"}),
    aws("credentials file is a folder", AWS_SHARED_CREDENTIALS_FILE="~"),
    process("prints a message", "echo Opening your browser"),
    process("prints nothing", "true"),
    process("fails", "false"),
    process("does not exist", "/nowhere/at-all"),
    process("prints a list", "echo []"),
    process("prints a number", "echo 7"),
    process("prints another version", """echo '{"Version": 2}'"""),
    process("prints no keys", """echo '{"Version": 1}'"""),
    process("prints half a key", """echo '{"Version": 1, "AccessKeyId": "a"}'"""),
    process(
        "prints a bad time", """echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"}'"""
    ),
    process("prints binary", r"printf '\377\376'"),
    process("has an open quote", '"echo x'),
    process("is a folder", "/"),
    aws("role without a source", f"[default]\nregion = us-east-2\nrole_arn = {ROLE}\n"),
    aws("role whose source is itself", f"[default]\nrole_arn = {ROLE}\nsource_profile = default\n"),
    aws("role whose source is missing", f"[default]\nrole_arn = {ROLE}\nsource_profile = gone\n"),
    aws("role of a bad source", f"[default]\nrole_arn = {ROLE}\ncredential_source = Nonsense\n"),
    aws(
        "sso without a sign-in",
        "[default]\nsso_start_url = https://x.invalid\nsso_region = us-east-1\n"
        "sso_account_id = 111122223333\nsso_role_name = x\n",
    ),
    aws("sso session that is missing", "[default]\nsso_session = gone\nsso_account_id = 1\nsso_role_name = x\n"),
    aws("web identity is a folder", AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE="~"),
    aws("web identity is missing", AWS_ROLE_ARN=ROLE, AWS_WEB_IDENTITY_TOKEN_FILE="~/gone"),
    aws("web identity without a role", AWS_WEB_IDENTITY_TOKEN_FILE="~/gone"),
    Setup("aws metadata timeout with a unit", {"AWS_METADATA_SERVICE_TIMEOUT": "5s", "AWS_PROFILE": "default"}),
    Setup("aws metadata attempts", {"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "many", "AWS_PROFILE": "default"}),
    aws("attempts that are no number", AWS_MAX_ATTEMPTS="x", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b"),
    aws("a mode that is none", AWS_DEFAULTS_MODE="x", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b"),
    aws("a CA bundle that is missing", AWS_CA_BUNDLE="~/gone", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b"),
    aws("container credentials elsewhere", AWS_CONTAINER_CREDENTIALS_FULL_URI="http://example.invalid/x"),
    aws("container credentials at no address", AWS_CONTAINER_CREDENTIALS_FULL_URI="::::"),
    aws(
        "container token is missing",
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://127.0.0.1:9/",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="~/gone",
    ),
    aws("a profile that is missing", AWS_PROFILE="gone"),
    aws("half a key", AWS_ACCESS_KEY_ID="a"),
    aws("an endpoint that is none", AWS_ENDPOINT_URL="http://[::1", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b"),
    aws(
        "an endpoint's port",
        AWS_ENDPOINT_URL_SSM="http://127.0.0.1:99999",
        AWS_ACCESS_KEY_ID="a",
        AWS_SECRET_ACCESS_KEY="b",
    ),
    aws("a key with a new line", AWS_ACCESS_KEY_ID="a\nb", AWS_SECRET_ACCESS_KEY="b"),
]

ALIBABA = [
    aliyun("config is a folder", FOLDER),
    aliyun("config is a link to itself", LOOP),
    aliyun("config is cut off", '{"current": "default", "profiles": ['),
    aliyun("config is empty", ""),
    aliyun("config is a list", "[]"),
    aliyun("config is null", "null"),
    aliyun("config is binary", NOT_TEXT),
    aliyun("config is deep", DEEP),
    aliyun("profiles are a number", '{"current": "default", "profiles": 7}'),
    aliyun("profiles are words", '{"current": "default", "profiles": ["a", null, 7]}'),
    aliyun("current is a number", '{"current": 7, "profiles": [{"name": 7, "mode": 7}]}'),
    aliyun("a trailing comma", '{"current": "default", "profiles": [],}'),
    Setup("alibaba .aliyun is a file", {"ALIBABA_CLOUD_PROFILE": "default"}, {".aliyun": "x"}),
    mode("AK"),
    mode("AK", access_key_id=7, access_key_secret=[]),
    mode("Nonsense"),
    mode("External", process_command="echo Opening your browser"),
    mode("External", process_command="false"),
    mode("External", process_command='"echo'),
    mode("External"),
    mode("RamRoleArn", access_key_id="a", access_key_secret="b"),
    mode("RamRoleArn", access_key_id="a", access_key_secret="b", ram_role_arn="x", expired_seconds="soon"),
    mode("ChainableRamRoleArn", source_profile="default", ram_role_arn="x"),
    mode("ChainableRamRoleArn", source_profile="gone", ram_role_arn="x"),
    mode("CredentialsURI", credentials_uri="::::"),
    mode("CredentialsURI", credentials_uri="http://127.0.0.1:9/"),
    mode("OIDC", oidc_token_file="/nowhere", oidc_provider_arn="x", ram_role_arn="x"),
    mode("CloudSSO"),
    mode("RsaKeyPair", private_key="/nowhere"),
    aliyun("credentials address that is none", ALIBABA_CLOUD_CREDENTIALS_URI="::::"),
    aliyun("credentials file is a folder", ALIBABA_CLOUD_CREDENTIALS_FILE="~"),
    Setup("alibaba credentials.ini", {}, {".alibabacloud/credentials.ini": "no section\n"}),
    Setup("alibaba binary credentials.ini", {}, {".alibabacloud/credentials.ini": NOT_TEXT}),
    aliyun(
        "OIDC token is a folder",
        ALIBABA_CLOUD_OIDC_TOKEN_FILE="~",
        ALIBABA_CLOUD_ROLE_ARN="x",
        ALIBABA_CLOUD_OIDC_PROVIDER_ARN="x",
    ),
    aliyun("half a key", ALIBABA_CLOUD_ACCESS_KEY_ID="a"),
    aliyun("a profile that is missing", ALIBABA_CLOUD_PROFILE="gone"),
]

TENCENT = [
    tccli("credential is a folder", FOLDER),
    tccli("credential is a link to itself", LOOP),
    tccli("credential is cut off", '{"secretId": "a"'),
    tccli("credential is empty", ""),
    tccli("credential is a list", "[]"),
    tccli("credential is null", "null"),
    tccli("credential is binary", NOT_TEXT),
    tccli("credential is deep", DEEP),
    tccli("credential has numbers", '{"secretId": 7, "secretKey": []}'),
    tccli("credential has half a key", '{"secretId": "a"}'),
    tccli("credential has a trailing comma", '{"secretId": "a", "secretKey": "b",}'),
    tccli("configure is cut off", '{"secretId": "a", "secretKey": "b"}', '{"_sys_param": '),
    tccli("configure is a list", '{"secretId": "a", "secretKey": "b"}', "[]"),
    tccli("configure has numbers", '{"secretId": "a", "secretKey": "b"}', '{"_sys_param": 7}'),
    tccli("configure is a folder", '{"secretId": "a", "secretKey": "b"}', FOLDER),
    Setup("tencent .tccli is a file", {"TCCLI_PROFILE": "default"}, {".tccli": "x"}),
    Setup("tencent ini without a section", {}, {".tencentcloud/credentials": "secret_id = x\n"}),
    Setup("tencent binary ini", {}, {".tencentcloud/credentials": NOT_TEXT}),
    Setup("tencent ini is a folder", {}, {".tencentcloud/credentials": FOLDER}),
    tccli("half a key", TENCENTCLOUD_SECRET_ID="a"),
    tccli("a key with a new line", TENCENTCLOUD_SECRET_ID="a\nb", TENCENTCLOUD_SECRET_KEY="b"),
    tccli("a profile that is missing", TCCLI_PROFILE="gone", TENCENTCLOUD_PROFILE="gone"),
    tccli(
        "web identity is missing",
        TKE_WEB_IDENTITY_TOKEN_FILE="~/gone",
        TKE_ROLE_ARN="x",
        TKE_PROVIDER_ID="x",
        TKE_REGION="ap-guangzhou",
    ),
]


def paired() -> Iterator[tuple[Setup, Setup]]:
    """Every set-up once, two clouds at a time."""
    half = len(ALIBABA) // 2
    yield from ((one, other) for one, other in zip_longest(AWS, ALIBABA[:half] + TENCENT, fillvalue=TENCENT[0]))
    yield from ((one, other) for one, other in zip_longest(ALIBABA[half:], TENCENT[:1], fillvalue=AWS[0]))


def write(home: Path, files: Mapping[str, Content]) -> None:
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is FOLDER:
            path.mkdir()
        elif content is LOOP:
            path.symlink_to(path.name)
        else:
            path.write_bytes(content if isinstance(content, bytes) else str(content).encode())


@pytest.mark.parametrize("setups", [pytest.param(pair, id=" + ".join(each.what for each in pair)) for pair in paired()])
def test_what_is_broken_at_one_cloud_ends_no_other(setups: tuple[Setup, Setup], outside: Outside) -> None:
    broken = {each.what.split()[0] for each in setups}
    env: dict[str, str | None] = {}
    for name in broken:
        env |= KEYS[name]
    for each in setups:
        write(outside.home, each.files)
        env |= {name: value.replace("~", str(outside.home)) for name, value in each.env.items()}
    whole = {"aws", "alibaba", "tencent"} - broken

    done = outside.run("list", "-p", "aws,alibaba,tencent", "-o", "json", "--debug", env=env, patience=90)

    assert done.code in (0, 2, 7), str(done)
    assert {run["provider"] for run in done.document["runs"]} >= whole, str(done)
    assert all(not any(str(problem["scope"]).startswith(name) for name in whole) for problem in done.document["errors"])
    assert done.document["complete"] is (not done.document["errors"])


@pytest.mark.parametrize("content", ["not json", b"\xff\xfe", "[]", "{}", '{"operations": 1}', DEEP])
def test_a_service_model_that_cannot_be_used_is_named(content: str | bytes, outside: Outside) -> None:
    write(outside.home, {"models/ssm/2014-11-06/service-2.json": content})

    done = outside.run("list", "-p", "aws,tencent", "-o", "json", env={"AWS_DATA_PATH": str(outside.home / "models")})

    (problem,) = done.document["errors"]
    assert (done.code, problem["code"]) == (7, "not_configured"), str(done)
    assert "service model" in problem["message"]
    assert "AWS_DATA_PATH" in problem["hint"]
    assert {run["provider"] for run in done.document["runs"]} == {"tencent"}


FICKLE = """#!/bin/sh
echo x >> "$0.calls"
[ $(wc -l < "$0.calls") -gt {after} ] && echo Opening your browser && exit
date -u -d '+5 minutes' '+{{"Version":1,"AccessKeyId":"{id}","SecretAccessKey":"{secret}","Expiration":"%FT%TZ"}}'
"""


@pytest.mark.parametrize("after", [2, 7])
def test_credentials_that_break_between_two_cancels_lose_no_outcome(after: int, outside: Outside) -> None:
    """botocore runs such a process before each request, because its keys are about to expire."""
    refs = [outside.add("aws", "command", targets={"running": 1}, runs_for=1e6) for _ in range(5)]
    script = outside.home / "fickle"
    id, secret = outside.environ["AWS_ACCESS_KEY_ID"], outside.environ["AWS_SECRET_ACCESS_KEY"]
    script.write_text(FICKLE.format(after=after, id=id, secret=secret))
    script.chmod(0o755)
    write(outside.home, {".aws/config": f"[default]\nregion = us-east-2\ncredential_process = {script}\n"})
    patch = outside.add("tencent", targets={"running": 1}, runs_for=1e6)

    argv = ("cancel", *refs, patch, "--timeout", "3s", "-o", "json")
    done = outside.run(*argv, env={**KEYS["aws"], "AWS_EC2_METADATA_DISABLED": "true"})

    assert outside.truth(patch)["state"] == "terminated"
    named = {*done.outcomes, *(problem["ref"] for problem in done.document["errors"])}
    assert named >= {*refs, patch}, str(done)
    assert "Opening your browser" not in done.out
    for ref in refs:
        if outside.effective(ref):
            assert done.outcomes[ref]["verdict"] not in ("failed", "skipped"), str(done)
