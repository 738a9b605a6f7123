"""The commands of docs/install.md as they stand there, each block run in a home directory of its own."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "install.md"
BLOCKS: Mapping[str, str] = dict(
    re.findall(r"^```sh install=(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
)
_NETWORK = ("UV_", "PIP_", "SSL_CERT_", "REQUESTS_CA_")


def installed(name: str, home: Path, cwd: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Run a block to its end or to the first command that fails. `~/.local/bin` is in PATH, as it is for a user."""
    home.mkdir(parents=True, exist_ok=True)
    # how this machine reaches PyPI stays as it is
    network = {
        name: value for name, value in os.environ.items() if name.startswith(_NETWORK) or name.endswith("_PROXY")
    }
    environ = network | {"HOME": str(home), "PATH": f"{home}/.local/bin:{path}", "LC_ALL": "C.UTF-8"}
    script = ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", BLOCKS[name]]
    return subprocess.run(script, env=environ, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
