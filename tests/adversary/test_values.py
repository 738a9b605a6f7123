"""What is typed wrongly never selects more: times, ages, numbers, empty values, values that were meant as options."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from outside import Outside

from runcancel import environment
from runcancel.cli.app import load
from runcancel.cli.verbs import VERBS
from runcancel.errors import UsageError

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
_UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}


@given(st.dictionaries(st.sampled_from(list(_UNITS)), st.integers(0, 999), min_size=1), st.booleans())
def test_an_age_is_the_sum_of_its_units(parts: dict[str, int], ago: bool) -> None:
    ordered = [(unit, parts[unit]) for unit in _UNITS if unit in parts]
    text = "".join(f"{count}{unit}" for unit, count in ordered)
    seconds = sum(count * _UNITS[unit] for unit, count in ordered)

    assert environment.duration("--timeout", text) == seconds
    assert environment.moment("--since", text + " ago" * ago, NOW) == NOW - timedelta(seconds=seconds)


@given(st.datetimes(datetime(2001, 9, 10), datetime(2286, 1, 1)))
def test_every_way_to_write_a_time_is_that_time(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
    second = moment.replace(microsecond=0)

    assert environment.moment("--since", f"{moment.timestamp() * 1000:.0f}", NOW) == moment
    assert environment.moment("--since", f"{second.timestamp():.0f}", NOW) == second
    assert environment.moment("--since", moment.isoformat(), NOW) == moment
    assert environment.moment("--since", moment.isoformat().replace("+00:00", "Z"), NOW) == moment


@given(st.integers(0, 10**21))
@example(2)
@example(20261127)
@example(1795802020)
@example(202611270300)
def test_a_bare_number_is_an_epoch_or_wrong_and_never_an_age(number: int) -> None:
    text = str(number)
    for read in (environment.moment, environment.past):
        try:
            found = read("--since", text, NOW)
        except UsageError:
            continue
        assert len(text) in (10, 13)
        assert found == datetime.fromtimestamp(number / (1 if len(text) == 10 else 1000), UTC)
        assert found.year > 2000


@given(st.text(max_size=20) | st.from_regex(r"[0-9a-z .:TZ+-]{1,12}", fullmatch=True))
@example("٣h")
@example("1h1h")
@example("30m1h")
@example("1e9s")
@example("0x10s")
@example("9" * 400 + "d")
@example("99999999999999999w")
@example("9999-12-31T23:59:59-23:59")
@example("0001-01-01")
def test_any_text_is_a_time_or_one_line(text: str) -> None:
    for read in (environment.moment, environment.past):
        with suppress(UsageError):
            assert read("--since", text, NOW).tzinfo is not None
    with suppress(UsageError):
        assert 0 <= environment.duration("--timeout", text) < 10**10


def test_older_than_a_time_to_come_is_refused() -> None:
    assert environment.past("--older-than", "0s", NOW) == NOW
    with pytest.raises(UsageError, match="in the future"):
        environment.past("--older-than", "2026-11-28T00:00:00Z", NOW)


@pytest.mark.parametrize(
    "argv",
    [
        ("list", "--since", "20261127"),
        ("cancel", "--older-than", "2", "--yes"),
        ("cancel", "--until", "0", "--yes"),
        ("history", "prune", "--older-than", "90"),
        ("list", "--limit", "99999999999999999999"),
        ("history", "--limit", "99999999999999999999"),
        ("cancel", "--name", "x", "--max-runs", "99999999999999999999"),
        ("status", "inv-ib2lld37", "--output", ""),
        ("wait", "inv-ib2lld37", "--timeout", "99999999999999999999"),
        ("wait", "inv-ib2lld37", "--timeout", "1hour"),
    ],
)
def test_a_number_without_a_meaning_is_wrong_usage_in_every_verb(outside: Outside, argv: tuple[str, ...]) -> None:
    done = outside.run(*argv)

    assert done.code == 2, str(done)
    assert len(done.err.splitlines()) <= 2
    assert outside.requests() == []


def test_an_epoch_to_come_selects_nothing(outside: Outside) -> None:
    later = str(int(datetime.now(UTC).timestamp()) + 3600)

    done = outside.run("cancel", "-p", "tencent", "--since", later, "-n", "-o", "ref")

    assert (done.code, done.out) == (0, ""), str(done)


@cache
def _options() -> list[tuple[str, Any, str]]:
    """Every option of every verb that takes a value, but free text; with the command of the verb."""
    found = []
    for verb in VERBS:
        command = load(verb)
        for param in getattr(command, "params", []):
            matches = not getattr(param, "is_flag", False) and param.opts[0].startswith("-")
            if matches and param.name not in ("reason", "cli_input_json", "generate_cli_skeleton"):
                found.append((verb, command, max(param.opts, key=len)))
    return found


@pytest.mark.parametrize("value", ["", "--yes", "-n"])
def test_an_empty_value_or_an_option_as_a_value_is_wrong_usage(value: str) -> None:
    """Of every option of every verb: the parser itself refuses."""
    options = _options()
    assert len(options) > 80
    for verb, command, option in options:
        with pytest.raises(UsageError, match=f"^{option} (has|is empty) "):
            command.make_context(verb, [option, value])
