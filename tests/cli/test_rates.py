"""The real command against the sandbox's limiters: nothing over a documented limit, and no limit left unused."""

import time
from collections import defaultdict
from collections.abc import Callable
from itertools import groupby

import pytest
from outside import Outside

DOCUMENTED = {
    ("tencent", None): (20, 1.0),
    ("aws", "StopAutomationExecution"): (1, 1.0),
    ("aws", "GetAutomationExecution"): (3, 1.0),
    ("aws", "DescribeAutomationExecutions"): (3, 1.0),
    ("aws", "DescribeAutomationStepExecutions"): (3, 1.0),
    ("alibaba", "StopInvocation"): (1000, 60.0),
    ("aws", "LookupEvents"): (2, 1.0),
    ("alibaba", "LookupEvents"): (2, 1.0),
}
"""Calls in a window of seconds for one account, region and API, as the vendors publish them; None: every API."""


def windows_over(outside: Outside) -> list[str]:
    """Every window in which more calls arrived than is documented, by the server's own log."""
    arrived: dict[tuple[str, int, str, str], list[float]] = defaultdict(list)
    for one in outside.requests():
        if one["service"] != "sts":
            arrived[one["provider"], one["account"], one["region"], one["action"]].append(one["arrived"])
    found = []
    for (provider, account, region, action), moments in arrived.items():
        calls, seconds = DOCUMENTED.get((provider, action)) or DOCUMENTED.get((provider, None)) or (0, 1.0)
        moments.sort()
        over = sum(later - sooner <= seconds for sooner, later in zip(moments, moments[calls:], strict=False))
        if calls and over:
            found.append(f"{provider} {account} {region} {action}: {over} windows of {len(moments)} calls")
    return found


def add(outside: Outside, provider: str, count: int, kind: str = "invocation", **spec: object) -> list[str]:
    """References of that many new runs."""
    return [outside.add(provider, kind, runs_for=3600.0, **spec) for _ in range(count)]


def accepted(outside: Outside, action: str) -> list[float]:
    return sorted(one["arrived"] for one in outside.requests() if one["action"] == action and one["error"] is None)


def took(outside: Outside, action: str) -> float:
    """Seconds from the first call to the last accepted one."""
    return accepted(outside, action)[-1] - min(one["arrived"] for one in outside.requests() if one["action"] == action)


def test_audit_logs_are_asked_at_their_documented_rates(begin: Callable[..., Outside]) -> None:
    outside = begin(fleet=False, limits=True)
    ages = [600 + 1000 * at for at in range(4)]
    refs = [ref for age in ages for ref in add(outside, "aws", 2, "command", age=age)]
    refs += [ref for age in ages[:2] for ref in add(outside, "alibaba", 1, age=age)]

    runs = outside.json("status", *refs, "--who")["runs"]

    asked = [one for one in outside.requests() if one["action"] == "LookupEvents"]
    assert all(run["audit"]["principal"] for run in runs)
    assert [one for one in asked if one["error"]] == []
    assert sum(one["provider"] == "aws" for one in asked) == len(ages)  # runs of the same minutes are one lookup
    assert windows_over(outside) == []


def test_no_window_of_any_cloud_is_over_its_documented_limit(begin: Callable[..., Outside]) -> None:
    outside = begin(fleet=False, limits=True)
    refs = [
        *add(outside, "tencent", 70),
        *add(outside, "aws", 4, "automation"),
        *add(outside, "alibaba", 40),
    ]

    done = outside.run("cancel", *refs, "--max-runs", "1000", "--no-wait")

    assert done.code == 0, str(done)
    assert windows_over(outside) == []
    assert [one["error"] for one in outside.requests() if one["error"] is not None] == []
    assert took(outside, "CancelInvocation") <= 1.1 * 3.0 + 0.5


def test_reads_keep_to_the_documented_limits_too(begin: Callable[..., Outside]) -> None:
    outside = begin(fleet=False, limits=True)
    refs = [*add(outside, "aws", 8, "automation"), *add(outside, "tencent", 3)]

    assert outside.run("status", *refs).code == 0
    assert outside.run("invocations", *refs[-3:]).code == 0

    assert windows_over(outside) == []
    assert [one["error"] for one in outside.requests() if one["error"] is not None] == []


