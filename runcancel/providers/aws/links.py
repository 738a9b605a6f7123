"""AWS: which ARNs and which pages of its console name a run.

Resource types: the service authorization references of Systems Manager and of Step Functions. Pages: as consoles link
to themselves.
"""

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote

from msgspec import structs

from runcancel.providers.aws.facts import AUTOMATION, COMMAND, STATE_MACHINE, WINDOW
from runcancel.providers.common.links import Link, NotARun, address, check_address, one_region, query_values
from runcancel.text import words_of_shell

SERVICE = "ssm"
STEP_FUNCTIONS = "states"

RUNS: Mapping[str, str] = {"automation-execution": AUTOMATION.name, "command": COMMAND.name}
"""Resource types of ARNs that name a run. AWS itself lists no `command`; policies and tools write it all the same."""

_WINDOW = "it is a maintenance window; cancel one of its executions instead (a UUID)"
_OTHERS: Mapping[str, str] = {
    "maintenancewindow": _WINDOW,
    "windowtask": _WINDOW,
    "windowtarget": _WINDOW,
    "document": "it is a document; cancel a run of it instead",
    "automation-definition": "it is a runbook; cancel an execution of it instead",
    "managed-instance": "it is a node; cancel a run on it instead",
    "session": "it is a session of Session Manager, which is not a run",
    "association": "it is an association; cancel a command that it started instead",
}
_OF_STEP_FUNCTIONS: Mapping[str, str] = {
    "express": "it is an EXPRESS execution, which cannot be stopped",
    "stateMachine": "it is a state machine; cancel one of its executions instead",
    "mapRun": "it is a Map Run; cancel the execution that it belongs to instead",
    "activity": "it is an activity; cancel an execution that uses it instead",
}
"""Resource types that people paste and that are no run."""

PARTITIONS: Mapping[str, str] = {
    "aws-cn": "cn-",
    "aws-us-gov": "us-gov-",
    "aws-eusc": "eusc-",
    "aws-iso": "us-iso-",
    "aws-iso-b": "us-isob-",
    "aws-iso-e": "eu-isoe-",
    "aws-iso-f": "us-isof-",
}
"""How the regions of a partition begin; those of `aws` begin with none of these."""

HOSTS: Mapping[str, str] = {
    "console.aws.amazon.com": "aws",
    "console.amazonaws.cn": "aws-cn",
    "console.amazonaws-us-gov.com": "aws-us-gov",
    "console.amazonaws-eusc.eu": "aws-eusc",
}
"""The console's hosts and their partitions. A region may precede them, and a session's account the region."""

_ID = "([0-9A-Fa-f-]{36})"
_PAGES: Mapping[str, re.Pattern[str]] = {
    COMMAND.name: re.compile(rf"/systems-manager/run-command/{_ID}/?"),
    AUTOMATION.name: re.compile(rf"/systems-manager/automation/execution/{_ID}(?:/approval|/step/.*)?/?"),
    WINDOW.name: re.compile(rf"/systems-manager/maintenance-windows/mw-[0-9a-f]{{17}}/history/{_ID}/?"),
}
"""Pages that show one run. A step means its automation, which can only be stopped as a whole."""

_EXECUTION = re.compile(r"/(?:v2/)?executions/details/(arn:[^?/]+(?:/[^?:/]+:[^?:/]+)?)")
"""The part after `#` on the page of a state machine's execution."""

_OF_ONE_TARGET = re.compile(rf"/systems-manager/run-command/{_ID}/((?:i|mi)-[0-9a-z]+)/?")
_OF_A_WINDOW = re.compile(r"/systems-manager/maintenance-windows/mw-.*")
_SESSION = re.compile(r"(?:([0-9]{12})-[0-9a-z]+\.)?(?:([a-z0-9-]+)\.)?")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,16}){1,5}")


def partition_of(region: str) -> str:
    """The partition of a region, by how its name begins."""
    return next((name for name, prefix in PARTITIONS.items() if region.startswith(prefix)), "aws")


def read(text: str, regions: frozenset[str]) -> Link | None:
    """The run that an ARN or a URL names; None for a URL of a host that is none of AWS's. Raises `NotARun`."""
    return _of_arn(text) if text.startswith("arn:") else _of_url(text, regions)


