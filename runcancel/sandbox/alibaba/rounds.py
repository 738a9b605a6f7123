"""What repeats on Alibaba Cloud as time goes on: rounds of periodic invocations and of OOS timers.

`Frequency` as the pages of InvokeCommand describe it: `rate(5m)`, or seconds, minute, hour, day, month, weekday, and
perhaps a year and a zone. The zone of every instance here is Shanghai.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from runcancel.sandbox.alibaba.invocations import Invocation
from runcancel.sandbox.alibaba.oos import OosExecution
from runcancel.sandbox.world import Book, Life, Run, Word

_ZONE = "Asia/Shanghai"
_RATE = re.compile(r"rate\((\d+)([smhd])\)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DAYS = {name: number for number, name in enumerate(("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"))}
_AHEAD = 800  # days that are searched for the next round


def next_round(frequency: str, created: float, now: float) -> float | None:
    """The next second after `now` at which a round is due; None if there is none."""
    rate = _RATE.fullmatch(frequency.strip())
    if rate is not None:
        every = int(rate[1]) * _UNITS[rate[2]]
        return now - (now - created) % every + every
    fields = frequency.split()
    return _next_by_cron(fields, now) if len(fields) >= 6 else None


def _next_by_cron(fields: list[str], now: float) -> float | None:
    rest = fields[6:]
    zone = ZoneInfo(next((each for each in rest if not each[0].isdigit() and each != "*"), _ZONE))
    years = next((_numbers(each, 1970, 2199) for each in rest if each[0].isdigit()), set(range(1970, 2200)))
    seconds, minutes, hours = (_numbers(fields[at], 0, most) for at, most in ((0, 59), (1, 59), (2, 23)))
    days, months = _numbers(fields[3], 1, 31), _numbers(fields[4], 1, 12)
    weekdays = set(range(7)) if fields[5] in ("*", "?") else {_DAYS[each] for each in fields[5].upper().split(",")}
    today = datetime.fromtimestamp(now, zone).date()
    for day in (today + timedelta(days=ahead) for ahead in range(_AHEAD)):
        if day.year not in years or day.month not in months or day.day not in days or day.weekday() not in weekdays:
            continue
        times = ((hour, minute, second) for hour in sorted(hours) for minute in sorted(minutes) for second in seconds)
        for hour, minute, second in times:
            at = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone).astimezone(UTC).timestamp()
            if at > now:
                return at
    return None


def _numbers(field: str, least: int, most: int) -> set[int]:
    """`*`, `?`, `5`, `1-5`, `0/15`, `*/15`, and lists of these."""
    numbers: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        low = least if first in ("*", "?") else int(first)
        high = int(last) if last else (most if step or first in ("*", "?") else low)
        numbers |= set(range(low, high + 1, int(step or 1)))
    return numbers


def follow_invocation(book: Book, run: Invocation, lasts: float, now: float) -> None:
    """A round begins on every instance that waits for one, until a stop has ended the schedule of all of them."""

    def tick(then: float) -> float | None:
        for target in run.targets:
            if target.life.word(then) is Word.SCHEDULED:
                if target.life.started(then) is not None:
                    past = replace(target.life, outcome=Word.SUCCEEDED)
                    run.past.setdefault(target.id, []).append(past)
                target.life = _round(target.life, lasts, then)
        repeats = any(_repeats(target.life, then) for target in run.targets)
        return next_round(run.frequency, run.created, then) if repeats else None

    due = next_round(run.frequency, run.created, now)
    if due is not None:
        book.watch(due, tick)


def _repeats(life: Life, now: float) -> bool:
    return life.cancelled_at is None and Word.SCHEDULED in (life.word(now), life.outcome)


def _round(life: Life, lasts: float, now: float) -> Life:
    return replace(life, begins=now, ends=now + lasts, outcome=Word.SCHEDULED, waits=Word.SCHEDULED)


def follow_timer(book: Book, timer: OosExecution, start: Callable[[float], Run], now: float) -> None:
    """The timer starts a child execution each time, until it is cancelled."""

    def tick(then: float) -> float | None:
        if timer.cancelled_at is not None:
            return None
        timer.runs.setdefault(0, []).append(start(then))
        return timer.due(then)

    book.watch(timer.due(now), tick)
