"""What comes from others: actions by commit, packages by hash, nothing of anybody's beside the right to publish."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LOCKS = sorted(ROOT.glob("requirements-*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="a source distribution has no workflows")


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in WORKFLOWS:
        for name, job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].items():
            yield f"{file.name}: {name}", job


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_action_is_a_commit_with_its_version_beside_it(file: Path) -> None:
    used = re.findall(r"uses: *(.+)", file.read_text(encoding="utf-8"))
    wrong = [each for each in used if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)]
    assert used
    assert wrong == []


def test_who_may_publish_runs_no_command_and_checks_nothing_out() -> None:
    publishing = {name: job for name, job in jobs() if "id-token" in job.get("permissions", {})}
    used = {
        name: [step.get("uses", "run").partition("@")[0] for step in job["steps"]] for name, job in publishing.items()
    }
    assert used == {
        "release.yml: attest": ["actions/download-artifact", "actions/attest-build-provenance"],
        "release.yml: publish": ["actions/download-artifact", "pypa/gh-action-pypi-publish"],
    }
    assert publishing["release.yml: attest"]["permissions"] == {"id-token": "write", "attestations": "write"}
    assert publishing["release.yml: publish"]["permissions"] == {"id-token": "write"}
    assert all({"test", "join", "try"} <= set(job["needs"]) for job in publishing.values())


def test_nothing_else_may_write_but_the_release_of_what_was_published() -> None:
    written = {name: job for name, job in jobs() if job["permissions"] not in ({}, {"contents": "read"})}
    assert written.keys() == {"release.yml: attest", "release.yml: publish", "release.yml: release"}
    release = written["release.yml: release"]
    assert (release["permissions"], release["needs"]) == ({"contents": "write"}, "publish")
    assert [step.get("uses", "gh").partition("@")[0] for step in release["steps"]] == [
        "actions/download-artifact",
        "gh",
    ]
    assert release["steps"][1]["run"].startswith("gh release create ")


def test_ci_runs_the_lowest_the_newest_and_the_locked_versions() -> None:
    runs = {name: " ".join(step.get("run", "") for step in job["steps"]) for name, job in jobs()}
    assert ".ci/run check test test-build test-dist demo" in runs["ci.yml: newest"]
    assert "make test-peers" in runs["ci.yml: peers"]
    assert "make test-lowest" in runs["ci.yml: lowest"]
    assert "make LOCKED=1 check test" in runs["ci.yml: locked"]
    assert "make test-build" in runs["ci.yml: locked"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_a_hash_for_every_package_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    pins = re.findall(r"^([a-z0-9-]+)==\S+((?:.*\\\n)(?:    --hash=.*\n)+)", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z]", text, re.MULTILINE)) > 0
    assert "://" not in text


def test_the_locks_hold_what_is_declared() -> None:
    extras = PROJECT["project"]["optional-dependencies"]["dev"]
    declared = {"requirements-dev.lock": [*PROJECT["project"]["dependencies"], *extras]}
    declared["requirements-build.lock"] = [*PROJECT["dependency-groups"]["build"], *PROJECT["build-system"]["requires"]]
    declared["requirements-docs.lock"] = PROJECT["dependency-groups"]["docs"]
    assert declared.keys() == {lock.name for lock in LOCKS}
    for lock in LOCKS:
        pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
        for text in declared[lock.name]:
            wanted = Requirement(text)
            assert wanted.specifier.contains(pinned[wanted.name.lower()]), f"{lock.name}: {text}: make lock"


def test_what_is_pinned_is_moved() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {each["package-ecosystem"] for each in updates} == {"github-actions", "pip", "npm"}
