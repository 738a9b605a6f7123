"""`doctor`: what works, what does not and what to do next; nothing is written anywhere."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from outside import COMMAND, KILLED, TENCENT, WINDOW, Outside

from runcancel.config.references import full
from runcancel.engine.diagnose import Examined, last_writes, with_writes
from runcancel.model.outcomes import CancelResponse
from runcancel.model.reports import PermissionCheck
from runcancel.model.runs import Scope
from runcancel.model.states import RequestStatus
from runcancel.providers.base import Checkup

NO_AWS: Mapping[str, None] = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"))
NO_ALIBABA: Mapping[str, None] = dict.fromkeys(
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_REGION_ID")
)
NO_TENCENT: Mapping[str, None] = dict.fromkeys(
    ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_REGION")
)
SCOPES = ["aws:us-east-2", "alibaba:cn-hangzhou", "tencent:ap-guangzhou"]
KEYS = {"aws": "AWS_ACCESS_KEY_ID", "alibaba": "ALIBABA_CLOUD_ACCESS_KEY_ID", "tencent": "TENCENTCLOUD_SECRET_ID"}
SECRETS = ("AWS_SECRET_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "TENCENTCLOUD_SECRET_KEY")

every_cloud = pytest.mark.parametrize("name", KEYS)


def rows(document: Any) -> dict[str, Any]:
    return {row["provider"]: row for row in document["scopes"]}


def can(row: Any) -> dict[str, tuple[bool | None, ...]]:
    return {each["kind"]: (each["list"], each["read"], each["cancel"]) for each in row["permissions"]}


def standing(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below a folder: its mode, its time of change, what is in it."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    about = {path: path.stat() for path in found}
    return {str(path): (one.st_mode, one.st_mtime_ns, path.read_bytes()) for path, one in about.items()}


def test_all_is_well(outside: Outside) -> None:
    document = outside.json("doctor")

    assert [row["scope"] for row in document["scopes"]] == SCOPES
    for name, row in rows(document).items():
        assert row["ok"]
        assert (row["configured"], row["remark"]) == (True, None)
        assert row["account"] == outside.box.account_id(name)
        assert row["account"] in row["principal"]
        assert row["credentials"] == f"{KEYS[name]} of the environment"
        assert row["key"] == outside.environ[KEYS[name]][-4:]
        assert row["endpoint"] == outside.box.url
        assert row["endpoint_origin"] in outside.environ
        assert row["region_origin"] in outside.environ
        assert row["clock_skew"] == 0
        assert 0 < row["latency"] < 30
        assert set(can(row).values()) == {(True, True, None)}
    assert [kind["kind"] for kind in rows(document)["aws"]["permissions"]] == [
        "maintenance-window",
        "command",
        "automation",
        "state-machine",
    ]


def test_nothing_is_written_neither_there_nor_here(outside: Outside) -> None:
    outside.run("cancel", TENCENT, "--no-wait")
    before, status = standing(outside.home), len(outside.writes())

    outside.json("doctor")
    outside.json("doctor", "-r", "all")

    assert standing(outside.home) == before
    assert len(outside.writes()) == status


def test_without_a_journal_none_is_made(outside: Outside) -> None:
    document = outside.json("doctor")

    assert standing(outside.home) == {}
    files = {one["name"]: one for one in document["files"]}
    assert list(files) == ["config", "journal", "policy"]
    assert (files["journal"]["exists"], files["journal"]["writable"]) == (False, True)
    assert files["policy"]["path"] == "/etc/runcancel/policy.toml"


@pytest.mark.parametrize("format", ["json", "jsonl", "table", "wide", "tsv"])
def test_no_secret_is_in_any_format(format: str, outside: Outside) -> None:
    done = outside.run("doctor", "-o", format, "--debug")

    assert done.code == 0, str(done)
    for name in (*SECRETS, *KEYS.values()):
        assert outside.environ[name] not in done.out + done.err


def test_a_cancel_that_was_accepted_or_denied_is_known_from_the_journal(outside: Outside) -> None:
    outside.run("cancel", TENCENT, COMMAND, "--no-wait")
    outside.faults("StopInvocation=denied")
    outside.run("cancel", KILLED, "--no-wait")
    outside.faults()

    document = outside.json("doctor")

    found = rows(document)
    assert can(found["tencent"]) == {"invocation": (True, True, True)}
    assert can(found["alibaba"]) == {"invocation": (True, True, False), "oos": (True, True, None)}
    assert can(found["aws"])["command"] == (True, True, True)
    assert can(found["aws"])["maintenance-window"] == (True, True, None)
    assert found["tencent"]["permissions"][0]["cancel_seen_at"]
    assert {one["name"]: one["mode"] for one in document["files"]}["journal"] == "0600"
    shown = outside.run("doctor", "-o", "wide", env={"COLUMNS": "250"}).out
    assert "list read, not cancel" in shown
    assert "maintenance-window, automation, state-machine: list read cancel?; command: list read cancel" in shown


def test_the_last_answer_counts(outside: Outside) -> None:
    outside.faults("CancelMaintenanceWindowExecution=denied")
    outside.run("cancel", WINDOW, "--no-wait")
    outside.faults()
    outside.run("cancel", WINDOW, "--no-wait")

    assert can(rows(outside.json("doctor", "-p", "aws"))["aws"])["maintenance-window"] == (True, True, True)


@pytest.mark.parametrize("wal", [b"", b"not a log"], ids=["broken", "broken beside a log"])
def test_a_broken_journal_is_said_and_stops_nothing(wal: bytes, outside: Outside) -> None:
    outside.run("cancel", TENCENT, "--no-wait")
    (file,) = outside.home.rglob("journal.sqlite3")
    file.write_bytes(b"SQLite format 3\0" + b"nonsense" * 100)
    if wal:
        file.with_name("journal.sqlite3-wal").write_bytes(wal)

    document = outside.json("doctor")

    assert {one["name"]: bool(one["problem"]) for one in document["files"]}["journal"]
    assert all(each == (True, True, None) for row in document["scopes"] for each in can(row).values())


def test_what_another_process_is_writing_does_not_disturb(outside: Outside) -> None:
    import sqlite3

    outside.run("cancel", TENCENT, "--no-wait")
    (file,) = outside.home.rglob("journal.sqlite3")
    with sqlite3.connect(file, isolation_level=None) as busy:
        busy.execute("BEGIN IMMEDIATE")
        busy.execute("UPDATE operations SET reason='x'")

        document = outside.json("doctor")

        busy.execute("ROLLBACK")
    assert can(rows(document)["tencent"]) == {"invocation": (True, True, True)}


DENIED = {
    "aws": ("ListCommands", "command", (False, False, None)),
    "alibaba": ("DescribeInvocations", "invocation", (False, False, None)),
    "tencent": ("DescribeInvocationTasks", "invocation", (True, False, None)),
}


@every_cloud
def test_what_is_denied_is_said_with_the_policy_that_would_allow_it(name: str, outside: Outside) -> None:
    action, kind, expected = DENIED[name]
    outside.faults(f"{name}:{action}=denied")

    done = outside.run("doctor", "-p", name, "-o", "json")

    assert done.code == 4, str(done)
    assert can(rows(done.document)[name])[kind] == expected
    assert f"next: runcancel permissions -p {name} --read-only -r " in done.err
    assert action in done.err
    assert not rows(done.document)[name]["ok"]


def test_one_kind_that_is_denied_leaves_the_others(outside: Outside) -> None:
    outside.faults("DescribeAutomationExecutions=denied", "GetAutomationExecution=denied")

    done = outside.run("doctor", "-p", "aws", "-o", "json")

    assert done.code == 4
    assert can(rows(done.document)["aws"]) == {
        "maintenance-window": (True, True, None),
        "command": (True, True, None),
        "automation": (False, False, None),
        "state-machine": (True, True, None),
    }


def test_a_kind_that_is_only_searched_when_named_may_be_denied(outside: Outside) -> None:
    outside.faults("ListStateMachines=denied", "DescribeExecution=denied")

    done = outside.run("doctor", "-p", "aws", "-o", "json")

    assert done.code == 0, str(done)
    assert can(rows(done.document)["aws"])["state-machine"] == (False, False, None)


@every_cloud
def test_where_there_is_no_run_an_id_that_nobody_has_tells(name: str, tmp_path: Path) -> None:
    with Outside(tmp_path / "home", fleet=False) as empty:
        document = empty.json("doctor", "-p", name)
        empty.faults(*(f"{action}=denied" for action in ("GetMaintenanceWindowExecution", "DescribeInvocationTasks")))
        denied = empty.run("doctor", "-p", name, "-o", "json").document

    assert set(can(rows(document)[name]).values()) == {(True, True, None)}
    kind, told = next(iter(can(rows(denied)[name]).items()))
    assert (kind, told) in [
        ("maintenance-window", (True, False, None)),
        ("invocation", (True, True, None) if name == "alibaba" else (True, False, None)),
    ]


@every_cloud
def test_expired_credentials_are_said_and_asked_no_further(name: str, outside: Outside) -> None:
    done = outside.run("doctor", "-p", name, "-o", "json", env=outside.box.environment(sort="expired"))

    assert done.code == 4, str(done)
    (row,) = done.document["scopes"]
    assert (row["ok"], row["principal"], row["permissions"]) == (False, None, [])
    assert row["credentials"] == f"{KEYS[name]} of the environment"
    assert row["remark"]
    assert len(outside.requests()) == 1


@every_cloud
@pytest.mark.parametrize(("skew", "way"), [(600, "10m00s behind"), (-600, "10m00s ahead of")])
def test_a_clock_that_is_wrong_is_said_loudly(skew: float, way: str, name: str, outside: Outside) -> None:
    outside.box.clock.skew = skew

    done = outside.run("doctor", "-p", name, "-o", "json", "-q")

    (row,) = done.document["scopes"]
    assert abs(row["clock_skew"] - skew) < 5
    assert done.code == (0 if name == "alibaba" else 4), str(done)  # Alibaba Cloud takes a quarter of an hour
    assert "this machine's clock is " in done.err
    assert way.split()[1] in done.err
    assert "timedatectl set-ntp true" in done.err


def test_a_clock_that_is_a_little_off_is_shown_and_no_more(outside: Outside) -> None:
    outside.box.clock.skew = 90

    done = outside.run("doctor", "-p", "aws", "-o", "json")

    assert done.code == 0
    assert abs(rows(done.document)["aws"]["clock_skew"] - 90) < 5
    assert "clock" not in done.err


def test_what_is_not_configured_is_a_row_and_no_failure(outside: Outside) -> None:
    done = outside.run("doctor", "-o", "json", env=NO_ALIBABA)

    assert done.code == 0, str(done)
    row = rows(done.document)["alibaba"]
    assert (row["scope"], row["configured"], row["ok"], row["remark"]) == ("alibaba", False, False, "not configured")
    assert done.err == ""


NEXT = {
    "aws": ("aws configure", "export AWS_ACCESS_KEY_ID=…"),
    "alibaba": ("aliyun configure", "export ALIBABA_CLOUD_ACCESS_KEY_ID=…"),
    "tencent": ("tccli configure", "export TENCENTCLOUD_SECRET_ID=…"),
}


@every_cloud
@pytest.mark.parametrize("regions", [(), ("-r", "aws:us-east-2,cn-hangzhou,ap-guangzhou")], ids=["", "with a region"])
def test_what_was_named_and_is_not_configured_is_a_failure_with_the_next_command(
    regions: tuple[str, ...], name: str, outside: Outside
) -> None:
    env = {**NO_AWS, **NO_ALIBABA, **NO_TENCENT, "AWS_EC2_METADATA_DISABLED": "true"}

    done = outside.run("doctor", "-p", name, *regions, "-o", "json", env=env)

    assert done.code == 4, str(done)
    assert not rows(done.document)[name]["configured"]
    assert all(each in done.err for each in NEXT[name]), done.err
    assert done.document["errors"][0]["code"] == "no_credentials"
    assert outside.actions() == []


def test_with_nothing_configured_every_cloud_is_told_how_to_begin(outside: Outside) -> None:
    done = outside.run("doctor", "-o", "json", env={**NO_AWS, **NO_ALIBABA, **NO_TENCENT})

    assert done.code == 4
    assert [row["scope"] for row in done.document["scopes"]] == list(KEYS)
    assert all(command in done.err for commands in NEXT.values() for command in commands)


def test_without_a_region_it_says_so_and_the_others_are_asked(outside: Outside) -> None:
    done = outside.run("doctor", "-o", "json", env={"AWS_DEFAULT_REGION": None})

    assert done.code == 7, str(done)
    assert rows(done.document)["aws"]["region"] is None
    assert rows(done.document)["tencent"]["ok"]
    assert "no region for aws" in done.err
    assert "-r aws:REGION" in done.err


UNREACHABLE = {
    "aws": "AWS_ENDPOINT_URL",
    "alibaba": "RUNCANCEL_ALIBABA_ENDPOINT_URL",
    "tencent": "RUNCANCEL_TENCENT_ENDPOINT_URL",
}


def test_who_cannot_be_reached_is_said_and_the_others_are_asked(outside: Outside) -> None:
    done = outside.run("doctor", "--timeout", "1s", "-o", "json", env={UNREACHABLE["tencent"]: "http://127.0.0.1:9"})

    assert done.code == 7, str(done)
    row = rows(done.document)["tencent"]
    assert (row["ok"], row["latency"], row["endpoint"]) == (False, None, "http://127.0.0.1:9")
    assert can(row) == {"invocation": (None, None, None)}
    assert rows(done.document)["aws"]["ok"]
    assert "tencent:ap-guangzhou" in done.err


@pytest.mark.parametrize(
    ("variable", "value", "name", "says"),
    [
        ("AWS_ENDPOINT_URL_SSM", "http://evil.example", "aws", "plain http only to loopback"),
        ("AWS_ENDPOINT_URL", "not a url", "aws", "endpoint URL"),
        ("RUNCANCEL_ALIBABA_ENDPOINT_URL", "http://evil.example", "alibaba", "plain http only to loopback"),
        ("RUNCANCEL_ALIBABA_STS_ENDPOINT_URL", "ftp://evil.example", "alibaba", "https://host[:port]"),
        ("RUNCANCEL_TENCENT_ENDPOINT_URL", "https://user:pw@evil.example", "tencent", "cannot have a user"),
        ("RUNCANCEL_TENCENT_SITE", "evil.example", "tencent", "RUNCANCEL_TENCENT_SITE is “evil.example”"),
    ],
)
def test_what_leads_astray_is_said_of_its_scope_and_the_others_are_asked(
    variable: str, value: str, name: str, says: str, outside: Outside
) -> None:
    done = outside.run("doctor", "-o", "json", env={variable: value})

    assert done.code == 7, str(done)
    found = rows(done.document)
    assert [row["scope"] for row in done.document["scopes"]] == SCOPES
    assert {each for each, row in found.items() if not row["ok"]} == {name}
    assert says in found[name]["remark"]
    code = "usage" if variable.endswith("_SITE") else "not_configured"  # a word that does not exist, or a bad address
    assert [(each["code"], each["scope"]) for each in done.document["errors"]] == [(code, found[name]["scope"])]
    assert (found[name]["configured"], found[name]["permissions"]) == (True, [])
    assert variable.endswith(("_STS_ENDPOINT_URL", "_SITE")) or found[name]["endpoint_origin"] == variable
    assert "pw" not in str(done)
    assert "Traceback" not in done.err


def test_what_leads_astray_does_so_in_every_region_of_its_cloud_alone(outside: Outside) -> None:
    done = outside.run("doctor", "-r", "all", "-o", "json", env={"RUNCANCEL_TENCENT_SITE": "evil.example"})

    assert done.code == 7, str(done)
    assert {row["provider"] for row in done.document["scopes"] if not row["ok"]} == {"tencent"}
    assert {row["provider"] for row in done.document["scopes"] if row["ok"]} == {"aws", "alibaba"}


def test_a_region_that_is_not_enabled_is_no_failure(outside: Outside) -> None:
    done = outside.run("doctor", "-p", "aws", "-r", "us-east-2,eu-south-2", "-o", "json")

    assert done.code == 0, str(done)
    assert {row["region"]: row["remark"] for row in done.document["scopes"]} == {
        "us-east-2": None,
        "eu-south-2": "not enabled",
    }
    assert "not enabled for these credentials" in done.err


def test_the_proxy_is_shown_without_its_password(outside: Outside) -> None:
    env = {
        UNREACHABLE["tencent"]: None,
        "HTTPS_PROXY": "http://me:hunter2@127.0.0.1:9",
        "NO_PROXY": None,
        "no_proxy": None,
    }

    done = outside.run("doctor", "-p", "tencent", "--timeout", "1s", "-o", "json", env=env)

    assert done.code == 7, str(done)
    (row,) = done.document["scopes"]
    assert row["proxy"] == "http://…@127.0.0.1:9"
    assert row["endpoint"] == "https://tat.tencentcloudapi.com"
    assert "hunter2" not in done.out + done.err


def test_contexts_are_asked_each_with_its_own_credentials(outside: Outside) -> None:
    profiles = outside.home / ".aws" / "credentials"
    profiles.parent.mkdir()
    lines = (f"{name.lower()} = {outside.environ[name]}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    profiles.write_text("[ops]\n" + "\n".join(lines))
    outside.run("contexts", "add", "prod", "-p", "aws", "--profile", "ops", "-r", "us-east-2,eu-west-1", env=NO_AWS)

    document = outside.json("doctor", "-c", "prod", env=NO_AWS)

    assert [row["scope"] for row in document["scopes"]] == ["prod@aws:us-east-2", "prod@aws:eu-west-1"]
    assert {row["region_origin"] for row in document["scopes"]} == {"context prod"}
    assert all(row["credentials"].startswith("profile ops, ") for row in document["scopes"])


@pytest.mark.parametrize("columns", [60, 80, 120, 240])
def test_it_fits_the_terminal_and_cuts_nothing(columns: int, outside: Outside) -> None:
    outside.faults("tencent:DescribeInvocations=denied")

    shown = outside.on_terminal("doctor", columns=columns, env=NO_ALIBABA)

    lines = [line.rstrip() for line in shown.final.splitlines()]
    assert max(map(len, lines)) <= columns
    text = " ".join(" ".join(lines).split())
    for part in (
        *(SCOPES[0], SCOPES[2]),
        "arn:aws:iam::111122223333:user/sandbox",
        "list read cancel?",
        "not configured",
    ):
        assert part in text, shown.final
    assert (SCOPES[0] in lines[1]) == (columns == 240)


def test_rows_for_other_programs(outside: Outside) -> None:
    assert [row["scope"] for row in outside.run("doctor").rows] == SCOPES
    assert outside.run("doctor", "-o", "ref").out.split() == SCOPES
    lines = outside.run("doctor", "-o", "jsonl").lines
    assert [line["type"] for line in lines] == ["scope"] * 3 + ["file"] * 3 + ["end"]
    schema = json.loads(outside.run("schema", "doctor").out)
    assert {"scopes", "files"} <= schema["properties"].keys()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_journal_that_cannot_be_read_is_said(outside: Outside) -> None:
    outside.run("cancel", TENCENT, "--no-wait")
    (file,) = outside.home.rglob("journal.sqlite3")
    file.chmod(0)

    document = outside.json("doctor")

    assert {one["name"]: one["readable"] for one in document["files"]}["journal"] is False


@pytest.mark.parametrize(("key", "known"), [("6653", True), ("0000", None), (None, None)])
def test_an_answer_that_another_key_got_tells_nothing(key: str | None, known: bool | None) -> None:
    told = last_writes(
        [
            (
                datetime(2026, 11, 21, tzinfo=UTC),
                "cancel",
                full(TENCENT),
                CancelResponse(status=RequestStatus.ACCEPTED, key="6653"),
            )
        ]
    )
    connection = Checkup(credentials="env", key=key, endpoint="x", proxy=None, clock_skew=None, latency=None)
    scope = Scope(provider="tencent", region="ap-guangzhou")
    seen = PermissionCheck(kind="invocation", list=True, read=True)

    (check,) = with_writes(Examined(scope=scope, connection=connection, permissions=(seen,)), told).permissions

    assert check.cancel is known
    assert (
        last_writes(
            [
                (
                    datetime(2026, 11, 21, tzinfo=UTC),
                    "cancel",
                    full(TENCENT),
                    CancelResponse(status=RequestStatus.ACCEPTED),
                )
            ]
        )
        == {}
    )


SWITCHED = {"aws": ["window", "rule"], "alibaba": [], "tencent": ["invoker"]}


def may(row: Any) -> dict[str, tuple[bool | None, ...]]:
    return {one["kind"]: (one["list"], one["read"], one["disable"], one["enable"]) for one in row["triggers"]}


def test_triggers_are_listed_and_read_and_no_switch_is_tried(outside: Outside) -> None:
    document = outside.json("doctor")

    for name, row in rows(document).items():
        assert set(may(row).values()) <= {(True, True, None, None)}
        assert [one["kind"] for one in row["triggers"] if one["switchable"]] == SWITCHED[name]
    assert list(may(rows(document)["aws"])) == ["window", "rule", "schedule", "association"]
    assert not {"UpdateMaintenanceWindow", "DisableRule", "DisableInvoker"} & set(outside.actions())
    shown = outside.run("doctor", "-o", "table", env={"COLUMNS": "80"}).out
    assert "triggers list read disable? enable?" in shown
    assert max(map(len, shown.split("\n\n")[0].splitlines())) <= 80


@pytest.mark.parametrize(
    ("name", "action", "kind", "known"),
    [
        ("aws", "ListRules", "rule", (False, True, None, None)),
        ("aws", "DescribeMaintenanceWindows", "window", (False, True, None, None)),
        ("aws", "GetMaintenanceWindow", "window", (True, False, None, None)),
        ("aws", "GetSchedule", "schedule", (False, False, None, None)),
        ("aws", "ListAssociations", "association", (False, True, None, None)),
        ("tencent", "DescribeInvokers", "invoker", (False, False, None, None)),
    ],
)
def test_what_is_denied_of_triggers_is_a_note(
    name: str, action: str, kind: str, known: tuple[bool | None, ...], outside: Outside
) -> None:
    outside.faults(f"{name}:{action}=denied")

    done = outside.run("doctor", "-p", name, "-o", "json")

    row = rows(done.document)[name]
    assert may(row)[kind] == known
    assert {one["kind"]: one["denied"] for one in row["triggers"]}[kind] == [action]
    assert f"reading triggers is not permitted ({action})" in done.err
    assert f"runcancel permissions -p {name} --triggers --read-only" in done.err
    if action != "DescribeMaintenanceWindows":  # which lists windows and their executions alike
        assert done.code == 0, str(done)


def test_a_service_of_triggers_that_hangs_is_not_known_and_holds_nothing_up(outside: Outside) -> None:
    outside.faults("ListSchedules=hang")

    done = outside.run("doctor", "-p", "aws", "--timeout", "1s", "-o", "json")

    assert done.code == 0, str(done)
    assert may(rows(done.document)["aws"])["schedule"] == (None, None, None, None)
    assert may(rows(done.document)["aws"])["rule"][:2] == (True, True)


def test_a_switch_that_was_accepted_or_denied_is_known_from_the_journal(outside: Outside) -> None:
    triggers = {one["kind"]: one["ref"] for one in outside.json("triggers", "--status", "enabled")["triggers"]}
    outside.run("disable", triggers["window"], triggers["rule"], "--confirm", "2")
    outside.faults("DisableInvoker=denied", "EnableRule=denied")
    outside.run("disable", triggers["invoker"])
    outside.run("enable", triggers["rule"], "--yes", "--confirm", "1")
    outside.faults()

    document = outside.json("doctor")

    aws, tencent = rows(document)["aws"], rows(document)["tencent"]
    assert may(aws)["window"][2:] == (True, True)  # one permission for both
    assert may(aws)["rule"][2:] == (True, False)
    assert may(tencent)["invoker"][2:] == (False, None)
    assert aws["triggers"][0]["disable_seen_at"]
    assert (
        "window: list read disable enable; rule: list read disable, not enable; schedule"
        in outside.run("doctor", "-o", "wide", env={"COLUMNS": "250"}).out
    )
