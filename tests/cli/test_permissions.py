"""`permissions`: exactly what the program calls, as JSON that a console takes, and what cannot be restricted said."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from outside import AUTOMATION, COMMAND, FANOUT, KILLED, MACHINE, ONE_SHOT, OOS, SCHEDULE, TENCENT, WINDOW, Outside

from runcancel.cli.verbs import VERBS
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.base import PolicyScope

OFFLINE: Mapping[str, None] = dict.fromkeys(
    (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"),
        *("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_REGION_ID"),
        *("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_REGION"),
    )
)
WINDOW_ID = "mw-0c50858d01e4f7a2b"
LOGS = frozenset({"ssm:GetCommandInvocation", "ecs:DescribeInvocationResults"})
"""What only `logs` calls."""


def statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy in any language, their keys in small letters."""
    listed = document.get("Statement") or document["statement"]
    return [{key.lower(): value for key, value in one.items()} for one in listed]


def actions(document: Mapping[str, Any]) -> list[str]:
    return [action for one in statements(document) for action in one["action"]]


def resources(document: Mapping[str, Any], action: str) -> Any:
    return next(one["resource"] for one in statements(document) if action in one["action"])


def asked(outside: Outside) -> set[str]:
    return {f"{each['service']}:{each['action']}" for each in outside.requests()}


def use(outside: Outside, *, writing: bool) -> set[str]:
    """Everything that the verbs ask of the clouds."""
    runs = (WINDOW, COMMAND, AUTOMATION, FANOUT, MACHINE, KILLED, ONE_SHOT, OOS, SCHEDULE, TENCENT)
    calls: list[Iterable[str]] = [
        ("list", "-r", "all", "--status", "all"),
        ("list", "--kind", "state-machine"),
        ("status", *runs),
        ("invocations", *runs),
    ]
    calls += [("logs", run) for run in (COMMAND, KILLED, TENCENT) if "logs" in VERBS]
    calls += [("status", f"tencent:ap-guangzhou:{task_of_tencent(outside)}")]
    if writing:
        calls += [("cancel", *runs, "--no-wait"), ("cancel", "--kind", "command", "--dry-run", "-p", "aws")]
        calls += [("cancel", "-p", "aws,alibaba,tencent", "--older-than", "1s", "--confirm", "1", "--no-wait")]
    for call in calls:
        outside.run(*call)
    return asked(outside)


def task_of_tencent(outside: Outside) -> str:
    rows = outside.json("invocations", TENCENT, "--limit", "1")["invocations"]
    return str(rows[0]["id"])


def test_every_action_that_is_called_is_in_a_policy_and_no_other(outside: Outside) -> None:
    called = use(outside, writing=True)

    granted = {action for name in PROVIDERS for action in actions(provider(name).policy(PolicyScope()).policy)}
    assert called - granted == set()
    assert granted - called - ({action for action in LOGS if "logs" not in VERBS}) == set()


def test_reading_only_takes_what_reading_calls(outside: Outside) -> None:
    called = use(outside, writing=False)

    wish = PolicyScope(read_only=True)
    granted = {action for name in PROVIDERS for action in actions(provider(name).policy(wish).policy)}
    assert called <= granted
    writes = {kind.permission for name in PROVIDERS for kind in provider(name).kinds}
    assert not granted & writes


def test_doctor_takes_what_reading_runs_and_triggers_takes(outside: Outside) -> None:
    outside.run("doctor")

    read = PolicyScope(triggers=True, read_only=True)
    granted = {
        action
        for wish in (read, PolicyScope(read_only=True))
        for name in PROVIDERS
        for action in actions(provider(name).policy(wish).policy)
    }
    assert asked(outside) <= granted


def test_triggers_take_what_their_verbs_call_and_no_more(outside: Outside) -> None:
    outside.run("triggers", "--script", "no such text")
    refs = [one["ref"] for one in outside.json("triggers")["triggers"] if one["fixed_because"] is None]
    read = asked(outside)
    outside.run("disable", *refs, "--confirm", str(len(refs)), "--max-triggers", "99")
    outside.run("enable", "--operation", "last", "--confirm", "13", "--max-triggers", "99")
    called = asked(outside)

    only_read = PolicyScope(triggers=True, read_only=True)
    reads = {action for name in PROVIDERS for action in actions(provider(name).policy(only_read).policy)}
    both = {
        action for name in PROVIDERS for action in actions(provider(name).policy(PolicyScope(triggers=True)).policy)
    }
    assert read <= reads
    assert called <= both
    switches = {kind.permission for name in PROVIDERS for kind in provider(name).trigger_kinds if kind.switchable}
    assert switches <= both
    assert not switches & reads


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_cancel_of_every_kind_is_granted(name: str) -> None:
    wanted = {kind.permission for kind in provider(name).kinds}

    assert wanted <= set(actions(provider(name).policy(PolicyScope()).policy))


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_is_printed_for_one_provider_is_the_policy_alone_and_asks_nobody(name: str, outside: Outside) -> None:
    done = outside.run("permissions", "-p", name, env=OFFLINE)

    assert done.code == 0, str(done)
    assert len(actions(done.document)) == len(set(actions(done.document))) > 3
    assert set(done.document) in ({"Version", "Statement"}, {"version", "statement"})
    assert "cannot be restricted" in done.err
    assert outside.actions() == []


