"""`cancel` on a terminal without a word of what: choose from a list, then be asked as for any selection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outside import Outside

from runcancel.cli.support.pick import numbers
from runcancel.errors import UsageError

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
    assert "no run was selected; not" in shown.final
    assert not outside.writes()


def test_no_after_choosing_sends_nothing(outside: Outside) -> None:
    shown = outside.on_terminal("cancel", *TENCENT, answer="1\nn\n", lines=60)

    assert (shown.code, outside.writes()) == (6, [])
    assert "not confirmed; nothing was sent" in shown.final


def test_a_wrong_answer_is_said_and_asked_again(outside: Outside) -> None:
    shown = outside.on_terminal("cancel", *TENCENT, answer="0\nseven\n1\ny\n", lines=60, columns=120)

    assert shown.code == 0, shown.final
    assert "“0” is not in the list. Enter numbers from 1 to" in shown.final
    assert "“seven” is not a number or range" in shown.final


def test_yes_answers_only_the_second_question(outside: Outside) -> None:
    shown = outside.on_terminal("cancel", *TENCENT, "--yes", answer="2\n", lines=60)

    assert shown.code == 0
    assert len({each["action"] for each in outside.writes()}) == 1


def test_where_nothing_runs_nothing_is_asked(outside: Outside) -> None:
    outside.box.world.clock.advance(7 * 86_400)  # all have ended, and no invoker is there

    shown = outside.on_terminal("cancel", *TENCENT, "-r", "ap-singapore", "--require-match", columns=120)

    assert shown.code == 5
    assert "Runs to cancel" not in shown.final
    assert "No runs match; nothing was sent\nSearched tencent ap-singapore." in shown.final
    assert "Every region: -r all" in shown.final


def test_without_a_terminal_nobody_chooses(outside: Outside) -> None:
    done = outside.run("cancel")

    assert (done.code, outside.requests()) == (2, [])
    assert "there is no terminal to choose on (stdin is not a terminal)" in done.err


def test_what_did_not_answer_is_said_before_the_question(outside: Outside) -> None:
    outside.faults("alibaba:DescribeInvocations=denied")

    shown = outside.on_terminal("cancel", "-p", "alibaba", "-p", "tencent", answer="1\ny\n", lines=80, columns=120)

    assert shown.final.index("alibaba:cn-hangzhou") < shown.final.index("Runs to cancel")
    assert shown.code == 7


@given(st.sets(st.integers(1, 99), min_size=1))
def test_any_choice_can_be_written_as_numbers(chosen: set[int]) -> None:
    assert numbers(",".join(map(str, sorted(chosen, reverse=True))), 99) == tuple(sorted(chosen))
    assert numbers(" ".join(f"{one}-{one}" for one in chosen), 99) == tuple(sorted(chosen))


@given(st.text(max_size=20), st.integers(1, 99))
def test_any_text_is_a_choice_of_what_is_there_or_refused(text: str, most: int) -> None:
    try:
        chosen = numbers(text, most)
    except UsageError:
        return
    assert chosen
    assert set(chosen) <= set(range(1, most + 1))


@pytest.mark.parametrize(
    ("text", "expected"), [("all", (1, 2, 3)), (" ALL ", (1, 2, 3)), ("3 1", (1, 3)), ("2-3,2", (2, 3))]
)
def test_how_a_choice_is_written(text: str, expected: tuple[int, ...]) -> None:
    assert numbers(text, 3) == expected
