"""`python -m benchmarks.dependencies [--quick]`: what each dependency costs at start, into docs/dependencies.md.

CPU time of whole processes, measured in turn (A, B, C, A, B, C, …): a noisy machine is noisy for all of them.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks import report
from benchmarks.measure import Argv, Sample, cpu, interleaved, median, ratio
from benchmarks.place import RUNCANCEL, sandbox

PAGE = Path(__file__).parents[1] / "docs" / "dependencies.md"
BARE = "an interpreter that does nothing"
LOADED: Mapping[str, str] = {
    "typer": "import typer",
    "rich": "import rich.console, rich.text, rich.cells",
    "msgspec": "import msgspec",
    "botocore": "import botocore.session",
    "urllib3": "import urllib3",
    "certifi": "import certifi; certifi.where()",
    "jmespath": "import jmespath",
    "tomlkit": "import tomlkit",
    "cronsim": "import cronsim",
    "psycopg": "import psycopg",
    "boto3": "import boto3",
    "alibabacloud-ecs20140526": "import alibabacloud_ecs20140526.client",
    "alibabacloud-credentials": "import alibabacloud_credentials.client",
    "tencentcloud-sdk-python-tat": "import tencentcloud.tat.v20201028.tat_client",
    "tencentcloud-sdk-python-common": "from tencentcloud.common.sign import Sign",
}
"""What a program that uses a package loads of it before its first call."""

_RUN = "import sys; sys.argv[0] = 'runcancel'; from runcancel.cli import main; main()"
_BOTO3 = (
    "import boto3.session, botocore.session; "
    "boto3.session.Session(botocore_session=botocore.session.Session(), region_name='us-east-2'); "
)
_PLAIN = "import botocore.session; botocore.session.Session(); "


def loading(*, rounds: int) -> str:
    """A row per package: CPU milliseconds that loading it adds to an interpreter."""
    with sandbox() as place:
        commands: dict[str, Callable[[], Argv]] = {BARE: partial(_python, "pass")}
        commands |= {name: partial(_python, code) for name, code in LOADED.items()}
        samples = interleaved(commands, place.environ, rounds=rounds)
    bare = median(samples[BARE], of=cpu)
    rows = [f"| {name} | {1000 * (median(samples[name], of=cpu) - bare):.0f} |\n" for name in LOADED]
    return f"| loaded | ms of CPU |\n|---|---|\n| {BARE} | {1000 * bare:.0f} |\n" + "".join(rows)


def session(*, rounds: int) -> str:
    """What one `status` of an AWS command costs through boto3's session, over botocore's."""
    with sandbox() as place:
        (run,) = place.add("aws", targets={"running": 9, "pending": 3})
        words = ["status", f"aws:us-east-2:command/{run}"]
        samples = interleaved(
            {
                "botocore": partial(_python, _PLAIN + _RUN, *words),
                "boto3": partial(_python, _BOTO3 + _RUN, *words),
                "installed": lambda: [RUNCANCEL, *words],
            },
            place.environ,
            rounds=rounds,
        )
    found = ratio(samples["boto3"], samples["botocore"], of=cpu)
    return (
        "| one `status` of an AWS command | ms of CPU |\n|---|---|\n"
        f"| with a session of botocore's | {_ms(samples['botocore'])} |\n"
        f"| with a session of boto3's | {_ms(samples['boto3'])} |\n"
        f"| the installed command | {_ms(samples['installed'])} |\n\n"
        f"boto3's over botocore's, round by round: {found}.\n"
    )


def _ms(samples: list[Sample]) -> str:
    return f"{1000 * median(samples, of=cpu):.0f}"


def _python(code: str, *argv: str) -> list[str]:
    return [sys.executable, "-c", code, *argv]


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    rounds = (3, 3) if quick else (11, 21)
    text = f"{report.where({})}\n{loading(rounds=rounds[0])}\n{session(rounds=rounds[1])}"
    report.put(PAGE, text, name="measured")