def test_reads_of_automations_with_children_and_many_steps_keep_to_the_limits(begin: Callable[..., Outside]) -> None:
    outside = begin(fleet=False, limits=True)
    parents = add(outside, "aws", 5, "automation", fanout=True, targets={"running": 3})
    long = add(outside, "aws", 5, "automation", targets={"succeeded": 60, "running": 1})

    assert outside.run("status", *parents, *long).code == 0

    assert windows_over(outside) == []
    assert [one["error"] for one in outside.requests() if one["error"] is not None] == []
    asked = {one["action"] for one in outside.requests()}
    assert {"DescribeAutomationExecutions", "DescribeAutomationStepExecutions"} <= asked


@pytest.mark.parametrize(
    ("rule", "ideal"),
    [
        ("CancelInvocation=refused-share,share=0.33", 60 / 0.67 / 20 - 1),
        ("CancelInvocation=fixed-window,calls=10,seconds=1", 5.0),
        ("CancelInvocation=shared-window,calls=20,seconds=1,taken=0.5", 60 / 10 - 1),
        ("CancelInvocation=sliding-window,calls=10,seconds=1", 5.0),
    ],
)
def test_a_limiter_of_any_shape_is_used(begin: Callable[..., Outside], rule: str, ideal: float) -> None:
    outside = begin(fleet=False, limits=True)
    refs = add(outside, "tencent", 60)
    outside.faults(f"tencent:{rule}")

    done = outside.run("cancel", *refs, "--max-runs", "1000", "--no-wait")

    assert done.code == 0, str(done)
    assert len(accepted(outside, "CancelInvocation")) == 60
    assert windows_over(outside) == []
    assert took(outside, "CancelInvocation") <= 1.25 * ideal + 1.5  # one second to learn, and a loaded machine


def test_server_errors_do_not_end_a_reading(outside: Outside) -> None:
    outside.faults("tencent:DescribeInvocations=http-500*2")

    done = outside.run("status", "tencent:ap-guangzhou:inv-ib2lld37", "--timeout", "40s")

    assert done.code == 0, str(done)


def test_a_dead_scope_holds_a_reading_no_longer_than_its_timeout(outside: Outside) -> None:
    outside.faults("tencent:DescribeInvocations=http-500")
    began = time.monotonic()

    done = outside.run("status", "tencent:ap-guangzhou:inv-ib2lld37", "--timeout", "3s")

    assert done.code == 7, str(done)
    assert 3.0 <= time.monotonic() - began < 15.0


def test_a_batch_too_large_to_be_answered_is_halved_and_every_run_is_read(begin: Callable[..., Outside]) -> None:
    outside = begin(fleet=False)
    refs = add(outside, "tencent", 20)
    outside.faults("tencent:DescribeInvocations=too-large,most=3", "tencent:DescribeInvocationTasks=too-large,most=3")

    runs = outside.json("status", *refs)["runs"]
    listed = outside.json("list", "-p", "tencent", "--limit", "0")["runs"]

    assert {run["ref"] for run in runs} == {run["ref"] for run in listed} == set(refs)
    sizes = [len(one["params"]["InvocationIds"]) for one in outside.requests() if "InvocationIds" in one["params"]]
    assert [size for size, _ in groupby(sizes)][:4] == [20, 10, 5, 2]


def test_one_wrong_id_costs_a_batch_no_more_than_a_few_calls(begin: Callable[..., Outside]) -> None:
    outside = begin(fleet=False)
    refs = add(outside, "tencent", 40)
    wrong = refs[17]
    outside.faults(
        f"tencent:DescribeInvocations@{wrong.rpartition('/')[2]}=error,code=InvalidParameterValue,status=200"
    )

    document = outside.json("status", *refs, code=5)

    assert {run["ref"] for run in document["runs"]} == set(refs) - {wrong}
    assert len([one for one in outside.actions() if one == "DescribeInvocations"]) <= 30
