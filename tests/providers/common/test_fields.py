"""Fields and pages as hostile clouds give them."""

import math
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opened import refused

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.common import fields, paging

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21T12:00:00Z",
        "2026-11-21T12:00:00+00:00",
        "2026-11-21T20:00:00+08:00",
        "2026-11-21T12:00:00",
        NOON.timestamp(),
        NOON,
    ],
)
def test_every_spelling_of_a_time_is_read_as_utc(value: object) -> None:
    assert fields.moment(value) == NOON
    assert (fields.moment(value) or NOON).tzinfo is UTC


@pytest.mark.parametrize("value", [None, "", "soon", True, [], {}, 1e300, float("nan"), "9999-99-99T00:00:00Z"])
def test_what_is_no_time_is_none(value: object) -> None:
    assert fields.moment(value) is None


def test_rows_of_any_shape_never_crash() -> None:
    odd: tuple[object, ...] = (
        None,
        3,
        "text",
        [],
        {"A": None},
        {"A": []},
        {"A": {"B": "text"}},
        {"A": {"B": {"x": 1}}},
    )

    assert fields.rows({"A": {"B": [{"x": 1}, None, "text", 3]}}, "A", "B") == ({"x": 1},)
    assert [fields.rows(value, "A", "B") for value in odd] == [()] * len(odd)


def test_numbers_and_texts_of_any_type() -> None:
    numbers: tuple[object, ...] = (3, "-3", True, None, "x", 1.5, [])
    texts: tuple[object, ...] = ("a", "", None, 3, True, [], {})

    assert [fields.number(value) for value in numbers] == [3, -3, None, None, None, None, None]
    assert [fields.text(value) for value in texts] == ["a", None, None, "3", None, None, None]


def test_pages_by_token_end_at_an_empty_token_and_drop_what_came_before() -> None:
    pages = {None: ([{"id": 1}, {"id": 2}], "a"), "a": ([{"id": 2}, {"id": 3}], "")}

    found = list(paging.by_token(lambda token: pages[token], key=lambda row: row["id"]))

    assert [row["id"] for row in found] == [1, 2, 3]


def test_a_token_that_repeats_is_an_error_and_not_a_loop() -> None:
    pages = {None: ([{"id": 1}], "a"), "a": ([{"id": 2}], "b"), "b": ([{"id": 3}], "a")}

    found = paging.by_token(lambda token: pages[token], key=lambda row: row["id"])

    assert refused(lambda: list(found)).reason is Reason.UNPROVEN


def test_pages_by_offset_survive_a_list_that_changes() -> None:
    everything = [{"id": number} for number in range(250)]
    asked: list[int] = []

    def page(offset: int) -> tuple[list[dict[str, int]], int]:
        asked.append(offset)
        start = max(0, offset - 5)  # five newer rows pushed the list down
        return everything[start : start + 100], 255

    found = list(paging.by_offset(page, key=lambda row: row["id"], size=100))

    assert [row["id"] for row in found] == list(range(250))
    assert asked == [0, 100, 200]


def test_an_offset_that_is_ignored_is_an_error_and_not_a_loop() -> None:
    found = paging.by_offset(lambda offset: ([{"id": 1}], 10**9), key=lambda row: row["id"], size=1)

    assert refused(lambda: list(found)).reason is Reason.UNPROVEN


def test_a_last_page_that_only_repeats_is_no_end_when_the_total_says_there_is_more() -> None:
    page = [{"id": number} for number in range(100)]
    found = paging.by_offset(lambda offset: (page, 156), key=lambda row: row["id"], size=100)

    assert refused(lambda: list(found)).reason is Reason.UNPROVEN


def test_rows_that_came_in_at_the_head_are_found_when_the_last_page_only_repeats() -> None:
    states = iter([range(101)])

    def page(offset: int) -> tuple[list[dict[str, int]], int]:
        now = next(states, range(-1, 100))  # after the first page one more is there, and the oldest is gone
        return [{"id": number} for number in now][offset : offset + 100], 101

    found = [row["id"] for row in paging.by_offset(page, key=lambda row: row["id"], size=100)]

    assert sorted(found) == list(range(-1, 100))


def test_an_empty_page_ends_the_listing_whatever_the_total_says() -> None:
    assert list(paging.by_offset(lambda offset: ([], 50), key=lambda row: row["id"], size=10)) == []


@pytest.mark.parametrize("region", ["", "cn", "cn-hangzhou/", "cn hangzhou", "evil.com#", "cn-hangzhou\n", "A-B"])
def test_a_region_that_cannot_stand_in_a_host_name_is_refused(region: str) -> None:
    assert refused(lambda: fields.checked_region(region)).reason is Reason.NOT_CONFIGURED


@pytest.mark.parametrize("target", ["", "i-", "i-1\n", "i-1&Action=x", "i 1", "-1", "i-" + "a" * 99])
def test_a_target_that_is_no_id_does_not_travel(target: str) -> None:
    assert refused(lambda: fields.checked_targets([target])).reason is Reason.INVALID


def test_bad_credentials_are_blamed_on_their_source() -> None:
    errors = [CloudError(reason, "refused") for reason in (Reason.BAD_CREDENTIALS, Reason.INVALID)]

    assert [str(fields.attribute_error(error, "here")) for error in errors] == ["refused (here)", "refused"]


@pytest.mark.parametrize(("count", "size"), [(0, 3), (1, 3), (3, 3), (7, 3)])
def test_chunks_lose_nothing(count: int, size: int) -> None:
    parts = list(paging.chunks(range(count), size))

    assert [one for part in parts for one in part] == list(range(count))
    assert len(parts) == math.ceil(count / size)


def encoded(data: bytes) -> str:
    return b64encode(data).decode()


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (encoded(b""), b""),
        (encoded("完成\n".encode()), "完成\n".encode()),
        (encoded(b"\xef\xbb\xbfwith a mark"), b"\xef\xbb\xbfwith a mark"),
        ("aGVs\nbG8=", b"hello"),
        (None, b""),
    ],
)
def test_base64_is_read_as_bytes(value: object, content: bytes) -> None:
    assert fields.unpacked(value) == (content, True)


@pytest.mark.parametrize(
    ("value", "content"), [("aGVsbG8", b"hel"), ("aGVs*bG8=", b"hel"), ("not base64 at all", b""), ("====", b"")]
)
def test_what_is_no_base64_is_read_as_far_as_it_goes(value: object, content: bytes) -> None:
    found, intact = fields.unpacked(value)

    assert found.startswith(content)
    assert not intact


@given(st.binary() | st.text() | st.none() | st.integers())
def test_anything_at_all_is_read_as_something(value: object) -> None:
    for given_ in (value, encoded(value) if isinstance(value, bytes) else value):
        assert isinstance(fields.unpacked(given_)[0], bytes)


@given(st.binary())
def test_bytes_come_back_as_they_were(content: bytes) -> None:
    assert fields.unpacked(encoded(content)) == (content, True)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (encoded("完成\n".encode()), fields.Decoded("完成\n")),
        (encoded(b"\xef\xbb\xbfwith a mark"), fields.Decoded("with a mark")),
        (encoded("already \ufffd".encode()), fields.Decoded("already \ufffd")),
        (encoded(b"ok \xff"), fields.Decoded("ok \ufffd", damaged=True)),
        ("aGVsbG8", fields.Decoded("hel", damaged=True)),
        (None, fields.Decoded("")),
    ],
)
def test_base64_is_read_as_text(value: object, found: fields.Decoded) -> None:
    assert fields.decoded(value) == found
