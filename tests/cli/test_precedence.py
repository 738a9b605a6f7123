"""Which profile, key, region and endpoint are in use: compared with what the vendors' own libraries resolve."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import botocore.exceptions
import botocore.loaders
import botocore.session
import pytest
from fakes import HandClock
from outside import MACHINE, Outside

from runcancel.config import provenance
from runcancel.config.file import Config
from runcancel.config.settings import gather
from runcancel.errors import CloudError
from runcancel.model.runs import Scope
from runcancel.providers import provider
from runcancel.providers.aws.profile import endpoint_url
from runcancel.providers.base import Connection
from runcancel.runtime.throttle import Pace

AWS_CONFIG = """[default]
region = us-west-1
[profile a]
region = us-west-2
services = local
[profile b]
endpoint_url = https://b.example
[services local]
ssm =
  endpoint_url = https://services.example
"""
AWS_KEYS = "".join(
    f"[{name}]\naws_access_key_id = AKIAFILE{name * 4}\naws_secret_access_key = s\n" for name in ("default", "a", "b")
)
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "AKIAENVENVEN", "AWS_SECRET_ACCESS_KEY": "s"}


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with a home and nothing else."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "ALIBABA", "ALICLOUD", "TENCENTCLOUD_", "TCCLI_", "TKE_")):
            monkeypatch.delenv(name)
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}


def by_botocore(environ: Mapping[str, str], profile: str | None, *, client: bool = False) -> dict[str, Any]:
    """What botocore resolves with these variables, and where a client of it connects to.

    An empty variable is an unset one here; botocore takes it for the name of a profile.
    """
    return _resolved(frozenset((name, value) for name, value in environ.items() if value), profile, client)


@cache
def _resolved(variables: frozenset[tuple[str, str]], profile: str | None, client: bool) -> dict[str, Any]:
    with mock.patch.dict(os.environ, dict(variables), clear=True):
        try:
            # The handlers are for clients.
            session = botocore.session.Session(profile=profile, include_builtin_handlers=client)
            found = {"profile": session.get_config_variable("profile") or "default"}
            found["region"] = session.get_config_variable("region")
            found["key"] = session.get_credentials().access_key[-4:]
            if client:
                session.register_component("data_loader", _models())
                found["endpoint"] = session.create_client("ssm", region_name="us-east-2").meta.endpoint_url
        except botocore.exceptions.BotoCoreError as error:
            return {"error": type(error).__name__}
    return found


@cache
def _models() -> Any:
    """Read once: they are the same in every case."""
    return botocore.loaders.create_loader()


def judged(script: str, cases: object) -> list[dict[str, Any]]:
    """What a vendor's library resolves in each case, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(cases), capture_output=True, text=True, timeout=120, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def chosen(names: tuple[str, ...], values: tuple[str | None, ...]) -> dict[str, str]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def ours(name: str, environ: dict[str, str], profile: str | None, region: str) -> dict[str, Any]:
    """What runcancel resolves and then uses."""
    settings = provider(name).resolve(environ, profile)
    connection = Connection(scope=Scope(provider=name, region=region, context=profile), profile=profile)
    try:
        seen = provider(name).connect(connection, environ, Pace(HandClock())).checkup()
    except CloudError as error:
        return {"error": error.message}
    return {
        "profile": settings.profile.value,
        "region": settings.region.value if settings.region else None,
        "key": seen.key,
        "endpoint": seen.endpoint,
        "told": settings.endpoint_url.value if settings.endpoint_url else None,
    }


def aws_files(home: Path) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(AWS_CONFIG)
    (home / ".aws" / "credentials").write_text(AWS_KEYS)


