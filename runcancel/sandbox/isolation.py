"""The environment of a child that must not be able to reach a real cloud."""

from collections.abc import Mapping
from pathlib import Path

_CLOUD_PREFIXES = (
    "AWS_",
    "ALIBABA_CLOUD_",
    "ALIBABACLOUD_",
    "ALICLOUD_",
    "TENCENTCLOUD_",
    "TCCLI_",
    "RUNCANCEL_",
)
# The Alibaba CLI reads these bare names too.
_BARE = frozenset({"ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN", "REGION_ID", "REGION", "BOTO_CONFIG"})
NO_METADATA = {"AWS_EC2_METADATA_DISABLED": "true", "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}


def child_environment(outer: Mapping[str, str], box: Mapping[str, str], home: Path) -> dict[str, str]:
    """The outer environment without anything that leads to a cloud, a fresh home, and the way to the sandbox."""
    kept = {name: value for name, value in outer.items() if not leads_outside(name)}
    places = {
        "HOME": home,
        "USERPROFILE": home,
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_STATE_HOME": home / ".local" / "state",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_DATA_HOME": home / ".local" / "share",
    }
    return kept | {name: str(path) for name, path in places.items()} | NO_METADATA | dict(box)


def leads_outside(name: str) -> bool:
    upper = name.upper()
    return upper.startswith(_CLOUD_PREFIXES) or upper.endswith("_PROXY") or upper in _BARE
