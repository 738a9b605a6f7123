"""The vendors' files are read and never written; what has to be asked for keys is asked once."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from outside import COMMAND, KILLED, TENCENT, Outside

RUNS = {"aws": COMMAND, "alibaba": KILLED, "tencent": TENCENT}
NOTHING: Mapping[str, None] = dict.fromkeys(
    (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID"),
        *("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"),
    )
)
VERBS = (
    ("list", "-o", "json"),
    ("doctor", "-o", "json"),
    ("status", *RUNS.values()),
    ("invocations", *RUNS.values()),
    ("logs", *RUNS.values()),
    ("contexts", "show", "-o", "json"),
    ("cancel", *RUNS.values(), "-n"),
    ("cancel", *RUNS.values(), "--timeout", "2s"),
    ("wait", *RUNS.values(), "--timeout", "1s"),
    ("history",),
    ("permissions", "-p", "aws"),
)


def written(path: Path, content: str | Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def counting(outside: Outside, name: str, says: object, *, status: int = 0) -> Path:
    """A command that prints something and leaves a line each time that it runs."""
    told = written(outside.home / f"{name}.out", says if isinstance(says, str) else json.dumps(says))
    ran = outside.home / f"{name}.ran"
    script = f"#!/bin/sh\necho ran >> {ran}\ncat {told}\nexit {status}\n"
    path = written(outside.home / f"{name}.sh", script)
    path.chmod(0o700)
    return path


def times(outside: Outside, name: str) -> int:
    ran = outside.home / f"{name}.ran"
    return len(ran.read_text().splitlines()) if ran.exists() else 0


def by_commands(outside: Outside) -> None:
    """AWS and Alibaba Cloud by commands, Tencent Cloud by a role; Alibaba's file is a link, as many keep it."""
    keys = outside.box.environment(sort="temporary")
    given = {"Version": 1, "AccessKeyId": keys["AWS_ACCESS_KEY_ID"], "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"]}
    given |= {"SessionToken": keys["AWS_SESSION_TOKEN"], "Expiration": "2099-01-01T00:00:00Z"}
    command = counting(outside, "aws", given)
    written(outside.home / ".aws" / "config", f"[default]\nregion = us-east-2\ncredential_process = {command}\n")
    names = {"access_key_id": "ACCESS_KEY_ID", "access_key_secret": "ACCESS_KEY_SECRET", "sts_token": "SECURITY_TOKEN"}
    row = {name: keys[f"ALIBABA_CLOUD_{variable}"] for name, variable in names.items()}
    command = counting(outside, "aliyun", {"mode": "StsToken", **row})
    profile = {"name": "default", "mode": "External", "process_command": str(command), "region_id": "cn-hangzhou"}
    real = written(outside.home / "dotfiles" / "aliyun.json", {"current": "default", "profiles": [profile]})
    (outside.home / ".aliyun").mkdir()
    (outside.home / ".aliyun" / "config.json").symlink_to(real)
    static = outside.box.environment()
    pair = {"secretId": static["TENCENTCLOUD_SECRET_ID"], "secretKey": static["TENCENTCLOUD_SECRET_KEY"]}
    role = {"role-arn": "qcs::cam::uin/100000000001:roleName/x", "role-session-name": "ops"}
    written(outside.home / ".tccli" / "default.credential", {**pair, **role})
    written(outside.home / ".tccli" / "default.configure", {"_sys_param": {"region": "ap-guangzhou"}})


VENDORS = (".aws", ".aliyun", ".alibabacloud", ".tccli", ".tencentcloud", "dotfiles")


def sight(home: Path) -> dict[str, object]:
    """Everything in the vendors' folders: link, mode, inode, time of change and bytes."""
    found: dict[str, object] = {}
    for path in sorted(each for name in VENDORS for each in (home / name, *(home / name).rglob("*"))):
        if not path.exists():
            continue
        about = path.lstat()
        link = os.readlink(path) if path.is_symlink() else None
        content = path.read_bytes() if path.is_file() else None
        stamp = about.st_mtime_ns
        found[str(path)] = (link, about.st_mode, about.st_ino, stamp, content)
    return found


