"""No secret leaves by any door: every source of credentials, every ending, every stream and every file."""

import base64
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from outside import COMMAND, KILLED, TENCENT, Done, Outside, id_of

from runcancel.sandbox.accounts import key

RUNS = {"aws": COMMAND, "alibaba": KILLED, "tencent": TENCENT}
NOTHING: Mapping[str, None] = dict.fromkeys(
    (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        *("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"),
    )
)
CANARY = "c4n4ry/Secret+Tok3n=ofThisTest"
SIGNED = re.compile(
    r"Signature=[0-9a-f]|AWS4-HMAC-SHA256|ACS3-HMAC-SHA256|TC3-HMAC-SHA256|X-Amz-Security-Token: ", re.I
)
"""What only headers hold that sign a request."""


class Ear(BaseHTTPRequestHandler):
    """Answers everything with one reply, and keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    status: int
    headers_out: Mapping[str, str]
    body: bytes
    heard: list[tuple[str, str, dict[str, str]]]

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.heard.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(self.status)
        for name, value in {**self.headers_out, "Content-Length": str(len(self.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)
        self.close_connection = self.command == "CONNECT"

    do_GET = do_POST = do_PUT = do_CONNECT = _answer

    def log_message(self, format: str, *args: object) -> None:
        return


@dataclass(frozen=True)
class Heard:
    """A server that only listens."""

    url: str
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


Listen = Callable[..., Heard]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Starts servers that answer everything alike."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int = 404, body: bytes = b"", **headers: str) -> Heard:
        heard: list[tuple[str, str, dict[str, str]]] = []
        out = {name.replace("_", "-"): value for name, value in headers.items()}
        handler = type("Handler", (Ear,), {"status": status, "headers_out": out, "body": body, "heard": heard})
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        Thread(target=servers[-1].serve_forever, args=(0.05,), daemon=True).start()
        return Heard(f"http://127.0.0.1:{servers[-1].server_address[1]}", heard)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def forms(secret: str) -> set[str]:
    """A secret as it stands, and as URLs, headers and documents write it."""
    raw = secret.encode()
    encoded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()}
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], *encoded}


def secrets(sort: str) -> tuple[str, ...]:
    """The secrets of the sandbox's own keys."""
    keys = [key(cloud, 0, sort) for cloud in RUNS]
    return tuple(part for each in keys for part in (each.secret, each.token) if part)


def check(outside: Outside, done: Done, *hidden: str, own: Mapping[Path, bytes] | None = None) -> None:
    """None of the secrets is on a stream or in a file that was not there before, nor any signature."""
    places = {"stdout": done.out.encode(), "stderr": done.err.encode()}
    places |= {str(path): path.read_bytes() for path in outside.home.rglob("*") if path.is_file()}
    for name, content in places.items():
        if own is not None and own.get(Path(name)) == content:
            continue
        for form in {form for secret in hidden for form in forms(secret)}:
            assert form.encode() not in content, f"{name} holds a secret after {' '.join(done.argv)}"
        assert not SIGNED.search(content.decode("utf-8", "replace")), f"{name} holds a signature"


# every source

Make = Callable[[Path, Mapping[str, str], Heard], Mapping[str, str]]


@dataclass(frozen=True)
class Source:
    """One place where an SDK finds credentials.

    `make` writes files and gives variables; `works` says whether the sandbox can play the part of whoever is asked.
    """

    cloud: str
    make: Make
    works: bool = True


