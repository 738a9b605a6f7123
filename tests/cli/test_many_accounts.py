"""A search over many accounts: it shows how far it is, streams what it finds, and groups what failed by its cause."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from outside import RUNCANCEL, Outside

from benchmarks.measure import measured
from runcancel.engine.search import interleaved
from runcancel.model.runs import Scope
from runcancel.sandbox import profiles

ACCOUNTS, ABSENT = 30, 8
FIRST = 111122223333


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Outside]:
    """Contexts of many accounts by their roles; the last few of these accounts are not there."""
    with Outside(tmp_path / "home", accounts=ACCOUNTS, regions=6, fleet=False) as outside:
        ids = [str(FIRST + number) for number in range(ACCOUNTS + ABSENT)]
        names = ", ".join(f'"a{number:03}"' for number in range(len(ids)))
        tables = [
            f'[contexts.a{number:03}]\nprovider = "aws"\naccount = "{id}"\nrole_arn = "arn:aws:iam::{id}:role/ops"\n'
            for number, id in enumerate(ids)
        ]
        file = outside.home / ".config" / "runcancel" / "config.toml"
        file.parent.mkdir(parents=True)
        file.write_text("\n".join([f"default = [{names}]", *tables]))
        for number in range(3):
            outside.add("aws", "command", account=number, name=f"patch-{number}", region="eu-west-1")
        yield outside


def test_a_terminal_shows_how_far_the_search_is(fleet: Outside) -> None:
    fleet.faults("aws:DescribeRegions=latency,ms=900", "aws:ListCommands=latency,ms=400")

    shown = fleet.on_terminal("list", "-r", "all", columns=100, lines=60)

    raw = shown.raw.decode()
    assert shown.code == 7
    assert re.search(r"read the regions of \d+ of 38 accounts · ", raw)
    assert re.search(r"searched \d+ of 188 scopes · (\d found · )?\d+ failed · \d+ s", raw)
    assert "searched" not in shown.final
    assert "patch-0" in shown.final


def test_what_failed_for_one_cause_is_one_message(fleet: Outside) -> None:
    done = fleet.run("list", "-r", "all", "-o", "table")
    everywhere = fleet.run("list", "-r", "us-east-1,us-east-2,eu-west-1,us-west-1,us-west-2,eu-west-2", "-o", "table")

    assert done.code == everywhere.code == 7
    assert "8 scopes: role arn:aws:iam::…:role/ops: not permitted: sts:AssumeRole" in done.err
    assert "  a030@aws:us-east-2\n" in done.err  # of all its regions one shows that it has no credentials
    assert done.err.count("not permitted") == 1
    assert "48 scopes: role arn:aws:iam::…:role/ops: not permitted: sts:AssumeRole" in everywhere.err
    assert "  a030@aws: 6 regions\n" in everywhere.err
    assert [fleet.actions().count(one) for one in ("AssumeRole", "DescribeRegions")] == [2 * 38, 30]


def test_an_empty_result_counts_the_accounts(fleet: Outside) -> None:
    shown = fleet.on_terminal("list", "-r", "all", "--name", "nothing", columns=400, lines=60)

    assert "Searched 180 scopes of 30 accounts; not searched: a030@aws us-east-2 (denied), " in shown.final
    assert "2 more (denied), aws state-machine (--kind state-machine)." in shown.final


def test_rows_come_before_the_last_scope_has_replied(fleet: Outside) -> None:
    fleet.faults("aws:ListCommands=hang,region=us-west-1")
    child = fleet.start("list", "-r", "us-west-1,eu-west-1", "-o", "jsonl", stderr=subprocess.DEVNULL)
    try:
        assert child.stdout is not None
        rows = [json.loads(child.stdout.readline()) for _ in range(3)]
        assert child.poll() is None
    finally:
        child.kill()
        child.communicate()

    assert {row["comment"] for row in rows} == {"patch-0", "patch-1", "patch-2"}


def test_the_first_regions_of_all_accounts_come_first() -> None:
    """The regions of an account wait for its credentials together: side by side they would take many threads."""
    scopes = [
        Scope(provider="aws", region=region, context=context) for context in ("a", "b", "c") for region in ("x", "y")
    ]

    assert [f"{one.context}{one.region}" for one in interleaved(scopes)] == ["ax", "bx", "cx", "ay", "by", "cy"]


def test_many_profiles_share_what_does_not_differ_and_each_signs_for_itself(tmp_path: Path) -> None:
    """A client of AWS with its service model takes 7 MB: one for each profile would be 400 MB."""
    number = 60
    home = tmp_path / "home"
    with Outside(home, accounts=number, fleet=False) as outside:
        profiles.write(home, number)
        argv = [
            "list",
            "-c",
            "everything",
            "-r",
            "us-east-2,eu-west-1",
            "-p",
            "aws",
            "--kind",
            "command",
            "-o",
            "jsonl",
        ]

        sample = measured([str(RUNCANCEL), *argv], outside.environ)

        listings = Counter(each["account"] for each in outside.requests() if each["action"] == "ListCommands")
        assert listings == dict.fromkeys(range(number), 2)
        assert sample.peak < 150
