"""How the benchmarks report: tables, the marked parts of the page, the table of budgets. Nothing is measured here."""

import math
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks import __main__ as command
from benchmarks import (
    fleet,
    hung,
    imports,
    instructions,
    journals,
    limits,
    processes,
    rates,
    report,
    scopes,
    shards,
    shells,
    streams,
    suite,
    targets,
)
from benchmarks.budgets import BUDGETS, Budget, rendered, update
from benchmarks.commands import comparisons
from benchmarks.limits import most_in_a_window
from benchmarks.measure import Ratio, Sample
from benchmarks.place import AWS_V2, cpus, sandbox
from benchmarks.report import Figure, between, chart, marks, put

SAMPLE = Sample(wall=2.0, cpu=1.0, peak=50.0)
RATIO = Ratio(median=0.5, low=0.4, high=0.6)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    parts = "\n\n".join("\n\n".join(marks(name)) for name in ("one", "two", "budgets"))
    file = tmp_path / "page.md"
    file.write_text(f"Before.\n\n{parts}\n\nAfter.\n")
    return file


def test_a_part_is_written_between_its_marks_and_nowhere_else(page: Path) -> None:
    put(page, "first\n", name="one")
    put(page, "second\n", name="two")
    put(page, "third\n", name="one")

    text = page.read_text()
    assert between(text, "one").strip() == "third"
    assert between(text, "two").strip() == "second"
    assert text.startswith("Before.")
    assert text.endswith("After.\n")
    with pytest.raises(ValueError, match=r"page\.md has no part three"):
        put(page, "", name="three")


def test_a_figure_changes_its_own_row_of_the_budgets(page: Path) -> None:
    update(page, {"version": Figure(value=0.4, how="instructions"), "rows": Figure(value=7999.6, how="CPU time")})
    update(page, {"version": Figure(value=0.41, how="CPU time")})

    text = between(page.read_text(), "budgets")
    assert "| ≤ 0.40 | 0.41 | **not met** | CPU time |" in text
    assert "| ≥ 8,000 | 8,000 | **not met** | CPU time |" in text
    assert text.count("| not measured |") == len(BUDGETS) - 2


def test_a_bound_is_met_at_the_bound() -> None:
    assert Budget(what="", bound=1.0).met(1.0)
    assert not Budget(what="", bound=1.0).met(1.01)
    assert Budget(what="", bound=400, least=True).met(400)
    assert not Budget(what="", bound=400, least=True).met(399)


def test_the_bound_of_a_test_is_within_the_budget() -> None:
    tested = {key: budget for key, budget in BUDGETS.items() if budget.tested is not None}

    assert len(tested) == 11
    assert [key for key, budget in tested.items() if not budget.met(budget.tested or 0)] == []


def test_every_budget_is_a_row_of_its_own() -> None:
    lines = rendered({}, {}).splitlines()

    assert len(lines) == 2 + len({budget.what for budget in BUDGETS.values()}) == 2 + len(BUDGETS)


def test_the_page_has_every_part_and_every_budget() -> None:
    text = report.PAGE.read_text(encoding="utf-8")

    for name in (*command.PARTS, "budgets", "machine"):
        assert all(mark in text for mark in marks(name)), name
    rows = re.findall(r"^\| (.+?) \| [≤≥] ", between(text, "budgets"), re.MULTILINE)
    assert rows == [budget.what for budget in BUDGETS.values()]


