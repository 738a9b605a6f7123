"""The same promises for every kind, through the installed command: what JSON says is what is true in the clouds."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from outside import ENDED, Done, Outside, named

from contract.examples import EXAMPLES, Example, ours

every_kind = pytest.mark.parametrize("example", EXAMPLES, ids=str)
in_part = pytest.mark.parametrize("example", [one for one in EXAMPLES if one.chunk and not one.added], ids=str)

ENVELOPE = {"format_version", "verb", "operation", "errors", "complete"}
RUN = {
    *("ref", "provider", "account", "context", "region", "kind", "id", "name", "state", "provider_status"),
    *("status_detail", "guarantee", "created_at", "started_at", "ended_at", "counts", "target_count", "cancellable"),
    *("parent", "task_ids"),
}
INVOCATION = {
    *("run", "id", "task", "target", "target_name", "state", "provider_status", "status_detail", "exit_code"),
    *("started_at", "ended_at", "child", "owner", "window_target"),
}
PLAN = {"run", "guarantee", "ask", "why", "counts", "invocations"}
OUTCOME = {"run", "verdict", "guarantee", "before", "after", "request_ids", "invocations", "error"}
EFFECT = {"target", "before", "after", "effect", "confirmed"}

TRUE_ENDS = {
    "cancelled": {"cancelled", "skipped"},  # a step left over in a stopped automation never ran
    "terminated": {"terminated"},
    "kept-running": {"running"},
    "stopping": {"cancelling", "running", "pending"},
}
"""What may be true of a target of which an effect is said."""


@dataclass(frozen=True)
class Played:
    """All examples, looked at, planned and cancelled, in one call each."""

    outside: Outside
    before: dict[str, dict[str, Any]]
    status: Done
    invocations: Done
    plan: Done
    requests_of_plan: list[str]
    cancel: Done
    after: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def played(begin: Callable[..., Outside]) -> Played:
    outside = begin(runs=[example.added for example in EXAMPLES if example.added])
    references = [example.ref for example in EXAMPLES]
    before = {ref: outside.truth(ref) for ref in references}
    status = outside.run("status", *references, *ENDED, "-o", "json")
    invocations = outside.run("invocations", *references, "-o", "json")
    outside.box.log.clear()
    plan = outside.run("cancel", *references, *ENDED, "--dry-run", "-o", "json")
    asked_for_plan = outside.actions()
    outside.box.log.clear()
    cancel = outside.run("cancel", *references, *ENDED, "-o", "json")
    after = {ref: outside.truth(ref) for ref in references}
    return Played(outside, before, status, invocations, plan, asked_for_plan, cancel, after)


def outcome(played: Played, example: Example) -> Any:
    return played.cancel.outcomes[example.ref]


NOT_THERE = "not found; it may be no longer kept, or in another region or account"


@pytest.mark.parametrize(
    "verb",
    [("status",), ("status", "--script"), ("invocations",), ("logs",), ("wait",), ("cancel",), ("cancel", "--dry-run")],
    ids=" ".join,
)
def test_a_run_that_is_not_there_is_not_found_in_the_same_words(verb: tuple[str, ...], still: Outside) -> None:
    absent = {example.absent for example in EXAMPLES}

    document = still.json(*verb, *absent, code=5)

    problems = [outcome["error"] for outcome in document.get("outcomes", ())] or document["errors"]
    assert {problem["ref"]: problem["message"] for problem in problems} == dict.fromkeys(absent, NOT_THERE)


@pytest.mark.parametrize("ref", {example.absent: None for example in EXAMPLES})
def test_a_person_reads_in_one_line_that_a_run_is_not_there(ref: str, still: Outside) -> None:
    done = still.run("status", ref)

    line, _, vendor = done.err.partition(" [")
    assert done.code == 5
    assert line.rstrip() == f"runcancel: {ref}: {NOT_THERE}"
    assert not vendor or re.fullmatch(r"[A-Za-z]+, request [0-9a-f-]+\]\n", vendor)


def test_history_and_report_have_the_same_words_for_a_run_that_was_not_there(outside: Outside) -> None:
    absent = {example.absent for example in EXAMPLES}
    outside.json("cancel", *absent, code=5)

    kept = outside.run("history", "last", "-o", "json").document["outcomes"]

    assert {one["error"]["message"] for one in kept} == {NOT_THERE}
    assert not re.search(r"Exception:|Does Not Exist:|doesn't exist", outside.run("report").out)


def test_every_promised_key_is_present(played: Played) -> None:
    assert played.status.document.keys() >= ENVELOPE | {"runs"}
    assert all(run.keys() >= RUN for run in played.status.document["runs"])
    assert all(row.keys() >= INVOCATION for row in played.invocations.document["invocations"])
    assert played.plan.document.keys() >= ENVELOPE | {"plan", "identities", "created_at", "expires_at"}
    for item in played.plan.document["plan"]:
        assert item.keys() >= PLAN
        assert all(one.keys() >= {"target", "before", "expected"} for one in item["invocations"])
    for each in played.cancel.document["outcomes"]:
        assert each.keys() >= OUTCOME
        assert all(one.keys() >= EFFECT for one in each["invocations"])


def test_all_clouds_answered_and_the_whole_is_partial(played: Played) -> None:
    assert played.status.code == 0
    assert played.invocations.code == 0
    assert played.plan.code == 0
    assert played.cancel.code == 3
    for done in (played.status, played.invocations, played.plan, played.cancel):
        assert done.document["complete"] is True
        assert done.document["errors"] == []


@every_kind
def test_status_counts_what_is_true(example: Example, played: Played) -> None:
    (run,) = [each for each in played.status.document["runs"] if each["ref"] == example.ref]

    assert run["counts"] == dict(Counter(ours(one["state"]) for one in played.before[example.ref]["targets"]))
    assert run["guarantee"] == example.guarantee
    assert (run["provider"], run["region"], run["kind"]) == (example.provider, example.region, example.kind)
    assert run["context"] is None


@every_kind
def test_invocations_are_the_true_targets(example: Example, played: Played) -> None:
    rows = [each for each in played.invocations.document["invocations"] if each["run"] == example.ref]

    told = Counter((row["target"] or row["target_name"], row["state"]) for row in rows)
    assert told == Counter((one["id"], ours(one["state"])) for one in played.before[example.ref]["targets"])


@every_kind
def test_a_plan_says_what_can_be_expected(example: Example, played: Played) -> None:
    (item,) = [each for each in played.plan.document["plan"] if each["run"] == example.ref]

    assert item["ask"] is True
    assert item["guarantee"] == example.guarantee
    expected = Counter((one["before"], one["expected"]) for one in item["invocations"])
    assert expected == Counter(_expected(example, ours(one["state"])) for one in played.before[example.ref]["targets"])


def _expected(example: Example, state: str) -> tuple[str, str]:
    """Where the vendor promises nothing, or breaks its promise for the better, the plan does not know it."""
    running = {"stops-running": "terminated", "best-effort": "unknown", "pending-only": "kept-running"}
    return state, running[example.guarantee] if state == "running" else example.effects[state]


def test_a_dry_run_writes_nothing(played: Played) -> None:
    assert played.requests_of_plan
    assert not {one.operation for one in EXAMPLES} & set(played.requests_of_plan)


def test_a_plan_says_who_would_ask(played: Played) -> None:
    callers = {each["scope"]: each["account"] for each in played.plan.document["identities"]}

    assert callers == {f"{one.provider}:{one.region}": played.outside.box.account_id(one.provider) for one in EXAMPLES}


@every_kind
def test_the_verdict_is_the_guarantees(example: Example, played: Played) -> None:
    told = outcome(played, example)

    assert told["verdict"] == example.verdict
    assert told["error"] is None
    assert told["guarantee"] == example.guarantee
    wanted = Counter(
        (ours(one["state"]), example.effects[ours(one["state"])]) for one in played.before[example.ref]["targets"]
    )
    assert Counter((one["before"], one["effect"]) for one in told["invocations"]) == wanted


@every_kind
def test_no_effect_is_said_that_is_not_true(example: Example, played: Played) -> None:
    truth = Counter(one["state"] for one in played.after[example.ref]["targets"])
    states = {one["id"]: one["state"] for one in played.after[example.ref]["targets"]}

    for one in outcome(played, example)["invocations"]:
        if one["effect"] in TRUE_ENDS and one["target"] in states:
            assert states[one["target"]] in TRUE_ENDS[one["effect"]], one
    effects = Counter(one["effect"] for one in outcome(played, example)["invocations"])
    assert effects["terminated"] == truth["terminated"]
    assert effects["cancelled"] == truth["cancelled"] + truth["skipped"]
    assert effects["kept-running"] == truth["running"]
    if outcome(played, example)["verdict"] == "stopped":
        assert not truth.keys() & {"running", "pending", "cancelling", "delivering", "delayed"}


@every_kind
def test_alibabas_word_for_a_kill_is_not_proof(example: Example, played: Played) -> None:
    for one in outcome(played, example)["invocations"]:
        assert one["confirmed"] is not (example.provider == "alibaba" and one["after"] == "terminated")


@every_kind
def test_one_request_changed_the_run_and_its_id_is_told(example: Example, played: Played) -> None:
    (changed,) = played.outside.effective(example.ref)

    assert changed["action"] == example.operation
    assert [id.lower() for id in outcome(played, example)["request_ids"]] == [changed["request_id"]]


@pytest.mark.parametrize("ref", ENDED)
def test_nothing_is_sent_for_what_was_over(ref: str, played: Played) -> None:
    told = played.cancel.outcomes[ref]
    (item,) = [each for each in played.plan.document["plan"] if each["run"] == ref]

    assert (told["verdict"], told["request_ids"], told["error"]) == ("ended", [], None)
    assert {one["effect"] for one in told["invocations"]} == {"already-ended"}
    assert item["ask"] is False
    assert not [each for each in played.outside.writes() if ref.rpartition("/")[2] in str(each["params"])]


@in_part
def test_targets_go_out_in_chunks_and_each_has_its_row(example: Example, outside: Outside) -> None:
    many = outside.add(example.provider, example.kind, name="many", targets={"pending": 130})
    targets = outside.targets(many)
    chosen = targets[:120]

    done = outside.run("cancel", many, *(f"--target={one}" for one in chosen), "-o", "json")

    assert done.code == 0, str(done)
    assert [len(named(each, chosen)) for each in outside.writes()] == [
        *[example.chunk] * (120 // example.chunk),
        120 % example.chunk,
    ]
    told = done.outcomes[many]
    assert [id.lower() for id in told["request_ids"]] == [each["request_id"] for each in outside.writes()]
    assert {one["target"]: one["effect"] for one in told["invocations"]} == dict.fromkeys(chosen, "cancelled")
    assert set(outside.targets(many, "pending")) == set(targets[120:])


@pytest.mark.parametrize("count", [100, 250])
def test_the_status_of_many_tencent_runs_is_one_request_a_hundred(count: int, outside: Outside) -> None:
    references = [outside.add("tencent", name=f"job {number}", targets={"running": 2}) for number in range(count)]

    document = outside.json("status", *references)

    assert [run["ref"] for run in document["runs"]] == references
    assert outside.actions() == ["DescribeInvocations"] * -(-count // 100)


def test_asked_without_waiting_is_said_as_asked(begin: Callable[..., Outside]) -> None:
    outside = begin(runs=[example.added for example in EXAMPLES if example.added])

    done = outside.run("cancel", *(example.ref for example in EXAMPLES), "--no-wait", "-o", "json")

    assert done.code == 0, str(done)
    for told in done.outcomes.values():
        assert told["verdict"] == "requested"
        assert not {one["effect"] for one in told["invocations"]} & {"cancelled", "terminated", "kept-running"}
        assert len(told["request_ids"]) == 1
