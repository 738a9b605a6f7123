"""Alibaba Cloud: which pages of its console name a run.

The vendor documents `/cloud-assistant/region/REGION`; the page of a result is known from scripts that link to it, hence
any page counts that holds exactly one id and one region. No ARN of Alibaba Cloud names an invocation.
"""

from runcancel.model.runs import Kind
from runcancel.providers.common.links import Link, only_run

HOSTS = frozenset({"ecs.console.aliyun.com", "ecs.console.alibabacloud.com"})


def read(text: str, kind: Kind, regions: frozenset[str]) -> Link | None:
    """The run that a URL names; None for an ARN and for a host that is none of the vendor's. Raises `NotARun`."""
    return only_run(text, kind, provider="alibaba", hosts=HOSTS, regions=regions, numbers={})
