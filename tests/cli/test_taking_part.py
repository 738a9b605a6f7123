"""Taking part is decided once: what was selected or is configured and cannot be used is an error, never left out."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from outside import COMMAND, KILLED, TENCENT, Outside, id_of

KEYS = {
    "aws": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "alibaba": ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    "tencent": ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"),
}
REGIONS = {"aws": "AWS_DEFAULT_REGION", "alibaba": "ALIBABA_CLOUD_REGION_ID", "tencent": "TENCENTCLOUD_REGION"}
every_cloud = pytest.mark.parametrize("cloud", KEYS)


def written(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def without(cloud: str) -> dict[str, None]:
    """Neither keys nor a region of one cloud in the environment."""
    return dict.fromkeys((*KEYS[cloud], REGIONS[cloud]))


def contexts(outside: Outside, *clouds: str, **more: str) -> None:
    rows = [f'[contexts.{cloud[0]}]\nprovider = "{cloud}"\n{more.get(cloud, "")}\n' for cloud in clouds]
    path = outside.home / ".config" / "runcancel" / "config.toml"
    written(path, "\n".join(rows))
    path.chmod(0o600)


def seen(document: Any) -> set[str]:
    return {run["provider"] for run in document["runs"]}


@every_cloud
def test_a_cloud_without_a_region_is_named_and_the_others_are_listed(cloud: str, outside: Outside) -> None:
    done = outside.run("list", "-o", "json", env={REGIONS[cloud]: None})

    assert done.code == 7, str(done)
    assert seen(done.document) == set(KEYS) - {cloud}
    assert done.document["complete"] is False
    assert [(error["code"], error["scope"]) for error in done.document["errors"]] == [("not_configured", cloud)]
    assert f"no region for {cloud}" in done.err
    assert REGIONS[cloud].replace("_DEFAULT", "") in done.err


@pytest.mark.parametrize("cloud", ["aws", "tencent"])
def test_a_context_that_was_named_is_never_left_out(cloud: str, outside: Outside) -> None:
    contexts(outside, "aws", "tencent")

    done = outside.run("list", "-c", "a,t", "-o", "json", env={REGIONS[cloud]: None})

    assert done.code == 7, str(done)
    assert done.document["complete"] is False
    assert [error["scope"] for error in done.document["errors"]] == [f"{cloud[0]}@{cloud}"]
    assert seen(done.document) == {"aws", "tencent"} - {cloud}


@every_cloud
def test_a_cancel_by_filter_does_not_claim_that_nothing_matches(cloud: str, outside: Outside) -> None:
    done = outside.run("cancel", "--name", "no-such-run", "--yes", env={REGIONS[cloud]: None})

    assert done.code == 7, str(done)
    assert "No runs match" not in done.err
    assert f"no region for {cloud}" in done.err


def test_doctor_has_a_row_for_what_cannot_be_asked(outside: Outside) -> None:
    done = outside.run("doctor", "-o", "json", env={"AWS_DEFAULT_REGION": None})

    rows = {row["provider"]: row for row in done.document["scopes"]}
    assert done.code == 7, str(done)
    assert rows["aws"]["ok"] is False
    assert "no region for" in rows["aws"]["remark"]
    assert rows["tencent"]["ok"]
    assert rows["alibaba"]["ok"]


BROKEN: Mapping[str, tuple[str, str, bytes | str, str]] = {
    "UTF-16": ("aws", ".aws/config", "[default]\nregion = us-east-2\n".encode("utf-16"), "is UTF-16 text"),
    "Latin-1": ("aws", ".aws/config", "[default]\nregion = us-east-2\n# é\n".encode("latin-1"), "line 3: is not UTF-8"),
    "no section": ("aws", ".aws/config", "region = us-east-2\n", "line 1: is not an ini file"),
    "half a line": ("aws", ".aws/credentials", "[default]\naws_access_key_id\n", "line 2: is not an ini file"),
    "twice": ("aws", ".aws/config", "[default]\nregion = a-b-1\nregion = a-b-2\n", "line 3: has the same option twice"),
    "no JSON": ("alibaba", ".aliyun/config.json", '{"current": "default",\n "profiles": [}', "line 2: is not JSON"),
    "no profiles": ("alibaba", ".aliyun/config.json", '{"current": "default"}', "has no list of profiles"),
    "a list": ("alibaba", ".aliyun/config.json", "[]", "has no JSON object"),
    "a comma": ("tencent", ".tccli/default.configure", '{"_sys_param": {\n"region": "x",\n}}', ": is not JSON"),
    "a comma in keys": ("tencent", ".tccli/default.credential", '{"secretId": "a",}', "line 1: is not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("flaw", BROKEN)
def test_a_file_that_cannot_be_read_is_named_with_line_and_cause(flaw: str, outside: Outside) -> None:
    cloud, path, content, says = BROKEN[flaw]
    written(outside.home / path, content)
    env: dict[str, None] = {REGIONS[cloud]: None} if path.endswith(".configure") else without(cloud)

    listed = outside.run("list", "-o", "json", env=env)
    cancelled = outside.run("cancel", "--name", "no-such-run", "--yes", env=env)

    assert listed.code == 7, str(listed)
    assert seen(listed.document) == set(KEYS) - {cloud}
    (error,) = listed.document["errors"]
    assert error["code"] == "no_credentials"
    assert str(outside.home / path) in error["message"]
    assert says in error["message"]
    assert cancelled.code == 7, str(cancelled)


ENDPOINTS = {name: f"RUNCANCEL_{name.upper()}_ENDPOINT_URL" for name in ("aws", "alibaba", "tencent")}


@every_cloud
def test_an_endpoint_that_cannot_be_used_is_a_row_that_names_its_variable(cloud: str, outside: Outside) -> None:
    listed = outside.run("list", "-o", "json", env={ENDPOINTS[cloud]: "http://example.com"})

    assert listed.code == 7, str(listed)
    assert seen(listed.document) == set(KEYS) - {cloud}
    (error,) = listed.document["errors"]
    assert error["code"] == "not_configured"
    assert ENDPOINTS[cloud] in (error["hint"] or "")


@every_cloud
def test_a_region_that_is_none_is_a_row_that_names_its_variable(cloud: str, outside: Outside) -> None:
    listed = outside.run("list", "-o", "json", env={REGIONS[cloud]: "no region"})

    assert listed.code == 7, str(listed)
    assert seen(listed.document) == set(KEYS) - {cloud}
    (error,) = listed.document["errors"]
    assert error["code"] == "not_configured"
    assert error["message"].startswith(f"{REGIONS[cloud]} “no region” is not a region")
    assert f"-r {cloud}:REGION" in error["hint"]


def test_a_folder_in_the_place_of_a_file_is_named(outside: Outside) -> None:
    (outside.home / ".aliyun" / "config.json").mkdir(parents=True)

    done = outside.run("list", "-o", "json", env=without("alibaba"))

    assert done.code == 7, str(done)
    assert "config.json: is not a file" in done.err


TYPOS = {"aws": "AWS_PROFILE", "alibaba": "ALIBABACLOUD_PROFILE", "tencent": "TCCLI_PROFILE"}


@every_cloud
def test_a_misspelt_profile_is_an_error_of_that_cloud(cloud: str, outside: Outside) -> None:
    profiles(outside, cloud, "prod")

    done = outside.run("list", "-o", "json", env={**without(cloud), TYPOS[cloud]: "prdo"})

    assert done.code == 7, str(done)
    assert seen(done.document) == set(KEYS) - {cloud}
    assert "there is no profile “prdo”" in done.err
    assert f"which {TYPOS[cloud]} names" in done.err
    assert "did you mean “prod”?" in done.err


@every_cloud
def test_a_context_whose_profile_is_not_there_is_a_row(cloud: str, outside: Outside) -> None:
    other = "tencent" if cloud != "tencent" else "aws"
    contexts(outside, cloud, other, **{cloud: 'profile = "nobody"'})

    done = outside.run("list", "-c", f"{cloud[0]},{other[0]}" if cloud[0] != other[0] else "a,t", "-o", "json")

    assert done.code == 7, str(done)
    assert seen(done.document) == {other}
    assert "there is no profile “nobody”" in done.err


def profiles(outside: Outside, cloud: str, name: str) -> None:
    """One profile of a vendor, with keys that work and a region."""
    keys = outside.box.environment()
    pair = [keys[each] for each in KEYS[cloud]]
    if cloud == "aws":
        section = f"aws_access_key_id = {pair[0]}\naws_secret_access_key = {pair[1]}\nregion = us-east-2\n"
        written(outside.home / ".aws" / "config", f'[profile "{name}"]\n{section}')
    elif cloud == "alibaba":
        row = {"name": name, "mode": "AK", "access_key_id": pair[0], "access_key_secret": pair[1]}
        document = {"current": name, "profiles": [{**row, "region_id": "cn-hangzhou"}]}
        written(outside.home / ".aliyun" / "config.json", json.dumps(document))
    else:
        row = {"secretId": pair[0], "secretKey": pair[1]}
        written(outside.home / ".tccli" / f"{name}.credential", json.dumps(row))
        written(outside.home / ".tccli" / f"{name}.configure", json.dumps({"_sys_param": {"region": "ap-guangzhou"}}))


@pytest.mark.parametrize("name", ["my prod", "生产 环境", "prod@home", "a.b-c"])
@every_cloud
def test_any_name_of_a_profile_works(cloud: str, name: str, outside: Outside) -> None:
    profiles(outside, cloud, name)

    done = outside.run("list", "-p", cloud, "--profile", name, "-o", "json", env=without(cloud))

    assert done.code == 0, str(done)
    assert {run["context"] for run in done.document["runs"]} == {name}
    ref = done.document["runs"][0]["ref"]
    assert outside.json("status", ref, env=without(cloud))["runs"][0]["ref"] == ref


MARKED = {
    ".aliyun/config.json": "alibaba",
    ".tccli/default.credential": "tencent",
    ".tccli/default.configure": "tencent",
    ".aws/config": "aws",
}


@pytest.mark.parametrize("path", MARKED)
def test_a_byte_order_mark_is_read(path: str, outside: Outside) -> None:
    cloud = MARKED[path]
    profiles(outside, cloud, "default")
    file = outside.home / path
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())

    done = outside.run("list", "-p", cloud, "-o", "json", env=without(cloud))

    assert done.code == 0, str(done)
    assert seen(done.document) == {cloud}


@pytest.mark.parametrize("cloud", KEYS)
def test_a_byte_order_mark_in_a_file_of_keys_is_read(cloud: str, outside: Outside) -> None:
    id, secret = (outside.box.environment()[name] for name in KEYS[cloud])
    path, text = {
        "aws": (".aws/credentials", f"[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
        "alibaba": (
            ".alibabacloud/credentials.ini",
            f"[default]\ntype = access_key\naccess_key_id = {id}\naccess_key_secret = {secret}\n",
        ),
        "tencent": (".tencentcloud/credentials", f"[default]\nsecret_id = {id}\nsecret_key = {secret}\n"),
    }[cloud]
    written(outside.home / path, b"\xef\xbb\xbf" + text.encode())

    done = outside.run("list", "-p", cloud, "-o", "json", env=dict.fromkeys(KEYS[cloud]))

    assert done.code == 0, str(done)
    assert seen(done.document) == {cloud}


def test_a_byte_order_mark_before_a_profile_with_a_role_and_its_source(outside: Outside) -> None:
    id, secret = (outside.box.environment()[name] for name in KEYS["aws"])
    text = f"[profile base]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
    text += (
        "[profile ops]\nregion = us-east-2\nrole_arn = arn:aws:iam::111122223333:role/nobody\nsource_profile = base\n"
    )
    written(outside.home / ".aws" / "config", b"\xef\xbb\xbf" + text.encode())

    done = outside.run("list", "-p", "aws", "--profile", "ops", "-o", "json", env=without("aws"))

    assert "role arn:aws:iam::111122223333:role/nobody of profile ops" in done.err, str(done)


def test_each_cloud_takes_its_own_regions_out_of_one_list(outside: Outside) -> None:
    done = outside.run("list", "-r", "us-east-2,ap-guangzhou", "-o", "json")

    assert done.code == 0, str(done)
    assert seen(done.document) == {"aws", "tencent"}


def test_a_named_cloud_that_has_none_of_the_regions_is_said(outside: Outside) -> None:
    done = outside.run("list", "-p", "aws,tencent", "-r", "us-east-2", "-o", "json")

    assert done.code == 0, str(done)
    assert "-r names no region of tencent; not searched" in done.err


@every_cloud
def test_a_run_whose_profile_cannot_be_used_is_a_row_beside_the_others(cloud: str, outside: Outside) -> None:
    runs = {"aws": COMMAND, "alibaba": KILLED, "tencent": TENCENT}
    other = runs["tencent" if cloud != "tencent" else "aws"]
    env = {**without(cloud), TYPOS[cloud]: "nowhere"}

    status = outside.run("status", id_of(runs[cloud]), other, "-o", "json", env=env)
    cancelled = outside.run("cancel", id_of(runs[cloud]), other, "-o", "json", "--accept-reported", env=env)

    assert [run["ref"] for run in status.document["runs"]] == [other]
    assert [error["code"] for error in status.document["errors"]] == ["no_credentials"]
    assert "there is no profile “nowhere”" in status.err
    assert cancelled.code == 3, str(cancelled)
    assert cancelled.outcomes[other]["verdict"] in ("stopped", "reported")
    assert {each["provider"] for each in outside.requests()} == {other.partition(":")[0]}
