"""What is known about Alibaba Cloud without a request: kinds, and the variables that choose a profile and a region."""

import re

from runcancel.model.runs import Kind
from runcancel.model.states import Fact, Guarantee

INVOCATION = Kind(
    name="invocation",
    guarantee=Guarantee.PENDING_ONLY,
    action="StopInvocation",
    permission="ecs:StopInvocation",
    promise="A cancel here stops what has not started, and a schedule stops repeating. "
    "What has started is documented to run to completion.",
    id_pattern=re.compile(r"t-[0-9a-z]{8,}"),
    probe_id="t-00000000000000000000000000000000",
    in_part=True,
    grace=(1.0,),
    read_whole=True,
    may_repeat=True,
    started_with=("RunCommand", "InvokeCommand"),
    lists=frozenset({Fact.DOCUMENT, Fact.SCRIPT}),
)
OOS = Kind(
    name="oos",
    guarantee=Guarantee.BEST_EFFORT,
    action="CancelExecution",
    permission="oos:CancelExecution",
    promise="A cancel here ends the execution. Runs that a task has started may continue. "
    "A timer does not start anything again, and cannot be resumed.",
    id_pattern=re.compile(r"exec-[0-9a-z]{8,64}(?:\.[0-9]{1,6}){0,4}"),
    probe_id="exec-00000000000000000000",
    in_part=False,
    starts_runs=True,
    scanned=True,
    by_kind_only=True,
    form="exec-…",
    grace=(1.0,),
    may_repeat=True,
    started_with=("StartExecution",),
    lists=frozenset({Fact.DOCUMENT, Fact.STARTED_BY}),
)
KINDS = (INVOCATION, OOS)
"""In the order of the lookup; their ids have different shapes."""

REGION_VARIABLES: tuple[str, ...] = ("ALIBABA_CLOUD_REGION_ID", "ALIBABACLOUD_REGION_ID", "ALICLOUD_REGION_ID")
PROFILE_VARIABLES: tuple[str, ...] = ("ALIBABACLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE", "ALICLOUD_PROFILE")
CREDENTIALS = (
    "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, an OIDC role, ~/.aliyun/config.json, "
    "~/.alibabacloud/credentials.ini, ALIBABA_CLOUD_CREDENTIALS_URI, "
    "and a metadata role only when ALIBABA_CLOUD_ECS_METADATA names one"
)

STS_VERSION = "2015-04-01"
"""The API of the token service."""
