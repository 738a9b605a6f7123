"""Progress in a log that a person reads later."""

import io

from msgspec import structs

from render import samples
from render.screen import Clock, items
from runcancel.model.outcomes import CancelResponse
from runcancel.model.runs import Problem, Ref
from runcancel.model.states import Reason, RequestStatus, State
from runcancel.render.live.progress import PlainProgress
from runcancel.render.sink import Sink

ACCEPTED = CancelResponse(status=RequestStatus.ACCEPTED)
REFUSED = CancelResponse(status=RequestStatus.REFUSED, problem=samples.DENIED)


def plain(*, verbose: bool = False) -> tuple[io.StringIO, Clock, PlainProgress]:
    err, clock = io.StringIO(), Clock()
    return err, clock, PlainProgress(Sink(err), clock=clock, verbose=verbose)


def ask(shown: PlainProgress, clock: Clock, answer: CancelResponse, *, runs: int) -> None:
    """Plan so many, and ask ten a second."""
    planned = items(runs)
    shown.planned(planned)
    for number, item in enumerate(planned):
        clock.now = number / 10
        shown.responded(item.run, answer)


def test_there_is_a_line_per_change_and_no_more() -> None:
    err, clock, shown = plain()

    shown.planned([samples.plan_item()])
    clock.now = 1
    shown.responded(Ref.parse(samples.WINDOW), ACCEPTED)
    for clock.now in (2, 3):
        shown.observed(Ref.parse(samples.WINDOW), samples.run(state=State.CANCELLING), ())
    clock.now = 12
    shown.observed(Ref.parse(samples.WINDOW), samples.run(state=State.CANCELLED), ())
    shown.judged(samples.partial())
    shown.tick()
    shown.close()

    assert err.getvalue().splitlines() == [
        f"1s {samples.WINDOW}: cancel requested; targets: 17 pending, 3 running, 5 succeeded",
        f"2s {samples.WINDOW}: cancelling; targets: 3 running, 17 cancelled, 5 succeeded",
        f"12s {samples.WINDOW}: cancelled; targets: 3 running, 17 cancelled, 5 succeeded",
        f"12s {samples.WINDOW}: partial; targets: 3 running, 17 cancelled, 5 succeeded",
    ]


def test_a_problem_is_said_and_is_not_the_last_word() -> None:
    err, _, shown = plain()

    shown.planned([samples.plan_item()])
    shown.responded(Ref.parse(samples.WINDOW), REFUSED)
    shown.observed(Ref.parse(samples.WINDOW), samples.run(state=State.TERMINATED), ())

    first, second = err.getvalue().splitlines()
    assert "refused: not permitted: ecs:StopInvocation" in first
    assert ": terminated; " in second


def test_many_runs_are_told_in_totals_every_few_seconds() -> None:
    err, clock, shown = plain()

    ask(shown, clock, ACCEPTED, runs=4000)
    shown.close()

    lines = err.getvalue().splitlines()
    assert 400 / 5 - 1 <= len(lines) <= 400 / 5 + 1
    assert lines[0].startswith("5s 0 of 4,000 runs ended; 3,949 without a reply; targets: 68,000 pending")
    assert lines[-1].startswith("399s 0 of 4,000 runs ended; targets: 68,000 pending")


def test_bad_news_about_many_runs_has_a_few_lines_for_each_cause() -> None:
    err, clock, shown = plain()

    ask(shown, clock, REFUSED, runs=4000)
    for item in items(4000):
        shown.judged(structs.replace(samples.failed(), run=item.run))
    shown.close()

    lines = [line for line in err.getvalue().splitlines() if "refused: " in line or ": failed" in line]
    assert len(lines) == 3
    assert lines[-1].endswith("further ones are only counted; -v shows all")
    assert "4,000 failed" in err.getvalue().splitlines()[-1]


def test_the_failure_of_a_throttled_cancel_is_news_beside_the_throttling() -> None:
    err, clock, shown = plain()
    throttled = Problem(code=Reason.BUSY, message="Throttling")

    ask(shown, clock, CancelResponse(status=RequestStatus.REFUSED, problem=throttled), runs=40)
    for item in items(40):
        shown.judged(structs.replace(samples.failed(), run=item.run, error=throttled))
    shown.close()

    printed = err.getvalue()
    assert printed.count(": not accepted yet: Throttling; targets: ") == 3
    assert printed.count(": failed; targets: ") == 3
    assert printed.count("further ones are only counted") == 2


def test_verbose_tells_every_change_of_many() -> None:
    err, clock, shown = plain(verbose=True)

    ask(shown, clock, ACCEPTED, runs=200)

    assert len(err.getvalue().splitlines()) == 200


def test_a_long_silence_is_broken_by_the_counts() -> None:
    err, clock, shown = plain()
    shown.planned(items(2))

    for clock.now in range(1, 70):
        shown.tick()

    line = "0 of 2 runs ended; 2 without a reply; targets: 34 pending, 6 running, 10 succeeded"
    assert err.getvalue().splitlines() == [f"30s {line}", f"60s {line}"]


def test_a_cancel_that_nobody_watches_is_accepted_and_no_bad_news() -> None:
    err, clock, shown = plain()

    ask(shown, clock, ACCEPTED, runs=30)
    for item in items(30):
        shown.judged(structs.replace(samples.requested(), run=item.run, seconds=None))
    shown.close()

    assert len(err.getvalue().splitlines()) == 1
    assert "30 not verified as ended" in err.getvalue()