def _file(path: Path, content: str | Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def _aws_ini(name: str, *, keys: Mapping[str, str]) -> str:
    return (
        f"[{name}]\nregion = us-east-2\naws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\naws_session_token = {keys['AWS_SESSION_TOKEN']}\n"
    )


def _aws_process(home: Path, keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    given = {"Version": 1, "AccessKeyId": keys["AWS_ACCESS_KEY_ID"], "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"]}
    given["SessionToken"] = keys["AWS_SESSION_TOKEN"]
    path = _file(home / "keys.json", given)
    _file(home / ".aws" / "config", f"[default]\ncredential_process = cat {path}\n")
    return {}


def _aws_broken_process(home: Path, _keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    script = _file(home / "broken.sh", f"#!/bin/sh\necho '{CANARY}' >&2\necho '{{\"{CANARY}\"'\nexit 3\n")
    script.chmod(0o700)
    _file(home / ".aws" / "config", f"[default]\ncredential_process = {script}\n")
    return {}


def _aws_role(home: Path, keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    role = "[profile role]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = base\n"
    _file(home / ".aws" / "config", role + _aws_ini("profile base", keys=keys))
    return {"AWS_PROFILE": "role"}


def _aws_web(home: Path, _keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    token = _file(home / "web.token", CANARY)
    return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/x"}


def _aws_sso(home: Path, _keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    start = "https://example.awsapps.com/start"
    _file(
        home / ".aws" / "config",
        f"[default]\nsso_start_url = {start}\nsso_region = us-east-1\nsso_account_id = 111122223333\n"
        "sso_role_name = x\n",
    )
    cached = {"startUrl": start, "region": "us-east-1", "accessToken": CANARY, "expiresAt": "2099-01-01T00:00:00Z"}
    name = hashlib.sha1(start.encode(), usedforsecurity=False).hexdigest()
    _file(home / ".aws" / "sso" / "cache" / f"{name}.json", cached)
    return {}


def _aws_container(_home: Path, _keys: Mapping[str, str], heard: Heard) -> Mapping[str, str]:
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{heard.url}/keys", "AWS_CONTAINER_AUTHORIZATION_TOKEN": CANARY}


_ALIBABA_ROLE = "acs:ram::1234567890123456:role/x"


def _aliyun(home: Path, keys: Mapping[str, str], mode: str, **more: Any) -> Mapping[str, str]:
    profile = {
        "name": "default",
        "mode": mode,
        "access_key_id": keys["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        "access_key_secret": keys["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        "sts_token": keys["ALIBABA_CLOUD_SECURITY_TOKEN"],
        "region_id": "cn-hangzhou",
        **more,
    }
    _file(home / ".aliyun" / "config.json", {"current": "default", "profiles": [profile]})
    return {}


def _alibaba_ini(home: Path, _keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    pair = key("alibaba", 0, "static")
    content = f"[default]\ntype = access_key\naccess_key_id = {pair.id}\naccess_key_secret = {pair.secret}\n"
    return {"ALIBABA_CLOUD_CREDENTIALS_FILE": str(_file(home / ".alibabacloud" / "credentials.ini", content))}


def _alibaba_oidc(home: Path, _keys: Mapping[str, str], heard: Heard) -> Mapping[str, str]:
    token = _file(home / "oidc.token", CANARY)
    names = {"ALIBABA_CLOUD_ROLE_ARN": _ALIBABA_ROLE, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc/x"}
    return {**names, "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token), "HTTPS_PROXY": heard.url, "https_proxy": heard.url}


def _alibaba_role(home: Path, keys: Mapping[str, str], heard: Heard) -> Mapping[str, str]:
    _aliyun(home, keys, "RamRoleArn", ram_role_arn=_ALIBABA_ROLE, ram_session_name="ops", expired_seconds=0)
    return {"HTTPS_PROXY": heard.url, "https_proxy": heard.url}


def _alibaba_oidc_profile(home: Path, keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    token = _file(home / "oidc.token", CANARY)
    more = {"ram_role_arn": _ALIBABA_ROLE, "oidc_provider_arn": "acs:ram::1:oidc/x", "oidc_token_file": str(token)}
    return _aliyun(home, keys, "OIDC", ram_session_name="ops", **more)


def _alibaba_chain(home: Path, keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    _aliyun(home, keys, "StsToken")
    path = home / ".aliyun" / "config.json"
    document = json.loads(path.read_text())
    for name, source in (("middle", "default"), ("end", "middle")):
        row = {"name": name, "mode": "ChainableRamRoleArn", "source_profile": source, "ram_role_arn": _ALIBABA_ROLE}
        document["profiles"].append({**row, "ram_session_name": name})
    path.write_text(json.dumps({**document, "current": "end"}))
    return {}


def _alibaba_role_variable(home: Path, keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    given = {name: value for name, value in keys.items() if name.startswith("ALIBABA_CLOUD")}
    return {**given, "ALIBABA_CLOUD_ROLE_ARN": _ALIBABA_ROLE}


def _alibaba_process(home: Path, keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    names = {"access_key_id": "ACCESS_KEY_ID", "access_key_secret": "ACCESS_KEY_SECRET", "sts_token": "SECURITY_TOKEN"}
    given = {name: keys[f"ALIBABA_CLOUD_{variable}"] for name, variable in names.items()}
    path = _file(home / "keys.json", {"mode": "StsToken", **given})
    nothing: Mapping[str, str] = dict.fromkeys(keys, "")
    return _aliyun(home, nothing, "External", process_command=f"cat {path}")


def _alibaba_broken_process(home: Path, keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    script = _file(home / "broken.sh", f"#!/bin/sh\necho '{CANARY}' >&2\necho '{{\"{CANARY}\"'\n")
    script.chmod(0o700)
    return _aliyun(home, keys, "External", process_command=str(script))


def _alibaba_uri_profile(home: Path, keys: Mapping[str, str], heard: Heard) -> Mapping[str, str]:
    return _aliyun(home, dict.fromkeys(keys, ""), "CredentialsURI", credentials_uri=f"{heard.url}/{CANARY}")


def _alibaba_stored(mode: str) -> Make:
    more = {"sts_expiration": 4_000_000_000, "access_token": CANARY, "oauth_refresh_token": CANARY}
    return lambda home, keys, heard: _aliyun(home, keys, mode, oauth_site_type="CN", **more)


def _alibaba_uri(_home: Path, _keys: Mapping[str, str], heard: Heard) -> Mapping[str, str]:
    return {"ALIBABA_CLOUD_CREDENTIALS_URI": f"{heard.url}/{CANARY}"}


def _tccli(home: Path, keys: Mapping[str, str], **more: str) -> Mapping[str, str]:
    names = {"secretId": "SECRET_ID", "secretKey": "SECRET_KEY", "token": "TOKEN"}
    given = {name: keys[f"TENCENTCLOUD_{variable}"] for name, variable in names.items()}
    _file(home / ".tccli" / "default.credential", {**given, **more})
    return {}


def _tencent_role_variable(home: Path, keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    given = {name: value for name, value in keys.items() if name.startswith("TENCENTCLOUD")}
    return {**given, "TENCENTCLOUD_ROLE_ARN": _ROLE["role-arn"], "TENCENTCLOUD_ROLE_SESSION_NAME": "ops"}


def _tencent_pod(home: Path, _keys: Mapping[str, str], __: Heard) -> Mapping[str, str]:
    token = _file(home / "pod.token", CANARY)
    pod = {"TKE_REGION": "ap-guangzhou", "TKE_PROVIDER_ID": "x", "TKE_WEB_IDENTITY_TOKEN_FILE": str(token)}
    return {**pod, "TKE_ROLE_ARN": _ROLE["role-arn"]}


def _tencent_ini(home: Path, _keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    pair = key("tencent", 0, "static")
    _file(home / ".tencentcloud" / "credentials", f"[default]\nsecret_id = {pair.id}\nsecret_key = {pair.secret}\n")
    return {}


def _variables(prefix: str) -> Make:
    return lambda home, keys, heard: {name: value for name, value in keys.items() if name.startswith(prefix)}


def _aws_credentials(home: Path, keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    _file(home / ".aws" / "credentials", _aws_ini("default", keys=keys))
    return {}


def _aws_config(home: Path, keys: Mapping[str, str], _: Heard) -> Mapping[str, str]:
    _file(home / ".aws" / "config", _aws_ini("profile work", keys=keys))
    return {"AWS_PROFILE": "work"}


SOURCES = {
    "aws variables": Source("aws", _variables("AWS_")),
    "aws credentials file": Source("aws", _aws_credentials),
    "aws config profile": Source("aws", _aws_config),
    "aws process": Source("aws", _aws_process),
    "aws broken process": Source("aws", _aws_broken_process, works=False),
    "aws role": Source("aws", _aws_role),
    "aws web identity": Source("aws", _aws_web),
    "aws single sign-on": Source("aws", _aws_sso, works=False),
    "aws container": Source("aws", _aws_container),
    "alibaba variables": Source("alibaba", _variables("ALIBABA_CLOUD")),
    "alibaba profile of the CLI": Source("alibaba", lambda home, keys, heard: _aliyun(home, keys, "StsToken")),
    "alibaba ini file": Source("alibaba", _alibaba_ini),
    "alibaba OIDC": Source("alibaba", _alibaba_oidc),
    "alibaba OIDC profile": Source("alibaba", _alibaba_oidc_profile),
    "alibaba role": Source("alibaba", _alibaba_role),
    "alibaba role that is nowhere": Source(
        "alibaba",
        lambda home, keys, heard: _aliyun(home, keys, "RamRoleArn", ram_role_arn="acs:ram::1:role/x"),
        works=False,
    ),
    "alibaba chain of roles": Source("alibaba", _alibaba_chain),
    "alibaba role of the environment": Source("alibaba", _alibaba_role_variable),
    "alibaba process": Source("alibaba", _alibaba_process),
    "alibaba broken process": Source("alibaba", _alibaba_broken_process, works=False),
    "alibaba URI profile": Source("alibaba", _alibaba_uri_profile),
    "alibaba CloudSSO": Source("alibaba", _alibaba_stored("CloudSSO")),
    "alibaba OAuth": Source("alibaba", _alibaba_stored("OAuth")),
    "alibaba RsaKeyPair": Source(
        "alibaba", lambda home, keys, heard: _aliyun(home, keys, "RsaKeyPair", private_key=CANARY), works=False
    ),
    "alibaba URI": Source("alibaba", _alibaba_uri),
    "tencent variables": Source("tencent", _variables("TENCENTCLOUD")),
    "tencent profile of tccli": Source("tencent", lambda home, keys, heard: _tccli(home, keys)),
    "tencent role of tccli": Source("tencent", lambda home, keys, heard: _tccli(home, keys, **_ROLE)),
    "tencent role that is nowhere": Source(
        "tencent",
        lambda home, keys, heard: _tccli(home, keys, **{"role-arn": "qcs::cam::uin/1:roleName/x"}),
        works=False,
    ),
    "tencent role of the environment": Source("tencent", _tencent_role_variable),
    "tencent pod": Source("tencent", _tencent_pod),
    "tencent ini file": Source("tencent", _tencent_ini),
}
_ROLE = {"role-arn": "qcs::cam::uin/100000000001:roleName/x", "role-session-name": "ops"}
_PREFIXES = {"aws": "AWS", "alibaba": "ALIBABA_CLOUD", "tencent": "TENCENTCLOUD"}


def _served(cloud: str, keys: Mapping[str, str]) -> bytes:
    """What a container or a URI gives: AWS's and Alibaba's spellings side by side."""
    given = {
        "AccessKeyId": keys.get(f"{_PREFIXES[cloud]}_ACCESS_KEY_ID"),
        "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
        "AccessKeySecret": keys["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        "Token": keys["AWS_SESSION_TOKEN"],
        "SecurityToken": keys["ALIBABA_CLOUD_SECURITY_TOKEN"],
    }
    return json.dumps({**given, "Expiration": "2099-01-01T00:00:00Z", "Code": "Success"}).encode()


@pytest.mark.parametrize("name", SOURCES)
def test_no_source_of_credentials_leaks(name: str, outside: Outside, listen: Listen) -> None:
    source = SOURCES[name]
    keys = outside.box.environment(sort="temporary")
    env = {**NOTHING, **source.make(outside.home, keys, listen(200, _served(source.cloud, keys)))}
    own = {path: path.read_bytes() for path in outside.home.rglob("*") if path.is_file()}
    hidden = (*secrets("temporary"), *secrets("static"), CANARY)

    looked = outside.run("status", RUNS[source.cloud], "-v", "--debug", env=env)
    outside.faults(f"{source.cloud}:*=denied")
    refused = outside.run("cancel", RUNS[source.cloud], "--debug", "-o", "json", "--timeout", "1s", env=env)

    check(outside, looked, *hidden, own=own)
    check(outside, refused, *hidden, own=own)
    assert looked.code == 0 if source.works else looked.code in (4, 7), str(looked)  # 7: no STS here knows the role
    assert refused.code in (4, 1), str(refused)
    assert "Traceback" not in looked.err + refused.err


# every ending


def _wrong(outside: Outside) -> Mapping[str, str]:
    ends = ("SECRET_ACCESS_KEY", "KEY_SECRET", "SECRET_KEY")
    return {name: CANARY for name in outside.box.environment() if name.endswith(ends)}


def _struck(*faults: str) -> Callable[[Outside], Mapping[str, str]]:
    def strike(outside: Outside) -> Mapping[str, str]:
        outside.faults(*faults)
        return {}

    return strike


ENDINGS: Mapping[str, Callable[[Outside], Mapping[str, str]]] = {
    "success": lambda outside: outside.box.environment(sort="temporary"),
    "expired": lambda outside: outside.box.environment(sort="expired"),
    "wrong signature": _wrong,
    "denied": _struck("*=denied"),
    "broken off": _struck("*=drop-before*3"),
    "nobody there": lambda outside: {
        name: "http://127.0.0.1:9" for name in outside.environ if name.endswith("ENDPOINT_URL")
    },
}
CALLS: tuple[tuple[str, ...], ...] = (
    (
        "cancel",
        *RUNS.values(),
        "--reason",
        "drill",
        "--timeout",
        "1s",
        "--lookup-timeout",
        "1s",
        "--give-up-after",
        "1s",
    ),
    ("cancel", *RUNS.values(), "--dry-run", "-o", "json"),
    ("list", "-o", "jsonl", "-v"),
)


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_ending_leaks(ending: str, outside: Outside) -> None:
    env = ENDINGS[ending](outside)
    hidden = (*secrets("temporary"), *secrets("expired"), *secrets("static"), CANARY)

    for argv in CALLS[:1] if ending == "nobody there" else CALLS:
        done = outside.run(*argv, "--debug", env=env)
        if "--dry-run" in argv:
            (outside.home / "plan.json").write_text(done.out)
        check(outside, done, *hidden)
    history = outside.run("history", "-o", "json", env=env)
    shown = outside.run("contexts", "show", "-o", "json", env=env)

    check(outside, history, *hidden)
    check(outside, shown, *hidden)


def test_debug_shows_what_one_needs(outside: Outside) -> None:
    host = outside.box.url.partition("//")[2]

    done = outside.run("status", *RUNS.values(), "--debug")

    for action, region in (("ListCommands", "us-east-2"), ("DescribeInvocations", "cn-hangzhou")):
        line = next(line for line in done.err.splitlines() if f"{region} {action} at {host}" in line)
        assert re.search(r"HTTP 200, request [0-9A-Za-z-]{36} in \d+ ms", line), line
    assert f"tencent:ap-guangzhou DescribeInvocations at {host}" in done.err


BREAKS = "import http.client\ndef broken(*a, **k):\n    raise RuntimeError('made to fail')\n"


@pytest.mark.parametrize("argv", [(), ("--debug",)], ids=["plain", "debug"])
def test_an_internal_error_leaves_a_cancel_in_doubt_and_its_frames_hold_no_values(
    argv: tuple[str, ...], outside: Outside
) -> None:
    breaks = f"{BREAKS}http.client.HTTPConnection.request = broken\n"
    env = outside.box.environment(sort="temporary")

    done = outside.run("cancel", KILLED, TENCENT, *argv, env=env, before=breaks)

    assert done.code == 8, str(done)  # the request may have left before it
    assert ('File "' in done.err) == bool(argv)
    assert "RuntimeError" in done.err
    check(outside, done, *secrets("temporary"))


# keys that break the libraries which carry them


@pytest.mark.parametrize("cloud", RUNS)
@pytest.mark.parametrize("flaw", ["\nX-Evil: 1", "”", "\r"])
def test_a_key_that_no_header_can_carry_is_refused_unquoted(flaw: str, cloud: str, outside: Outside) -> None:
    names = {"aws": "AWS_SESSION_TOKEN", "alibaba": "ALIBABA_CLOUD_SECURITY_TOKEN", "tencent": "TENCENTCLOUD_TOKEN"}

    done = outside.run("status", RUNS[cloud], "--debug", "-o", "json", env={names[cloud]: CANARY + flaw})

    assert done.code == 4, str(done)
    assert [error["code"] for error in done.document["errors"]] == ["no_credentials"]
    assert outside.requests() == []
    check(outside, done, CANARY)


def _second_factor(outside: Outside) -> None:
    """A profile that needs one."""
    keys = outside.box.environment()
    role = "[profile mfa]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = base\n"
    role += "mfa_serial = arn:aws:iam::1:mfa/me\n"
    base = _aws_ini("profile base", keys={**keys, "AWS_SESSION_TOKEN": ""}).replace("aws_session_token = \n", "")
    _file(outside.home / ".aws" / "config", role + base)


def test_a_second_factor_is_never_asked_for(outside: Outside) -> None:
    _second_factor(outside)

    shown = outside.on_terminal("status", COMMAND, "--profile", "mfa", env=dict(NOTHING))

    assert shown.code == 4, shown.final
    assert "second factor" in " ".join(shown.final.split())
    assert b"Enter MFA" not in shown.raw


def test_the_session_that_the_vendors_cli_keeps_is_used_and_left_alone(outside: Outside) -> None:
    _second_factor(outside)
    session = key("aws", 0, "temporary")
    asked = {"RoleArn": "arn:aws:iam::111122223333:role/x", "SerialNumber": "arn:aws:iam::1:mfa/me"}
    name = hashlib.sha1(json.dumps(asked, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
    kept = {"AccessKeyId": session.id, "SecretAccessKey": session.secret, "SessionToken": session.token}
    kept["Expiration"] = "2099-01-01T00:00:00Z"
    cache = _file(outside.home / ".aws" / "cli" / "cache" / f"{name}.json", {"Credentials": kept})
    before = cache.read_bytes()

    done = outside.run("status", COMMAND, "--profile", "mfa", "-o", "ref", env=NOTHING)

    assert done.code == 0, str(done)
    assert cache.read_bytes() == before
    assert list(cache.parent.iterdir()) == [cache]


# where secrets could travel

ENDPOINTS = {"aws": "AWS_ENDPOINT_URL", "alibaba": "RUNCANCEL_ALIBABA_ENDPOINT_URL"}
ENDPOINTS["tencent"] = "RUNCANCEL_TENCENT_ENDPOINT_URL"


@pytest.mark.parametrize("status", [302, 307])
def test_no_redirect_is_followed(status: int, outside: Outside, listen: Listen) -> None:
    target = listen(200, b"{}")
    moved = listen(status, b"", Location=f"{target.url}/")

    env = dict.fromkeys(ENDPOINTS.values(), moved.url)
    done = outside.run("cancel", *RUNS.values(), "-o", "json", "--timeout", "2s", env=env)

    assert done.code in (1, 7, 8), str(done)
    assert len(moved.requests) >= len(RUNS)
    assert target.requests == []


USES = (("status", "{}"), ("cancel", "{}"), ("list",), ("cancel", "--name", "*", "-y"))


@pytest.mark.parametrize("verb", USES, ids=" ".join)
def test_a_user_in_an_endpoint_is_refused_unquoted(verb: tuple[str, ...], outside: Outside) -> None:
    for cloud, name in ENDPOINTS.items():
        argv = [word.format(RUNS[cloud]) for word in verb]
        env = {name: outside.box.url.replace("//", "//me:c4n4ry@")}

        done = outside.run(*argv, "-o", "json", "--debug", env=env)

        assert done.code == (1 if verb == ("cancel", "{}") else 7), str(done)
        assert {error["code"] for error in done.document["errors"]} == {"not_configured"}
        assert "cannot have a user" in done.err or "cannot be read" in done.err
        assert "c4n4ry" not in done.out + done.err
    assert outside.writes() == []


def test_a_user_in_an_endpoint_is_not_shown_either(outside: Outside) -> None:
    env = dict.fromkeys(ENDPOINTS.values(), "https://me:c4n4ry@example.com")

    done = outside.run("contexts", "show", "-o", "json", env=env)

    assert "c4n4ry" not in done.out + done.err
    assert "https://…@example.com" in done.out


@pytest.mark.parametrize("cloud", ENDPOINTS)
def test_plain_http_beyond_loopback_is_a_gap_for_every_verb(cloud: str, outside: Outside) -> None:
    env = {ENDPOINTS[cloud]: "http://192.0.2.1"}

    listed = outside.run("list", "-o", "json", env=env)
    cancelled = outside.run("cancel", "--name", "patch-openssl", "-y", "-o", "json", env=env)

    assert listed.code == 7, str(listed)
    assert [error["code"] for error in listed.document["errors"]] == ["not_configured"]
    # runs of two accounts are left and nobody confirms; one cloud is left and kills; one is left and kills nothing
    assert cancelled.code == {"aws": 6, "alibaba": 7, "tencent": 3}[cloud], str(cancelled)
    assert not cancelled.document["complete"]
    assert cloud not in {request["provider"] for request in outside.requests()}


@pytest.mark.parametrize("cloud", RUNS)
def test_a_proxy_hears_only_connect_and_its_password_is_nobodys(cloud: str, outside: Outside, listen: Listen) -> None:
    proxy = listen(407, b"who are you")
    address = proxy.url.replace("//", "//me:c4n4ry-of-proxy@")
    env = {ENDPOINTS[cloud]: "https://api.example.invalid", "HTTPS_PROXY": address, "https_proxy": address}

    done = outside.run("status", RUNS[cloud], "--timeout", "1s", "--debug", "-v", "-o", "json", env=env)

    assert done.code == 7, str(done)
    assert proxy.requests
    assert {method for method, _, _ in proxy.requests} == {"CONNECT"}
    assert not any("authorization" in headers or "x-acs-security-token" in headers for _, _, headers in proxy.requests)
    check(outside, done, "c4n4ry-of-proxy", "me:c4n4ry-of-proxy")


# what is read and started

AUDIT = """\
import os, sys
_log = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
def _hook(event, args):
    if event in ("open", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "sqlite3.connect"):
        os.write(_log, f"{event}\\t{args[0]}\\t{args[1] if len(args) > 1 else ''}\\n".encode("utf-8", "replace"))
sys.addaudithook(_hook)
"""
TRAP = "open({marker!r}, 'w').write(__name__)\n"
TRAPS = (
    *("sitecustomize.py", "usercustomize.py", "typer.py", "json.py", "rich.py", "msgspec.py", "botocore.py"),
    *("runcancel.py", "tomllib.py", "startup.py", "certifi.py", "urllib3.py", "pace.py"),
)
FILES = (
    *(
        "runcancel.config.toml",
        "config.toml",
        "policy.toml",
        ".env",
        "credentials",
        "credentials.ini",
        "boto.cfg",
        ".boto",
    ),
    *(".netrc", "config", "config.json", ".aws/config", ".aws/credentials", ".aliyun/config.json", "plan.json"),
    *(
        ".tccli/default.credential",
        "journal.sqlite3",
        ".runcancel.config.toml",
        "pyproject.toml",
        "setup.cfg",
        "pip.conf",
    ),
)


def test_nothing_in_the_current_directory_is_read_or_run(outside: Outside, tmp_path: Path) -> None:
    traps, hook, marker = tmp_path / "traps", tmp_path / "hook", tmp_path / "sprung"
    for name in TRAPS:
        _file(traps / name, TRAP.format(marker=str(marker)))
    for name in FILES:
        _file(traps / name, "[default]\nprovider = 'nobody'\n")
    _file(hook / "sitecustomize.py", AUDIT)
    env = {"PYTHONPATH": str(hook), "AUDIT_LOG": str(tmp_path / "log"), "PYTHONSTARTUP": str(traps / "startup.py")}
    script = " && ".join(
        f"runcancel {line}"
        for line in (
            f"status {' '.join(RUNS.values())}",
            f"cancel {TENCENT} --debug",
            "list -o json",
            "history",
            "contexts show",
            "--version",
        )
    )

    done = outside.shell(f"cd {traps} && {script}", env=env)

    assert done.code == 0, str(done)
    assert not marker.exists()
    events = [line.split("\t") for line in (tmp_path / "log").read_text().splitlines()]
    touched = [path for event, path, *_ in events if event in ("open", "sqlite3.connect") and str(traps) in path]
    bare = [path for event, path, *_ in events if event == "open" and not path.startswith("/") and not path.isdigit()]
    assert touched == []
    assert bare == []
    assert [event for event, *_ in events if event not in ("open", "sqlite3.connect")] == []


def test_what_is_written_is_for_its_owner_alone(outside: Outside) -> None:
    outside.run("cancel", TENCENT)

    written = [path for path in outside.home.rglob("*") if "runcancel" in str(path)]
    assert any(path.name.startswith("journal") for path in written)
    for path in written:
        assert stat.S_IMODE(os.lstat(path).st_mode) & 0o077 == 0, path


def test_no_secret_is_in_a_command_line_or_reference(outside: Outside) -> None:
    done = outside.run("status", f"{CANARY}@{id_of(TENCENT)}", "-o", "json")

    assert done.code in (2, 4), str(done)
    assert outside.requests() == []
