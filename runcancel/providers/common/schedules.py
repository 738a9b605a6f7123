"""When a schedule starts next, and what it says in words.

crontab (TAT: five fields, https://cloud.tencent.com/document/api/1340/52693), and `cron(…)`, `rate(…)`, `at(…)` of AWS
(https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html), and the `Frequency` of Cloud Assistant
(https://help.aliyun.com/zh/ecs/developer-reference/api-ecs-2014-05-26-invokecommand). What cronsim does not read (`W`)
has no next start here: the expression itself is always shown.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

_AWS = re.compile(r"(cron|rate|at)\((.*)\)", re.DOTALL)
_RATE = re.compile(r"(\d{1,6}) (minute|hour|day)s?")
_DAY_NUMBER = re.compile(r"(?<![0-9#/])([1-7])(?![0-9])")
_ALIBABA = re.compile(r"(rate|at)\((.*)\)", re.DOTALL)
_INTERVAL = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?: (\S+))?")
_OFFSET = re.compile(r"GMT([+-])(\d{1,2}):(\d\d)")
_YEAR = re.compile(r"[0-9*,/-]+")
_YEARS = re.compile(r"\*|[0-9]{4}([-,/][0-9]{1,4})*")
_FURTHEST = 1000  # starts that are looked at for one in a year that the expression names


class Schedule(Struct, frozen=True, kw_only=True):
    """What is known of one schedule: `text` in words, `next_start_at` in UTC; each None where it cannot be read."""

    text: str | None = None
    next_start_at: datetime | None = None


def crontab(expression: str, zone: str, *, now: datetime) -> Schedule:
    """A crontab of five fields, which counts in `zone`."""
    return _cron(expression, zone, "*", now=now)


def aws(expression: str, zone: str | None, *, now: datetime) -> Schedule:
    """`cron(…)` of six fields, `rate(…)` or `at(…)`. When a rate starts next depends on when it began: not known."""
    matched = _AWS.fullmatch(expression.strip())
    if matched is None:
        return Schedule()
    form, body = matched[1], " ".join(matched[2].split())
    if form == "rate":
        return Schedule(text=f"every {body}") if _RATE.fullmatch(body) else Schedule()
    if form == "at":
        return once(body, zone or "UTC", now=now)
    fields = body.split(" ")
    if len(fields) != 6:
        return Schedule()
    minute, hour, day, month, weekday, years = fields
    weekday = _DAY_NUMBER.sub(lambda number: str(int(number[1]) - 1), weekday)  # Sunday is 1 here, 0 in a crontab
    return _cron(" ".join((minute, hour, day, month, weekday)).replace("?", "*"), zone or "UTC", years, now=now)


def alibaba(frequency: str, *, created: datetime | None, now: datetime) -> Schedule:
    """`rate(5m)`, `at(2026-11-28 02:00:00 Asia/Shanghai)`, or a cron expression with seconds first.

    A year and a zone may follow in a cron expression: without a zone it counts in that of each instance, and the next
    start is not known. A rate counts from when the run was created.
    """
    body = " ".join(frequency.split())
    matched = _ALIBABA.fullmatch(body)
    if matched is None:
        return _alibaba_cron(body.split(" "), now=now)
    form, inner = matched[1], matched[2].strip()
    if form == "rate":
        return _rate(inner, created=created, now=now)
    moment = _MOMENT.fullmatch(inner)
    return Schedule() if moment is None else once(f"{moment[1]}T{moment[2]}", _zone(moment[3] or "UTC"), now=now)


def _rate(interval: str, *, created: datetime | None, now: datetime) -> Schedule:
    matched = _INTERVAL.fullmatch(interval)
    seconds = int(matched[1]) * _SECONDS[matched[2]] if matched else 0
    if not seconds:
        return Schedule()
    text = f"every {interval}"
    if created is None:
        return Schedule(text=text)
    rounds = max(0.0, (now - created).total_seconds()) // seconds + 1
    try:
        return Schedule(text=text, next_start_at=created + timedelta(seconds=rounds * seconds))
    except OverflowError:  # beyond the last day of the calendar
        return Schedule(text=text)


def _alibaba_cron(fields: Sequence[str], *, now: datetime) -> Schedule:
    if not 6 <= len(fields) <= 8:
        return Schedule()
    years, zone = "*", None
    for field in fields[6:]:
        if _YEAR.fullmatch(field):
            years = field
        else:
            zone = _zone(field)
    expression = " ".join(fields[:6]).replace("?", "*")
    if zone is not None:
        return _cron(expression, zone, years, now=now)
    text = _cron(expression, "UTC", years, now=now).text
    return Schedule(text=text and f"{text.removesuffix(' (UTC)')} (time of each instance)")


def _zone(name: str) -> str:
    """A zone as `zoneinfo` has it: `GMT+8:00` is `Etc/GMT-8`; offsets of half an hour have no name there."""
    offset = _OFFSET.fullmatch(name)
    if offset is None or offset[3] != "00":
        return name
    return f"Etc/GMT{'-' if offset[1] == '+' else '+'}{int(offset[2])}"


def once(time: str, zone: str, *, now: datetime) -> Schedule:
    """One start, at a time that is written without a zone or with one. A start that has passed is none."""
    try:
        moment = datetime.fromisoformat(time)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError, ZoneInfoNotFoundError):
        return Schedule()
    return Schedule(text=f"once, at {moment:%Y-%m-%d %H:%M}Z", next_start_at=moment if moment > now else None)


def _cron(expression: str, zone: str, years: str, *, now: datetime) -> Schedule:
    from cronsim import CronSim, CronSimError  # loaded where triggers are read

    try:
        starts = CronSim(expression, now.astimezone(ZoneInfo(zone)))
        words = starts.explain()
        first = next((one for one in islice(starts, _FURTHEST) if _in_years(one.year, years)), None)
    except (CronSimError, ValueError, OverflowError, ZoneInfoNotFoundError):
        return Schedule()
    return Schedule(text=f"{words} ({zone})", next_start_at=None if first is None else first.astimezone(UTC))


def _in_years(year: int, years: str) -> bool:
    """Whether a year is among `2026`, `2026-2028`, `2026,2028`, `2026/2`; any year for what is none of these."""
    if years == "*" or not _YEARS.fullmatch(years):
        return True
    return any(_covers(part, year) for part in years.split(","))


def _covers(part: str, year: int) -> bool:
    span, _, step = part.partition("/")
    first, _, last = span.partition("-")
    end = int(last) if last else (9999 if step else int(first))
    return int(first) <= year <= end and (year - int(first)) % max(1, int(step or 1)) == 0
