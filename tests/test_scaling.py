"""The recipes of `docs/scaling.md`, run as they stand there: GNU parallel, a Slurm array, a Kubernetes Job, Ansible."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli.test_shards import write
from outside import RUNCANCEL, Done, Outside

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
_BLOCK = re.compile(r"^```\w+ recipe=(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES = dict(_BLOCK.findall(PAGE.read_text(encoding="utf-8")))
REGIONS = ("ap-guangzhou", "ap-shanghai", "ap-singapore")
MUST = "RUNCANCEL_TESTS_NEED_JOB_RUNNERS"
"""Set where the job runners are installed: then what is missing fails, and is not skipped."""

_PEERS = os.environ.get("RUNCANCEL_PEERS")
_DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")


@pytest.fixture
def plan(outside: Outside) -> dict[str, Any]:
    """A plan of two runs in each of three scopes, in a file."""
    for region in REGIONS:
        for _ in range(2):
            outside.add("tencent", region=region, name="patch-openssl", targets={"pending": 2})
    document: dict[str, Any] = outside.json("cancel", "--name", "patch-openssl", "-p", "tencent", "-r", "all", "-n")
    write(outside, document)
    return document


def filled(name: str, plan: Any) -> str:
    """A recipe with the number of runs that this plan has."""
    recipe, count = re.subn(r'(--confirm"?,? "?)412', rf"\g<1>{len(plan['plan'])}", RECIPES[name])
    assert count == 1
    return recipe


def whole(outside: Outside, plan: Any, *files: str, shards: int = 8) -> None:
    """One report has every run of the plan and every shard."""
    document = outside.json("report", *files)
    (one,) = document["reports"]
    assert [(each["count"], each["complete"]) for each in one["plans"]] == [(shards, True)]
    runs = [run["run"] for account in one["accounts"] for run in account["runs"]]
    assert sorted(runs) == sorted(item["run"] for item in plan["plan"])
    assert set(one["verdicts"]) == {"stopped"}, one["verdicts"]
    assert document["complete"]


def require(*names: str) -> None:
    """Skip where a command is not installed; fail where it must be."""
    missing = [name for name in names if shutil.which(name, path=_search()) is None]
    if missing:
        _without(f"{' and '.join(missing)} not installed")


def peers(name: str) -> None:
    """Skip without the environment of the peers; with it, its command must be there."""
    if not _PEERS:
        pytest.skip(f"{name} is in the environment of make test-peers (RUNCANCEL_PEERS)")
    require(name)


def _without(why: str) -> None:
    if os.environ.get(MUST):
        pytest.fail(f"{why}, but {MUST} is set")
    pytest.skip(why)


def _search() -> str:
    """Daemons of Debian are not on every path."""
    return os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin", *([f"{_PEERS}/bin"] if _PEERS else [])))


def test_every_recipe_of_the_page_has_a_test() -> None:
    text = Path(__file__).read_text(encoding="utf-8")

    assert set(re.findall(r"(?:filled\(|RECIPES\[)[\"'](\w+)", text)) == set(RECIPES)


def test_a_shell_computes_the_shard_of_a_scope(outside: Outside) -> None:
    from runcancel.engine.shards import position

    done = outside.shell(RECIPES["hash"])

    assert done.out == f"{position('aws', '111122223333', 'us-east-2', 4)}\n", str(done)


def test_gnu_parallel_runs_every_shard(outside: Outside, plan: Any) -> None:
    require("parallel")

    done = outside.shell(f"set -euo pipefail\n{filled('parallel', plan)}")

    assert done.code == 0, str(done)
    assert "# Incident report" in (outside.home / "incident.md").read_text()
    whole(outside, plan)
    whole(outside, plan, *(f"shard-{index}.jsonl" for index in range(8)))


def test_a_slurm_array_runs_every_shard(outside: Outside, plan: Any, tmp_path: Path) -> None:
    require(*_DAEMONS)
    (outside.home / "shards.sbatch").write_text(filled("slurm", plan))

    with cluster(tmp_path) as variables:
        done = outside.shell("sbatch --wait shards.sbatch", env=variables)

    assert done.code == 0, f"{done}\n{_logs(outside.home)}"
    whole(outside, plan, *(f"shard-{index}.jsonl" for index in range(8)))


def _logs(folder: Path) -> str:
    return "\n".join(f"{file.name}: {file.read_text(errors='replace')[-800:]}" for file in sorted(folder.glob("*.log")))


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """A Slurm controller and one node on this machine, with the variables that lead to it. Skips where none starts."""
    for name in ("state", "spool", "munge"):
        (folder / name).mkdir()
    folder.chmod(0o755)
    (folder / "munge").chmod(0o711)  # munged wants its socket to be reachable
    (folder / "munge" / "key").write_bytes(os.urandom(1024))
    (folder / "munge" / "key").chmod(0o600)
    (folder / "slurm.conf").write_text(_configuration(folder))
    variables = {"SLURM_CONF": str(folder / "slurm.conf")}
    munge = [
        f"--{name}={folder}/munge/{name.partition('-')[0]}" for name in ("key-file", "socket", "pid-file", "log-file")
    ]
    children: list[subprocess.Popen[bytes]] = []
    try:
        children.append(
            _daemon(folder, "munged", "--foreground", "--force", f"--seed-file={folder}/munge/seed", *munge)
        )
        _until(lambda: (folder / "munge" / "socket").is_socket(), children, folder)
        children.append(_daemon(folder, "slurmctld", "-D", "-i", env=variables))
        children.append(_daemon(folder, "slurmd", "-D", env=variables))
        _until(lambda: "idle" in _ran(["sinfo", "-h", "-o", "%T"], variables), children, folder)
        yield variables
    finally:
        for child in reversed(children):
            child.send_signal(signal.SIGTERM)
        for child in children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _configuration(folder: Path) -> str:
    host = socket.gethostname().partition(".")[0]
    control, node = _free_ports(2)
    return "\n".join(
        (
            "ClusterName=shards",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={control}",
            f"SlurmdPort={node}",
            f"SlurmUser={_ran(['id', '-un']).strip()}",
            f"SlurmdUser={_ran(['id', '-un']).strip()}",
            "AuthType=auth/munge",
            f"AuthInfo=socket={folder}/munge/socket",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_CPU",
            "MpiDefault=none",
            "SchedulerParameters=batch_sched_delay=0",
            "SlurmdParameters=config_overrides",
            f"StateSaveLocation={folder}/state",
            f"SlurmdSpoolDir={folder}/spool",
            *(f"{name}PidFile={folder}/{name}.pid" for name in ("Slurmctld", "Slurmd")),
            f"NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN",
            f"PartitionName=main Nodes={host} Default=YES MaxTime=5 State=UP",
            "",
        )
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _daemon(folder: Path, name: str, *argv: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        path = shutil.which(name, path=_search()) or name
        return subprocess.Popen([path, *argv], env={**os.environ, **(env or {})}, stdout=log, stderr=log)


def _until(ready: Callable[[], bool], children: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    """Wait until the daemons serve. Skips with what they wrote where they do not: a container may forbid them."""
    deadline = time.monotonic() + 20
    while not ready():
        if any(child.poll() is not None for child in children) or time.monotonic() > deadline:
            _without(f"Slurm does not start on this machine: {_logs(folder)}")
        time.sleep(0.05)


def _ran(argv: Sequence[str], env: dict[str, str] | None = None) -> str:
    done = subprocess.run(argv, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    return done.stdout


def test_every_pod_of_the_kubernetes_job_runs_its_shard(outside: Outside, plan: Any) -> None:
    """The manifest is valid for Kubernetes, and its command is run here as each pod would run it."""
    manifest = yaml.safe_load(filled("kubernetes", plan))
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    argv = [word.replace("/plan/", "") for word in container["args"]]

    done = [
        outside.run(*argv, env={"JOB_COMPLETION_INDEX": str(index)}) for index in range(manifest["spec"]["completions"])
    ]

    assert {one.code for one in done} == {0}, "\n".join(map(str, done))
    (outside.home / "shards.jsonl").write_text("".join(one.out for one in done))
    whole(outside, plan, "./shards.jsonl")
    assert outside.json("history")["operations"] == [], "the file system of the pod is read-only"


def test_the_kubernetes_job_is_what_its_schema_permits(tmp_path: Path) -> None:
    peers("kubernetes-validate")
    (tmp_path / "job.yaml").write_text(RECIPES["kubernetes"])
    validate = [f"{_PEERS}/bin/kubernetes-validate", "--strict"]

    done = subprocess.run([*validate, tmp_path / "job.yaml"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "job.yaml").write_text(RECIPES["kubernetes"].replace("completionMode", "completionMood"))
    assert subprocess.run([*validate, tmp_path / "job.yaml"], capture_output=True, check=False).returncode != 0


def test_an_ansible_play_runs_one_shard_on_each_host(outside: Outside, plan: Any) -> None:
    peers("ansible-playbook")
    (outside.home / "shards.yml").write_text(filled("ansible", plan))
    hosts = "".join(f"bastion-{number} ansible_connection=local\n" for number in range(3))
    interpreter = f"[bastions:vars]\nansible_python_interpreter={_PEERS}/bin/python\n"
    (outside.home / "hosts").write_text(f"[bastions]\n{hosts}{interpreter}")
    play = "ansible-playbook -i hosts shards.yml"
    variables = {"PATH": f"{RUNCANCEL.parent}:{_PEERS}/bin:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"}

    checked: Done = outside.shell(f"{play} --syntax-check", env=variables)
    done = outside.shell(play, env=variables)

    assert checked.code == 0, str(checked)
    assert done.code == 0, str(done)
    whole(outside, plan, *(f"shard-{index}.jsonl" for index in range(3)), shards=3)
