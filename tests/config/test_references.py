"""References: text to reference and back, and one clear line for every text that is none."""

import pytest
from fakes import UUID, read_or_not
from hypothesis import example, given
from hypothesis import strategies as st

from runcancel.config.references import as_written, full, nearest, parse, parse_all
from runcancel.errors import UsageError
from runcancel.model.runs import Ref, RunName, Scope
from runcancel.providers import PROVIDERS, provider
from runcancel.text import is_plain

INV, INVT, ALI = "inv-ib2lld37", "invt-ib2lld37", "t-7d2a745b412b4601"

CONTEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NAMES = st.text("abcXYZ019-_.@'!", min_size=1, max_size=20)
IDS = {
    "aws": st.uuids().map(str),
    "alibaba": st.text("0123456789abcdefghij", min_size=8, max_size=20).map("t-{}".format),
    "tencent": st.text("0123456789abcdefghij", min_size=8, max_size=10).map("inv-{}".format),
}


@st.composite
def any_ref(draw: st.DrawFn) -> Ref:
    """Any full reference that a cloud could have."""
    name = draw(st.sampled_from(list(PROVIDERS)))
    kind = draw(st.sampled_from(provider(name).kinds))
    region = draw(
        st.sampled_from(sorted(provider(name).regions)) | st.from_regex(r"[a-z]{2,}(-[a-z0-9]+)+", fullmatch=True)
    )
    id = draw(IDS[name])
    if kind.name == "oos":
        id = draw(st.from_regex(r"exec-[0-9a-f]{20}(\.[0-9]{4})?", fullmatch=True))
    if kind.name == "state-machine":
        region = draw(st.sampled_from(["us-east-2", "eu-west-1"]))
        id = f"arn:aws:states:{region}:111122223333:execution:{draw(NAMES)}:{draw(NAMES)}"
    return Ref(scope=Scope(provider=name, region=region, context=draw(CONTEXTS)), kind=kind.name, id=id)


@given(any_ref())
def test_what_every_output_prints_reads_back_as_the_same(ref: Ref) -> None:
    assert full(str(ref)) == ref
    assert str(full(str(ref))) == str(ref)
    assert parse(str(ref)).at(ref.scope, parse(str(ref)).kinds(ref.scope.provider)[0]) == ref


@given(
    st.text()
    | st.text("awsinvt-:@/%0123456789 \n", max_size=30)
    | st.builds("{}{}{}".format, st.text(), st.just(":"), IDS["aws"])
)
@example("%ff@" + INV)
@example("\udcff@" + INV)
@example("a\nb")
@example("\x1b[31m" + INV)
@example("")
def test_any_text_is_a_reference_or_one_line_that_says_why_not(text: str) -> None:
    read = read_or_not(text)

    if isinstance(read, UsageError):
        assert "nothing was sent" in read.message
        assert is_plain(read.message)
        assert is_plain(read.hint or "")
    else:
        assert read.text == text
        assert read.providers


@pytest.mark.parametrize(
    ("text", "context", "name", "region", "kind"),
    [
        (INV, None, None, None, None),
        (f"tencent:{INV}", None, "tencent", None, None),
        (f"ap-guangzhou:{INV}", None, None, "ap-guangzhou", None),
        (f"tencent:ap-guangzhou:{INV}", None, "tencent", "ap-guangzhou", None),
        (f"invocation/{INV}", None, None, None, "invocation"),
        (f"tencent:invocation/{INV}", None, "tencent", None, "invocation"),
        (f"ap-guangzhou:invocation/{INV}", None, None, "ap-guangzhou", "invocation"),
        (f"prod@{INV}", "prod", None, None, None),
        (f"prod@tencent:ap-guangzhou:invocation/{INV}", "prod", "tencent", "ap-guangzhou", "invocation"),
        (f"a%40b%3Ac%2F%E4%BA%AC@{INV}", "a@b:c/京", None, None, None),
        (f"a@b@{INV}", "a@b", None, None, None),
        (f"100%@{INV}", "100%", None, None, None),
    ],
)
def test_every_part_but_the_id_may_be_left_out(
    text: str, context: str | None, name: str | None, region: str | None, kind: str | None
) -> None:
    reference = parse(text)

    assert (reference.context, reference.provider, reference.region, reference.kind) == (context, name, region, kind)
    assert (reference.id, reference.providers) == (INV, ("tencent",))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (UUID, {"aws": ["maintenance-window", "command", "automation"]}),
        (f"command/{UUID}", {"aws": ["command"]}),
        (ALI, {"alibaba": ["invocation"]}),
        (INVT, {"tencent": ["invocation"]}),
        (f"us-east-1:{ALI}", {"alibaba": ["invocation"]}),
    ],
)
def test_an_id_tells_whose_it_is_and_which_kinds_it_can_mean(text: str, kinds: dict[str, list[str]]) -> None:
    reference = parse(text)

    assert {name: [kind.name for kind in reference.kinds(name)] for name in reference.providers} == kinds


