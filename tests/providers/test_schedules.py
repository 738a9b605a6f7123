"""When a schedule starts next: the vendors' own examples, and no expression that ends in anything but a schedule."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcancel.providers.common.schedules import Schedule, alibaba, aws, crontab, once

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "zone", "starts"),
    [
        ("cron(0 10 * * ? *)", None, "2026-11-28T10:00:00Z"),
        ("cron(15 12 * * ? *)", None, "2026-11-27T12:15:00Z"),
        ("cron(0 18 ? * MON-FRI *)", None, "2026-11-27T18:00:00Z"),
        ("cron(0 8 1 * ? *)", None, "2026-12-01T08:00:00Z"),
        ("cron(0/10 * ? * MON-FRI *)", None, "2026-11-27T12:10:00Z"),
        ("cron(0 9 ? * 2#1 *)", None, "2026-12-07T09:00:00Z"),
        ("cron(0 2 ? * 1 *)", None, "2026-11-29T02:00:00Z"),
        ("cron(0 2 ? * 7L *)", None, "2026-11-28T02:00:00Z"),
        ("cron(0 0 L * ? *)", None, "2026-11-30T00:00:00Z"),
        ("cron(0 2 * * ? 2028)", None, "2028-01-01T02:00:00Z"),
        ("cron(0 2 * * ? 2020-2024)", None, None),
        ("cron(0 2 ? * SUN *)", "Asia/Tokyo", "2026-11-28T17:00:00Z"),
        ("cron(30 23 W * ? *)", None, None),
        ("rate(30 minutes)", None, None),
        ("at(2026-12-01T10:00:00)", "Europe/Berlin", "2026-12-01T09:00:00Z"),
        ("at(2026-11-01T10:00:00)", None, None),
        ("cron(0 2 * * ? *)", "Mars/Base", None),
        ("cron(0 2 * *)", None, None),
        ("", None, None),
    ],
)
def test_the_next_start_of_an_expression_of_aws(expression: str, zone: str | None, starts: str | None) -> None:
    expected = None if starts is None else datetime.fromisoformat(starts)

    assert aws(expression, zone, now=NOW).next_start_at == expected


CREATED = datetime(2026, 11, 27, 9, 58, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("frequency", "starts", "text"),
    [
        ("rate(5m)", "2026-11-27T12:03:30Z", "every 5m"),
        ("rate(7d)", "2026-12-04T09:58:30Z", "every 7d"),
        ("rate(90s)", "2026-11-27T12:01:30Z", "every 90s"),
        ("rate(0m)", None, None),
        ("rate(999999d)", "4764-10-23T09:58:30Z", "every 999999d"),
        ("at(2026-11-28 02:00:00 Asia/Shanghai)", "2026-11-27T18:00:00Z", "once, at 2026-11-27 18:00Z"),
        ("at(2026-11-28 02:00:00 GMT+8:00)", "2026-11-27T18:00:00Z", "once, at 2026-11-27 18:00Z"),
        ("at(2026-11-28 02:00:00)", "2026-11-28T02:00:00Z", "once, at 2026-11-28 02:00Z"),
        ("at(2026-11-27 02:00:00 UTC)", None, "once, at 2026-11-27 02:00Z"),
        ("at(tomorrow)", None, None),
        ("0 0 3 * * ? 2026 Asia/Shanghai", "2026-11-27T19:00:00Z", "At 03:00 every day (Asia/Shanghai)"),
        ("0 0 3 * * ? Asia/Shanghai", "2026-11-27T19:00:00Z", "At 03:00 every day (Asia/Shanghai)"),
        ("30 0/10 8-22 * * ? * GMT+8:00", "2026-11-27T12:00:30Z", None),
        ("0 0 3 * * ? 2020 Asia/Shanghai", None, "At 03:00 every day (Asia/Shanghai)"),
        ("0 0 3 * * ?", None, "At 03:00 every day (time of each instance)"),
        ("0 0 3 * * ? Mars/Base", None, None),
        ("3 * * * *", None, None),
        ("", None, None),
    ],
)
def test_the_next_round_of_a_frequency_of_alibaba(frequency: str, starts: str | None, text: str | None) -> None:
    found = alibaba(frequency, created=CREATED, now=NOW)

    assert found.next_start_at == (None if starts is None else datetime.fromisoformat(starts))
    assert text is None or found.text == text


@given(st.text(max_size=40), st.sampled_from(["{}", "rate({})", "at({})", "0 0 3 * * ? {}"]))
def test_any_frequency_ends_in_a_schedule(text: str, form: str) -> None:
    found = alibaba(form.format(text), created=CREATED, now=NOW)

    assert found.next_start_at is None or found.next_start_at > NOW - timedelta(days=1)


def test_a_crontab_counts_in_its_zone() -> None:
    found = crontab("0 2 * * *", "Asia/Shanghai", now=NOW)

    assert found == Schedule(
        text="At 02:00 every day (Asia/Shanghai)", next_start_at=datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
    )


@given(st.text(alphabet="0123456789*/,-?LW#() cronrateaMONFRI\n\x00é", max_size=60), st.text(max_size=20))
def test_any_text_is_a_schedule_or_none(text: str, zone: str) -> None:
    for found in (aws(text, zone, now=NOW), crontab(text, zone, now=NOW), once(text, zone, now=NOW)):
        assert found.next_start_at is None or found.next_start_at > NOW


@given(
    st.integers(0, 59),
    st.integers(0, 23),
    st.integers(1, 7),
    st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]),
)
def test_a_weekly_start_is_within_a_week_and_at_its_hour(minute: int, hour: int, day: int, zone: str) -> None:
    from zoneinfo import ZoneInfo

    found = aws(f"cron({minute} {hour} ? * {day} *)", zone, now=NOW).next_start_at

    assert found is not None
    local = found.astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute, local.isoweekday() % 7 + 1) == (hour, minute, day)
    assert NOW < found <= NOW + timedelta(days=7, hours=1)
