"""One row per kind of run and guarantee: what every provider is held to by the same tests."""

from dataclasses import dataclass, field
from typing import Any

from outside import (
    AUTOMATION,
    COMMAND,
    ENDED,
    FANOUT,
    KILLED,
    MACHINE,
    MACHINE_ENDED,
    NOBODY,
    ONE_SHOT,
    OOS,
    OOS_ENDED,
    SCHEDULE,
    TENCENT,
    WINDOW,
)

from runcancel.model.runs import Scope


@dataclass(frozen=True, kw_only=True)
class Example:
    """A run and what its vendor's documentation lets one expect of a cancel.

    `effects` are those of a cancel of the whole run, by the state before; `chunk` is how many targets one request takes
    (0: it cannot be cancelled in part). `listing` is the one operation that lists its kind (empty: it takes several),
    `page` runs at a time.
    """

    name: str
    ref: str
    ended: str
    absent: str
    guarantee: str
    reading: str
    operation: str
    action: str
    effects: dict[str, str]
    verdict: str
    chunk: int = 0
    listing: str = ""
    page: int = 0
    added: dict[str, Any] = field(default_factory=dict)

    @property
    def provider(self) -> str:
        return self.ref.split(":")[0]

    @property
    def region(self) -> str:
        return self.ref.split(":")[1]

    @property
    def kind(self) -> str:
        return self.ref.split(":")[2].partition("/")[0]

    @property
    def scope(self) -> Scope:
        return Scope(provider=self.provider, region=self.region)

    @property
    def vendor(self) -> "Vendor":
        return VENDORS[self.provider]

    def __str__(self) -> str:
        return self.name


_PENDING_ONLY = {
    "pending": "cancelled",
    "scheduled": "cancelled",
    "running": "kept-running",
    "succeeded": "already-ended",
    "failed": "already-ended",
}
_STOPS = {**_PENDING_ONLY, "running": "terminated"}

_WINDOWS = {
    "ended": ENDED[0],
    "absent": "aws:us-east-2:maintenance-window/00000000-0000-4000-8000-000000000000",
    "guarantee": "pending-only",
    "reading": "GetMaintenanceWindowExecution",
    "operation": "CancelMaintenanceWindowExecution",
    "action": "ssm:CancelMaintenanceWindowExecution",
    "effects": _PENDING_ONLY,
    "verdict": "partial",
}
_COMMANDS = {
    "ended": ENDED[1],
    "absent": "aws:us-east-2:command/00000000-0000-4000-8000-000000000000",
    "guarantee": "best-effort",
    "reading": "ListCommands",
    "operation": "CancelCommand",
    "listing": "ListCommands",
    "page": 50,
    "action": "ssm:CancelCommand",
    "effects": _STOPS,
    "verdict": "stopped",
    "chunk": 50,
}
_AUTOMATIONS = {
    "ended": ENDED[2],
    "absent": "aws:us-east-2:automation/00000000-0000-4000-8000-000000000000",
    "guarantee": "best-effort",
    "reading": "GetAutomationExecution",
    "operation": "StopAutomationExecution",
    "listing": "DescribeAutomationExecutions",
    "page": 50,
    "action": "ssm:StopAutomationExecution",
    "effects": _STOPS,
    "verdict": "stopped",
}
_MACHINES = {
    "ended": MACHINE_ENDED,
    "absent": MACHINE.replace("11-27", "12-24"),
    "guarantee": "best-effort",
    "reading": "DescribeExecution",
    "operation": "StopExecution",
    "action": "states:StopExecution",
    "effects": _STOPS,
    "verdict": "stopped",
}
_ALIBABA = {
    "ended": ENDED[3],
    "absent": "alibaba:cn-hangzhou:invocation/t-00000000000000000000000000000000",
    "guarantee": "pending-only",
    "reading": "DescribeInvocations",
    "operation": "StopInvocation",
    "listing": "DescribeInvocations",
    "page": 50,
    "action": "ecs:StopInvocation",
    "effects": _PENDING_ONLY,
    "verdict": "partial",
    "chunk": 50,
}
_OOS = {
    "ended": OOS_ENDED,
    "absent": "alibaba:cn-hangzhou:oos/exec-00000000000000000000",
    "guarantee": "best-effort",
    "reading": "ListExecutions",
    "operation": "CancelExecution",
    "listing": "ListExecutions",
    "page": 100,
    "action": "oos:CancelExecution",
    "effects": _STOPS,
    "verdict": "reported",
}
_TENCENT = {
    "ended": ENDED[4],
    "absent": NOBODY,
    "guarantee": "stops-running",
    "reading": "DescribeInvocations",
    "operation": "CancelInvocation",
    "listing": "DescribeInvocations",
    "page": 100,
    "action": "tat:CancelInvocation",
    "effects": _STOPS,
    "verdict": "stopped",
    "chunk": 100,
}