def test_capitals_in_a_uuid_name_the_same_run() -> None:
    assert parse(UUID.upper()).id == UUID
    assert full(f"aws:us-east-2:command/{UUID.upper()}") == full(f"aws:us-east-2:command/{UUID}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot contain spaces"),
        (f"京@{INV}", "non-ASCII"),
        (f"@{INV}", "the context before @ is empty"),
        (f"%ff@{INV}", "not percent-encoded UTF-8"),
        (f"/{INV}", "the kind before / is empty"),
        ("tencent:", "the id is missing"),
        ("command/", "the id is missing"),
        (f"a:b:c:{INV}", "too many parts"),
        (f"tencnet:{INV}", "did you mean tencent?"),
        (f"ali:cn-hangzhou:{ALI}", "no provider “ali”"),
        (f"tencent:Guangzhou:{INV}", "“Guangzhou” is not a region such as"),
        (f"tencent::{INV}", "“” is not a region such as"),
        (f":{INV}", "no provider “”"),
        (f"comand/{UUID}", "did you mean command?"),
        (f"tencent:command/{UUID}", "no kind “command” of tencent (kinds: invocation)"),
        (f"aws:{INV}", "is not a run id of aws; expected"),
        (f"command/{INV}", "is not a command id; expected"),
        (f"invocation/{UUID}", "is not an invocation id; expected"),
        ("aws:us-east-2:maintenance-window/mw-0c50858d01", "is not a maintenance-window id of aws"),
    ],
)
def test_what_is_no_reference_is_told_with_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert says in caught.value.message
    assert caught.value.hint == "The form of a reference: [context@][provider:][region:][kind/]id"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (f" {INV}", f"did you mean {INV}?"),
        (f"{INV}\n", f"did you mean {INV}?"),
        (INV.upper(), f"did you mean {INV}?"),
        (f"'{INV}',", f"did you mean {INV}?"),
        ("inv-short", "copy the whole id"),
        (UUID[:-1], "copy the whole id"),
        (f"{UUID}0", "copy the whole id"),
        ("mw-0c50858d01EXAMPLE", "To find runs by name: runcancel list --name mw-0c50858d01EXAMPLE"),
    ],
)
def test_what_is_nearly_a_reference_is_refused_with_the_next_step(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert hint in str(caught.value.hint)


def test_one_malformed_reference_refuses_all_and_a_repeated_one_is_read_once() -> None:
    assert [one.text for one in parse_all([INV, ALI, INV])] == [INV, ALI]
    with pytest.raises(UsageError):
        parse_all([INV, "nonsense"])


@pytest.mark.parametrize(
    ("text", "says"),
    [(INV, "only the full form"), (f"tencent:{INV}", "only the full form"), (f"aws:us-east-2:{UUID}", "give the kind")],
)
def test_where_only_the_full_form_will_do_it_says_so(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        full(text)


def test_a_single_kind_need_not_be_named_in_full() -> None:
    assert str(full(f"tencent:ap-guangzhou:{INV}")) == f"tencent:ap-guangzhou:invocation/{INV}"


@pytest.mark.parametrize(("word", "clause"), [("tencnet", " (did you mean tencent?)"), ("gcp", "")])
def test_only_what_is_near_is_proposed(word: str, clause: str) -> None:
    assert nearest(word, PROVIDERS) == clause


@pytest.mark.parametrize("text", ["gcp:us-east1:command/abc", f"aws:us-east-2:session/{UUID}"])
def test_a_run_that_a_newer_program_wrote_down_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError, match=r"no (provider|kind)"):
        as_written(RunName.parse(text))