def test_every_process_of_a_budget_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = tmp_path / "aws"
    aws.write_text("#!/bin/sh\necho aws-cli/2.0\n")
    aws.chmod(0o755)
    monkeypatch.setenv(AWS_V2, str(aws))
    with sandbox() as place:
        keys = {key for one in comparisons(place) for key in one.budgets.values()}

    assert (
        {"version", "help", "completion", "aws status", "aws cancel", "alibaba status", "alibaba cancel"}
        <= keys
        <= BUDGETS.keys()
    )


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (
            processes.shown(
                [processes.Row(what="x", peer="y", wall=RATIO, cpu=RATIO, ours=0.1, theirs=0.2, budget="aws status")],
            ),
            "| x | y | 0.50 (0.40 to 0.60) | 0.40 **not met** | 0.50 (0.40 to 0.60) | 100 ms | 200 ms |",
        ),
        (
            instructions.rows(
                [
                    instructions.Count(
                        what="`status`, aws", peer="aws v2", ours=400_000_000, theirs=1_000_000_000, budget="aws status"
                    )
                ]
            ),
            "| `status`, aws | aws v2 | 0.40 | 400 | 1,000 | 0.40 |",
        ),
        (
            streams.shown({1000: SAMPLE, 2000: Sample(wall=4.0, cpu=2.0, peak=60.0)}),
            "| 2,000 | 4.0 s | 2.0 s | 500 | 1,000 | 60 MB | 1.20 |",
        ),
        (
            rates.shown(
                [rates.Floor(what="x", runs=40, least=1.0, took=1.25, most=19, limit=20.0, sample=SAMPLE)],
            ),
            "| x | 40 | 1.0 s | 1.2 s | 1.25 | 19 | 20 | 2.0 s |",
        ),
        (
            limits.shown(
                [limits.Throttled(shape="x", processes=3, runs=200, ideal=9.0, took=9.9, calls=220, most=20)],
            ),
            "| x | 3 | 200 | 220 | 9.0 s | 9.9 s | 1.10 | 20 |",
        ),
        (
            fleet.shown([fleet.Crowd(verb="status", runs=1000, scopes=50, calls=200, sample=SAMPLE)]),
            "| `status` | 1,000 | 50 | 200 | 2.0 s | 100 | 5.0 ms | 50 MB |",
        ),
        (
            scopes.shown([scopes.Breadth(what="AWS", scopes=1000, calls=400, threads=45, files=50, sample=SAMPLE)]),
            "| AWS | 1,000 | 400 | 2 s | 1.0 s | 400 | 45 | 50 | 50 MB |",
        ),
        (
            shells.shown([shells.Shell(verb="cancel", runs=100, loop=60.0, xargs=30.0, ours=1.0)]),
            "| `cancel` | 100 | 60.0 s | 30.0 s | 1.0 s | 60 | 10 min | 100 min |",
        ),
        (
            imports.shown(
                [
                    imports.Shares(
                        command="`status`",
                        parts=imports.by_package(
                            {"interpreter": 0.1, "json": 0.1, "ssl": 0.1, "typer": 0.1, "six": 0.01, "total": 1.0}
                        ),
                    )
                ]
            ),
            "| other packages | 1% |",
        ),
        (suite.shown(170.4, 330.0), f"| the whole suite | {cpus()} | 170 s | 330 s |"),
        (
            hung.shown([hung.Hung(thing="connection", cloud="aws", after_reading=0.0204, after_start=1.5)]),
            "| connection | aws | 20 ms | 1500 ms |",
        ),
        (
            targets.shown([targets.Growth(provider="aws", step="status", costs={1000: 2e6, 2000: 8e6})], 1e6),
            "| `status` | aws | 2 | 8 | 2.00 |",
        ),
        (
            shards.shown(
                [shards.Division(runs=2000, shards=2, wall=3.0, calls=6000, samples=[SAMPLE, SAMPLE], fixed=0.3)],
            ),
            "| 2,000 | 2 | 1.0 s | 2.0 s | 0.30 s | 6,000 | 3.0 s | 50 MB |",
        ),
        (
            journals.shown(
                journals.Stores(rates={"SQLite": 4000.0}, runs=5000, samples={"SQLite": SAMPLE, "both": SAMPLE})
            ).partition("\n\n")[2],
            "| both | 1.0 s | 1.00 | 2.0 s | 1.00 |",
        ),
    ],
    ids=[
        "processes",
        "instructions",
        "streams",
        "rates",
        "limits",
        "fleet",
        "scopes",
        "shells",
        "imports",
        "suite",
        "hung",
        "targets",
        "shards",
        "journals",
    ],
)
def test_a_table_has_a_row_for_each_measurement(table: str, row: str) -> None:
    head, rule, *rows = table.splitlines()

    assert row in rows
    assert head.count("|") == rule.count("|") == row.count("|")


