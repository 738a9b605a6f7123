"""A saved plan in shards: a partition, each scope whole in one shard, the same everywhere and in any order."""

import json
import random
import shutil
import subprocess
from collections.abc import Mapping

import pytest
from guards.plans import running
from hypothesis import given
from hypothesis import strategies as st

from runcancel.engine.saved import SavedCaller, digest
from runcancel.engine.shards import MOST, cut, parse, position
from runcancel.errors import UsageError
from runcancel.model.outcomes import PlanItem, Shard
from runcancel.model.runs import Scope

COUNTS = (2, 3, 64, 10_000)
GOLDEN = [
    ("aws", "111122223333", "us-east-2", (0, 0, 28, 4044)),
    ("aws", "111122223333", "eu-central-1", (1, 2, 5, 9541)),
    ("alibaba", "1234567890123456", "cn-hangzhou", (1, 2, 63, 4143)),
    ("tencent", "100000000001", "ap-guangzhou", (0, 0, 18, 946)),
    ("tencent", "", "ap-guangzhou", (1, 2, 19, 5667)),
    ("aws", "prod-ü/世界", "us-gov-west-1", (1, 2, 61, 5933)),
]
"""Provider, account, region, and the shard of each of `COUNTS`: computed without this program, and never to change."""

REGIONS = ("ap-guangzhou", "ap-shanghai", "ap-beijing")
CONTEXTS = st.none() | st.sampled_from(["prod", "prod-admin", "dev", "世界", "a b"])
SCOPES = st.builds(Scope, provider=st.just("tencent"), region=st.sampled_from(REGIONS), context=CONTEXTS)
ACCOUNTS = st.dictionaries(SCOPES, st.none() | st.sampled_from(["100000000001", "100000000002"]))


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[PlanItem], list[SavedCaller]]:
    """Items in some scopes, and the identities that a plan recorded for some of these."""
    scopes = draw(st.lists(SCOPES, max_size=24))
    items = [running(f"{scope}:invocation/inv-{number:08}") for number, scope in enumerate(scopes)]
    known = draw(ACCOUNTS)
    return items, [SavedCaller(scope=str(scope), account=known[scope], principal="ops") for scope in known]


@pytest.mark.parametrize(("provider", "account", "region", "shards"), GOLDEN)
def test_the_shard_of_a_scope_never_changes(provider: str, account: str, region: str, shards: tuple[int, ...]) -> None:
    assert tuple(position(provider, account, region, count) for count in COUNTS) == shards


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
@pytest.mark.parametrize(("provider", "account", "region", "shards"), GOLDEN)
def test_sha256sum_finds_the_same_shard(provider: str, account: str, region: str, shards: tuple[int, ...]) -> None:
    """As docs/scaling.md has it: the first 15 digits of the hash, as a number."""
    text = f"{provider}\n{account}\n{region}".encode()
    done = subprocess.run(["sha256sum"], input=text, capture_output=True, check=True)

    number = int(done.stdout[:15], 16)

    assert tuple(number % count for count in COUNTS) == shards


@given(plan=plans(), count=st.integers(1, 40), order=st.randoms(use_true_random=False))
def test_the_shards_of_a_plan_are_a_partition_in_any_order(
    plan: tuple[list[PlanItem], list[SavedCaller]], count: int, order: random.Random
) -> None:
    items, callers = plan
    shards = {index: cut(items, callers, Shard(index=index, count=count)) for index in range(count)}

    assert sorted(str(item.run) for part in shards.values() for item in part) == sorted(str(one.run) for one in items)
    where: dict[tuple[str, str], set[int]] = {}
    accounts = {caller.scope: caller.account for caller in callers}
    for index, part in shards.items():
        for item in part:
            scope = item.run.scope
            where.setdefault((accounts.get(str(scope)) or scope.context or "", scope.region), set()).add(index)
    assert all(len(indexes) == 1 for indexes in where.values()), "an account and region is in one shard"
    assert all(list(part) == [item for item in items if item in part] for part in shards.values()), "the order is kept"
    shuffled, other_callers = order.sample(items, len(items)), order.sample(callers, len(callers))
    for index, part in shards.items():
        again = cut(shuffled, other_callers, Shard(index=index, count=count))
        assert {item.run for item in again} == {item.run for item in part}


