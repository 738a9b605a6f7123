"""`cancel` on a terminal without a word of what: choose from a list, then be asked as for any selection."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outside import TENCENT as TENCENT_RUN
from outside import Outside
from terminal import Terminal

from runcancel.cli.support.pick import Filter, Nothing, Numbers, Turn, Wrong, read_answer

TENCENT = ("-p", "tencent")


def listed(screen: str) -> list[str]:
    """The references on a screen, in the order of their numbers."""
    words = [line.split() for line in screen.splitlines()]
    return [line[1] for line in words if len(line) > 1 and line[0].isdigit() and ":" in line[1]]


def test_runs_are_chosen_by_number_and_range_and_then_asked_for(outside: Outside) -> None:
    shown = outside.on_terminal("cancel", *TENCENT, answer="1,3-4\ny\n", columns=200, lines=60)

    offered = listed(shown.final)
    assert shown.code == 0, shown.final
    assert "Runs to cancel" in shown.final
    assert "About to cancel 3 runs" in shown.final
    assert {ref for ref in offered if outside.effective(ref)} == {offered[0], offered[2], offered[3]}


def test_at_80_columns_each_reference_stands_whole_beside_its_number(outside: Outside) -> None:
    shown = outside.on_terminal("cancel", *TENCENT, answer="\n", lines=60)

    assert len(listed(shown.final)) >= 5
    assert shown.code == 6
    assert "no run was selected; nothing was sent" in shown.final.replace("\n", "")
    assert not outside.writes()


def test_no_after_choosing_sends_nothing(outside: Outside) -> None:
    shown = outside.on_terminal("cancel", *TENCENT, answer="1\nn\n", lines=60)

    assert (shown.code, outside.writes()) == (6, [])
    assert "not confirmed; nothing was sent" in shown.final


def test_a_wrong_answer_is_said_and_asked_again(outside: Outside) -> None:
    shown = outside.on_terminal("cancel", *TENCENT, answer="0\nseven\n1\ny\n", lines=60, columns=120)

    assert shown.code == 0, shown.final
    assert "“0” is not in the list. Enter numbers from 1 to" in shown.final
    assert "no run matches “seven”" in shown.final


def test_yes_answers_only_the_second_question(outside: Outside) -> None:
    shown = outside.on_terminal("cancel", *TENCENT, "--yes", answer="2\n", lines=60)

    assert shown.code == 0
    assert len({each["action"] for each in outside.writes()}) == 1


def test_where_nothing_runs_nothing_is_asked(begin: Callable[..., Outside]) -> None:
    clouds = begin(fleet=False)  # nothing in them starts runs by itself
    ended = clouds.add("tencent", region="ap-singapore", targets={"running": 2})
    assert clouds.run("cancel", ended, "--yes").code == 0

    shown = clouds.on_terminal("cancel", *TENCENT, "-r", "ap-singapore", "--require-match", columns=120)

    assert shown.code == 5
    assert "Runs to cancel" not in shown.final
    assert "No runs match; nothing was sent. Searched tencent ap-singapore." in shown.final
    assert "Every region: -r all" in shown.final


def test_without_a_terminal_nobody_chooses(outside: Outside) -> None:
    done = outside.run("cancel")

    assert (done.code, outside.requests()) == (2, [])
    assert "there is no terminal to choose on (stdin is not a terminal)" in done.err


def test_what_did_not_answer_is_said_before_the_question(outside: Outside) -> None:
    outside.faults("alibaba:DescribeInvocations=denied")

    shown = outside.on_terminal("cancel", "-p", "alibaba", "-p", "tencent", answer="1\ny\n", lines=80, columns=120)

    assert shown.final.index("NOT searched: alibaba cn-hangzhou") < shown.final.index("Runs to cancel")
    assert shown.code == 7


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 24), (200, 30), (80, 10)])
def test_the_list_fits_the_screen_and_every_run_is_on_one_of_its_pages(
    columns: int, lines: int, outside: Outside
) -> None:
    with Terminal(outside, "cancel", "-r", "all", "-p", "tencent", columns=columns, lines=lines) as terminal:
        seen: list[str] = []
        for page in range(1, 50):
            terminal.until(lambda text, page=page: "Enter: none" in text and (page == 1 or "no other page" not in text))
            rows = terminal.rows
            assert len(rows) <= lines
            assert all(len(row) <= columns for row in rows)
            head = max(at for at, row in enumerate(rows) if "RUN" in row.split())
            shown = listed("\n".join(rows[head:]))
            assert shown, terminal.text
            seen += shown
            pages = re.findall(r"Runs (\d+) to (\d+) of (\d+)", terminal.text)
            first, last, total = map(int, pages[-1]) if pages else (1, len(shown), len(shown))
            assert last - first + 1 == len(shown)
            if last == total:
                break
            terminal.send("+\n")
            terminal.until(f"Runs {last + 1} to ")
        assert len(seen) == len(set(seen)) == total
        terminal.send("\n")
        assert terminal.end() == 6


def test_text_filters_and_all_is_what_it_shows(outside: Outside) -> None:
    with Terminal(outside, "cancel", "-r", "all", "-p", "tencent", "--no-wait", columns=120, lines=30) as terminal:
        terminal.until("Enter: none")
        terminal.send("nothing-like-it\n")
        terminal.until("no run matches “nothing-like-it”")
        terminal.send("PATCH openssl\n")
        terminal.until("Runs 1 to 1 of 1 matching, ")
        terminal.send("all\n")
        terminal.until("Cancel this run? [y/N/?]")
        terminal.send("y\n")
        assert terminal.end() == 0
    assert len(outside.writes()) == 1
    assert outside.effective(TENCENT_RUN)


def test_more_than_the_limit_asks_for_the_limit_and_keeps_the_list(outside: Outside) -> None:
    with Terminal(
        outside, "cancel", "-p", "tencent", "--max-runs", "2", "--no-wait", columns=120, lines=50
    ) as terminal:
        terminal.until("Enter: none")
        for reply, wanted in (("1-3\n", "Type 3 to raise it"), ("\n", "Enter: none"), ("1-3\n", "Type 3 to raise it")):
            terminal.send(reply)
            terminal.until(lambda text, wanted=wanted: wanted in text.splitlines()[-1])
        terminal.send("3\n")
        terminal.until("Cancel these 3 runs? [y/N/?]")
        terminal.send("y\n")
        assert terminal.end() == 0
    assert len(outside.writes()) == 3
    assert "--max-runs" not in outside.run("cancel", "--resume", "last").err


def test_no_answer_raises_the_limit_of_the_configuration(outside: Outside) -> None:
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[caps]\nmax_runs = 1\n")

    shown = outside.on_terminal("cancel", *TENCENT, answer="all\n1\nn\n", columns=120, lines=50)

    assert "the limit is 1 (caps.max_runs of the configuration); no option raises it" in " ".join(shown.final.split())
    assert "Cancel this run? [y/N/?]" in shown.final
    assert (shown.code, outside.writes()) == (6, [])


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 6)])
@pytest.mark.parametrize("over", [False, True])
def test_leaving_the_list_sends_nothing(key: str, code: int, over: bool, outside: Outside) -> None:
    with Terminal(outside, "cancel", *TENCENT, "--max-runs", "1", lines=60) as terminal:
        terminal.until("Enter: none")
        if over:
            terminal.send("all\n")
            terminal.until("back to the list):")
        terminal.send(key)
        if over and key == "\x04":  # back to the list first
            terminal.until(lambda text: text.endswith("Enter: none):"))
            terminal.send(key)
        assert terminal.end() == code
    assert outside.writes() == []


SHOWN = st.lists(st.integers(1, 99), min_size=1, unique=True).map(sorted)


@given(SHOWN, st.data())
def test_any_choice_can_be_written_as_numbers(shown: list[int], data: st.DataObject) -> None:
    chosen = data.draw(st.sets(st.sampled_from(shown), min_size=1))

    written = [",".join(map(str, sorted(chosen, reverse=True))), " ".join(f"{one}-{one}" for one in chosen)]
    for text in written:
        assert read_answer(text, shown) == Numbers(tuple(sorted(chosen)))


@given(SHOWN, st.integers(1, 99), st.integers(1, 99))
def test_a_range_takes_what_is_listed_of_it_and_nothing_else(shown: list[int], first: int, last: int) -> None:
    inside = tuple(number for number in shown if first <= number <= last)

    answer = read_answer(f"{first}-{last}", shown)

    assert answer == Numbers(inside) if inside else isinstance(answer, Wrong)


@given(st.text(max_size=20) | st.text("0123456789,- ", max_size=20), SHOWN)
def test_any_text_is_an_answer_and_chooses_only_what_is_listed(text: str, shown: list[int]) -> None:
    answer = read_answer(text, shown)

    if isinstance(answer, Numbers):
        assert answer.numbers
        assert set(answer.numbers) <= set(shown)
    elif isinstance(answer, Filter):
        assert all(word == word.casefold() and word for word in answer.words)
    else:
        assert isinstance(answer, Wrong | Turn | Nothing)
        assert isinstance(answer, Nothing) is (not text.strip())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", Numbers((1, 2, 4))),
        (" ALL ", Numbers((1, 2, 4))),
        ("4 1", Numbers((1, 4))),
        ("2-4,2", Numbers((2, 4))),
        ("+", Turn(1)),
        ("-", Turn(-1)),
        ("/", Filter(())),
        ("/4711", Filter(("4711",))),
        ("Deploy AWS", Filter(("deploy", "aws"))),
        ("", Nothing()),
    ],
)
def test_how_an_answer_is_written(text: str, expected: object) -> None:
    assert read_answer(text, [1, 2, 4]) == expected


@pytest.mark.parametrize("text", ["3", "0", "5-9", "4-1", "1-", "1,3-", "1-2-3"])
def test_numbers_that_choose_nothing_are_wrong(text: str) -> None:
    assert isinstance(read_answer(text, [1, 2, 4]), Wrong)


@pytest.mark.parametrize(
    ("shown", "there"),
    [
        ((1, 2, 3), "Enter numbers from 1 to 3"),
        ((12, 45), "Enter 12 or 45"),
        ((12,), "Enter 12"),
        ((1, 3, 5, 7, 9, 11, 13), "Enter 1, 3, 5, 7, 9, 11, …"),
    ],
)
def test_a_number_that_a_filter_left_out_is_not_offered(shown: tuple[int, ...], there: str) -> None:
    answer = read_answer("99", shown)

    assert answer == Wrong(f"“99” is not in the list. {there}")
