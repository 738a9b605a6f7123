"""Numbers in the pages and in help are those of the program."""

import re
from pathlib import Path

import pytest
from msgspec import structs

from runcancel.cli.support import named, request
from runcancel.cli.support.dry_run import PLAN_LIVES
from runcancel.cli.verbs import history, triggers
from runcancel.cli.verbs import list as listing
from runcancel.config import file
from runcancel.engine import callers, connections, hold, retry, verdict, waiting
from runcancel.guards import site_policy
from runcancel.journal import leases, postgres
from runcancel.model.outcomes import MOST_RUNS
from runcancel.providers.alibaba import wire as alibaba
from runcancel.providers.aws import wire as aws
from runcancel.providers.base import Connection
from runcancel.providers.common import connections as http
from runcancel.providers.common import fields
from runcancel.providers.tencent import wire as tencent
from runcancel.render.screens import groups
from runcancel.runtime import limiter, schedule, throttle
from runcancel.text import LONGEST_LINE

ROOT = Path(__file__).parents[1]
_MIB = 1 << 20
_CONNECTION = {field.name: field.default for field in structs.fields(Connection)}
_WORDS = {"three": 3, "eight": 8, "ten": 10, "hour": 1}


def declared(file: str, name: str) -> int:
    """A number that a test holds."""
    (value,) = re.findall(rf"^{name} = (\d+)", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE)
    return int(value)


