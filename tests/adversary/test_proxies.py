"""Proxies that record and proxies that inspect TLS: which requests meet them, for every cloud and source of keys."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path

import pytest
from outside import COMMAND, KILLED, TENCENT, Done, Outside

from adversary.gateway import Answer, Asked, gateway
from adversary.inspecting import Authority, Proxy, authority, inspecting

RUNS = {"aws": COMMAND, "alibaba": KILLED, "tencent": TENCENT}
ENDPOINTS = ("AWS_ENDPOINT_URL", "RUNCANCEL_ALIBABA_ENDPOINT_URL", "RUNCANCEL_TENCENT_ENDPOINT_URL")
HOSTS = (
    *("ssm.us-east-2.amazonaws.com", "sts.us-east-2.amazonaws.com", "sts.amazonaws.com", "ec2.us-east-2.amazonaws.com"),
    *("portal.sso.us-east-1.amazonaws.com", "keys.example.com"),
    *(
        "ecs.cn-hangzhou.aliyuncs.com",
        "ecs-cn-hangzhou.aliyuncs.com",
        "sts.aliyuncs.com",
        "sts.cn-hangzhou.aliyuncs.com",
    ),
    *("tat.tencentcloudapi.com", "sts.tencentcloudapi.com"),
)
CA_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), HOSTS)


@pytest.fixture(scope="module")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("other"), HOSTS)


def denied(host: str, asked: Asked) -> Answer:
    """A refusal in the dialect of whoever is asked, which repeats the whole request."""
    sent = " ".join(f"{name}: {value}" for name, value in asked.headers.items())
    why = f"seen by the proxy: {asked.method} {asked.target} {asked.body.decode()} {sent}"
    if host.startswith("sts") and "amazonaws" in host:
        xml = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{escape(why)}</Message></Error></ErrorResponse>"
        return Answer(403, {"content-type": "text/xml"}, xml.encode())
    if "amazonaws" in host:
        return Answer(
            403, {"x-amzn-requestid": "r"}, json.dumps({"__type": "AccessDeniedException", "message": why}).encode()
        )
    if "aliyuncs" in host:
        document = {"Code": "Forbidden.RAM", "Message": why, "RequestId": "r"}
        return Answer(403, {}, json.dumps(document).encode())
    if "tencent" in host:
        error = {"Error": {"Code": "UnauthorizedOperation", "Message": why}, "RequestId": "r"}
        return Answer(200, {}, json.dumps({"Response": error}).encode())
    return Answer(403, {}, json.dumps({"Code": "Denied", "Message": why}).encode())


@pytest.fixture
def inspected(ca: Authority) -> Iterator[Proxy]:
    with inspecting(ca.server, denied) as proxy:
        yield proxy


def beyond(outside: Outside, proxy: Proxy, **more: str | None) -> dict[str, str | None]:
    """The variables of somebody who reaches the real hosts through a proxy."""
    return {**outside.box.environment(), **dict.fromkeys(ENDPOINTS), "HTTPS_PROXY": proxy.url, **more}


def codes(done: Done) -> list[str]:
    return sorted(error["code"] for error in done.document["errors"])


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_every_variable_of_a_ca_counts_for_every_cloud(
    variable: str, outside: Outside, inspected: Proxy, ca: Authority
) -> None:
    env = beyond(outside, inspected, **{variable: str(ca.bundle)})

    done = outside.run("status", *RUNS.values(), "-o", "json", env=env)

    assert codes(done) == ["denied"] * 3, str(done)
    assert len(inspected.hosts) == 3
    assert all(line.startswith("CONNECT ") for line in inspected.clear)


def test_the_ca_of_an_aws_profile_counts(outside: Outside, inspected: Proxy, ca: Authority) -> None:
    (outside.home / ".aws").mkdir()
    (outside.home / ".aws" / "config").write_text(f"[default]\nca_bundle = {ca.bundle}\n")

    done = outside.run("status", COMMAND, "-o", "json", env=beyond(outside, inspected))

    assert codes(done) == ["denied"], str(done)


def test_a_certificate_that_is_not_trusted_comes_with_the_variables(
    outside: Outside, inspected: Proxy, other_ca: Authority
) -> None:
    for env in ({}, {"SSL_CERT_FILE": str(other_ca.bundle)}):
        done = outside.run("status", *RUNS.values(), "-o", "json", env=beyond(outside, inspected, **env), patience=30)

        assert codes(done) == ["invalid"] * 3, str(done)
        for error in done.document["errors"]:
            assert "is not trusted" in error["message"]
            assert all(name in error["hint"] for name in CA_VARIABLES)
            assert all(f"{name}={value}" in error["message"] for name, value in env.items())
    assert inspected.asked == []


def _missing(path: Path) -> None:
    path.unlink(missing_ok=True)


BUNDLES: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_text(" \n"), "is empty"),
    "no certificate": (lambda path: path.write_text("hello"), "has no certificates"),
    "half a certificate": (lambda path: path.write_text("-----BEGIN CERTIFICATE-----\nMIIB"), "has no certificates"),
    "missing": (_missing, "does not exist"),
}


@pytest.mark.parametrize("sort", BUNDLES)
def test_a_bundle_that_cannot_be_used_is_called_that(sort: str, outside: Outside, inspected: Proxy) -> None:
    make, said = BUNDLES[sort]
    path = outside.home / "bundle.pem"
    make(path)

    done = outside.run(
        "status", *RUNS.values(), "-o", "json", env=beyond(outside, inspected, AWS_CA_BUNDLE=str(path)), patience=20
    )

    assert len(done.document["errors"]) == 3, str(done)
    for error in done.document["errors"]:
        assert said in error["message"], str(done)
        assert "AWS_CA_BUNDLE" in error["message"]
        assert str(path) in error["message"]
    assert inspected.clear == []


# who gives keys

NO_KEYS: Mapping[str, None] = dict.fromkeys(
    (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"),
        *("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN"),
    )
)
Make = Callable[[Path], Mapping[str, str]]


def _file(path: Path, content: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return str(path)


def _web_identity(home: Path) -> Mapping[str, str]:
    return {
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/x",
        "AWS_WEB_IDENTITY_TOKEN_FILE": _file(home / "web", "c4n4ry-of-the-web"),
    }


def _aws_role(home: Path) -> Mapping[str, str]:
    base = "[profile base]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = c4n4ry-of-the-base\n"
    role = "[profile role]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = base\nregion = us-east-2\n"
    _file(home / ".aws" / "config", base + role)
    return {"AWS_PROFILE": "role"}


def _sso(home: Path) -> Mapping[str, str]:
    start = "https://example.awsapps.com/start"
    _file(
        home / ".aws" / "config",
        f"[default]\nsso_start_url = {start}\nsso_region = us-east-1\nsso_account_id = 111122223333\n"
        "sso_role_name = x\n",
    )
    token = {"startUrl": start, "region": "us-east-1", "accessToken": "c4n4ry-of-sso"}
    token["expiresAt"] = "2099-01-01T00:00:00Z"
    name = hashlib.sha1(start.encode(), usedforsecurity=False).hexdigest()
    _file(home / ".aws" / "sso" / "cache" / f"{name}.json", json.dumps(token))
    return {}


def _container(home: Path) -> Mapping[str, str]:
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://keys.example.com/keys",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "c4n4ry-of-the-container",
    }


def _aliyun(mode: str, **more: str) -> Make:
    def make(home: Path) -> Mapping[str, str]:
        profile = {
            "name": "default",
            "mode": mode,
            "access_key_id": "LTAIEXAMPLE",
            "access_key_secret": "c4n4ry-of-the-profile",
            "region_id": "cn-hangzhou",
            **more,
        }
        _file(home / ".aliyun" / "config.json", json.dumps({"current": "default", "profiles": [profile]}))
        return {}

    return make


def _alibaba_oidc(home: Path) -> Mapping[str, str]:
    return {
        "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/x",
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc/x",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE": _file(home / "oidc", "c4n4ry-of-oidc"),
    }


def _uri(home: Path) -> Mapping[str, str]:
    return {"ALIBABA_CLOUD_CREDENTIALS_URI": "https://keys.example.com/c4n4ry-of-the-uri"}


def _tencent_role(home: Path) -> Mapping[str, str]:
    return {
        "TENCENTCLOUD_SECRET_ID": "AKIDEXAMPLE",
        "TENCENTCLOUD_SECRET_KEY": "c4n4ry-of-the-base-key",
        "TENCENTCLOUD_ROLE_ARN": "qcs::cam::uin/1:roleName/x",
        "TENCENTCLOUD_ROLE_SESSION_NAME": "s",
    }


SOURCES: Mapping[str, tuple[str, Make, str]] = {
    "aws web identity": ("aws", _web_identity, "sts.us-east-2.amazonaws.com"),
    "aws role": ("aws", _aws_role, "sts.us-east-2.amazonaws.com"),
    "aws single sign-on": ("aws", _sso, "portal.sso.us-east-1.amazonaws.com"),
    "aws container": ("aws", _container, "keys.example.com"),
    "alibaba role": ("alibaba", _aliyun("RamRoleArn", ram_role_arn="acs:ram::1:role/x", ram_session_name="s"), "sts."),
    "alibaba oidc": ("alibaba", _alibaba_oidc, "sts."),
    "alibaba uri": ("alibaba", _uri, "keys.example.com"),
    "tencent role": ("tencent", _tencent_role, "sts.tencentcloudapi.com"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_whoever_gives_keys_is_asked_through_the_proxy_by_tls_and_once(
    source: str, outside: Outside, inspected: Proxy, ca: Authority
) -> None:
    cloud, make, host = SOURCES[source]
    env = {**beyond(outside, inspected, SSL_CERT_FILE=str(ca.bundle)), **NO_KEYS, **make(outside.home)}

    done = outside.run("status", RUNS[cloud], "-o", "json", "--debug", env=env)

    assert done.code == 4, str(done)
    (asked,) = inspected.asked
    assert asked[0].startswith(host)
    assert all(line.startswith("CONNECT ") for line in inspected.clear)
    assert "c4n4ry" not in done.out + done.err


@pytest.mark.parametrize("source", SOURCES)
def test_whoever_gives_keys_has_to_be_trusted(source: str, outside: Outside, inspected: Proxy) -> None:
    cloud, make, _ = SOURCES[source]
    env = {**beyond(outside, inspected), **NO_KEYS, **make(outside.home)}

    done = outside.run("status", RUNS[cloud], "-o", "json", env=env, patience=20)

    assert done.code == 4, str(done)
    assert "is not trusted" in done.document["errors"][0]["message"]
    assert inspected.asked == []


LOCAL: Mapping[str, tuple[str, Callable[[Path, str], Mapping[str, str]]]] = {
    "aws container": (
        "aws",
        lambda home, url: {**_container(home), "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/keys"},
    ),
    "aws web identity": ("aws", lambda home, url: {**_web_identity(home), "AWS_ENDPOINT_URL_STS": url}),
    "aws role": ("aws", lambda home, url: {**_aws_role(home), "AWS_ENDPOINT_URL_STS": url}),
    "aws instance": (
        "aws",
        lambda home, url: {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url, "AWS_EC2_METADATA_DISABLED": "false"},
    ),
    "alibaba uri": ("alibaba", lambda home, url: {"ALIBABA_CLOUD_CREDENTIALS_URI": f"{url}/keys"}),
    "alibaba role": (
        "alibaba",
        lambda home, url: _aliyun("RamRoleArn", ram_role_arn="acs:ram::1:role/x", ram_session_name="s")(home),
    ),
    "tencent role": ("tencent", lambda home, url: _tencent_role(home)),
}


@pytest.mark.parametrize("source", LOCAL)
def test_no_proxy_hears_of_loopback_and_no_redirect_is_followed(source: str, outside: Outside) -> None:
    cloud, make = LOCAL[source]
    with (
        inspecting(None, denied) as proxy,
        gateway(outside.box.url, lambda asked: Answer(200, {}, b"{}")) as elsewhere,
        gateway(outside.box.url, lambda asked: Answer(307, {"location": f"{elsewhere.url}/x"}, b"")) as asked,
    ):
        variables = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        env = {**outside.box.environment(), **dict.fromkeys(variables, proxy.url), **NO_KEYS}
        env |= dict.fromkeys(ENDPOINTS, asked.url) | {"NO_PROXY": None, "no_proxy": None}
        done = outside.run("status", RUNS[cloud], "-o", "json", env={**env, **make(outside.home, asked.url)})

    assert done.code == 4, str(done)
    assert asked.asked
    assert elsewhere.asked == []
    assert proxy.clear == []


CLEAR: Mapping[str, Make] = {
    "AWS_ENDPOINT_URL_STS": lambda home: {**_web_identity(home), "AWS_ENDPOINT_URL_STS": "http://192.0.2.1"},
    "services": lambda home: {
        **_web_identity(home),
        "AWS_CONFIG_FILE": _file(
            home / "config", "[default]\nservices = s\n[services s]\nsts =\n  endpoint_url = http://192.0.2.1\n"
        ),
    },
    "container": lambda home: {**_container(home), "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/keys"},
    "instance": lambda home: {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://192.0.2.1",
        "AWS_EC2_METADATA_DISABLED": "false",
    },
}


@pytest.mark.parametrize("source", CLEAR)
def test_keys_are_never_asked_for_in_clear_text_elsewhere(source: str, outside: Outside) -> None:
    with inspecting(None, denied) as proxy:
        env = {**beyond(outside, proxy, HTTP_PROXY=proxy.url, http_proxy=proxy.url), **NO_KEYS}

        done = outside.run("status", COMMAND, "-o", "json", env={**env, **CLEAR[source](outside.home)}, patience=20)

    assert done.code in (2, 4), str(done)
    assert "plain http only to loopback, not to 192.0.2.1; nothing was sent" in done.document["errors"][0]["message"]
    assert proxy.clear == []
