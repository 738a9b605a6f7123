"""What starts runs by itself in every region, from the start; the first is due in about an hour."""

import json
from typing import Any

from runcancel.sandbox.accounts import account_id
from runcancel.sandbox.aws.trigger_wire import command_input
from runcancel.sandbox.aws.triggers import Association, EventRule, Schedule, due, starters
from runcancel.sandbox.aws.windows import Window
from runcancel.sandbox.fleet import build, tencent_run
from runcancel.sandbox.spec import RunSpec, build_as
from runcancel.sandbox.tencent import invokers
from runcancel.sandbox.tencent.invocations import Invocation
from runcancel.sandbox.tencent.invokers import Invoker
from runcancel.sandbox.world import Book

HOUR, DAY = 3600.0, 86_400.0
COMMAND, WINDOW, INVOCATION = "command", "maintenance-window", "invocation"


def execution(book: Book, window: Window, at: float) -> None:
    targets = {"running": 3, "pending": 7}
    book.start(build(book, RunSpec(kind=WINDOW, name=window.name, window=window.id, targets=targets, age=0), at))


def aws(book: Book, now: float) -> None:
    """A rule that starts a command every day, one for events, one of a service; a schedule; two associations."""
    region, account = book.key.region, account_id("aws", book.key.account)
    shell = {
        "Id": "1",
        "Arn": f"arn:aws:ssm:{region}::document/AWS-RunShellScript",
        "RoleArn": f"arn:aws:iam::{account}:role/events",
    }
    command = shell | {
        "Input": json.dumps({"commands": ["/opt/jobs/nightly-cleanup.sh"]}),
        "RunCommandParameters": {"RunCommandTargets": [{"Key": "tag:Role", "Values": ["web"]}]},
    }
    runbook = f"arn:aws:ssm:{region}:{account}:automation-definition/AWS-RestartEC2Instance:$DEFAULT"
    topic = {"Id": "2", "Arn": f"arn:aws:sns:{region}:{account}:ops"}

    def cleanup(at: float) -> None:
        spec = RunSpec(kind=COMMAND, name="", document="AWS-RunShellScript", targets={"running": 4}, age=0)
        book.start(build(book, spec, at))

    def rule(bus: str, name: str, *targets: dict[str, Any], source: str = "", managed_by: str = "") -> EventRule:
        pattern = json.dumps({"source": [source]}) if source else ""
        return EventRule(bus=bus, name=name, targets=list(targets), pattern=pattern, managed_by=managed_by)

    clean = rule("default", "nightly-cleanup", command)
    clean.at, clean.start = (now - HOUR) % DAY // 60 * 60, cleanup
    all_of_them = starters(book)
    all_of_them.rules += [
        clean,
        rule("ops", "restart-on-alarm", {"Id": "1", "Arn": runbook}, topic, source="aws.cloudwatch"),
        rule("default", "PatchOnDrift", command, source="aws.config", managed_by="config.amazonaws.com"),
        rule("default", "mail-only", topic, source="aws.health"),
    ]
    book.watch(due(clean.at or 0.0, now), clean.tick)
    _only_listed(book, now, account)


def _only_listed(book: Book, now: float, account: str) -> None:
    all_of_them = starters(book)
    all_of_them.schedules.append(
        Schedule(
            group="default",
            name="rotate-keys",
            target={
                "Arn": "arn:aws:scheduler:::aws-sdk:ssm:sendCommand",
                "RoleArn": f"arn:aws:iam::{account}:role/scheduler",
                "Input": command_input("/opt/jobs/rotate-keys.sh"),
            },
            expression="cron(30 4 ? * 2 *)",
            zone="Asia/Tokyo",
            created=round(now - 90 * DAY),
        )
    )
    tagged = [{"Key": "tag:Role", "Values": ["web"]}]
    all_of_them.associations += [
        Association(
            id=book.dice.uuid(),
            name="weekly-hardening",
            document="AWS-RunShellScript",
            expression="cron(0 5 ? * SUN *)",
            parameters={"commands": ["/opt/jobs/harden.sh"]},
            targets=tagged,
        ),
        Association(
            id=book.dice.uuid(),
            name="AWS-QuickSetup-SSMHostMgmt-CollectInventory",
            document="AWS-GatherSoftwareInventory",
            expression="rate(30 minutes)",
            parameters={},
            targets=tagged,
        ),
    ]


def tencent(book: Book, now: float) -> None:
    """An hourly report, which has started the runs that say so and goes on starting more."""
    spawned = [run for run in book.runs_of(Invocation) if run.source == "INVOKER"]

    def start(at: float) -> Invocation:
        spec = RunSpec(kind=INVOCATION, name="hourly-report", targets={"running": 2}, source="INVOKER", age=0)
        run = build_as(tencent_run, book, spec, at)
        run.command = invoker.command
        book.start(run)
        return run

    invoker = Invoker(
        id=f"ivk-{book.dice.code(8)}",
        name="hourly-report",
        command=spawned[0].command,
        content="#!/bin/sh\n/opt/jobs/hourly-report.sh\n",
        instances=[machine for machine, _ in book.instances[:2]],
        at=(now - 60) % HOUR // 60 * 60,  # in an hour or so: no test lasts as long
        created=now - 30 * DAY,
        start=start,
        spawned=[run.id for run in spawned],
    )
    invokers.add(book, invoker, now)