FIGURES: tuple[tuple[str, str, float], ...] = (
    # scaling
    ("scaling", r"whole process has at most (\d+) threads", schedule.THREADS),
    ("scaling", r"at most (\w+) threads after that", schedule.QUEUE_THREADS),
    ("scaling", r"(\d+) scopes stay open", connections.MOST_OPEN),
    ("scaling", r"`--lookup-timeout` \((\d+) s\)", retry.READ_WITHIN),
    ("scaling", r"`--give-up-after` \((\d+) min", retry.DEFAULT_GIVE_UP_AFTER / 60),
    ("scaling", r"`--timeout` \((\d+) s\)", retry.DEFAULT_TIMEOUT),
    ("scaling", r"wait 1 to (\d+) s", retry._LONGEST_PAUSE),
    ("scaling", r"throttled read is retried for (\d+) s", throttle.Tries().throttled),
    ("scaling", r"It counts for (\d+) seconds", leases.UNANSWERED),
    ("scaling", r"accepted reply is recorded within (\d+)s", leases.UNANSWERED),
    ("scaling", r"runs out (\d+) seconds after", leases.LIFETIME),
    ("scaling", r"signs every (\d+) seconds", leases.RENEWAL),
    ("scaling", r"(\d+) s for the connection", postgres.CONNECT),
    ("scaling", r"(\d+) s for a statement", postgres.STATEMENT),
    ("scaling", r"stays for (\d+) s", limiter._KEEP),
    ("scaling", r"connections to (\d+) hosts are kept", http._HOSTS),
    ("scaling", r"starts at (\d+) a second, and increases to 100", aws.Api().rate.calls),
    ("scaling", r"starts at 10 a second, and increases to (\d+)", aws.Api().rate.calls * limiter._FASTEST),
    ("scaling", r"Tencent Cloud, every API \| (\d+) a second", tencent.Wire.rate.calls),
    ("scaling", r"`StopInvocation` \| (\d+) in 60 s", alibaba.Wire.rates["StopInvocation"].calls),
    ("scaling", r"`GetAutomationExecution`[^|]* \| (\d+) a second", aws.APIS["GetAutomationExecution"].rate.calls),
    ("scaling", r"`StopAutomationExecution` \| (\d+) a second", aws.APIS["StopAutomationExecution"].rate.calls),
    # trust
    ("trust", r"process has at most (\d+) threads", schedule.THREADS),
    ("trust", r"less than (\d+) MB of address space", schedule.NEEDED / _MIB),
    ("trust", r"at most (\d+) s to connect", postgres.CONNECT),
    ("trust", r"(\d+) s for a statement", postgres.STATEMENT),
    ("trust", r"(\d+) s from its first byte", _CONNECTION["read_timeout"]),
    ("trust", r"(\d+) MB, compressed", http.LARGEST / _MIB),
    ("trust", r"([\d,]+) characters in a quotation", fields.LONGEST),
    ("trust", r"after (\d+) s without a reading", retry.READ_WITHIN),
    ("trust", r"\((\d+) s if the last try", retry.ONE_TRY),
    # connecting
    ("connecting", r"\| connecting \| (\d+) s", _CONNECTION["connect_timeout"]),
    ("connecting", r"headers included \| (\d+) s", _CONNECTION["read_timeout"]),
    ("connecting", r"decompressed \| (\d+) MB", http.LARGEST / _MIB),
    ("connecting", r"message of a server \| ([\d,]+) characters", fields.LONGEST),
    ("connecting", r"request id (\d+) \|", fields._WORD),
    ("connecting", r"reply to a question \| (\d+) MiB", LONGEST_LINE / _MIB),
    ("connecting", r"references or a plan \| (\d+) MiB", named._LARGEST / _MIB),
    ("connecting", r"a configuration \| (\d+) MiB", file.LARGEST / _MIB),
    ("connecting", r"a policy, a request \| (\d+) MiB", site_policy._LARGEST / _MIB),
    ("connecting", r"a policy, a request \| (\d+) MiB", request._LARGEST / _MIB),
    ("connecting", r"for at most (\d+) s\. All credentials", callers.LONGEST),
    # the others
    ("layout", r"no file is longer than (\d+) lines", declared("test_sources.py", "LONGEST_FILE")),
    ("layout", r"Tencent `cancel` loads \| \d+ \| (\d+) \|", declared("cli/test_imports.py", "MOST_MODULES")),
    ("policy", r"no reply within (\d+) s", callers.LONGEST),
    ("triggers", r"at most once in (\d+) s", hold.LISTED_EVERY),
    ("triggers", r"`--lookup-timeout` \((\d+) s\)", retry.READ_WITHIN),
    ("triggers", r"`--max-triggers` \((\d+)\)", MOST_RUNS),
    ("triggers", r"cancels the runs within (\d+) s", waiting._LONGEST_HEAD_START + 0.5),
    ("scripting", r"show (\d+) rows at most", listing._SHOWN),
    ("scripting", r"show (\d+) rows at most", triggers._SHOWN),
    ("scripting", r"`history` shows (\d+)\.", history._SHOWN),
    ("scripting", r"`--max-triggers` above (\d+)", MOST_RUNS),
    ("scripting", r"more than (\w+) runs a cancel reports groups", groups.FEW),
    ("selecting", r"More than (\d+) runs are refused", MOST_RUNS),
    ("runbooks", r"retried for (\d+) minutes \(`--give-up-after`\)", retry.DEFAULT_GIVE_UP_AFTER / 60),
    ("guarantees", r"(\w+) readings over at least", verdict.KEEP_READS),
    ("guarantees", r"readings over at least (\d+) s", verdict.KEEP_SECONDS),
    ("guarantees", r"About (\d+) s after the reply", verdict.KEEP_SECONDS),
    ("runbooks", r"valid for an (hour)", PLAN_LIVES.total_seconds() / 3600),
    # help
    ("help resume", r"within (\d+) s", leases.UNANSWERED),
    ("help resume", r"no sign of life for (\d+) s", leases.LIFETIME),
    ("help recurring", r"once in (\d+) s", hold.LISTED_EVERY),
    ("help cancel", r"throttled or unreachable \[(\d+)m\]", retry.DEFAULT_GIVE_UP_AFTER / 60),
    ("help cancel", r"before the cancel \[(\d+)s\]", retry.READ_WITHIN),
    ("help cancel", r"Time limit for watching \[(\d+)s\]", retry.DEFAULT_TIMEOUT),
    ("help list", r"retries of reads \[(\d+)s", throttle.Tries().within),
    ("help list", r"throttled: (\d+)s\]", throttle.Tries().throttled),
)
"""Page, what stands around the figure, and what the program has."""


def text_of(page: str) -> str:
    """A page, or a help text, in one line."""
    name = page.removeprefix("help ")
    path = ROOT / "docs" / f"{name}.md" if name == page else ROOT / "tests" / "cli" / "golden" / "help" / f"{name}.txt"
    return " ".join(path.read_text(encoding="utf-8").split())


@pytest.mark.parametrize(("page", "words", "value"), FIGURES)
def test_a_figure_is_that_of_the_program(page: str, words: str, value: float) -> None:
    figures = re.findall(words, text_of(page))

    assert figures, "the page has other words now"
    for figure in figures:
        assert float(_WORDS.get(figure.lower(), figure.replace(",", ""))) == value
