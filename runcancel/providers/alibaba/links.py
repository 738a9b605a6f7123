"""Alibaba Cloud: which pages of its console name a run.

The vendor documents `/cloud-assistant/region/REGION`; the page of a result is known from scripts that link to it, hence
any page counts that holds exactly one id and one region. No ARN of Alibaba Cloud names an invocation.
"""

from collections.abc import Mapping

from runcancel.model.runs import Kind
from runcancel.providers.alibaba.facts import INVOCATION, KINDS, OOS
from runcancel.providers.common.links import Link, only_run

HOSTS: Mapping[str, Kind] = {
    "ecs.console.aliyun.com": INVOCATION,
    "ecs.console.alibabacloud.com": INVOCATION,
    "oos.console.aliyun.com": OOS,
    "oos.console.alibabacloud.com": OOS,
}
"""The hosts of the consoles, and the kind of run that their pages show."""


def read(text: str, regions: frozenset[str]) -> Link | None:
    """The run that a URL names; None for an ARN and for a host that is none of the vendor's. Raises `NotARun`."""
    for kind in KINDS:
        hosts = frozenset(host for host, shown in HOSTS.items() if shown is kind)
        run = only_run(text, kind, provider="alibaba", hosts=hosts, regions=regions, numbers={})
        if run is not None:
            return run
    return None