def _of_arn(text: str) -> Link:
    parts = text.split(":", 5)
    if len(parts) != 6:
        raise NotARun("an ARN has six parts, as in arn:aws:ssm:us-east-2:111122223333:automation-execution/ID")
    _, partition, service, region, account, resource = parts
    if partition != "aws" and partition not in PARTITIONS:
        raise NotARun("the ARN has no partition of AWS")
    if service not in (SERVICE, STEP_FUNCTIONS):
        raise NotARun("the ARN is not of Systems Manager (ssm) or Step Functions (states)")
    kind, id = _execution(text, resource) if service == STEP_FUNCTIONS else _of_systems_manager(resource)
    if not _ACCOUNT.fullmatch(account):
        raise NotARun("the account in the ARN is not 12 digits")
    if not _REGION.fullmatch(region) or partition_of(region) != partition:
        raise NotARun("the region in the ARN is not in its partition")
    return structs.replace(_link(id, region, kind, account), repeatable=True)


def _of_systems_manager(resource: str) -> tuple[str, str]:
    """Kind and id of the run that a resource of Systems Manager is. Raises `NotARun`."""
    type_, _, id = resource.partition("/")
    if type_ not in RUNS:
        raise NotARun(_OTHERS.get(type_) or f"ARNs of runs end in {' or '.join(f'{each}/ID' for each in RUNS)}")
    return RUNS[type_], id


def _execution(arn: str, resource: str) -> tuple[str, str]:
    """Kind and id of a state machine's execution: its id is the whole ARN. Raises `NotARun`."""
    type_ = resource.partition(":")[0]
    if type_ != "execution":
        raise NotARun(_OF_STEP_FUNCTIONS.get(type_) or "ARNs of executions end in execution:STATE_MACHINE:NAME")
    if not STATE_MACHINE.matches(arn):
        raise NotARun("the ARN is not that of an execution of a state machine")
    return STATE_MACHINE.name, arn


def _of_url(text: str, regions: frozenset[str]) -> Link | None:
    parts = address(text)
    console = _console(parts)
    if console is None:
        return None
    check_address(parts)
    partition, region, account = console
    execution = _EXECUTION.match(unquote(parts.fragment)) if parts.path.rstrip("/") == "/states/home" else None
    if execution is not None:
        return _of_arn(execution[1])
    regions_there = query_values(parts, ("region",)) | ({region} if region else set())
    kind, id = _shown(parts, regions_there & regions if len(regions_there) == 1 else frozenset())
    region = one_region(regions_there, regions, form=f"aws:REGION:{kind}/{id}")
    if partition_of(region) != partition:
        raise NotARun("the region in the URL is not of that console")
    return _link(id, region, kind, account)


def _console(parts: SplitResult) -> tuple[str, str | None, str | None] | None:
    """Partition, region and account that a console's host names; None for any other host."""
    host = parts.hostname or ""
    for console, partition in HOSTS.items():
        if host == console:
            return partition, None, None
        before = _SESSION.fullmatch(host.removesuffix(console)) if host.endswith(f".{console}") else None
        if before is not None:
            return partition, before[2], before[1]
    return None


def _shown(parts: SplitResult, names: frozenset[str]) -> tuple[str, str]:
    """Kind and id of the run on a page. Raises `NotARun` for a page of none, or of a part of one.

    `names` holds the region that the URL names, so that the hint can be pasted; empty where it names none or several.
    """
    for kind, page in _PAGES.items():
        if match := page.fullmatch(parts.path):
            return kind, match[1]
    if match := _OF_ONE_TARGET.fullmatch(parts.path):
        run = f"aws:{next(iter(names), 'REGION')}:{COMMAND.name}/{match[1]}"
        raise NotARun(
            "it is the page of one target of a command",
            hint=f"name the command and restrict it: {words_of_shell(run, '--target', match[2])}",
        )
    if _OF_A_WINDOW.fullmatch(parts.path):
        raise NotARun(_WINDOW)
    raise NotARun("it is not the page of a command, an automation execution or a window execution")


def _link(id: str, region: str, kind: str, account: str | None) -> Link:
    if kind == STATE_MACHINE.name:
        return Link(id=id, region=region, kind=kind, account=account)
    if not COMMAND.matches(id):
        raise NotARun("its id is not a UUID")
    return Link(id=id.lower(), region=region, kind=kind, account=account)
