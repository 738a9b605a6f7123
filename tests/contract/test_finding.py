"""How runs are found by what they are: their document, their script, who started them."""

import base64
from collections.abc import Callable

import pytest
from opened import refused, runs_of
from outside import Outside

from contract.conftest import Connect
from contract.examples import EXAMPLES, Example
from runcancel.config import references
from runcancel.model.queries import Query
from runcancel.model.states import Fact, Reason
from runcancel.providers import kind_of

KINDS = tuple({(one.provider, one.kind): one for one in reversed(EXAMPLES)}.values())
HAYSTACK = 'set -e\nrm -rf "/var/cache/app" && 整理磁盘\n'
GBK = "@echo off\r\ndel /q 缓存\\*\r\n".encode("gbk").decode("utf-8", "surrogateescape")

SCRIPTED = [of for of in KINDS if Fact.SCRIPT in kind_of(references.full(of.ref)).lists]

every_script = pytest.mark.parametrize("of", SCRIPTED, ids=str)


@pytest.fixture(scope="module")
def scripted(begin: Callable[..., Outside]) -> Outside:
    """One run of each kind that has a script of its own among others that have none of its text."""
    runs = [
        {"provider": of.provider, "region": of.region, "kind": of.kind, "name": name, "script": script}
        for of in SCRIPTED
        for name, script in (("needle", HAYSTACK), ("windows", GBK), ("other", "true"), ("plain", ""))
    ]
    return begin(speed=0, runs=runs)


def found(cloud: object, **filters: object) -> list[str]:
    query = Query(**filters)  # type: ignore[arg-type]
    return sorted(run.comment or run.name or "" for run in runs_of(cloud, query) if query.matches(run))  # type: ignore[arg-type]


def test_every_cloud_lists_the_script_of_what_it_runs() -> None:
    assert {of.provider for of in SCRIPTED} == {of.provider for of in KINDS}


@every_script
@pytest.mark.parametrize(
    ("text", "names"),
    [("/var/cache/app", ["needle"]), ("整理", ["needle"]), ("-e\nrm", ["needle"]), ("RM -RF", []), ("nowhere", [])],
)
def test_a_script_is_found_by_text_in_it(
    of: Example, text: str, names: list[str], scripted: Outside, connect: Connect
) -> None:
    cloud = connect(scripted, of.scope)

    assert found(cloud, kinds=frozenset({of.kind}), script=text) == names


@every_script
def test_a_script_in_another_encoding_is_found(of: Example, scripted: Outside, connect: Connect) -> None:
    cloud = connect(scripted, of.scope)

    names = found(cloud, kinds=frozenset({of.kind}), script="缓存")

    assert names == ([] if of.provider == "aws" else ["windows"])  # JSON holds no other bytes than UTF-8


@every_script
def test_a_script_is_no_part_of_a_run(of: Example, scripted: Outside, connect: Connect) -> None:
    query = Query(kinds=frozenset({of.kind}), script="/var/cache/app")

    (run,) = [run for run in runs_of(connect(scripted, of.scope), query) if query.matches(run)]

    assert "/var/cache" not in repr(run)


@every_script
def test_the_script_of_a_run_is_read_when_asked_for(of: Example, scripted: Outside, connect: Connect) -> None:
    cloud = connect(scripted, of.scope)
    query = Query(kinds=frozenset({of.kind}), script="/var/cache/app")
    (run,) = [run for run in runs_of(cloud, query) if query.matches(run)]

    assert (cloud.script(run.ref) or "").strip() == HAYSTACK.strip()


@pytest.mark.parametrize("of", KINDS, ids=str)
def test_the_script_of_a_run_that_is_not_there(of: Example, scripted: Outside, connect: Connect) -> None:
    cloud = connect(scripted, of.scope)

    assert refused(lambda: cloud.script(references.full(of.absent))).reason is Reason.NOT_FOUND


@pytest.mark.parametrize("of", [of for of in KINDS if of.kind != "maintenance-window"], ids=str)
def test_a_document_is_found_and_filtered_by_the_vendor(of: Example, scripted: Outside, connect: Connect) -> None:
    cloud = connect(scripted, of.scope)
    everything = list(runs_of(cloud, Query(kinds=frozenset({of.kind}))))
    document = next(run.document for run in everything if run.document)
    scripted.box.log.clear()
    query = Query(kinds=frozenset({of.kind}), document=document)

    answered = list(runs_of(cloud, query))

    assert {run.id for run in answered if query.matches(run)} == {
        run.id for run in everything if run.document == document
    }
    asked = [each for each in scripted.box.log.shown() if each["action"] != "ListStateMachines"]
    assert all(document in str(each["params"]) for each in asked)
    assert document is not None
    assert len(answered) < len(everything)


@pytest.mark.parametrize("of", KINDS, ids=str)
@pytest.mark.parametrize("document", ["AWS-Run", "c-", "cmd-", "x" * 200, "nobody's"])
def test_a_document_that_no_run_has_is_no_error(
    of: Example, document: str, scripted: Outside, connect: Connect
) -> None:
    assert found(connect(scripted, of.scope), kinds=frozenset({of.kind}), document=document) == []


@pytest.mark.parametrize("of", KINDS, ids=str)
def test_who_started_a_run_is_told_where_a_kind_says_so(of: Example, scripted: Outside, connect: Connect) -> None:
    told = [run.started_by for run in runs_of(connect(scripted, of.scope), Query(kinds=frozenset({of.kind})))]

    assert any(told) is (Fact.STARTED_BY in kind_of(references.full(of.ref)).lists)


@pytest.mark.parametrize("content", ["?", "%%%", "AAA=B", None, 7, [], {"a": 1}])
def test_content_that_is_no_base64_breaks_no_listing(content: object, connect: Connect, still: Outside) -> None:
    from runcancel.providers.common.scripts import contains, decoded_script

    assert contains(decoded_script(content), "needle") is False
    assert contains(decoded_script(base64.b64encode(b"a needle").decode()), "needle") is True
