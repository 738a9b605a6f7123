"""What is printed on stderr about many problems: one message for each sort."""

import io

from hypothesis import given
from hypothesis import strategies as st

from runcancel.model.runs import Problem, Ref
from runcancel.model.states import Reason
from runcancel.render.screens.notes import Notes, grouped_lines, problem_lines

GONE = "not found; it may be no longer kept, or in another region or account"


def ref(number: int) -> Ref:
    return Ref.parse(f"tencent:ap-guangzhou:invocation/inv-{number:08d}")


def gone(number: int) -> Problem:
    return Problem(code=Reason.NOT_FOUND, message=GONE, hint=f"see: runcancel status {ref(number)}", ref=ref(number))


def test_twenty_three_of_one_sort_are_one_message_that_names_the_first_ten() -> None:
    lines = list(grouped_lines([gone(number) for number in range(23)]))

    assert lines == [
        f"runcancel: 23 runs: {GONE}",
        *(f"  {ref(number)}" for number in range(10)),
        "  … and 13 more (-o json lists all)",
        "  see: runcancel status REF",
    ]


def test_a_few_are_printed_one_by_one() -> None:
    few = [gone(number) for number in range(3)]

    assert list(grouped_lines(few)) == [line for problem in few for line in problem_lines(problem)]


def test_scopes_that_fail_for_one_reason_are_one_message() -> None:
    lost = [
        Problem(code=Reason.BAD_CREDENTIALS, message="expired", provider_code="AuthFailure", scope=f"aws:eu-west-{n}")
        for n in range(1, 5)
    ]

    assert list(grouped_lines(lost))[:2] == ["runcancel: 4 scopes: expired [AuthFailure]", "  aws:eu-west-1"]


def test_nothing_is_printed_about_nothing() -> None:
    stream = io.StringIO()
    Notes(stream).problem()

    assert stream.getvalue() == ""


problems = st.builds(
    Problem,
    code=st.sampled_from([Reason.NOT_FOUND, Reason.DENIED]),
    message=st.sampled_from(["gone", "denied", f"{ref(1)} is protected"]),
    hint=st.none() | st.sampled_from(["try again", f"runcancel cancel {ref(1)}"]),
    ref=st.none() | st.integers(0, 30).map(ref),
)


@given(st.lists(problems, max_size=40))
def test_every_sort_is_printed_once_or_problem_by_problem(found: list[Problem]) -> None:
    lines = list(grouped_lines(found))

    assert len(lines) <= sum(len(problem_lines(problem)) for problem in found)
    for problem in found:
        assert any(problem.message in line for line in lines)
