"""What is known about AWS without a request: kinds, and the variables that choose a profile and a region."""

import re

from runcancel.model.runs import Kind
from runcancel.model.states import Fact, Guarantee
from runcancel.model.triggers import TriggerKind

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_NAME = r"[-!'()+.=@0-9A-Z_a-z]{1,80}"
"""The name of a state machine, of a Map Run or of an execution, as Step Functions takes it; a reference is ASCII."""

_PROBE_ID = "00000000-0000-4000-8000-000000000000"

WINDOW = Kind(
    name="maintenance-window",
    guarantee=Guarantee.PENDING_ONLY,
    action="CancelMaintenanceWindowExecution",
    permission="ssm:CancelMaintenanceWindowExecution",
    promise="A cancel here stops pending tasks. Running tasks run to completion.",
    id_pattern=_UUID,
    case_insensitive=True,
    probe_id=_PROBE_ID,
    in_part=False,
    starts_runs=True,
    parameters=True,
    scanned=True,
)
COMMAND = Kind(
    name="command",
    guarantee=Guarantee.BEST_EFFORT,
    action="CancelCommand",
    permission="ssm:CancelCommand",
    promise="A cancel here is a request to the agent of each target; the process may not stop.",
    id_pattern=_UUID,
    case_insensitive=True,
    probe_id=_PROBE_ID,
    in_part=True,
    grace=(0.5, 1.0),
    started_with=("SendCommand",),
    lists=frozenset({Fact.DOCUMENT, Fact.SCRIPT}),
)
AUTOMATION = Kind(
    name="automation",
    guarantee=Guarantee.BEST_EFFORT,
    action="StopAutomationExecution",
    permission="ssm:StopAutomationExecution",
    promise="A cancel here stops at the current step. Runs that a step started may continue, "
    "and an onCancel path may still run.",
    id_pattern=_UUID,
    case_insensitive=True,
    probe_id=_PROBE_ID,
    in_part=False,
    starts_runs=True,
    read_whole=True,
    started_with=("StartAutomationExecution",),
    lists=frozenset({Fact.DOCUMENT, Fact.STARTED_BY}),
)

STATE_MACHINE = Kind(
    name="state-machine",
    guarantee=Guarantee.BEST_EFFORT,
    action="StopExecution",
    permission="states:StopExecution",
    promise="A cancel here stops the execution. A task that it has started may continue.",
    id_pattern=re.compile(
        r"arn:aws[a-z-]*:states:[a-z0-9-]{1,64}:[0-9]{12}:execution:" + _NAME + "(?:/" + _NAME + ")?:" + _NAME
    ),
    probe_id="arn:aws:states:us-east-1:000000000000:execution:runcancel:00000000-0000-4000-8000-000000000000",
    in_part=False,
    read_whole=True,
    by_kind_only=True,
    form="the ARN of an execution",
    started_with=("StartExecution",),
    lists=frozenset({Fact.DOCUMENT}),
)

KINDS = (WINDOW, COMMAND, AUTOMATION, STATE_MACHINE)
"""In the order of the lookup of a bare id: automations permit 3 requests a second, hence after the others."""


def _listed_only(
    *, name: str, title: str, form: str, id_pattern: re.Pattern[str], probe_id: str, called: str, because: str
) -> TriggerKind:
    """A kind of trigger that is listed and never changed. `called`: what there are several of."""
    return TriggerKind(
        name=name,
        title=title,
        form=f"{name}/{form}",
        id_pattern=id_pattern,
        probe_id=probe_id,
        starts=(COMMAND.name, AUTOMATION.name),
        promise=f"runcancel does not change {called}.",
        fixed_because=because,
    )


WINDOW_TRIGGER = TriggerKind(
    name="window",
    title="maintenance window",
    form="window/mw-…",
    id_pattern=re.compile(r"mw-[0-9a-f]{17}"),
    probe_id="mw-00000000000000000",
    starts=(WINDOW.name,),
    promise="The window starts nothing while it is disabled. Executions that it has started continue.",
    enable_promise="The window starts executions by its schedule again.",
    action="UpdateMaintenanceWindow",
    permission="ssm:UpdateMaintenanceWindow",
    enable_action="UpdateMaintenanceWindow",
    enable_permission="ssm:UpdateMaintenanceWindow",
    policy_help="AWS: restrict the cancel to this maintenance window.",
)
RULE = TriggerKind(
    name="rule",
    title="EventBridge rule",
    form="rule/BUS/NAME",
    probe_id="default/runcancel-doctor",
    id_pattern=re.compile(r"[/.\-_A-Za-z0-9]{1,256}/[.\-_A-Za-z0-9]{1,64}"),
    starts=(COMMAND.name, AUTOMATION.name),
    promise="The rule starts nothing while it is disabled, after a short period in which events still match.",
    enable_promise="The rule starts its targets again, after a short period in which events do not match yet.",
    action="DisableRule",
    permission="events:DisableRule",
    enable_action="EnableRule",
    enable_permission="events:EnableRule",
)
SCHEDULE = _listed_only(
    name="schedule",
    title="EventBridge Scheduler schedule",
    form="GROUP/NAME",
    id_pattern=re.compile(r"[.\-_A-Za-z0-9]{1,64}/[.\-_A-Za-z0-9]{1,64}"),
    probe_id=RULE.probe_id,
    called="schedules of EventBridge Scheduler",
    because="an update of a schedule writes every field, and EventBridge Scheduler has no version check",
)
ASSOCIATION = _listed_only(
    name="association",
    title="State Manager association",
    form="ID",
    id_pattern=_UUID,
    probe_id=_PROBE_ID,
    called="State Manager associations",
    because="an update of an association erases every field that is not sent, and runs the association at once",
)
TRIGGER_KINDS = (WINDOW_TRIGGER, RULE, SCHEDULE, ASSOCIATION)

REGION_VARIABLES: tuple[str, ...] = ("AWS_REGION", "AWS_DEFAULT_REGION")
"""botocore reads only the second; every other AWS SDK reads the first."""

PROFILE_VARIABLES: tuple[str, ...] = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
