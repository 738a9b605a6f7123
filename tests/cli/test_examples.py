"""The examples in help run as they stand before the simulated clouds, and find what they name."""

import json
import re

import pytest
from outside import COMMAND, ONE_SHOT, SCHEDULE, TENCENT, Outside

from .test_help import HELPS, text_of

PAGES = [page for page in ("-".join(words) for words in HELPS) if not page.startswith("sandbox")]
"""Those of `sandbox` have tests of their own: they open simulated clouds."""

KNOWN = (
    (r"\b01(?:K9ZQ3V7W5T8R2M4N6P0C1D2E|K9ZQ3V|K9ZQ8D|JDQ)\b", "{operation}"),
    (r"-- *hold 30m", "--hold 30s"),
    (r" {3,}\(.*\)", ""),
)
"""What a reader puts in place of the examples, and how long a test waits."""

EXPECTED = {
    "runcancel cancel": 2,  # without a terminal there is no list to choose from
    "runcancel cancel --name patch-openssl -r all --max-runs 50": 6,  # two accounts, and no terminal to confirm on
    "runcancel cancel --name patch-openssl --hold 30s --max-runs 50": 6,
    "runcancel contexts import --c7n-org accounts.yml": 6,  # it asks before it writes
    "runcancel contexts import --aws-organization --ou ou-sbox-prod0000": 2,  # its accounts are those of --accounts
    "runcancel cancel --plan plan.json --yes": 3,  # Alibaba Cloud does not stop what has started
    "runcancel cancel --plan plan.json --shard auto/8 --confirm 2": 6,  # an example above has cancelled one of both
    "runcancel enable --operation last": 6,
    f"runcancel logs {ONE_SHOT.rpartition('/')[2]} | grep ERROR": 1,  # no target printed it
    "runcancel history migrate": 6,  # no team journal is configured
    "runcancel status inv-ib2lld37 --watch --exit-status": 9,  # it was terminated
}
"""The exit code of an example where it is not 0."""

ACCOUNTS = """accounts:
- account_id: "111122223333"
  name: live
  role: arn:aws:iam::111122223333:role/ops
  regions: [us-east-2]
"""


VARIABLES = {"RUN": COMMAND, "ROLE": "arn:aws:iam::111122223333:role/ops", "JOB_COMPLETION_INDEX": "0"}
"""What the examples take from the environment: that of a job array, too."""


def examples(page: str, command: Outside) -> list[str]:
    """The commands under `Examples:`."""
    block = re.search(r"^Examples:\n((?: +\S.*\n)+)", re.sub(r"(?m)^  ", "", text_of(page, command)), re.MULTILINE)
    return [] if block is None else [line.strip() for line in block.group(1).splitlines()]


@pytest.fixture
def ready(outside: Outside) -> Outside:
    """With what the examples name: profiles, files, an operation on runs that have ended, and one on triggers."""
    keys = "aws_access_key_id = AKIAEXAMPLE00000000\naws_secret_access_key = secret\n"
    row = {"name": "prod", "mode": "AK", "access_key_id": "a", "access_key_secret": "b", "region_id": "cn-hangzhou"}
    files = {
        ".aws/credentials": "".join(f"[{name}]\n{keys}" for name in ("prod", "dev", "hub")),
        ".aliyun/config.json": json.dumps({"current": "prod", "profiles": [row]}),
        "accounts.yml": ACCOUNTS,
    }
    for name, text in files.items():
        (outside.home / name).parent.mkdir(parents=True, exist_ok=True)
        (outside.home / name).write_text(text, encoding="utf-8")
    enabled = [each for each in outside.json("triggers", "-p", "aws")["triggers"] if each["state"] == "enabled"]
    refs = [each["ref"] for each in enabled if each["ref"].partition("/")[0].endswith((":window", ":rule"))]
    outside.shell(
        f"runcancel disable {' '.join(refs[:3])} --confirm 3 -o jsonl > disabled.jsonl\n"
        f"runcancel cancel {SCHEDULE} -n -o json > plan.json\n"
        "runcancel cancel --plan plan.json --shard 0/1 --yes -o jsonl > shard-0.jsonl\n"
        f"runcancel cancel {TENCENT} {COMMAND}\n"
    )
    return outside


@pytest.mark.parametrize("page", PAGES)
def test_every_example_of_help_runs(page: str, ready: Outside) -> None:
    verb = "disable" if page == "enable" else "cancel"
    operation = next(each["id"] for each in ready.json("history")["operations"] if each["verb"] == verb)
    if page in ("contexts-show", "contexts-groups", "contexts-use", "contexts-rename", "contexts-remove", "doctor"):
        ready.shell("runcancel contexts add prod -p aws -r us-east-2; runcancel contexts add prod-cn -p alibaba")
    commands = examples(page, ready)
    assert commands
    for command in commands:
        typed = command
        for pattern, instead in KNOWN:
            typed = re.sub(pattern, instead.replace("{operation}", operation), typed)
        done = ready.shell(f"set -o pipefail\n{typed}", env=VARIABLES)
        assert done.code == EXPECTED.get(typed, 0), str(done)
        assert "no target matches" not in done.err, str(done)
