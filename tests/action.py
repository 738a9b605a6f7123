"""`action.yml` as a runner of GitHub runs it: the steps in their shell, inputs and outputs as they are declared."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from outside import Outside

ROOT = Path(__file__).parents[1]
ACTION: Mapping[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
_EXPRESSION = re.compile(r"\$\{\{ *([\w.-]+) *\}\}")
RUN = {"GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"}


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A use of the action: the exit code, its outputs, the summary of the job page, and the log."""

    code: int
    outputs: Mapping[str, str]
    summary: str
    log: str


def use(folder: Path, environ: Mapping[str, str], *, cwd: Path | None = None, **given: str) -> Finished:
    """Run every step with the inputs `given`; `_` in a name is `-`."""
    inputs = {name: str(one.get("default", "")) for name, one in ACTION["inputs"].items()}
    inputs |= {name.replace("_", "-"): value for name, value in given.items()}
    context = {f"inputs.{name}": value for name, value in inputs.items()} | {"github.action_path": str(ROOT)}
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"GITHUB_{name}": folder / name for name in ("OUTPUT", "STEP_SUMMARY")}
    for file in files.values():
        file.touch()
    shell = {**environ, **RUN, **{name: str(file) for name, file in files.items()}, "RUNNER_TEMP": str(folder)}
    code, log = 0, ""
    for step in ACTION["runs"]["steps"]:
        if code or not _holds(step.get("if"), context):
            continue
        script = folder / "script.sh"
        script.write_text(step["run"], encoding="utf-8")
        own = {name: _filled(value, context) for name, value in step.get("env", {}).items()}
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        done = subprocess.run(
            command, env={**shell, **own}, cwd=cwd or folder, capture_output=True, text=True, check=False
        )
        code, log = done.returncode, log + done.stdout + done.stderr
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        context |= {
            f"steps.{step.get('id')}.outputs.{name}": value for name, value in (line.split("=", 1) for line in lines)
        }
        files["GITHUB_OUTPUT"].write_text("")
    outputs = {name: _filled(one["value"], context) for name, one in ACTION["outputs"].items()}
    return Finished(code=code, outputs=outputs, summary=files["GITHUB_STEP_SUMMARY"].read_text(), log=log)


def _filled(text: str, context: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: context.get(found[1], ""), str(text))


def _holds(condition: str | None, context: Mapping[str, str]) -> bool:
    """The one form of condition that the action has."""
    if condition is None:
        return True
    found = re.fullmatch(r"([\w.-]+) != '(\w+)'", condition)
    assert found is not None, condition
    return context[found[1]] != found[2]


def use_action(outside: Outside, **given: str) -> Finished:
    """Use it on a runner that has the command, with the sandbox in place of the clouds."""
    environ = {**outside.environ, "PATH": outside.path_to_copies}
    return use(outside.home / "runner", environ, cwd=outside.home, install="false", **given)
