"""Tencent Cloud: which pages of its console name a run.

The vendor documents no page of an invocation, hence any page counts that holds exactly one id and one region. The
console writes regions as numbers (`rid=1`).
"""

from collections.abc import Mapping

from runcancel.model.runs import Kind
from runcancel.providers.common.links import Link, only_run

HOSTS = frozenset({"console.cloud.tencent.com", "console.tencentcloud.com", "console.intl.cloud.tencent.com"})

NUMBERS: Mapping[str, str] = {
    "1": "ap-guangzhou",
    "4": "ap-shanghai",
    "5": "ap-hongkong",
    "7": "ap-shanghai-fsi",
    "8": "ap-beijing",
    "9": "ap-singapore",
    "11": "ap-shenzhen-fsi",
    "15": "na-siliconvalley",
    "16": "ap-chengdu",
    "17": "eu-frankfurt",
    "18": "ap-seoul",
    "19": "ap-chongqing",
    "22": "na-ashburn",
    "23": "ap-bangkok",
    "25": "ap-tokyo",
    "33": "ap-nanjing",
    "37": "ap-shenzhen",
    "39": "ap-taipei",
    "46": "ap-beijing-fsi",
    "72": "ap-jakarta",
    "74": "sa-saopaulo",
}
"""The console's numbers of the regions that have TAT."""


def read(text: str, kind: Kind, regions: frozenset[str]) -> Link | None:
    """The run that a URL names; None for an ARN and for a host that is none of the vendor's. Raises `NotARun`."""
    return only_run(text, kind, provider="tencent", hosts=HOSTS, regions=regions, numbers=NUMBERS)
