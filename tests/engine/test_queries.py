"""Which runs a query takes, and by which of its facts a run was found."""

import pytest
from fakes import COMMAND, PATCH
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from runcancel.config import references
from runcancel.model.queries import Query
from runcancel.model.runs import Run
from runcancel.model.states import Fact, State
from runcancel.providers import kind_of

NAMES = st.none() | st.sampled_from(["patch", "Patch", "patch openssl", "AWS-RunShellScript", "p*", "x"])


def run(name: str | None = None, comment: str | None = None, document: str | None = None, by: str | None = None) -> Run:
    ref = references.full(COMMAND)
    given = {"name": name, "comment": comment, "document": document, "started_by": by}
    return Run.at(ref, kind_of(ref), state=State.RUNNING, provider_status="InProgress", **given)


@pytest.mark.parametrize(
    ("query", "of", "fact"),
    [
        (Query(name="a"), run("a", "a", "a"), Fact.NAME),
        (Query(name="a"), run("b", "a", "a"), Fact.COMMENT),
        (Query(name="a"), run("b", "b", "a"), Fact.DOCUMENT),
        (Query(name="a"), run("b", "b", "b"), None),
        (Query(name="a"), run(), None),
        (Query(name_glob="a*"), run(None, "abc", "a"), Fact.COMMENT),
        (Query(name_glob="a*", name="b"), run("b", "abc"), Fact.COMMENT),
        (Query(name="a", document="d"), run("a", None, "d"), Fact.DOCUMENT),
        (Query(name="a", script="s"), run("a"), Fact.SCRIPT),
        (Query(document="d"), run(None, None, "D"), None),
    ],
)
def test_a_run_is_found_by_its_name_before_its_comment_and_its_document(
    query: Query, of: Run, fact: Fact | None
) -> None:
    assert query.matches(of) is (fact is not None)
    assert not query.matches(of) or query.matched_by(of) is fact


def test_what_no_name_selects_was_found_by_none() -> None:
    found = run("a", "b", "c", "arn:aws:iam::1:user/ops")

    for query in (Query(), Query(states=frozenset({State.RUNNING})), Query(started_by="user/ops")):
        assert query.matches(found)
        assert query.matched_by(found) is None
    assert not Query(started_by="user/other").matches(found)
    assert not Query(started_by="").matches(run()) or run().started_by is None


@given(NAMES, NAMES, NAMES, st.sampled_from(["patch", "AWS-RunShellScript", "x"]))
def test_a_name_never_finds_less_than_it_did(
    name: str | None, comment: str | None, document: str | None, wanted: str
) -> None:
    found = run(name, comment, document)

    assert Query(name=wanted).matches(found) is (wanted in (name, comment, document))
    if name == wanted:
        assert Query(name=wanted).matched_by(found) is Fact.NAME


def test_a_run_is_called_what_tells_it_from_others() -> None:
    assert run("AWS-RunShellScript", "deploy 4711", "AWS-RunShellScript").label == "deploy 4711"
    assert run("AWS-RunShellScript", None, "AWS-RunShellScript").label == "AWS-RunShellScript"
    assert run("patch", "by hand", "c-1").label == "patch"
    assert run(None, None, "c-1").label == "c-1"
    assert run().label is None
    assert structs.replace(run("patch"), ref=references.full(PATCH)).label == "patch"
