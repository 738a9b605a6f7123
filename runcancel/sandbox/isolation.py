"""The environment of a child that must not be able to reach a real cloud."""

from collections.abc import Mapping
from pathlib import Path

_KEPT = frozenset(
    {
        # the shell and its user
        "PATH", "SHELL", "USER", "LOGNAME", "PWD", "SHLVL", "TMPDIR", "TMP", "TEMP", "TZ", "EDITOR", "VISUAL",
        # languages
        "LANG", "LANGUAGE",
        # the terminal
        "TERM", "TERMINFO", "TERMINFO_DIRS", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE",
        "FORCE_COLOR", "PAGER", "LESS", "LESSCHARSET", "TMUX", "STY",
        # where programs find their own parts
        "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "NODE_PATH", "JAVA_HOME", "GOPATH", "GOROOT",
        "PYENV_ROOT", "PYENV_VERSION",
        # machines that run tests; what Windows needs to start a process
        "CI", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT",
    }
)  # fmt: skip
_KEPT_PREFIXES = ("LC_", "PYTHON", "COVERAGE_")

# For a shell that stays what it is (`sandbox serve`): what a vendor's program, SDK or shell reads to go elsewhere.
_OUTSIDE_PREFIXES = (
    "AWS_", "AMAZON_", "EC2_", "BOTO_",
    "ALIBABA_CLOUD_", "ALIBABACLOUD_", "ALICLOUD_", "ALIYUN_", "ALIBABA_", "OSS_",
    "TENCENTCLOUD_", "TENCENT_", "TCCLI_", "QCLOUD_", "TKE_", "COS_",
    "GOOGLE_", "GCLOUD_", "GCP_", "CLOUDSDK_", "AZURE_", "ARM_", "OCI_", "HUAWEICLOUD_", "HUAWEI_", "HW_", "IBMCLOUD_",
    "DIGITALOCEAN_", "VOLC_", "VOLCENGINE_", "BAIDU_", "JDCLOUD_",
    "RUNCANCEL_",
)  # fmt: skip
# The Alibaba CLI reads bare names, too; a shell runs the files that BASH_ENV and ENV name.
_OUTSIDE = frozenset({"ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN", "REGION_ID", "REGION", "BASH_ENV", "ENV"})
NO_METADATA = {"AWS_EC2_METADATA_DISABLED": "true", "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}


def child_environment(outer: Mapping[str, str], box: Mapping[str, str], home: Path) -> dict[str, str]:
    """What a program needs of the outer environment and nothing else, a fresh home, and the way to the sandbox."""
    environ = {name: value for name, value in outer.items() if _is_kept(name)}
    folders = {
        "HOME": home,
        "USERPROFILE": home,
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_STATE_HOME": home / ".local" / "state",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_DATA_HOME": home / ".local" / "share",
    }
    return environ | {name: str(path) for name, path in folders.items()} | NO_METADATA | dict(box)


def _is_kept(name: str) -> bool:
    upper = name.upper()
    return upper in _KEPT or upper.startswith(_KEPT_PREFIXES)


def leads_outside(name: str) -> bool:
    """A variable that a shell unsets before it talks to the sandbox."""
    upper = name.upper()
    return upper.startswith(_OUTSIDE_PREFIXES) or upper.endswith("_PROXY") or upper in _OUTSIDE


PROMPT = "(sandbox) "


def mark_prompt(home: Path) -> None:
    """Shells that are started in `home` say where they are: whoever rehearses must never take it for the real thing."""
    (home / ".bashrc").write_text(f"PS1='{PROMPT}\\w\\$ '\n")
    (home / ".zshrc").write_text(f"PROMPT='{PROMPT}%~%# '\n")
