"""A plan never shrinks and never grows, whatever was done to the file and whatever joined since."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from fuzz.budget import tries
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from outside import COMMAND, ENDED, ONE_SHOT, TENCENT, WINDOW, Outside, named

UUID = COMMAND.rpartition("/")[2]
IN_PART = (COMMAND, ONE_SHOT, TENCENT)


_MADE: dict[tuple[str, ...], Any] = {}


def planned(outside: Outside, *refs: str) -> Any:
    """The plan of these runs, made once: every sandbox begins with the same."""
    if refs not in _MADE:
        _MADE[refs] = outside.json("cancel", *refs, "--dry-run")
    return copy.deepcopy(_MADE[refs])


def carried_out(outside: Outside, plan: Any, *more: str) -> Any:
    return outside.run("cancel", "--plan", "-", "--yes", "-o", "json", *more, stdin=json.dumps(plan))


@pytest.mark.parametrize(
    ("ref", "spelling"),
    [
        (COMMAND, COMMAND.replace(UUID, UUID.upper())),
        (TENCENT, TENCENT.replace("invocation/", "")),
        (ONE_SHOT, ONE_SHOT.replace("invocation/", "")),
    ],
)
def test_an_item_in_another_spelling_is_carried_out(outside: Outside, ref: str, spelling: str) -> None:
    plan = planned(outside, ref)
    plan["plan"][0]["run"] = spelling

    done = carried_out(outside, plan, "--no-wait")

    assert done.code == 0, str(done)
    assert set(done.outcomes) == {ref}
    assert len(outside.effective(ref)) == 1


@pytest.mark.parametrize("spelling", [COMMAND, COMMAND.replace(UUID, UUID.upper())])
def test_a_run_that_stands_twice_is_refused(outside: Outside, spelling: str) -> None:
    plan = planned(outside, COMMAND)
    plan["plan"].append(plan["plan"][0] | {"run": spelling})

    done = carried_out(outside, plan)

    assert done.code == 2, str(done)
    assert "plan[1]" in done.err
    assert "is in the plan twice" in done.err
    assert outside.writes() == []


@pytest.mark.parametrize("ref", IN_PART)
def test_a_plan_that_showed_no_target_cancels_none(outside: Outside, ref: str) -> None:
    plan = planned(outside, ref)
    plan["plan"][0] |= {"invocations": [], "counts": {}, "not_listed": 0}

    done = carried_out(outside, plan)

    assert done.code == 6, str(done)
    assert "the plan lists no target of it" in done.err
    assert outside.writes() == []


@pytest.mark.parametrize("ref", IN_PART)
def test_targets_that_joined_are_left_alone_and_reported(outside: Outside, ref: str) -> None:
    plan = planned(outside, ref)
    item = plan["plan"][0]
    joined = [one["target"] for one in item["invocations"][-3:]]
    item["invocations"] = item["invocations"][:-3]
    held = [one["target"] for one in item["invocations"]]
    ended = {one["target"] for one in item["invocations"] if one["before"] in ("succeeded", "failed")}

    done = carried_out(outside, plan, "--no-wait")

    assert done.code == 0, str(done)
    assert "3 targets joined after the plan and will not be cancelled" in done.err
    sent = {target for request in outside.effective(ref) for target in named(request, held)}
    assert sent == set(held) - ended
    assert all(named(request, joined) == [] for request in outside.effective(ref))


@pytest.mark.parametrize("ref", IN_PART)
@pytest.mark.parametrize("unlisted", [3, 1])
def test_a_run_that_does_not_list_all_is_cancelled_as_a_whole(outside: Outside, ref: str, unlisted: int) -> None:
    """Of 600 targets of which 60 are listed, a cancel of those 60 would let 540 go on."""
    plan = planned(outside, ref)
    item = plan["plan"][0]
    targets = [one["target"] for one in item["invocations"]]
    item |= {"invocations": item["invocations"][:-3], "not_listed": unlisted}

    done = carried_out(outside, plan, "--no-wait")

    assert done.code == 0, str(done)
    assert ("joined after the plan; the whole run is cancelled" in done.err) is (unlisted == 1)
    (request,) = outside.effective(ref)
    assert named(request, targets) == []


@pytest.mark.parametrize("ref", IN_PART)
def test_a_target_that_is_not_listed_any_more_was_not_seen_to_stop(outside: Outside, ref: str) -> None:
    """What a plan holds and its cloud no longer shows is not confirmed: the plan has not shrunk."""
    plan = planned(outside, ref)
    rows = plan["plan"][0]["invocations"]
    gone = next(one for one in rows if one["before"] in ("running", "pending")) | {"id": "gone-1", "target": "i-gone1"}
    rows.append(gone)

    done = carried_out(outside, plan, "--timeout", "1")

    outcome = done.outcomes[ref]
    assert outcome["verdict"] not in ("stopped", "reported", "ended"), str(done)
    assert done.code in (3, 8), str(done)
    (row,) = [one for one in outcome["invocations"] if one["id"] == "gone-1"]
    assert (row["after"], row["confirmed"]) == (None, False)
    assert "1 target of the plan is not listed any more" in done.err
    assert len(outside.effective(ref)) == 1


@pytest.mark.parametrize("ref", IN_PART)
@pytest.mark.parametrize("held", [False, True])
def test_a_target_that_the_plan_does_not_show_is_refused(outside: Outside, ref: str, held: bool) -> None:
    plan = planned(outside, ref)
    first = plan["plan"][0]["invocations"][0]["target"]
    plan["plan"][0]["targets"] = [first, "i-stranger"] if held else ["i-stranger"]

    done = carried_out(outside, plan)

    assert done.code == 2, str(done)
    assert "i-stranger" in done.err
    assert outside.writes() == []


@pytest.mark.parametrize("shown", [True, False])
def test_a_kind_that_is_cancelled_as_a_whole_says_what_joined(outside: Outside, shown: bool) -> None:
    plan = planned(outside, WINDOW)
    rows = plan["plan"][0]["invocations"]
    plan["plan"][0]["invocations"] = rows[:-2] if shown else []

    refused = carried_out(outside, plan, "--no-wait", "--max-targets", "3")
    assert (refused.code, outside.writes()) == (6, []), str(refused)
    done = carried_out(outside, plan, "--no-wait")

    assert done.code == 0, str(done)
    joined = 2 if shown else len(rows)
    assert f"{joined} targets joined after the plan; the whole run is cancelled" in done.err


def _expiry(text: object) -> Callable[[Any], None]:
    return lambda plan: plan.update(expires_at=text)


def _item(**change: object) -> Callable[[Any], None]:
    return lambda plan: plan["plan"][0].update(change)


@pytest.mark.parametrize(
    "spoil",
    [
        _expiry("2099-01-01T00:00:00"),
        _expiry("2099-01-01"),
        _expiry(4102444800),
        _item(run=TENCENT.rpartition("/")[2]),
        _item(run="tencent:inv-ib2lld37"),
        _item(run="mw-0123456789abcdef0"),
        _item(run=""),
        _item(parent="inv-ib2lld37"),
        _item(not_listed=-1),
        _item(not_listed=10**30),
        _item(not_listed=1e300),
        _item(counts={"running": -5}),
        _item(counts={"running": 10**40}),
        _item(targets=[""]),
        _item(targets=["--yes"]),
        _item(targets=["i-1\x1b[0m"]),
        lambda plan: plan["plan"][0].update(run=WINDOW, targets=["i-0123456789abcdef0"]),
        lambda plan: plan.update(complete="yes"),
        lambda plan: plan.update(identities=[{}]),
    ],
)
def test_a_plan_that_this_program_did_not_write_is_one_line(outside: Outside, spoil: Callable[[Any], None]) -> None:
    plan = planned(outside, TENCENT)
    spoil(plan)
    before = len(outside.requests())

    done = outside.run("cancel", "--plan", "-", "--yes", stdin=json.dumps(plan))

    assert done.code == 2, str(done)
    assert len(done.err.splitlines()) <= 2
    assert "internal error" not in done.err
    assert len(outside.requests()) == before


def test_a_key_that_stands_twice_is_refused(outside: Outside) -> None:
    """What a person reads first is not what a program would do."""
    shown = json.dumps(planned(outside, TENCENT)["plan"])
    text = json.dumps(planned(outside, ONE_SHOT))

    done = outside.run("cancel", "--plan", "-", "--yes", stdin=f'{{"plan": {shown}, {text[1:]}')

    assert done.code == 2, str(done)
    assert "has a key twice" in done.err
    assert outside.writes() == []


# mutated


@pytest.fixture(scope="module")
def made(begin: Callable[..., Outside]) -> Outside:
    return begin()


_JUNK = st.sampled_from([None, True, -1, 0, 10**20, 1e308, "", "x", "--yes", "*", [], {}, [[]], "running", "unknown"])
_OTHER = st.sampled_from([TENCENT, ONE_SHOT, WINDOW, COMMAND, *ENDED, COMMAND.upper(), "inv-ib2lld37", f"x@{TENCENT}"])


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[Any], None]:
    """Changes at one place of a plan: a value replaced, taken away or doubled, rows cut, runs renamed."""
    where, what = (
        draw(st.integers(0, 10**6)),
        draw(st.sampled_from(["junk", "drop", "double", "cut", "rename", "empty"])),
    )
    junk, other = draw(_JUNK), draw(_OTHER)

    def change(plan: Any) -> None:
        items = plan["plan"]
        places = list(_places(plan))
        holder, key = places[where % len(places)]
        match what:
            case "junk":
                holder[key] = junk
            case "drop":
                del holder[key]
            case "double":
                items.append(copy.deepcopy(items[where % len(items)]))
            case "cut":
                rows = items[where % len(items)]["invocations"]
                del rows[where % (len(rows) + 1) :]
            case "rename":
                items[where % len(items)]["run"] = other
            case "empty":
                items[where % len(items)].update(invocations=[], counts={}, not_listed=0)

    return change


def _places(value: Any) -> Any:
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


_TARGET_OF: dict[str, str] = {}
"""What an invocation of the plan is about before somebody changed that; its id says so as well."""


@tries(15, HealthCheck.function_scoped_fixture)
@given(st.lists(mutations(), min_size=1, max_size=3))
def test_a_mutated_plan_never_sends_more_than_it_holds(made: Outside, changes: list[Callable[[Any], None]]) -> None:
    made.reset()
    plan = planned(made, TENCENT, COMMAND)
    _TARGET_OF.update({one["id"]: one["target"] for item in plan["plan"] for one in item["invocations"]})
    for change in changes:
        try:
            change(plan)
        except (KeyError, IndexError, TypeError, AttributeError):  # an earlier change took the place away
            continue

    done = made.run("cancel", "--plan", "-", "--confirm", str(_asked(plan)), "--no-wait", stdin=json.dumps(plan))

    assert done.code in (0, 1, 2, 3, 4, 5, 6, 7, 8), str(done)
    assert "internal error" not in done.err
    _no_more_than(made, plan)


def _asked(plan: Any) -> int:
    """How many runs a plan asks for, as far as it is one."""
    items = plan.get("plan") if isinstance(plan, dict) else None
    return sum(isinstance(item, dict) and item.get("ask") is True for item in items) if isinstance(items, list) else 0


def _no_more_than(outside: Outside, plan: Any) -> None:
    """Every cancel that was sent is of an item of the plan, and of none but its targets where parts are taken."""
    for request in outside.writes():
        text = json.dumps(request["params"])
        held = [item for item in plan["plan"] if item["run"].lower().rpartition("/")[2] in text.lower()]
        assert len(held) == 1, (request, plan)
        (item,) = held
        assert item["ask"] is True
        if "maintenance-window" in item["run"]:
            continue
        planned_targets = {one["target"] for one in item["invocations"]} | set(item["targets"])
        planned_targets |= {_TARGET_OF.get(one["id"]) for one in item["invocations"]}
        assert planned_targets or item["not_listed"] or item["state"] == "unknown", item
        ref = next(ref for ref in (TENCENT, COMMAND, ONE_SHOT, *ENDED) if ref.rpartition("/")[2] in text)
        strangers = set(outside.targets(ref)) - planned_targets
        if strangers and not item["not_listed"] and item["state"] != "unknown":
            assert named(request, outside.targets(ref)), "a part was planned and the whole run was sent"
            assert named(request, strangers) == []


@pytest.mark.parametrize("in_part", [False, True])
def test_the_rest_of_a_plan_in_part_is_continued_as_planned(outside: Outside, in_part: bool) -> None:
    """A guard has refused a run, and another one failed. The reference of that one would be all of its targets."""
    (target, *_) = outside.targets(ONE_SHOT, "running")
    words = (ONE_SHOT, "--target", target) if in_part else (ONE_SHOT,)
    plan = outside.json("cancel", *words, "--dry-run")
    (joined,) = planned(outside, TENCENT)["plan"]
    plan["plan"].append(joined | {"invocations": [], "counts": {}, "not_listed": 0})
    outside.faults({"kind": "http-503", "provider": "alibaba", "action": "StopInvocation"})

    done = carried_out(outside, plan, "--no-wait", "--timeout", "1s")

    way = f"cancel {ONE_SHOT}{f' --target {target}' if in_part else ''}"
    assert f"To continue with the rest: runcancel {way}\n" in done.err, str(done)
    resume = f"cancel --resume {done.document['operation']}"
    assert f"To continue with the rest: runcancel {resume}\n" in outside.run("history", "last").err
    outside.faults()
    for words in (way, resume):  # what was refused is not in the journal
        again = outside.run(*words.split(), "-o", "json")
        assert again.code in (0, 3), str(again)
        (outcome,) = again.document["outcomes"]
        assert len(outcome["invocations"]) == (1 if in_part else len(outside.targets(ONE_SHOT)))