def test_growth_is_the_slope_of_both_logarithms() -> None:
    sizes = (1000, 2000, 4000, 8000)
    growth = {size: targets.Growth(provider="aws", step="status", costs={n: n**size for n in sizes}) for size in (1, 2)}

    assert growth[1].exponent == pytest.approx(1)
    assert growth[2].exponent == pytest.approx(2)
    costs = {n: n * math.log(n) for n in sizes}
    linearithmic = targets.Growth(provider="aws", step="status", costs=costs).exponent
    assert linearithmic == pytest.approx(BUDGETS["growth"].bound, abs=0.005)


def test_the_chart_has_a_bar_for_each_ratio_and_stays_within_its_width() -> None:
    text = chart([("`status` : aws <v2>", 0.5), ("slow", 100.0)])

    assert text.count("<rect") == 3
    assert "status : aws &lt;v2&gt;" in text
    assert all(float(width) <= 760 for width in re.findall(r'width="(\d+)"', text))


def test_the_reports_of_both_counters_are_read() -> None:
    perf, valgrind = (one.pattern for one in instructions.COUNTERS)

    assert perf.findall("# started\n\n123456,,instructions:u,1000,100.00,,\n") == ["123456"]
    assert perf.findall("<not supported>,,instructions:u,0,100.00,,\n") == []
    assert valgrind.findall("==7== I   refs:      1,234,567\n") == ["1,234,567"]


def test_the_largest_number_of_moments_in_a_window() -> None:
    assert most_in_a_window([0.0, 0.5, 0.999, 1.0, 1.2, 5.0], 1.0) == 4
    assert most_in_a_window([], 1.0) == 0


@pytest.mark.parametrize(
    ("thing", "scheme", "received"),
    [
        ("connection", "http", None),
        ("TLS handshake", "https", b""),
        ("headers of the reply", "http", b""),
        ("body of the reply", "http", b"HTTP/1.1 200 OK"),
    ],
)
def test_a_cloud_that_hangs_does_so_at_the_named_place(thing: str, scheme: str, received: bytes | None) -> None:
    with hung.THINGS[thing]("aws") as setting:
        url = urlsplit(setting.variables["AWS_ENDPOINT_URL"])
        assert url.scheme == scheme
        assert reply(url.hostname or "", url.port or 0) == received


def reply(host: str, port: int) -> bytes | None:
    """The first line that a server sends within a moment; None if nobody takes the connection."""
    with socket.socket() as client:
        client.settimeout(0.3)
        try:
            client.connect((host, port))
        except TimeoutError:
            return None
        client.sendall(b"POST / HTTP/1.1\r\n\r\n")
        try:
            return client.recv(15)
        except TimeoutError:
            return b""


def test_what_each_package_takes_adds_up_to_the_whole() -> None:
    parts = imports.by_package({"interpreter": 0.2, "json": 0.1, "ssl": 0.1, "typer": 0.1, "total": 1.0})

    assert parts[imports.LIBRARY] == pytest.approx(0.2)
    assert parts[imports.REST] == pytest.approx(0.5)
    assert sum(parts.values()) == pytest.approx(1)


def test_the_way_to_a_table_of_the_page_names_its_parts(monkeypatch: pytest.MonkeyPatch, page: Path) -> None:
    monkeypatch.setattr(report, "PAGE", page)
    figure = {"rows": Figure(value=9000.0, how="CPU time")}
    parts = {"one": lambda quick: report.Part(text="a table\n", figures=figure), "two": failing}
    monkeypatch.setattr(command, "PARTS", parts)

    code = command.main(["two", "one"], quick=False)

    assert code == 1
    assert between(page.read_text(), "one").strip() == "a table"
    assert between(page.read_text(), "two").strip() == ""
    assert "| ≥ 8,000 | 9,000 | met | CPU time |" in page.read_text()
    command.main(["one"], quick=True)
    assert between(page.read_text(), "one").strip().startswith("Quick: ")


def failing(quick: bool) -> report.Part:
    raise RuntimeError("a command ended badly")