def test_aws_profile_key_and_region_are_botocores(
    bare: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws_files(tmp_path)
    names = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE", "AWS_DEFAULT_REGION")
    values = product((None, "", "a", "b"), (None, "", "a", "b", "nowhere"), (None, "eu-west-1"))
    cases = [
        ({**bare, **chosen(names, each), **keys}, profile)
        for each in values
        for keys in ({}, ENV_KEYS)
        for profile in (None, "b")
    ]
    verdicts = [by_botocore(environ, profile) for environ, profile in cases]

    for (environ, profile), expected in zip(cases, verdicts, strict=True):
        settings = provider("aws").resolve(environ, profile)
        case = f"{environ} {profile}"
        if "error" in expected or settings.error:
            assert expected.get("error") == "ProfileNotFound", case
            assert settings.error is not None, case
            continue
        assert settings.profile.value == expected["profile"], case
        assert (settings.region.value if settings.region else None) == expected["region"], case
    for (environ, profile), expected in list(zip(cases, verdicts, strict=True))[::7]:
        monkeypatch.setattr(os, "environ", dict(environ))
        found = ours("aws", environ, profile, "us-east-2")
        assert found.get("key") == expected.get("key"), f"{environ} {profile} {found}"


def test_the_aws_endpoint_is_botocores_and_what_is_told_is_what_is_used(
    bare: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws_files(tmp_path)
    names = ("AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    values = product((None, "", "https://ssm.example"), (None, "https://all.example"), (None, "true", "false"))
    cases = [({**bare, **chosen(names, each)}, profile) for each in values for profile in (None, "a", "b")]
    verdicts = [by_botocore(environ, profile, client=True) for environ, profile in cases]

    for (environ, profile), expected in zip(cases, verdicts, strict=True):
        monkeypatch.setattr(os, "environ", dict(environ))
        found = ours("aws", environ, profile, "us-east-2")
        case = f"{environ} {profile}"
        assert found["endpoint"] == expected["endpoint"], case
        assert found["told"] in (None, expected["endpoint"]), case
        assert (found["told"] is None) == expected["endpoint"].endswith(".amazonaws.com"), case


ALIBABA_JUDGE = """
import importlib, json, os, sys
import alibabacloud_credentials.utils.auth_constant as constant
import alibabacloud_credentials.utils.auth_util as util
from alibabacloud_credentials.provider.default import DefaultCredentialsProvider
out = []
for environ in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(environ)
    importlib.reload(util)
    importlib.reload(constant)
    try:
        out.append({"key": DefaultCredentialsProvider().get_credentials().get_access_key_id()[-4:]})
    except Exception as error:
        out.append({"error": str(error)})
print(json.dumps(out))
"""


def test_the_alibaba_key_is_the_one_of_the_vendors_sdk(bare: dict[str, str], tmp_path: Path) -> None:
    pair = {"mode": "AK", "access_key_secret": "s"}
    rows = [{"name": name, "access_key_id": f"LTAIFILE{name}", **pair} for name in ("aaaa", "bbbb")]
    section = "[{0}]\ntype = access_key\naccess_key_id = LTAIINI{0}\naccess_key_secret = s\n"
    (tmp_path / "one").write_text("".join(section.format(name) for name in ("cccc", "default")))
    bare |= {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}
    names = ("ALIBABA_CLOUD_PROFILE", "ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "ALIBABA_CLOUD_CREDENTIALS_FILE")
    values = product((None, "aaaa", "bbbb", "cccc"), (None, "true"), (None, str(tmp_path / "one")))
    keys = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAIENVeeee", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}
    choices = [{**chosen(names, each), **env} for each in values for env in ({}, keys)]
    cases = []
    for current in ("aaaa", "bbbb"):
        home = tmp_path / current
        (home / ".aliyun").mkdir(parents=True)
        (home / ".aliyun" / "config.json").write_text(json.dumps({"current": current, "profiles": rows}))
        cases += [{**bare, "HOME": str(home), **each} for each in choices]

    for environ, expected in zip(cases, judged(ALIBABA_JUDGE, cases), strict=True):
        found = ours("alibaba", environ, None, "cn-hangzhou")
        assert ("error" in found) == ("error" in expected), f"{environ} {found} {expected}"
        assert found.get("key") == expected.get("key"), f"{environ} {found} {expected}"


KEYS_OF = {
    "aws": ENV_KEYS,
    "alibaba": {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAIENVeeee", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"},
    "tencent": {"TENCENTCLOUD_SECRET_ID": "AKIDenvv", "TENCENTCLOUD_SECRET_KEY": "s"},
}
PAIR = {"TENCENTCLOUD_SECRET_ID": "AKIDenvv", "TENCENTCLOUD_SECRET_KEY": "s"}
TCCLI = [  # variables, --profile -> profile, last characters of the key, region; as tccli's parse_global_arg resolves
    ({}, None, "default", "dddd", "ap-default"),
    ({}, "work", "work", "wwww", "ap-work"),
    ({"TCCLI_PROFILE": "work"}, None, "work", "wwww", "ap-work"),
    ({"TCCLI_PROFILE": ""}, None, "default", "dddd", "ap-default"),
    ({"TCCLI_PROFILE": "work"}, "default", "default", "dddd", "ap-default"),
    ({"TENCENTCLOUD_REGION": "ap-env"}, None, "default", "dddd", "ap-env"),
    ({"TENCENTCLOUD_REGION": "ap-env"}, "work", "work", "wwww", "ap-work"),
    (PAIR, None, "default", "envv", "ap-default"),
    (PAIR, "work", "work", "wwww", "ap-work"),
    ({**PAIR, "TCCLI_PROFILE": "work"}, None, "work", "envv", "ap-work"),
    ({**PAIR, "TENCENTCLOUD_REGION": "ap-env", "TCCLI_PROFILE": "work"}, None, "work", "envv", "ap-env"),
]


@pytest.mark.parametrize(("variables", "flag", "profile", "key", "region"), TCCLI)
def test_tencents_profile_key_and_region_are_tcclis(
    variables: dict[str, str],
    flag: str | None,
    profile: str,
    key: str,
    region: str,
    bare: dict[str, str],
    tmp_path: Path,
) -> None:
    folder = tmp_path / ".tccli"
    folder.mkdir()
    for name, letter in (("default", "d"), ("work", "w")):
        (folder / f"{name}.credential").write_text(json.dumps({"secretId": f"AKID{letter * 4}", "secretKey": "s"}))
        (folder / f"{name}.configure").write_text(json.dumps({"_sys_param": {"region": f"ap-{name}"}}))

    found = ours("tencent", {**bare, **variables}, flag, "ap-guangzhou")

    assert (found["profile"], found["key"], found["region"]) == (profile, key, region)


PROXY_JUDGE = """
import json, os, sys, urllib.request
from urllib.parse import urlsplit
out = []
for environ, host in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(environ)
    found = urllib.request.getproxies_environment()
    past = urllib.request.proxy_bypass_environment(host)
    out.append(None if past else found.get("https") or found.get("all"))
print(json.dumps(out))
"""
HOSTS = {
    "aws": ("us-east-2", "ssm.us-east-2.amazonaws.com"),
    "alibaba": ("cn-hangzhou", "ecs-cn-hangzhou.aliyuncs.com"),
    "tencent": ("ap-guangzhou", "tat.tencentcloudapi.com"),
}


@pytest.mark.parametrize("cloud", HOSTS)
def test_the_proxy_and_its_origin_are_what_python_and_every_vendors_sdk_take(
    cloud: str, bare: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests, botocore and urllib read `getproxies_environment`; what `contexts show` tells is what `doctor` uses."""
    region, host = HOSTS[cloud]
    names = ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "no_proxy")
    values = product(
        (None, "", "http://small:1"),
        (None, "http://large:2"),
        (None, "http://all:3"),
        (None, "*", "other.example", host.partition(".")[2]),
        (None, "other.example"),
    )
    cases = [{**bare, **chosen(names, each)} for each in values]
    verdicts = judged(PROXY_JUDGE, [(environ, host) for environ in cases])

    for environ, expected in zip(cases, verdicts, strict=True):
        keys = {**environ, **KEYS_OF[cloud]}
        connection = Connection(scope=Scope(provider=cloud, region=region))
        if environ is cases[0] or environ is cases[-1]:
            monkeypatch.setattr(os, "environ", dict(keys))
            assert provider(cloud).connect(connection, keys, Pace(HandClock())).checkup().proxy == expected, environ
        settings = gather(providers=(cloud,), regions=(region,), config=Config(), environ=environ)
        (row,) = [each for each in provenance.shown(settings, cloud, None) if each.key == "proxy"]
        assert row.value == expected, environ
        assert expected is None or environ[row.origin] == expected, environ


def test_the_hosts_of_aws_are_botocores(bare: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", bare)
    session = botocore.session.Session()
    session.register_component("data_loader", _models())
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}

    for region in sorted(provider("aws").regions):
        client = session.create_client("ssm", region_name=region, **keys)
        assert f"https://{provider('aws').host(region, None)}" == client.meta.endpoint_url


@pytest.mark.parametrize("place", ["variable", "file"])
@pytest.mark.parametrize(
    "service", ["account", "cloudtrail", "ec2", "events", "organizations", "scheduler", "ssm", "stepfunctions", "sts"]
)
def test_the_endpoint_of_a_service_is_botocores(
    service: str, place: str, bare: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = botocore.session.Session().get_service_model(service).service_id.hyphenize().replace("-", "_")
    general, own = "https://general.example", "https://own.example"
    config = tmp_path / "config"
    lines = [
        "[default]",
        f"endpoint_url = {general}",
        "services = s",
        "[services s]",
        f"{id} =",
        f"  endpoint_url = {own}",
    ]
    config.write_text("\n".join(lines))
    variables = {"AWS_ENDPOINT_URL": general, f"AWS_ENDPOINT_URL_{id.upper()}": own}
    environ = bare | (variables if place == "variable" else {"AWS_CONFIG_FILE": str(config)})
    monkeypatch.setattr(os, "environ", environ)
    session = botocore.session.Session()
    session.register_component("data_loader", _models())

    client = session.create_client(service, "us-east-2", aws_access_key_id="a", aws_secret_access_key="b")
    chosen = endpoint_url(environ, "default", service)

    assert chosen is not None
    assert chosen.value == client.meta.endpoint_url == own


# through the command


def test_what_contexts_show_and_doctor_tell_of_the_endpoint_is_what_is_used(outside: Outside) -> None:
    url = outside.environ["AWS_ENDPOINT_URL"]
    config = outside.home / ".aws" / "config"
    config.parent.mkdir()
    config.write_text(f"[default]\nservices = here\n[services here]\nssm =\n  endpoint_url = {url}\n")
    env = {"AWS_ENDPOINT_URL": None}

    shown = outside.json("contexts", "show", "-p", "aws", env=env)
    doctor = outside.run("doctor", "-p", "aws", "-o", "json", env={**env, "RUNCANCEL_AWS_STS_ENDPOINT_URL": url})

    row = next(row for row in shown["settings"] if row["key"] == "endpoint_url")
    (scope,) = doctor.document["scopes"]
    assert row["value"] == scope["endpoint"] == url
    assert row["origin"] == scope["endpoint_origin"]
    assert "services “here” of profile “default”" in row["origin"]
    assert scope["account"], str(doctor)


@pytest.mark.parametrize("cloud", HOSTS)
def test_contexts_show_and_doctor_tell_the_same_proxy(cloud: str, outside: Outside) -> None:
    endpoint = {"aws": "AWS_ENDPOINT_URL"}.get(cloud, f"RUNCANCEL_{cloud.upper()}_ENDPOINT_URL")
    env = {"ALL_PROXY": "http://me:hunter2@127.0.0.1:9", "NO_PROXY": None, "no_proxy": None, endpoint: None}

    shown = outside.run("contexts", "show", "-p", cloud, "-o", "json", env=env)
    doctor = outside.run("doctor", "-p", cloud, "--timeout", "0", "-o", "json", env=env)

    (row,) = [row for row in shown.document["settings"] if row["key"] == "proxy"]
    (scope,) = doctor.document["scopes"]
    assert row["value"] == scope["proxy"] == "http://…@127.0.0.1:9", str(doctor)
    assert row["origin"] == "ALL_PROXY"
    assert "hunter2" not in shown.out + shown.err + doctor.out + doctor.err


@pytest.mark.parametrize("cloud", ["aws", "alibaba", "tencent"])
def test_the_account_of_a_role_that_a_profile_names_is_shown(cloud: str, outside: Outside) -> None:
    if cloud == "aws":
        text = "[profile ops]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = ops\n"
        path = outside.home / ".aws" / "config"
    elif cloud == "alibaba":
        row = {"name": "ops", "mode": "RamRoleArn", "ram_role_arn": "acs:ram::111122223333:role/x"}
        text, path = json.dumps({"profiles": [row]}), outside.home / ".aliyun" / "config.json"
    else:
        text = json.dumps({"secretId": "a", "secretKey": "b", "role-arn": "qcs::cam::uin/111122223333:roleName/x"})
        path = outside.home / ".tccli" / "ops.credential"
    path.parent.mkdir()
    path.write_text(text)

    shown = outside.json("contexts", "show", "-p", cloud, "--profile", "ops")

    assert [row["value"] for row in shown["settings"] if row["key"] == "account"] == ["111122223333"]


@pytest.mark.parametrize(
    ("variables", "leads_here"),
    [
        ({}, True),
        ({"AWS_ENDPOINT_URL_STS": "HERE"}, True),
        ({"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1"}, False),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SSM": "HERE"}, False),
        ({"AWS_ENDPOINT_URL": None, "AWS_ENDPOINT_URL_SSM": "HERE"}, True),
        ({"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1", "RUNCANCEL_AWS_STS_ENDPOINT_URL": "HERE"}, True),
    ],
)
def test_sts_is_asked_where_its_own_variable_leads(
    variables: dict[str, str | None], leads_here: bool, outside: Outside
) -> None:
    here = outside.environ["AWS_ENDPOINT_URL"]
    env = {name: here if value == "HERE" else value for name, value in variables.items()}

    done = outside.run("doctor", "-p", "aws", "-o", "json", env=env)

    (scope,) = done.document["scopes"]
    assert (scope["account"] is not None) == leads_here, str(done)


@pytest.mark.parametrize("general", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSM"])
def test_step_functions_is_asked_where_its_own_variable_leads(general: str, outside: Outside) -> None:
    here = outside.environ["AWS_ENDPOINT_URL"]
    env = {"AWS_ENDPOINT_URL": None, general: "http://127.0.0.1:1", "AWS_ENDPOINT_URL_SFN": here}

    done = outside.run("status", MACHINE, "-o", "json", env=env)

    assert done.code == 0, str(done)
