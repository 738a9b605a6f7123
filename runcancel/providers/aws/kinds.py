"""The three kinds of AWS runs. Their ids are look-alike UUIDs."""

import re

from runcancel.model.runs import Kind
from runcancel.model.states import Fact, Guarantee

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_NOBODY = "00000000-0000-4000-8000-000000000000"

WINDOW = Kind(
    name="maintenance-window",
    guarantee=Guarantee.PENDING_ONLY,
    action="CancelMaintenanceWindowExecution",
    permission="ssm:CancelMaintenanceWindowExecution",
    promise="A cancel here stops pending tasks. Running tasks run to completion.",
    id_pattern=_UUID,
    case_insensitive=True,
    probe_id=_NOBODY,
    in_part=False,
    starts_runs=True,
)
COMMAND = Kind(
    name="command",
    guarantee=Guarantee.BEST_EFFORT,
    action="CancelCommand",
    permission="ssm:CancelCommand",
    promise="A cancel here is a request to the agent of each target; the process may not stop.",
    id_pattern=_UUID,
    case_insensitive=True,
    probe_id=_NOBODY,
    in_part=True,
    grace=(0.5, 1.0),
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
    probe_id=_NOBODY,
    in_part=False,
    read_whole=True,
    lists=frozenset({Fact.DOCUMENT, Fact.STARTED_BY}),
)
