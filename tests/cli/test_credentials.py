"""Where keys and regions come from, and replies that prove nothing: what was asked is judged by what is seen."""

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from outside import COMMAND, KILLED, TENCENT, Done, Outside, id_of

RUNS = {"aws": COMMAND, "alibaba": KILLED, "tencent": TENCENT}
CANCELS = {"aws": "CancelCommand", "alibaba": "StopInvocation", "tencent": "CancelInvocation"}
SEEN = {"stopped", "reported"}
STOPPED = {"cancelled", "terminated", "succeeded"}

every_cloud = pytest.mark.parametrize("cloud", RUNS)

NO_AWS: Mapping[str, None] = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"))
NO_ALIBABA: Mapping[str, None] = dict.fromkeys(
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_REGION_ID")
)
NO_TENCENT: Mapping[str, None] = dict.fromkeys(
    ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_REGION")
)


def written(path: Path, content: str | dict[str, Any]) -> None:
    """A file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def references(document: Any) -> list[str]:
    return [run["ref"] for run in document["runs"]]


# regions


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": None}, "AWS_REGION"),
        ({"AWS_REGION": "us-east-2", "AWS_DEFAULT_REGION": "eu-west-1"}, "AWS_REGION"),
    ],
    ids=["AWS_REGION alone", "AWS_REGION first"],
)
def test_aws_regions_out_of_either_variable(env: dict[str, str | None], said: str, outside: Outside) -> None:
    done = outside.run("status", id_of(COMMAND), "-v", "-o", "json", env=env)

    assert references(done.document) == [COMMAND]
    assert f"region from {said}" in done.err


@pytest.mark.parametrize("name", ["ALIBABA_CLOUD_REGION_ID", "ALIBABACLOUD_REGION_ID", "ALICLOUD_REGION_ID"])
def test_alibaba_regions_out_of_every_spelling(name: str, outside: Outside) -> None:
    env = {"ALIBABA_CLOUD_REGION_ID": None, name: "cn-hangzhou"}

    done = outside.run("status", id_of(KILLED), "-v", "-o", "json", env=env)

    assert references(done.document) == [KILLED]
    assert f"region from {name}" in done.err


def test_what_a_reference_says_wins_over_every_variable(outside: Outside) -> None:
    elsewhere = {"TENCENTCLOUD_REGION": "ap-shanghai", "RUNCANCEL_REGION": "us-east-1", "RUNCANCEL_PROVIDER": "aws"}

    assert references(outside.json("status", TENCENT, env=elsewhere)) == [TENCENT]


@pytest.mark.parametrize(
    ("id", "env"),
    [
        (id_of(COMMAND), {"AWS_DEFAULT_REGION": None}),
        (id_of(KILLED), {"ALIBABA_CLOUD_REGION_ID": None}),
        (id_of(TENCENT), {"TENCENTCLOUD_REGION": None}),
    ],
)
def test_no_region_is_never_guessed(id: str, env: dict[str, None], outside: Outside) -> None:
    done = outside.run("status", id, env=env)

    assert done.code == 2
    assert "no region" in done.err
    assert "-r REGION" in done.err
    assert outside.requests() == []


# keys


def test_temporary_keys_travel_with_their_token(outside: Outside) -> None:
    env = outside.box.environment(sort="temporary")

    assert references(outside.json("status", *RUNS.values(), env=env)) == list(RUNS.values())


def test_temporary_keys_without_their_token_are_refused(outside: Outside) -> None:
    tokens = ("TENCENTCLOUD_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
    env = {**outside.box.environment(sort="temporary"), **dict.fromkeys(tokens)}

    done = outside.run("status", *RUNS.values(), "-o", "json", env=env)

    assert done.code == 4, str(done)
    assert done.document["runs"] == []
    assert {error["code"] for error in done.document["errors"]} <= {"bad_credentials", "expired_credentials"}


@pytest.mark.parametrize("prefix", ["ALIBABACLOUD", "ALICLOUD"])
def test_alibabas_other_spellings_of_keys(prefix: str, outside: Outside) -> None:
    keys = outside.box.environment()
    parts = ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET")
    env = {**NO_ALIBABA, **{f"{prefix}_{part}": keys[f"ALIBABA_CLOUD_{part}"] for part in parts}}

    assert references(outside.json("status", KILLED, env=env)) == [KILLED]


@pytest.mark.parametrize(
    ("missing", "cloud"),
    [
        ("AWS_SECRET_ACCESS_KEY", "aws"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "alibaba"),
        ("TENCENTCLOUD_SECRET_KEY", "tencent"),
    ],
)
def test_half_a_key_is_said(missing: str, cloud: str, outside: Outside) -> None:
    done = outside.run("status", RUNS[cloud], "-o", "json", env={missing: None})

    assert done.code == 4, str(done)
    assert [error["code"] for error in done.document["errors"]] == ["no_credentials"]
    assert missing.lower() in done.err.lower()
    assert outside.requests() == []


# the vendors' own profile files


def tccli(outside: Outside, name: str, **more: str) -> None:
    keys = outside.box.environment(sort="temporary")
    written(
        outside.home / ".tccli" / f"{name}.credential",
        {
            "secretId": keys["TENCENTCLOUD_SECRET_ID"],
            "secretKey": keys["TENCENTCLOUD_SECRET_KEY"],
            "token": keys["TENCENTCLOUD_TOKEN"],
            **more,
        },
    )
    written(
        outside.home / ".tccli" / f"{name}.configure",
        {"_sys_param": {"region": "ap-guangzhou", "output": "json"}, "tat": {"endpoint": "tat.tencentcloudapi.com"}},
    )


def aliyun(outside: Outside, *names: str, current: str) -> None:
    keys = outside.box.environment()
    written(
        outside.home / ".aliyun" / "config.json",
        {
            "current": current,
            "profiles": [
                {
                    "name": name,
                    "mode": "AK",
                    "access_key_id": keys["ALIBABA_CLOUD_ACCESS_KEY_ID"],
                    "access_key_secret": keys["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
                    "region_id": "cn-hangzhou",
                }
                for name in names
            ],
        },
    )


def aws(outside: Outside, name: str) -> None:
    keys = outside.box.environment()
    section = name if name == "default" else f"profile {name}"
    written(outside.home / ".aws" / "config", f"[{section}]\nregion = us-east-2\n")
    written(
        outside.home / ".aws" / "credentials",
        f"[{name}]\naws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\n",
    )


def test_tcclis_default_profile(outside: Outside) -> None:
    tccli(outside, "default")

    done = outside.run("status", id_of(TENCENT), "-v", "-o", "json", env=NO_TENCENT)

    assert references(done.document) == [TENCENT]
    assert "profile default in " in done.err
    assert ".tccli/default.configure" in done.err


def test_alibabas_current_profile(outside: Outside) -> None:
    aliyun(outside, "other", "work", current="work")

    done = outside.run("status", id_of(KILLED), "-v", "-o", "json", env=NO_ALIBABA)

    assert references(done.document) == [KILLED]
    assert "profile work in " in done.err
    assert ".aliyun/config.json" in done.err


def test_awss_default_profile(outside: Outside) -> None:
    aws(outside, "default")

    done = outside.run("status", id_of(COMMAND), "-v", "-o", "json", env=NO_AWS)

    assert references(done.document) == [COMMAND]
    assert "region from profile" in done.err


@pytest.mark.parametrize("cloud", ["aws", "alibaba", "tencent"])
def test_a_named_profile_is_printed_and_accepted_before_the_reference(cloud: str, outside: Outside) -> None:
    if cloud == "aws":
        aws(outside, "work")
    elif cloud == "alibaba":
        aliyun(outside, "work", current="")
    else:
        tccli(outside, "work")
    ref = f"work@{RUNS[cloud]}"
    nothing = {**NO_AWS, **NO_ALIBABA, **NO_TENCENT}

    document = outside.json("status", id_of(RUNS[cloud]), "--profile", "work", env=nothing)

    assert references(document) == [ref]
    assert document["runs"][0]["context"] == "work"
    assert outside.json("cancel", ref, "--dry-run", env=nothing)["plan"][0]["run"] == ref


@every_cloud
def test_a_profile_that_is_not_there_excludes_the_environment(cloud: str, outside: Outside) -> None:
    done = outside.run("status", RUNS[cloud], "--profile", "nobody", "-o", "json")

    assert done.code == 4, str(done)
    assert [error["code"] for error in done.document["errors"]] == ["no_credentials"]
    assert "nobody" in done.err
    assert outside.requests() == []


@pytest.mark.parametrize(
    ("path", "cloud", "nothing"),
    [
        (".tccli/default.credential", "tencent", NO_TENCENT),
        (".aliyun/config.json", "alibaba", NO_ALIBABA),
        (".aws/credentials", "aws", NO_AWS),
    ],
)
def test_a_broken_file_is_named_and_not_quoted(
    path: str, cloud: str, nothing: Mapping[str, None], outside: Outside
) -> None:
    written(outside.home / path, "canary-secret { not a file of anybody")

    done = outside.run("status", RUNS[cloud], "-o", "json", env=nothing)

    assert done.code == 4, str(done)
    assert Path(path).name in done.err
    assert "canary" not in done.out + done.err


def test_an_expired_login_of_tccli_is_said_before_anything_is_sent(outside: Outside) -> None:
    tccli(outside, "default")
    path = outside.home / ".tccli" / "default.credential"
    written(path, {**json.loads(path.read_text()), "type": "oauth", "expiresAt": 1_700_000_000})

    done = outside.run("status", TENCENT, "-o", "json", env=NO_TENCENT)

    assert done.code == 4, str(done)
    assert [error["code"] for error in done.document["errors"]] == ["expired_credentials"]
    assert outside.requests() == []


# what a cloud says


class _Deaf(BaseHTTPRequestHandler):
    """Answers nothing that could be understood, and keeps the headers of what it was asked."""

    heard: ClassVar[list[Mapping[str, str]]] = []

    def do_POST(self) -> None:
        self.heard.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


def test_tencent_is_asked_to_speak_english(outside: Outside) -> None:
    _Deaf.heard.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Deaf) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"

        outside.run("status", TENCENT, "--timeout", "1s", env={"RUNCANCEL_TENCENT_ENDPOINT_URL": url})
        server.shutdown()

    assert {headers["x-tc-language"] for headers in _Deaf.heard} == {"en-US"}


WORKED = {
    "no-request-id": "no-request-id*1",
    "drop-after": "drop-after*1",
    "500 that worked": "http-500*1,effect=true",
    "503 page that worked": "http-503*1,effect=true,html=true",
    "200 page that worked": "html-200*1,effect=true",
    "empty object that worked": "empty-object-200*1,effect=true",
    "half an answer": "half-json*1",
    "not stoppable, because stopped": "not-stoppable*1,effect=true",
}


def cancelled(outside: Outside, *faults: str) -> Done:
    """A cancel on all three clouds, each with the same faults."""
    outside.faults(*(f"{operation}={fault}" for operation in CANCELS.values() for fault in faults))
    return outside.run("cancel", *RUNS.values(), "-o", "json", "--accept-reported", "--timeout", "8s")


@pytest.mark.parametrize("fault", WORKED.values(), ids=WORKED)
def test_a_cancel_whose_answer_proves_nothing_is_judged_by_the_state(fault: str, outside: Outside) -> None:
    done = cancelled(outside, fault)

    assert done.code == 0, str(done)
    for ref, told in done.outcomes.items():
        assert told["verdict"] in SEEN
        assert set(outside.states(ref)) <= STOPPED
        assert len(outside.effective(ref)) == 1
        assert max(target["cancels"] for target in outside.truth(ref)["targets"]) == 1


NEVER = {
    "200 page": ("html-200", "unproven"),
    "empty object": ("empty-object-200", "unproven"),
    "5xx": ("http-503", "down"),
    "dropped before": ("drop-before", "lost"),
}


@pytest.mark.parametrize(("fault", "reason"), NEVER.values(), ids=NEVER)
def test_an_answer_that_is_none_is_never_taken_for_a_cancel(fault: str, reason: str, outside: Outside) -> None:
    done = cancelled(outside, fault)

    assert done.code == 8, str(done)
    assert len(done.outcomes) == len(RUNS)
    for ref, told in done.outcomes.items():
        assert told["verdict"] == "in-doubt"
        assert told["error"]["code"] == reason
        assert told["request_ids"] == []
        assert not outside.effective(ref)
        assert {one["effect"] for one in told["invocations"]} <= {"unknown", "already-ended"}


def test_what_certainly_did_nothing_once_is_asked_again(outside: Outside) -> None:
    done = cancelled(outside, "drop-before*1")

    assert done.code == 0, str(done)
    for cloud, ref in RUNS.items():
        assert len(outside.effective(ref)) == 1
        asked = [each["action"] for each in outside.requests() if each["provider"] == cloud]
        first = asked.index(CANCELS[cloud])
        again = asked.index(CANCELS[cloud], first + 1)
        assert again > first + 1, "the state is read before a cancel is repeated"


def test_a_window_cancel_that_echoes_another_id_proves_nothing_by_itself(outside: Outside) -> None:
    window = outside.add("aws", "maintenance-window", targets={"pending": 4})
    outside.faults("CancelMaintenanceWindowExecution=foreign-echo")

    done = outside.run("cancel", window, "-o", "json")

    assert done.code == 0, str(done)
    assert done.outcomes[window]["verdict"] == "stopped"
    assert done.outcomes[window]["request_ids"] == []
    assert len(outside.effective(window)) == 1


def test_tencent_replies_with_a_charset_are_read(outside: Outside) -> None:
    outside.faults("tencent:*=charset")

    done = outside.run("cancel", TENCENT, "-o", "json")

    assert done.code == 0, str(done)
    assert done.outcomes[TENCENT]["verdict"] == "stopped"


@pytest.mark.parametrize("disguise", ["charset", "odd-type"])
def test_an_error_under_an_unusual_content_type_is_an_error(disguise: str, outside: Outside) -> None:
    done = cancelled(outside, disguise, "denied")

    assert done.code == 4, str(done)
    assert [error["code"] for error in done.document["errors"]] == ["denied"] * len(RUNS)


# where requests go


@pytest.mark.parametrize("host", ["10.0.0.1", "127.0.0.1.example.invalid"])
@pytest.mark.parametrize(
    ("name", "cloud"),
    [
        ("AWS_ENDPOINT_URL", "aws"),
        ("AWS_ENDPOINT_URL_SSM", "aws"),
        ("RUNCANCEL_ALIBABA_ENDPOINT_URL", "alibaba"),
        ("RUNCANCEL_TENCENT_ENDPOINT_URL", "tencent"),
    ],
)
def test_plain_http_goes_to_this_machine_only(name: str, cloud: str, host: str, outside: Outside) -> None:
    done = outside.run("cancel", RUNS[cloud], "-o", "json", env={name: f"http://{host}:{outside.box.port}"})

    assert done.code == 1, str(done)
    assert [error["code"] for error in done.document["errors"]] == ["not_configured"]
    assert "loopback" in done.err
    assert outside.requests() == []


def test_a_proxy_is_not_asked_for_this_machine(outside: Outside) -> None:
    dead = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:1")

    document = outside.json("status", COMMAND, KILLED, TENCENT, env=dead)

    assert references(document) == [COMMAND, KILLED, TENCENT]


def test_what_answers_nobody_is_unreachable(outside: Outside) -> None:
    nowhere = dict.fromkeys(
        ("AWS_ENDPOINT_URL", "RUNCANCEL_ALIBABA_ENDPOINT_URL", "RUNCANCEL_TENCENT_ENDPOINT_URL"), "http://127.0.0.1:9"
    )

    done = outside.run("status", *RUNS.values(), "--timeout", "1s", "-o", "json", env=nowhere)

    assert done.code == 7, str(done)
    assert [error["code"] for error in done.document["errors"]] == ["unreachable"] * len(RUNS)
    assert all(error["retryable"] for error in done.document["errors"])


# one answer to "which profile": whose keys are used is what the guards see


def two_profiles(outside: Outside, cloud: str, *, current: str = "dev") -> None:
    """The profiles `dev` and `prod` of one vendor, each with keys that work; `prod` is a protected context."""
    keys = outside.box.environment()
    if cloud == "aws":
        pair = f"aws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = "
        pair += f"{keys['AWS_SECRET_ACCESS_KEY']}\nregion = us-east-2\n"
        written(outside.home / ".aws" / "config", f"[profile dev]\n{pair}[profile prod]\n{pair}")
    elif cloud == "alibaba":
        aliyun(outside, "dev", "prod", current=current)
    else:
        tccli(outside, "dev")
        tccli(outside, "prod")
        for name in ("dev", "prod"):
            path = outside.home / ".tccli" / f"{name}.credential"
            pair = {"secretId": keys["TENCENTCLOUD_SECRET_ID"], "secretKey": keys["TENCENTCLOUD_SECRET_KEY"]}
            path.write_text(json.dumps(pair))
    context = f'[contexts.live]\nprovider = "{cloud}"\nprofile = "prod"\nprotected = true\n'
    written(outside.home / ".config" / "runcancel" / "config.toml", context)
    (outside.home / ".config" / "runcancel" / "config.toml").chmod(0o600)


@pytest.mark.parametrize(
    ("cloud", "current", "env", "guarded"),
    [
        ("aws", "", {"AWS_DEFAULT_PROFILE": "prod", "AWS_PROFILE": "dev"}, True),
        ("aws", "", {"AWS_DEFAULT_PROFILE": "dev", "AWS_PROFILE": "prod"}, False),
        ("aws", "", {"AWS_DEFAULT_PROFILE": "", "AWS_PROFILE": "prod"}, True),
        ("aws", "", {"AWS_PROFILE": "prod"}, True),
        ("alibaba", "dev", {"ALIBABACLOUD_PROFILE": "prod", "ALIBABA_CLOUD_PROFILE": "dev"}, True),
        ("alibaba", "prod", {"ALIBABACLOUD_PROFILE": "dev", "ALIBABA_CLOUD_PROFILE": "prod"}, False),
        ("alibaba", "dev", {"ALIBABACLOUD_PROFILE": "", "ALIBABA_CLOUD_PROFILE": "", "ALICLOUD_PROFILE": "prod"}, True),
        ("alibaba", "prod", {}, True),
        ("alibaba", "dev", {}, False),
        ("tencent", "", {"TCCLI_PROFILE": "prod"}, True),
        ("tencent", "", {"TCCLI_PROFILE": "dev"}, False),
    ],
)
def test_a_protected_profile_is_protected_by_whatever_way_it_is_chosen(
    cloud: str, current: str, env: dict[str, str], guarded: bool, outside: Outside
) -> None:
    two_profiles(outside, cloud, current=current)
    nothing = {**NO_AWS, **NO_ALIBABA, **NO_TENCENT}

    done = outside.run("cancel", RUNS[cloud], "-o", "json", env={**nothing, **env})

    assert (done.code == 6) is guarded, str(done)
    assert bool(outside.writes()) is not guarded
    assert ("live" in done.err) is guarded


# roles in the environment

A_ROLE, T_ROLE = "acs:ram::1234567890123456:role/ops", "qcs::cam::uin/100000000001:roleName/ops"
A_STRANGER = "acs:ram::9999999999999999:role/nobody-in-particular"
ROLES: Mapping[str, tuple[str, dict[str, str | None], str]] = {
    "tencent": ("tencent", {"TENCENTCLOUD_ROLE_ARN": T_ROLE, "TENCENTCLOUD_ROLE_SESSION_NAME": "me"}, "AssumeRole"),
    "tencent pod": (
        "tencent",
        {"TKE_REGION": "ap-guangzhou", "TKE_PROVIDER_ID": "p", "TKE_ROLE_ARN": T_ROLE},
        "AssumeRoleWithWebIdentity",
    ),
    "alibaba": ("alibaba", {"ALIBABA_CLOUD_ROLE_ARN": A_ROLE}, "AssumeRole"),
    "alibaba, the other spelling": ("alibaba", {"ALIBABACLOUD_ROLE_ARN": A_ROLE}, "AssumeRole"),
    "alibaba OIDC": (
        "alibaba",
        {**NO_ALIBABA, "ALIBABA_CLOUD_ROLE_ARN": A_ROLE, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc/p"},
        "AssumeRoleWithOIDC",
    ),
}  # fmt: skip


def with_token(outside: Outside, env: Mapping[str, str | None]) -> dict[str, str | None]:
    """The variables, and the file of a token where one is used."""
    token = outside.home / "token"
    token.write_text("a token\n".replace(" ", "-"))
    names = {"TKE_PROVIDER_ID": "TKE_WEB_IDENTITY_TOKEN_FILE"}
    names |= {"ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "ALIBABA_CLOUD_OIDC_TOKEN_FILE"}
    return {**env, "ALIBABA_CLOUD_REGION_ID": "cn-hangzhou"} | {names[one]: str(token) for one in env if one in names}


@pytest.mark.parametrize("name", ROLES)
def test_a_role_of_the_environment_is_assumed_once_for_all_regions(name: str, outside: Outside) -> None:
    cloud, env, action = ROLES[name]

    done = outside.run("doctor", "-p", cloud, "-r", "all", "-o", "json", env=with_token(outside, env))

    assert done.code == 0, str(done)
    assert all(":assumed-role/ops" in row["principal"] for row in done.document["scopes"])
    assert outside.actions().count(action) == 1


LACKING: Mapping[str, tuple[str, dict[str, str | None], str]] = {
    "tencent session": ("tencent", {"TENCENTCLOUD_ROLE_ARN": T_ROLE}, "TENCENTCLOUD_ROLE_SESSION_NAME is not"),
    "tencent pod": ("tencent", {"TKE_ROLE_ARN": T_ROLE}, "TKE_ROLE_ARN is set but TKE_REGION is not"),
    "tencent stranger": (
        "tencent",
        {"TENCENTCLOUD_ROLE_ARN": "qcs::cam::uin/1:roleName/x", "TENCENTCLOUD_ROLE_SESSION_NAME": "me"},
        "role qcs::cam::uin/1:roleName/x of TENCENTCLOUD_ROLE_ARN",
    ),
    "alibaba stranger": ("alibaba", {"ALIBABA_CLOUD_ROLE_ARN": A_STRANGER}, f"role {A_STRANGER} of"),
    "alibaba without keys": (
        "alibaba",
        {**NO_ALIBABA, "ALIBABA_CLOUD_ROLE_ARN": A_ROLE, "ALIBABACLOUD_REGION_ID": "cn-hangzhou"},
        "there are no keys to assume it with",
    ),
    "alibaba half of OIDC": (
        "alibaba",
        {**NO_ALIBABA, "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/token", "ALIBABACLOUD_REGION_ID": "cn-hangzhou"},
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE is set but ALIBABA_CLOUD_ROLE_ARN is not",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LACKING)
def test_the_base_account_never_answers_in_the_place_of_a_role(name: str, outside: Outside) -> None:
    cloud, env, says = LACKING[name]

    done = outside.run("cancel", RUNS[cloud], "-o", "json", env=env)

    assert done.code == 4, str(done)
    assert says in done.err
    assert outside.writes() == []
    assert {each["action"] for each in outside.requests()} <= {"AssumeRole"}


def test_a_named_profile_leaves_the_role_of_the_environment_out(outside: Outside) -> None:
    two_profiles(outside, "tencent")
    env = {"TENCENTCLOUD_ROLE_ARN": T_ROLE, "TENCENTCLOUD_ROLE_SESSION_NAME": "me"}

    done = outside.json("doctor", "-p", "tencent", "--profile", "dev", env=env)

    assert [row["credentials"] for row in done["scopes"]] == ["profile dev of tccli"]
    assert "AssumeRole" not in outside.actions()
