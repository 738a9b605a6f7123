"""What is known about Tencent Cloud without a request: kinds, and the variables that choose a profile and a region."""

import re

from runcancel.model.runs import Kind
from runcancel.model.states import Fact, Guarantee
from runcancel.model.triggers import TriggerKind

SITES = ("tencentcloudapi.com", "intl.tencentcloudapi.com")
"""Each has accounts of its own."""


KINDS = (
    Kind(
        name="invocation",
        guarantee=Guarantee.STOPS_RUNNING,
        action="CancelInvocation",
        permission="tat:CancelInvocation",
        promise="A cancel here stops pending targets and terminates running targets.",
        id_pattern=re.compile(r"inv-[0-9a-z]{8,}"),
        probe_id="inv-00000000",
        alias_pattern=re.compile(r"invt-[0-9a-z]{8,}"),
        in_part=True,
        grace=(1.0,),
        read_batch=100,
        scanned=True,
        started_with=("RunCommand", "InvokeCommand"),
        lists=frozenset({Fact.DOCUMENT, Fact.SCRIPT}),
    ),
)

TRIGGER_KINDS = (
    TriggerKind(
        name="invoker",
        title="TAT invoker",
        form="invoker/ivk-…",
        id_pattern=re.compile(r"ivk-[0-9a-z]{8,}"),
        probe_id="ivk-00000000",
        starts=("invocation",),
        promise="The invoker starts nothing while it is disabled. Runs that it has started continue.",
        enable_promise="The invoker starts runs by its schedule again.",
        action="DisableInvoker",
        permission="tat:DisableInvoker",
        enable_action="EnableInvoker",
        enable_permission="tat:EnableInvoker",
    ),
)

REGIONS = frozenset(
    {
        *("ap-guangzhou", "ap-shanghai", "ap-nanjing", "ap-beijing", "ap-chengdu", "ap-chongqing", "ap-hongkong"),
        *("ap-shenzhen", "ap-singapore", "ap-jakarta", "ap-bangkok", "ap-seoul", "ap-tokyo", "ap-taipei"),
        *("na-siliconvalley", "na-ashburn", "sa-saopaulo", "eu-frankfurt"),
        *("ap-shanghai-fsi", "ap-shenzhen-fsi", "ap-beijing-fsi"),
    }
)
"""Regions of TAT, as known in November 2026."""

REGION_VARIABLES: tuple[str, ...] = ("TENCENTCLOUD_REGION",)
PROFILE_VARIABLES: tuple[str, ...] = ("TCCLI_PROFILE",)
CREDENTIALS = (
    "TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY (with TENCENTCLOUD_TOKEN for temporary keys), "
    "tccli's profile (TCCLI_PROFILE, else default) and ~/.tencentcloud/credentials"
)

STS_VERSION = "2018-08-13"
"""The API of the token service."""

STS_REGION = "ap-guangzhou"
"""What the vendor's SDK names to the token service, which answers for all regions: one that is not there is refused."""
