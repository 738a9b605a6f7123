"""The text of scripts, whatever a vendor keeps of them."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcancel.providers.common.scripts import contains, decoded_script, with_parameters

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
# GB 18030 has every code point but surrogates; to find that out of its codec takes Hypothesis seconds.
CHINESE = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=40)


@given(
    st.text(st.characters(codec="utf-8"), max_size=60).filter(lambda text: not text.startswith(("\ufeff", "\ufffe")))
)
def test_utf_8_comes_back_as_it_was(text: str) -> None:
    assert decoded_script(base64.b64encode(text.encode()).decode()) == text


@given(CHINESE)
def test_gb_18030_comes_back_unless_it_is_utf_8_as_well(text: str) -> None:
    data = text.encode("gb18030")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    try:
        expected = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        expected = text
    assert decoded_script(base64.b64encode(data).decode()) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    assert decoded_script(base64.b64encode("Write-Host 磁盘".encode(encoding)).decode()) == "Write-Host 磁盘"


@given(st.binary(max_size=60))
def test_any_bytes_are_a_text(data: bytes) -> None:
    assert isinstance(decoded_script(base64.b64encode(data).decode()), str)


@given(ANYTHING)
def test_what_is_no_base64_breaks_nothing(value: object) -> None:
    assert isinstance(decoded_script(value), str)


@given(ANYTHING, st.text(max_size=5))
def test_parameters_of_any_shape_are_searched(parameters: object, wanted: str) -> None:
    script = with_parameters(None, parameters)

    assert script is None or isinstance(script, str)
    assert isinstance(contains(script, wanted), bool)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_script_contains_each_of_its_parts(before: str, part: str, after: str) -> None:
    assert contains(before + part + after, part)


def test_parameters_stand_below_the_script() -> None:
    assert with_parameters("echo {{who}}", '{"who": "world"}') == "echo {{who}}\nwho: world"
    assert with_parameters("true", "{}") == "true"
    assert (
        with_parameters(None, {"workingDirectory": ["/opt"], "commands": ["a", "b"]}) == "a\nb\nworkingDirectory: /opt"
    )
    assert with_parameters(None, {}) is None
    assert with_parameters("true", "not json") == "true\nparameters: not json"
    assert with_parameters(None, {"one": [{"deep": [1]}]}) == 'one: {"deep": [1]}'


def test_line_ends_of_windows_are_line_ends() -> None:
    assert contains("@echo off\r\ndel x", "off\ndel")
    assert not contains(None, "x")


def test_depth_is_no_harm() -> None:
    deep = "[" * 100_000 + "]" * 100_000

    assert contains(with_parameters("true", deep), "[[")
    assert contains(with_parameters("true", json.dumps({"a": "b"})), "a: b")
