"""Where the products of Tencent Cloud answer: its finance regions have hosts of their own."""

import pytest

from runcancel.providers.tencent import PROVIDER

FINANCE = sorted(region for region in PROVIDER.regions if region.endswith("-fsi"))


@pytest.mark.parametrize("region", sorted(PROVIDER.regions - {*FINANCE}))
def test_one_host_answers_for_the_regions_of_a_site(region: str) -> None:
    assert PROVIDER.host(region, None) == "tat.tencentcloudapi.com"
    assert PROVIDER.host(region, "intl.tencentcloudapi.com") == "tat.intl.tencentcloudapi.com"


@pytest.mark.parametrize("region", FINANCE)
@pytest.mark.parametrize("site", [None, *PROVIDER.sites])
def test_a_finance_region_answers_itself(region: str, site: str | None) -> None:
    assert PROVIDER.host(region, site) == f"tat.{region}.tencentcloudapi.com"