def test_without_a_provider_there_is_one_policy_for_each(outside: Outside) -> None:
    done = outside.run("permissions", env=OFFLINE)

    assert list(done.document) == list(PROVIDERS)


def test_as_data_it_keeps_the_contract(outside: Outside) -> None:
    rows = outside.json("permissions", "--read-only", env=OFFLINE)["policies"]

    assert [(row["provider"], row["read_only"]) for row in rows] == [(name, True) for name in PROVIDERS]
    lines = outside.run("permissions", "-p", "aws", "-o", "jsonl", env=OFFLINE).lines
    assert [line["type"] for line in lines] == ["policy", "end"]
    assert lines[0]["notes"]


def test_aws_is_narrowed_to_account_regions_and_a_window(outside: Outside) -> None:
    wish = ("--account", "111122223333", "-r", "us-east-2,eu-west-1", "--window", WINDOW_ID)
    done = outside.run("permissions", "-p", "aws", *wish, env=OFFLINE)

    where = [f"arn:aws:ssm:{region}:111122223333:" for region in ("us-east-2", "eu-west-1")]
    document = done.document
    assert resources(document, "ssm:CancelMaintenanceWindowExecution") == [
        f"{each}maintenancewindow/{WINDOW_ID}" for each in where
    ]
    assert resources(document, "ssm:DescribeMaintenanceWindowExecutions") == [
        f"{each}maintenancewindow/*" for each in where
    ]
    assert resources(document, "ssm:StopAutomationExecution") == [f"{each}automation-execution/*" for each in where]
    assert resources(document, "ssm:CancelCommand") == "*"
    conditions = [one.get("condition") for one in statements(document) if "ssm:CancelCommand" in one["action"]]
    assert conditions == [{"StringEquals": {"aws:RequestedRegion": ["us-east-2", "eu-west-1"]}}]
    assert "every command of the account in us-east-2, eu-west-1" in done.err
    assert "add --kind maintenance-window" in done.err


def test_a_kind_leaves_the_others_out(outside: Outside) -> None:
    argv = ("permissions", "-p", "aws", "--kind", "maintenance-window", "--window", WINDOW_ID)
    done = outside.run(*argv, env=OFFLINE)

    named = [action.partition(":")[2] for action in actions(done.document)]
    assert not [action for action in named if "Command" in action or "Automation" in action]
    assert "CancelMaintenanceWindowExecution" in named
    assert "CancelCommand" not in done.err


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_a_region_tells_the_partition(region: str, partition: str, outside: Outside) -> None:
    document = outside.run("permissions", "-p", "aws", "-r", region, env=OFFLINE).document

    assert resources(document, "ssm:StopAutomationExecution") == [
        f"arn:{partition}:ssm:{region}:*:automation-execution/*"
    ]


def test_alibaba_and_tencent_are_narrowed_to_account_and_region(outside: Outside) -> None:
    alibaba = outside.run(
        "permissions", "-p", "alibaba", "--account", "1234567890123456", "-r", "cn-hangzhou", env=OFFLINE
    )
    tencent = outside.run(
        "permissions", "-p", "tencent", "--account", "100000000001", "-r", "ap-guangzhou", env=OFFLINE
    )

    assert resources(alibaba.document, "ecs:StopInvocation") == [
        f"acs:ecs:cn-hangzhou:1234567890123456:{each}/*" for each in ("instance", "command")
    ]
    assert resources(tencent.document, "tat:CancelInvocation") == [
        f"qcs::{each}:ap-guangzhou:uin/100000000001:instance/*" for each in ("cvm", "lighthouse")
    ]
    assert resources(tencent.document, "tat:DescribeInvocations") == ["*"]


def test_a_region_chooses_its_provider(outside: Outside) -> None:
    done = outside.run("permissions", "-r", "ap-guangzhou", env=OFFLINE)

    assert "statement" in done.document


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--account", "111122223333"), "--account needs one provider: add -p, as in -p aws"),
        (("-p", "aws", "--account", "12"), "is not an account number"),
        (("-p", "tencent", "--window", WINDOW_ID), "add -p aws"),
        (("-p", "aws", "--window", "nightly"), "is not the id of a maintenance window"),
        (("-p", "aws", "--window", WINDOW_ID, "--kind", "command"), "cannot be used together"),
        (("-p", "tencent", "--kind", "command"), "tencent has no command"),
        (("-p", "aws", "-r", "us-east-1,cn-north-1"), "several partitions"),
        (("-p", "aws", "-r", "ap-guangzhou"), "no region of aws"),
        (("-p", "aws", "--kind", "comand"), "did you mean command?"),
    ],
)
def test_what_cannot_be_is_wrong_usage(argv: tuple[str, ...], says: str, outside: Outside) -> None:
    done = outside.run("permissions", *argv, env=OFFLINE)

    assert (done.code, done.out) == (2, "")
    assert says in done.err