def test_two_contexts_of_one_account_are_in_one_shard() -> None:
    items = [running(f"{name}@tencent:ap-guangzhou:invocation/inv-0000000{at}") for at, name in enumerate("abcdef")]
    callers = [
        SavedCaller(scope=str(item.run.scope), account="100000000001", principal=f"role-{at}")
        for at, item in enumerate(items)
    ]

    assert {len(cut(items, callers, Shard(index=index, count=64))) for index in range(64)} == {0, 6}


@given(count=st.integers(1, MOST))
def test_every_shard_of_a_count_has_its_word(count: int) -> None:
    assert parse(f"0/{count}", {}) == Shard(index=0, count=count)
    assert parse(f"{count - 1}/{count}", {}) == Shard(index=count - 1, count=count)
    with pytest.raises(UsageError, match="counted from 0"):
        parse(f"{count}/{count}", {})


SLURM = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_COUNT": "4"}


@pytest.mark.parametrize(
    ("text", "environ", "shard"),
    [
        ("auto/4", {"JOB_COMPLETION_INDEX": "3"}, "3/4"),
        ("auto/4", SLURM, "2/4"),
        ("auto", SLURM, "2/4"),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_MAX": "6"}, "2/4"),
        ("auto/8", SLURM | {"JOB_COMPLETION_INDEX": "7"}, "7/8"),
        ("auto/4", SLURM | {"JOB_COMPLETION_INDEX": ""}, "2/4"),
        ("1/4", SLURM, "1/4"),
    ],
)
def test_auto_takes_the_index_that_a_job_array_gives(text: str, environ: Mapping[str, str], shard: str) -> None:
    assert str(parse(text, environ)) == shard


@pytest.mark.parametrize(
    ("text", "environ", "why"),
    [
        ("x/y", {}, "not a shard"),
        ("", {}, "not a shard"),
        ("3", {}, "not a shard"),
        ("-1/4", {}, "not a shard"),
        ("1/4/2", {}, "not a shard"),
        ("1.0/4", {}, "not a shard"),
        ("٣/4", {}, "not a shard"),
        ("3/2", {}, "counted from 0"),
        ("2/2", {}, "the last of 2 is 1"),
        ("0/0", {}, "a plan has 1 to"),
        ("0/2000000", {}, "a plan has 1 to"),
        ("auto/0", {"JOB_COMPLETION_INDEX": "0"}, "a plan has 1 to"),
        ("auto/4", {}, "neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set"),
        ("auto", {}, "write auto/N"),
        ("auto", {"JOB_COMPLETION_INDEX": "1"}, "write auto/N"),
        ("auto/4", {"JOB_COMPLETION_INDEX": "4"}, "there is no shard 4"),
        ("auto/4", {"JOB_COMPLETION_INDEX": "one"}, "JOB_COMPLETION_INDEX is not a number"),
        ("auto/8", SLURM, "name the shard as I/N"),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_MAX": "9"}, "4 tasks from 3 to 9"),
        ("auto/4", {"SLURM_ARRAY_TASK_ID": "1"}, "SLURM_ARRAY_TASK_MIN is not"),
        ("auto/4", SLURM | {"SLURM_ARRAY_TASK_ID": "2"}, "lower than"),
    ],
)
def test_what_names_no_shard_is_refused_in_one_line(text: str, environ: Mapping[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        parse(text, environ)

    assert raised.value.message.endswith("; nothing was sent")
    assert "\n" not in raised.value.message


def test_the_same_plan_has_one_digest_in_any_layout_and_order() -> None:
    items = [{"run": "a", "counts": {"running": 1, "pending": 2}}, {"run": "b", "counts": {}}]
    plan = {"format_version": "1.0", "verb": "cancel", "plan": items, "identities": []}
    other = {"identities": [], "plan": [dict(reversed(one.items())) for one in reversed(items)], "verb": "cancel"}

    same = digest(json.loads(json.dumps(other | {"format_version": "1.0"}, indent=2)))

    assert digest(plan) == same
    assert same.startswith("99ed471513fc"), "journals keep it"
    assert digest(plan | {"plan": items[:1]}) != same