_MIXED = {"succeeded": 2, "failed": 1, "running": 3, "pending": 4}
_UUID = "c0117ac7-0000-4000-8000-00000000000{}"


def _added(provider: str, kind: str, region: str, id: str, **spec: Any) -> dict[str, Any]:
    return {"provider": provider, "kind": kind, "region": region, "id": id, "name": "contract", **spec}


EXAMPLES = (
    Example(name="window", ref=WINDOW, **_WINDOWS),
    Example(
        name="window-of-automations",
        ref=f"aws:us-east-2:maintenance-window/{_UUID.format(1)}",
        added=_added("aws", "maintenance-window", "us-east-2", _UUID.format(1), targets=_MIXED, sort="AUTOMATION"),
        **_WINDOWS,
    ),
    Example(
        name="window-not-begun",
        ref=f"aws:us-east-2:maintenance-window/{_UUID.format(2)}",
        added=_added("aws", "maintenance-window", "us-east-2", _UUID.format(2), targets={"pending": 12}),
        **{**_WINDOWS, "verdict": "stopped"},
    ),
    Example(name="command", ref=COMMAND, **_COMMANDS),
    Example(
        name="command-mixed",
        ref=f"aws:us-east-2:command/{_UUID.format(3)}",
        added=_added("aws", "command", "us-east-2", _UUID.format(3), targets=_MIXED),
        **_COMMANDS,
    ),
    Example(name="automation", ref=AUTOMATION, **_AUTOMATIONS),
    Example(name="automation-of-children", ref=FANOUT, **_AUTOMATIONS),
    Example(name="state-machine", ref=MACHINE, **_MACHINES),
    Example(name="alibaba-keeps", ref=ONE_SHOT, **_ALIBABA),
    Example(
        name="alibaba-stops", ref=KILLED, **{**_ALIBABA, "effects": _STOPS, "verdict": "reported"}
    ),
    Example(name="alibaba-schedule", ref=SCHEDULE, **_ALIBABA),
    Example(
        name="alibaba-mixed",
        ref="alibaba:cn-shanghai:invocation/t-c0117ac700000000000000000000000a",
        added=_added(
            "alibaba", "invocation", "cn-shanghai", "t-c0117ac700000000000000000000000a",
            targets=_MIXED, terminates=False,
        ),
        **{**_ALIBABA, "absent": "alibaba:cn-shanghai:invocation/t-00000000000000000000000000000000"},
    ),
    Example(name="oos", ref=OOS, **_OOS),
    Example(name="tencent", ref=TENCENT, **_TENCENT),
    Example(
        name="tencent-on-its-way",
        ref="tencent:ap-singapore:invocation/inv-c0117ac7",
        added=_added(
            "tencent", "invocation", "ap-singapore", "inv-c0117ac7",
            targets={"succeeded": 1, "delivering": 2, "delayed": 3, "running": 4},
        ),
        **{**_TENCENT, "absent": "tencent:ap-singapore:invocation/inv-00000000"},
    ),
)  # fmt: skip

ONE_OF_EACH = tuple({one.provider: one for one in reversed(EXAMPLES)}.values())
"""The first example of every cloud."""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """The variables of a key, how its owner is written, which service tells the regions, and two of those."""

    id: str
    secret: str
    principal: str
    regions_of: str
    regions: tuple[str, str]


VENDORS = {
    "aws": Vendor(
        id="AWS_ACCESS_KEY_ID",
        secret="AWS_SECRET_ACCESS_KEY",
        principal="arn:aws:",
        regions_of="ec2",
        regions=("us-east-2", "eu-west-1"),
    ),
    "alibaba": Vendor(
        id="ALIBABA_CLOUD_ACCESS_KEY_ID",
        secret="ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        principal="acs:ram::",
        regions_of="ecs",
        regions=("cn-hangzhou", "cn-shanghai"),
    ),
    "tencent": Vendor(
        id="TENCENTCLOUD_SECRET_ID",
        secret="TENCENTCLOUD_SECRET_KEY",
        principal="qcs::cam::",
        regions_of="tat",
        regions=("ap-guangzhou", "ap-singapore"),
    ),
}

WORDS = {
    "delivering": "pending",
    "delayed": "pending",
    "task_timeout": "timed_out",
    "start_failed": "failed",
    "invalid": "failed",
    "error": "failed",
}
"""The sandbox's finer words for what we have one word for."""


def ours(word: str) -> str:
    """A true state in our words."""
    return WORDS.get(word, word)
