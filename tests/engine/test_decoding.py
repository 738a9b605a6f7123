"""What targets wrote becomes text, whatever the encoding; what is new of it is found without the old text."""

import pytest
from fuzz.budget import tries
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from runcancel.engine.decoding import as_text, decode, encoding_of, is_encoding, resolved_encoding
from runcancel.engine.growth import BEGIN, fresh
from runcancel.model.encoding import from_builtins
from runcancel.model.logs import Capture, Output
from runcancel.model.states import State

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"))
CHINESE = st.text(alphabet="完成了吗失败重启服务abc 019\r\n")


def output(stdout: str | None = None, state: State = State.SUCCEEDED) -> Output:
    fields: dict[str, object] = dict.fromkeys(Output.__struct_fields__)
    fields |= {"run": "tencent:ap-guangzhou:invocation/inv-ib2lld37", "id": "invt-1", "provider_status": ""}
    fields |= {"state": state, "stdout": stdout, "merged": False, "truncated": False, "damaged": False}
    return from_builtins(fields, Output)


RUNNING = output(state=State.RUNNING)
ENDED = output()


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le", "utf-16-be", "utf-32-le", "utf-16", "utf-8-sig"])
@tries(25)
@given(text=TEXT)
def test_text_comes_back_as_it_was(encoding: str, text: str) -> None:
    content = text.encode(encoding)
    found = decode(content, resolved_encoding(encoding, content))

    assert (found.text, found.damaged) == (text, False)


@pytest.mark.parametrize("encoding", ["gbk", "big5", "shift_jis", "euc-kr", "windows-1252", "utf-8", "utf-16-le"])
@tries(25)
@given(content=st.binary())
def test_damaged_is_said_exactly_when_bytes_were_replaced(encoding: str, content: bytes) -> None:
    found = decode(content, encoding)
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        assert found.damaged
        assert "\ufffd" in found.text
    else:
        assert not found.damaged


@given(TEXT, st.sampled_from(["utf-8-sig", "utf-16", "utf-32"]))
def test_a_byte_order_mark_chooses_the_encoding(text: str, encoding: str) -> None:
    found = as_text(Capture(record=ENDED, content=text.encode(encoding)), None)

    if not text.startswith("\0"):  # the mark of UTF-16 and two NULs are the mark of UTF-32
        assert (found.stdout, found.damaged) == (text, False)


@given(st.lists(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1), min_size=1))
def test_utf16_without_a_mark_is_known_by_its_nuls(lines: list[str]) -> None:
    text = "\r\n".join(lines)

    for encoding in ("utf-16-le", "utf-16-be"):
        assert encoding_of(text.encode(encoding)) == encoding


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "utf-8"),
        (b"one\0two\0three\0", "utf-8"),
        (b"one\0", "utf-8"),
        ("目录 完成\n".encode("gbk"), "utf-8"),
        ("正在停止服务\r\n完成\r\n".encode("utf-16-le"), "utf-16-le"),
        ("正在停止服务\r\n完成\r\n".encode("utf-16-be"), "utf-16-be"),
        ("done\r\n".encode("utf-16-le")[:-1], "utf-8"),
    ],
)
def test_few_nuls_are_nuls_of_the_text(content: bytes, encoding: str) -> None:
    assert encoding_of(content) == encoding


def test_half_a_character_at_the_end_is_left_out_where_more_may_come() -> None:
    half = "完成\r\n".encode("utf-16-le")[:-1]

    assert as_text(Capture(record=RUNNING, content=half), None).stdout == "完成\r"
    assert not as_text(Capture(record=RUNNING, content=half), None).damaged
    assert as_text(Capture(record=ENDED, content="完成".encode()[:-1]), None).damaged


def test_text_of_a_cloud_that_keeps_text_is_damaged_where_it_says_so() -> None:
    assert as_text(Capture.of_text(output("a\ufffdb")), "gbk").damaged
    assert not as_text(Capture.of_text(output("ab")), "gbk").damaged


@pytest.mark.parametrize("name", ["gb18030", "GBK", "utf8", "UTF-16", "latin-1", "cp936", "shift_jis", "iso-2022-jp"])
def test_names_of_encodings(name: str) -> None:
    assert is_encoding(name)


@pytest.mark.parametrize("name", ["base64", "rot13", "hex", "idna", "punycode", "undefined", "klingon", "\0", "é"])
def test_what_is_no_encoding_of_text(name: str) -> None:
    assert not is_encoding(name)


# growth


def grown(contents: list[bytes], *, dropped: list[int] | None = None, encoding: str | None = None) -> list[str]:
    """The new text of each reading; the last one has ended."""
    marks, texts = BEGIN, []
    for place, content in enumerate(contents):
        record = ENDED if place == len(contents) - 1 else RUNNING
        cut = (dropped or [0] * len(contents))[place]
        record = structs.replace(record, stdout=None, dropped=cut or None, truncated=bool(cut))
        new, marks = fresh(Capture(record=record, content=content), marks, encoding)
        texts.append(new.stdout or "")
        assert not new.damaged
    return texts


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16", "gb18030"])
@tries(25)
@given(text=CHINESE, cuts=st.lists(st.integers(0, 80), max_size=6))
def test_pieces_are_the_whole_in_whole_lines(encoding: str, text: str, cuts: list[int]) -> None:
    content = text.encode(encoding)
    *pieces, last = grown([*(content[:cut] for cut in sorted(cuts)), content], encoding=encoding)

    assert "".join([*pieces, last]) == text
    assert all(piece.endswith("\n") or not piece for piece in pieces)


def test_an_output_that_does_not_grow_brings_nothing_new() -> None:
    assert grown([b"one\ntwo\n"] * 4) == ["one\ntwo\n", "", "", ""]
    assert grown([b"one\n", b"", b"one\ntwo"]) == ["one\n", "", "two"]


def test_a_new_round_of_a_run_that_repeats_is_new() -> None:
    assert grown([b"round 1\nok\n", b"round 2\n", b"round 2\nok\n"]) == ["round 1\nok\n", "round 2\n", "ok\n"]


def test_where_the_cloud_cut_the_end_nothing_comes_twice() -> None:
    assert grown([b"1\n2\n3\n", b"1\n2\n3\n4", b"1\n2\n3\n4"], dropped=[0, 10, 99]) == ["1\n2\n3\n", "", "4"]


def test_where_the_cloud_cut_the_middle_what_came_since_is_new() -> None:
    """24 bytes are kept here: 12 of the beginning and 12 of the end."""
    text = "".join(f"l{number:02}\n" for number in range(20)).encode()
    kept = [text[:24], text[:12] + text[20:32], text[:12] + text[28:40], text[:12] + text[68:]]

    pieces = grown(kept, dropped=[0, 8, 16, 56])

    assert pieces == ["l00\nl01\nl02\nl03\nl04\nl05\n", "l06\nl07\n", "l08\nl09\n", "l17\nl18\nl19\n"]


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.lists(st.integers(0, 99), min_size=5, max_size=5))
def test_any_readings_at_all_bring_something_or_nothing(contents: list[bytes], dropped: list[int]) -> None:
    marks = BEGIN
    for content, cut in zip(contents, dropped, strict=False):
        record: Output = structs.replace(RUNNING, dropped=cut, truncated=bool(cut))
        new, marks = fresh(Capture(record=record, content=content), marks, None)
        assert isinstance(new.stdout, str)
