"""Moto's EventBridge, which we did not write: rules that boto3 made are found, switched, restored as on AWS."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto_http import moto_over_http
from outside import Outside

REGION = "us-west-2"
DOCUMENT = f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:ops"
RULES = {
    "nightly": {"ScheduleExpression": "cron(0 3 * * ? *)", "State": "ENABLED"},
    "vacuum": {"ScheduleExpression": "rate(5 minutes)", "State": "DISABLED"},
    "mail-only": {"ScheduleExpression": "rate(1 hour)", "State": "ENABLED"},
}
ON_ALARM = {"EventPattern": '{"source": ["aws.cloudwatch"]}', "State": "ENABLED", "EventBusName": "ops"}


@pytest.fixture
def events(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A typed client of moto, which the command reaches over HTTP."""
    with moto_over_http(REGION) as environ:
        outside.environ |= environ
        client = boto3.client("events", region_name=REGION)
        client.create_event_bus(Name="ops")
        for name, settings in {**RULES, "on-alarm": ON_ALARM}.items():
            client.put_rule(Name=name, **settings)
            target = {"Id": "1", "Arn": TOPIC if name == "mail-only" else DOCUMENT}
            client.put_targets(Rule=name, EventBusName=settings.get("EventBusName", "default"), Targets=[target])
        yield client


def ref(name: str, bus: str = "default") -> str:
    return f"aws:{REGION}:rule/{bus}/{name}"


def test_rules_that_boto3_made_are_found_with_their_state(outside: Outside, events: Any) -> None:
    found = outside.json("triggers", "--kind", "rule", "-p", "aws")["triggers"]

    assert {one["ref"]: one["state"] for one in found} == {
        ref("nightly"): "enabled",
        ref("vacuum"): "disabled",
        ref("on-alarm", "ops"): "enabled",
    }
    (nightly,) = (one for one in found if one["ref"] == ref("nightly"))
    assert (nightly["documents"], nightly["schedule"]) == (["AWS-RunShellScript"], "cron(0 3 * * ? *)")
    assert nightly["next_start_at"].endswith("T03:00:00Z")


def test_a_rule_is_switched_and_nothing_else_of_it_changes(outside: Outside, events: Any) -> None:
    def rule() -> dict[str, Any]:
        described = events.describe_rule(Name="on-alarm", EventBusName="ops")
        targets = events.list_targets_by_rule(Rule="on-alarm", EventBusName="ops")["Targets"]
        return {name: value for name, value in described.items() if name != "ResponseMetadata"} | {"Targets": targets}

    before = rule()
    disabled = outside.json("disable", ref("on-alarm", "ops"))
    between = rule()
    restored = outside.json("enable", "--operation", "last", "--yes")

    assert [one["verdict"] for one in disabled["outcomes"]] == ["disabled"]
    assert between == before | {"State": "DISABLED"}
    assert [one["verdict"] for one in restored["outcomes"]] == ["enabled"]
    assert rule() == before
    assert events.describe_rule(Name="nightly")["State"] == "ENABLED"


def test_a_filter_disables_and_restores_what_was_enabled_alone(outside: Outside, events: Any) -> None:
    outside.json("disable", "--kind", "rule", "--name-glob", "n*", "-p", "aws", "--yes")
    states = {name: events.describe_rule(Name=name)["State"] for name in RULES}
    outside.json("enable", "--operation", "last", "--yes")

    assert states == {"nightly": "DISABLED", "vacuum": "DISABLED", "mail-only": "ENABLED"}
    assert events.describe_rule(Name="on-alarm", EventBusName="ops")["State"] == "ENABLED"
    assert {name: events.describe_rule(Name=name)["State"] for name in RULES} == {
        name: settings["State"] for name, settings in RULES.items()
    }


def test_a_rule_that_moto_does_not_have_is_not_found(outside: Outside, events: Any) -> None:
    done = outside.run("disable", ref("no-such-rule"), "-o", "json")

    assert done.code == 5, str(done)
    assert done.document["outcomes"][0]["error"]["code"] == "not_found"