def test_no_verb_writes_a_vendors_file_and_each_asks_for_keys_once(outside: Outside) -> None:
    by_commands(outside)
    before = sight(outside.home)

    for argv in VERBS:
        ran = {name: times(outside, name) for name in ("aws", "aliyun")}
        done = outside.run(*argv, env=NOTHING)

        assert sight(outside.home) == before, str(done)
        assert done.code in (0, 8), str(done)
        assert all(times(outside, name) - before_it <= 1 for name, before_it in ran.items()), str(done)


@pytest.mark.parametrize("cloud", ["aws", "alibaba"])
def test_a_command_serves_every_region_once(cloud: str, outside: Outside) -> None:
    by_commands(outside)

    done = outside.run("list", "-p", cloud, "-r", "all", "-o", "json", env=NOTHING)

    assert done.code == 0, str(done)
    assert times(outside, "aws" if cloud == "aws" else "aliyun") == 1


@pytest.mark.parametrize("cloud", ["aws", "alibaba"])
def test_a_command_that_fails_is_run_once_for_all_regions_and_runs(cloud: str, outside: Outside) -> None:
    by_commands(outside)
    name = "aws" if cloud == "aws" else "aliyun"
    counting(outside, name, "Opening your browser\n")

    listed = outside.run("list", "-r", "all", "-o", "json", env=NOTHING)
    asked = times(outside, name)
    cancelled = outside.run("cancel", RUNS[cloud], TENCENT, "-o", "json", env=NOTHING)

    assert listed.code == 7, str(listed)
    assert asked == 1
    assert times(outside, name) == 2
    assert {run["provider"] for run in listed.document["runs"]} == {"aws", "alibaba", "tencent"} - {cloud}
    assert f"profile default{' in ' if cloud == 'alibaba' else ''}" in listed.err
    assert "printed no JSON: “Opening your browser”" in listed.err
    assert cancelled.code == 3, str(cancelled)
    assert cancelled.outcomes[TENCENT]["verdict"] in ("stopped", "reported")
    assert cancelled.outcomes[RUNS[cloud]]["error"]["code"] == "no_credentials"


def test_a_role_that_cannot_be_assumed_is_asked_for_once(outside: Outside) -> None:
    by_commands(outside)
    role = {"TENCENTCLOUD_ROLE_ARN": "qcs::cam::uin/1:roleName/x", "TENCENTCLOUD_ROLE_SESSION_NAME": "ops"}

    done = outside.run("list", "-p", "tencent", "-r", "all", "-o", "json", env={**NOTHING, **role})

    assert done.code in (4, 7), str(done)
    assert outside.actions().count("AssumeRole") == 1
    assert done.document["runs"] == []


def test_a_sign_in_of_the_aws_cli_is_used_and_never_renewed(outside: Outside) -> None:
    config = "[default]\nregion = us-east-2\nsso_session = s\nsso_account_id = 111122223333\nsso_role_name = x\n"
    config += "[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://x.awsapps.com/start\n"
    written(outside.home / ".aws" / "config", config)
    name = "a0f1490a20d0211c997b44bc357e1972deab8ae3"  # sha1 of "s"
    token = {"accessToken": "t", "expiresAt": "2020-01-01T00:00:00Z", "refreshToken": "r", "clientId": "c"}
    token |= {"clientSecret": "s", "registrationExpiresAt": "2099-01-01T00:00:00Z"}
    written(outside.home / ".aws" / "sso" / "cache" / f"{name}.json", token)
    before = sight(outside.home)

    done = outside.run("status", COMMAND, "-o", "json", env=NOTHING)

    assert done.code == 4, str(done)
    assert [error["code"] for error in done.document["errors"]] == ["expired_credentials"]
    assert "aws sso login" in done.err
    assert outside.requests() == []
    assert sight(outside.home) == before
