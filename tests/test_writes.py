"""What the program changes at a vendor: cancels and switches, and nothing else of all that vendors offer."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_oos20190601.client import Client as Oos
from outside import READS, SWITCHES, WRITES, Outside
from sources import MODULES, nodes
from tencentcloud.tat.v20201028.tat_client import TatClient

from runcancel.providers.aws.wire import APIS

PROVIDERS = [module for module in MODULES if module.startswith("providers/")]
DANGEROUS = frozenset(
    {
        *("UpdateAssociation", "DeleteAssociation", "CreateAssociation", "StartAssociationsOnce", "UpdateSchedule"),
        *("CreateSchedule", "DeleteSchedule", "DeleteDocument", "UpdateDocument", "UpdateDocumentDefaultVersion"),
        *("SendCommand", "StartAutomationExecution", "StartChangeRequestExecution", "SendAutomationSignal"),
        *("StartExecution", "StartSyncExecution", "RedriveExecution", "UpdateMapRun", "UpdateStateMachine"),
        *("PutRule", "DeleteRule", "PutTargets", "RemoveTargets", "PutEvents", "DeleteMaintenanceWindow"),
        *("RunCommand", "InvokeCommand", "NotifyExecution", "TriggerExecution", "UpdateStateConfiguration"),
        *("DeleteCommand", "ModifyInvoker", "DeleteInvoker", "CreateInvoker", "DeleteInvocation"),
    }
)
"""Some of what would start a run, erase a trigger or change what it runs: the vendors' own clients have them."""


@cache
def offered() -> frozenset[str]:
    """Every action of the services in use, as the vendors' own clients name them."""
    session = botocore.session.get_session()
    names = {
        name
        for service in ("ssm", "events", "scheduler", "stepfunctions")
        for name in session.get_service_model(service).operation_names
    }
    methods = [name for client in (Ecs, Oos) for name in vars(client) if not name.startswith("_")]
    names |= {"".join(map(str.capitalize, name.split("_"))) for name in methods if not name.endswith("_async")}
    return frozenset(names | {name for name in vars(TatClient) if name[:1].isupper()})


def changes() -> frozenset[str]:
    """Those that change something, and that this program never requests."""
    return frozenset(name for name in offered() if not READS.match(name)) - WRITES - SWITCHES


def test_the_vendors_offer_what_this_program_must_not_do() -> None:
    assert changes() >= DANGEROUS - {"TriggerExecution", "DeleteInvocation"}
    assert offered() >= WRITES | SWITCHES


def _named(module: str) -> Iterator[str]:
    """The texts of a module, but for the names of requests that an audit log may have."""
    tables = [node for node in nodes(module) if isinstance(node, ast.keyword) and node.arg == "started_with"]
    skipped = {id(inner) for table in tables for inner in ast.walk(table)}
    for node in nodes(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def test_no_adapter_names_another_change() -> None:
    forbidden = changes() | DANGEROUS

    assert {module: names for module in PROVIDERS if (names := forbidden & {*_named(module)})} == {}


def test_the_table_of_aws_has_reads_cancels_and_switches_alone() -> None:
    """An action that is not in the table cannot be sent."""
    others = {name for name in APIS if not READS.match(name)}

    assert others <= WRITES | SWITCHES
    assert {name for name, api in APIS.items() if api.asks} == others - {"AssumeRole"}


STORIES = (
    ("triggers", "-r", "all", "--script", "x"),
    ("triggers", "-r", "all", "-o", "wide"),
    ("list", "-r", "all", "--script", "x"),
    ("list", "--kind", "oos,state-machine,command", "--include-schedules"),
    ("disable", "--name-glob", "*", "-r", "all", "--confirm", "999", "--max-triggers", "999"),
    ("enable", "--operation", "last", "--yes"),
    ("disable", "--status", "enabled", "--kind", "association", "--yes"),
    ("disable", "--status", "enabled", "--kind", "schedule", "--yes"),
    ("cancel", "--name", "nightly-patching", "--disable-triggers", "--stop-running", "--confirm", "4"),
    ("cancel", "--kind", "oos", "--include-schedules", "--older-than", "0s", "--stop-running", "--confirm", "2"),
    ("doctor",),
)


@pytest.mark.parametrize("argv", STORIES, ids=lambda argv: " ".join(argv[:3]))
def test_whatever_is_asked_for_nothing_else_is_sent(outside: Outside, argv: tuple[str, ...]) -> None:
    """So is every other test, by the fixture `outside`."""
    if argv[0] == "enable":
        outside.run("disable", "--name-glob", "n*", "--confirm", "4")

    outside.run(*argv)

    actions = set(outside.actions())
    assert actions
    assert not actions & (changes() | DANGEROUS)
    assert {one for one in actions if not re.match(READS, one)} <= WRITES | SWITCHES
