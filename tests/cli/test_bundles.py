"""Options that are declared once as a record: what the command line gets of them, and what a verb gets back."""

import inspect
from typing import Annotated, Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from runcancel.cli import changes, options
from runcancel.cli.app import load
from runcancel.cli.bundles import Bundle, arguments, filled, flattened, options_of, spelled

Colour = Annotated[str | None, typer.Option("--colour", metavar="WORD")]


class Inner(Bundle, frozen=True, kw_only=True):
    colour: Colour = None
    size: Annotated[int, typer.Option("--size")] = 7


class Outer(Bundle, frozen=True, kw_only=True):
    first: Annotated[bool, typer.Option("--first")] = False
    inner: Inner
    last: Annotated[list[str] | None, typer.Option("--last")] = None


def verb(word: str, *, outer: Outer, alone: bool = False) -> tuple[Any, ...]:
    return word, outer, alone


PARAMETERS = list(inspect.signature(verb).parameters.values())


def test_a_bundle_stands_for_its_options_in_their_order() -> None:
    names = [one.name for one in flattened(PARAMETERS)]

    assert names == ["word", "first", "colour", "size", "last", "alone"]


def test_an_option_keeps_what_typer_reads_and_its_default() -> None:
    by_name = {one.name: one for one in options_of(Outer)}

    assert by_name["colour"].annotation == Colour
    assert {name: one.default for name, one in by_name.items()} == {
        "first": False,
        "colour": None,
        "size": 7,
        "last": None,
    }


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "first": st.booleans(),
            "colour": st.none() | st.text(),
            "size": st.integers(),
            "last": st.none() | st.lists(st.text()),
        },
    )
)
def test_each_value_arrives_at_its_field_and_the_others_have_their_defaults(values: dict[str, Any]) -> None:
    outer = filled(Outer, values)

    found = {"first": outer.first, "colour": outer.inner.colour, "size": outer.inner.size, "last": outer.last}
    assert found == {"first": False, "colour": None, "size": 7, "last": None} | values
    assert verb(**arguments(PARAMETERS, {"word": "w", **values})) == ("w", outer, False)


def test_an_option_of_a_verb_hides_the_one_that_every_verb_has() -> None:
    timeouts = [param for param in load("wait").params if param.name == "timeout"]

    assert [param.help for param in timeouts] == ["Time limit for watching [60s]."]


@pytest.mark.parametrize("name", ["list", "cancel"])
def test_every_filter_is_an_option_of_the_verbs_that_search(name: str) -> None:
    assert {one.name for one in options_of(options.Filters)} <= {param.name for param in load(name).params}


@pytest.mark.parametrize("field", options.Filters.__struct_fields__)
def test_any_filter_is_a_filter(field: str) -> None:
    assert filled(options.Filters, {field: "1h"}).any
    assert not options.Filters().any


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        (options.Filters(), ()),
        (
            options.Filters(name="two words", status=["running", "all"]),
            ("--status", "running", "--status", "all", "--name", "two words"),
        ),
        (
            options.Everywhere(context=["prod"], profile="dev", region=["us-east-2", "all"], quiet=True),
            ("-c", "prod", "--profile", "dev", "-r", "us-east-2", "-r", "all", "-q"),
        ),
        (Outer(inner=Inner(colour="red"), first=True), ("--first", "--colour", "red")),
        (changes.Waiting(wait=False, timeout="2s"), ("--no-wait", "--timeout", "2s")),
    ],
)
def test_a_bundle_is_spelled_as_it_is_typed(bundle: Bundle, words: tuple[str, ...]) -> None:
    assert spelled(bundle) == words


def test_some_options_of_a_bundle_are_spelled() -> None:
    assert spelled(options.Everywhere(context=["prod"], quiet=True), ("context", "region")) == ("-c", "prod")
