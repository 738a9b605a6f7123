"""A request file selects; whatever was done to it, it never confirms, lifts a limit or names more than it holds."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from fuzz.budget import tries
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from outside import COMMAND, KILLED, TENCENT, Outside, id_of

REQUEST = {"refs": [TENCENT, COMMAND], "max_runs": 2, "timeout": "5", "reason": "drill", "output": "json"}
_JUNK = st.sampled_from(
    [None, True, False, -1, 0, 1, 10**20, 1e308, "", "x", "--yes", "-", "*", "last", [], {}, [[]], [None], [""]]
)
_KEY = st.sampled_from(
    [
        *(*REQUEST, "yes", "confirm", "max_targets", "target", "plan", "from_", "f", "resume", "operation", "name"),
        *(
            "status",
            "kind",
            "stop_running",
            "accept_reported",
            "allow_incomplete",
            "dry_run",
            "wait",
            "journal",
            "REFS",
        ),
    ]
)
_REF = st.sampled_from([TENCENT, COMMAND, KILLED, COMMAND.upper(), id_of(TENCENT), "invt-ib2lld370001", "*", "--yes"])


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[dict[str, Any]], None]:
    """A key given a value of another sort, taken away or added; references replaced, doubled or added."""
    what = draw(st.sampled_from(["value", "value", "drop", "ref", "double"]))
    key, junk, ref = draw(_KEY), draw(_JUNK), draw(_REF)

    def change(request: dict[str, Any]) -> None:
        refs = request.get("refs")
        if what == "value":
            request[key] = junk
        elif what == "drop":
            request.pop(key, None)
        elif isinstance(refs, list):
            refs.extend(refs if what == "double" else [ref])

    return change


@pytest.fixture(scope="module")
def made(begin: Callable[..., Outside]) -> Outside:
    return begin()


@tries(12, HealthCheck.function_scoped_fixture)
@given(changes=st.lists(mutations(), min_size=1, max_size=3), confirmed=st.booleans())
def test_a_mutated_request_never_sends_more_than_it_holds(
    made: Outside, changes: list[Callable[[dict[str, Any]], None]], confirmed: bool
) -> None:
    made.reset()
    request: dict[str, Any] = copy.deepcopy(REQUEST)
    for change in changes:
        change(request)

    flags = ("--confirm", "2") if confirmed else ()
    done = made.run("cancel", "--cli-input-json", json.dumps(request), "--no-wait", "-o", "json", *flags)

    assert done.code in (0, 1, 2, 3, 4, 5, 6, 7, 8), str(done)
    assert "internal error" not in done.err
    assert confirmed or not made.writes(), "a request confirmed itself"
    assert len(made.writes()) <= 2, "more than was confirmed"
    if request.get("yes") or request.get("confirm"):
        assert (done.code, made.writes()) == (2, [])
    refs = request.get("refs")
    if refs:  # else a filter selects
        held = json.dumps(refs).lower()
        sent = [json.dumps(one["params"]).lower() for one in made.writes()]
        assert all(any(id_of(ref) in text for ref in (TENCENT, COMMAND, KILLED) if id_of(ref) in held) for text in sent)
