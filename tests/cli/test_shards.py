"""`--shard`: one saved plan, cancelled by several processes, each with its own scopes."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from outside import Done, Outside

from cli.test_roles import ROLES, accounts, configure
from runcancel.sandbox.control import add_runs

__all__ = ["accounts"]

REGIONS = {
    "tencent": ("ap-guangzhou", "ap-shanghai", "ap-singapore"),
    "alibaba": ("cn-hangzhou", "cn-shanghai"),
    "aws": ("us-east-2", "eu-west-1"),
}
NAME = "bad-patch"
COUNT = 4


@pytest.fixture
def plan(outside: Outside) -> dict[str, Any]:
    """A plan of two runs in each of seven scopes, in a file, made once: every sandbox begins with the same."""
    refs: list[str] = []
    for provider, regions in REGIONS.items():
        kind = "command" if provider == "aws" else "invocation"
        for region in regions:
            for _ in range(2):
                refs.append(outside.add(provider, kind=kind, region=region, name=NAME, targets={"pending": 3}))
    if tuple(refs) not in _MADE:
        regions = ",".join(f"{provider}:{region}" for provider in REGIONS for region in REGIONS[provider])
        _MADE[tuple(refs)] = outside.json("cancel", "--name", NAME, "-r", regions, "-n")
    document: dict[str, Any] = copy.deepcopy(_MADE[tuple(refs)])
    assert len(document["plan"]) == 14
    write(outside, document)
    return document


_MADE: dict[tuple[str, ...], Any] = {}


def write(outside: Outside, document: Any) -> None:
    (outside.home / "plan.json").write_text(json.dumps(document))


def shard(outside: Outside, word: str, *more: str, env: dict[str, str | None] | None = None) -> Done:
    return outside.run("cancel", "--plan", "plan.json", "--shard", word, "-o", "json", *more, env=env)


def scope(ref: str) -> str:
    return ref.rpartition("/")[0].rpartition(":")[0]


def test_the_shards_cancel_the_plan_each_scope_by_one_of_them(outside: Outside, plan: Any) -> None:
    done = [shard(outside, f"{index}/{COUNT}", "--confirm", "14", "--no-wait") for index in range(COUNT)]

    assert {one.code for one in done} == {0}, "\n".join(map(str, done))
    cancelled = [set(one.outcomes) for one in done]
    assert set().union(*cancelled) == {item["run"] for item in plan["plan"]}
    assert sum(map(len, cancelled)) == 14
    scopes = [{scope(ref) for ref in refs} for refs in cancelled]
    assert sum(map(len, scopes)) == len(set().union(*scopes)) == 7
    assert len(outside.writes()) == 14
    operations = outside.json("history")["operations"]
    assert {one["plan"] for one in operations} == {operations[0]["plan"]}
    assert sorted(one["shard"]["index"] for one in operations) == list(range(COUNT))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--confirm", "2"), "14 runs match"),
        (("--yes",), "14 runs match"),
        ((), "14 runs match"),
        (("--confirm", "14", "--max-runs", "13"), "the limit is 13"),
        (("--confirm", "14", "--max-targets", "41"), "42 targets match; the limit is 41"),
        (("--confirm", "14", "--require-guarantee", "best-effort"), "but best-effort is required"),
    ],
)
def test_a_shard_does_not_pass_because_its_piece_is_small(
    outside: Outside, plan: Any, more: Sequence[str], why: str
) -> None:
    for index in range(COUNT):
        done = shard(outside, f"{index}/{COUNT}", *more)

        assert done.code == 6, str(done)
        assert why in done.err
    assert outside.writes() == []
    assert outside.json("history")["operations"] == []


def test_the_recorded_identities_decide_and_only_those_of_the_shard_are_requested(outside: Outside, plan: Any) -> None:
    seen = len(outside.requests())

    for index in range(COUNT):
        assert shard(outside, f"{index}/{COUNT}", "--confirm", "14", "--no-wait").code == 0

    asked = [one for one in outside.requests()[seen:] if one["action"] == "GetCallerIdentity"]
    assert len(asked) <= sum(len({scope(ref).partition(":")[0] for ref in refs}) for refs in _pieces(outside, plan))


def _pieces(outside: Outside, plan: Any) -> list[list[str]]:
    shown = [shard(outside, f"{index}/{COUNT}", "--dry-run").document["plan"] for index in range(COUNT)]
    return [[item["run"] for item in items] for items in shown]


def test_another_caller_than_the_plan_recorded_is_refused_by_the_shard_of_that_scope(
    outside: Outside, plan: Any
) -> None:
    for caller in plan["identities"]:
        if caller["scope"] == "tencent:ap-shanghai":
            caller["principal"] = "somebody else"
    write(outside, plan)

    codes = [shard(outside, f"{index}/{COUNT}", "--confirm", "14", "--no-wait").code for index in range(COUNT)]

    assert sorted(codes) == [0, 0, 0, 6]


def test_a_protected_account_anywhere_in_the_plan_holds_for_every_shard(outside: Outside, plan: Any) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    (account,) = {one["account"] for one in plan["identities"] if one["scope"].startswith("tencent")}
    lines = ["[contexts.live]", 'provider = "tencent"', f'account = "{account}"', "protected = true", 'profile = "x"']
    (folder / "config.toml").write_text("\n".join(lines) + "\n")

    refused = [shard(outside, f"{index}/{COUNT}", "--yes") for index in range(COUNT)]
    passed = [shard(outside, f"{index}/{COUNT}", "--confirm", "14", "--no-wait") for index in range(COUNT)]

    assert {one.code for one in refused} == {6}
    assert all("live" in one.err for one in refused)
    assert {one.code for one in passed} == {0}, "\n".join(map(str, passed))


def test_an_empty_shard_succeeds_in_one_clear_line_and_is_recorded(outside: Outside, plan: Any) -> None:
    words = [f"{index}/64" for index in range(64)]
    empty = next(word for word in words if not shard(outside, word, "-n").document["plan"])

    done = shard(outside, empty, "--confirm", "14", "--require-match")

    assert (done.code, done.document["outcomes"]) == (0, [])
    assert done.err.splitlines() == [f"Shard {empty} is empty: no scope of the plan is in it; nothing was sent"]
    (operation,) = outside.json("history")["operations"]
    assert (operation["state"], operation["exit_code"]) == ("done", 0)
    assert operation["shard"] == {"index": int(empty.split("/")[0]), "count": 64}


def test_a_dry_run_of_a_shard_shows_its_piece_and_is_no_plan(outside: Outside, plan: Any, tmp_path: Path) -> None:
    pieces = [shard(outside, f"{index}/{COUNT}", "--dry-run").document for index in range(COUNT)]

    assert sorted(item["run"] for one in pieces for item in one["plan"]) == sorted(one["run"] for one in plan["plan"])
    write(outside, next(one for one in pieces if one["plan"]))
    assert outside.run("cancel", "--plan", "plan.json", "--yes").code == 6
    assert outside.writes() == []


@pytest.mark.parametrize("word", ["3/2", "0/0", "2/2", "x/y", "auto", "auto/2", "1", "", "1/2/3", "0/2\x1b[31m"])
def test_what_names_no_shard_is_one_line_and_exit_2(outside: Outside, word: str) -> None:
    write(outside, {})

    done = outside.run("cancel", "--plan", "plan.json", f"--shard={word}", "--yes")

    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("runcancel: --shard")
    assert "nothing was sent" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("source", [("--name", "x"), ("--operation", "last"), ("--resume", "last"), ("inv-ib2lld37",)])
def test_a_shard_is_of_a_saved_plan(outside: Outside, source: tuple[str, ...]) -> None:
    done = outside.run("cancel", *source, "--shard", "0/2")

    assert done.code == 2, str(done)
    assert "add --plan FILE; nothing was sent" in done.err
    assert outside.writes() == []


def test_auto_takes_the_index_of_a_job_array(outside: Outside, plan: Any) -> None:
    slurm: dict[str, str | None] = {"SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": str(COUNT)}
    for index in (0, COUNT - 1):
        by_hand = shard(outside, f"{index}/{COUNT}", "-n").document["plan"]
        indexed = shard(outside, f"auto/{COUNT}", "-n", env={"JOB_COMPLETION_INDEX": str(index)}).document["plan"]
        array = shard(outside, "auto", "-n", env=slurm | {"SLURM_ARRAY_TASK_ID": str(index + 1)}).document["plan"]

        assert [item["run"] for item in by_hand] == [item["run"] for item in indexed] == [i["run"] for i in array]


@pytest.mark.parametrize("cloud", ROLES)
def test_machines_with_sessions_of_one_role_share_a_plan(cloud: str, accounts: Outside) -> None:
    """The plan of a laptop is carried out on nodes, each with a session of its own; another role is another user."""
    names = configure(accounts, cloud, range(2))
    for number, region in enumerate(REGIONS[cloud][:2]):
        kind = "command" if cloud == "aws" else "invocation"
        spec = {"provider": cloud, "account": number, "region": region, "kind": kind}
        add_runs(accounts.box.world, {**spec, "name": NAME, "targets": {"pending": 1}})
    flags = ("--name", NAME, "-c", ",".join(names), "-r", ",".join(REGIONS[cloud]))
    document = accounts.json("cancel", *flags, "-n", env={"LOGNAME": "alice"})
    assert len(document["plan"]) == 2
    write(accounts, document)

    other = json.loads(json.dumps(document).replace("assumed-role/runcancel", "assumed-role/somebody"))
    write(accounts, other)
    assert other != document
    assert shard(accounts, "0/1", "--confirm", "2").code == 6
    write(accounts, document)

    done = [shard(accounts, f"{at}/2", "--confirm", "2", "--no-wait", env={"LOGNAME": f"node-{at}"}) for at in range(2)]

    assert {one.code for one in done} == {0}, "\n".join(map(str, done))
    assert len(accounts.writes()) == 2
