"""Alibaba Cloud: which pages of its console name a run.

The vendor documents `/cloud-assistant/region/REGION`; the page of a result is known from scripts that link to it, hence
any page counts that holds exactly one id and one region. No ARN of Alibaba Cloud names an invocation.
"""

from runcancel.model import Kind
from runcancel.providers.links import Link, address, only_run

HOSTS = frozenset({"ecs.console.aliyun.com", "ecs.console.alibabacloud.com"})


def read(text: str, kind: Kind, regions: frozenset[str]) -> Link | None:
    """The run that a URL names; None for an ARN and for a host that is none of the vendor's. Raises `NotARun`."""
    if text.startswith("arn:"):
        return None
    parts = address(text)
    if parts.hostname not in HOSTS:
        return None
    return only_run(parts, kind, provider="alibaba", regions=regions, numbers={})
