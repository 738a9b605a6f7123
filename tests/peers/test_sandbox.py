"""The vendors' CLIs against `runcancel sandbox serve` and inside `runcancel sandbox exec`."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from runcancel.sandbox.isolation import child_environment

from .bench import RUNCANCEL, Bench

AWS = (
    "aws ssm get-maintenance-window-execution --window-execution-id 02f05632-d0bc-470d-b1e5-c59a8d4f2a10"
    " --query Status --output text"
)
TCCLI = (
    """tccli tat DescribeInvocations --endpoint "$RUNCANCEL_TENCENT_ENDPOINT_URL" --InvocationIds '["inv-ib2lld37"]'"""
    " --filter 'InvocationSet[0].InvocationStatus'"
)
STATUS = "runcancel status 02f05632-d0bc-470d-b1e5-c59a8d4f2a10 inv-ib2lld37 -o tsv | cut -f 2"
SAID = ["IN_PROGRESS", '"RUNNING"', "state", "running", "running"]


def test_what_serve_prints_leads_all_three_there(peers: Path, tmp_path: Path) -> None:
    outside = child_environment(os.environ, {}, tmp_path) | {
        "PATH": os.pathsep.join((str(peers), str(RUNCANCEL.parent), os.environ["PATH"]))
    }
    lines = tmp_path / "sandbox.env"
    with lines.open("w") as out:
        server = subprocess.Popen(
            [RUNCANCEL, "sandbox", "serve"], env=outside, stdout=out, stderr=subprocess.PIPE, text=True
        )
    try:
        assert server.stderr is not None
        server.stderr.readline()  # it is up, and the lines are written
        script = f". {lines}\n{AWS}\n{TCCLI}\n{STATUS}"
        done = subprocess.run(
            ["sh", "-euc", script], env=outside, capture_output=True, text=True, timeout=50, check=False
        )
    finally:
        server.send_signal(signal.SIGTERM)
        _, rest = server.communicate(timeout=10)
    assert (done.returncode, done.stdout.split()) == (0, SAID), done.stderr
    assert server.returncode == 143
    assert "Traceback" not in rest


def test_exec_leads_all_three_there(start: Callable[..., Bench]) -> None:
    bench = start()
    path = f"{RUNCANCEL.parent}{os.pathsep}"
    script = f'PATH="{path}$PATH"\n{AWS}\n{TCCLI}\n{STATUS}'
    astray = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "TENCENTCLOUD_SECRET_ID": "AKIDnobody"}
    done = bench.run(RUNCANCEL, "sandbox", "exec", "--", "sh", "-euc", script, env=astray)
    assert (done.returncode, done.stdout.split()) == (0, SAID), done.stderr
    assert bench.box.log.shown() == []
