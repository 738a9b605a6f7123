"""The measured part of docs/performance.md: tables, and a chart as SVG."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.fleet import Crowd, Floor, Shell, cpus
from benchmarks.limits import Throttled
from benchmarks.measure import Sample
from benchmarks.processes import Row
from benchmarks.scopes import Breadth

BEGIN, END = "<!-- measured: begin (make bench writes this part) -->", "<!-- measured: end -->"
THROTTLED = ("<!-- throttled: begin (make bench writes this part) -->", "<!-- throttled: end -->")
_PACKAGES = ("typer", "botocore", "boto3", "alibabacloud-ecs20140526", "tencentcloud-sdk-python-common", "msgspec")
_WIDTH, _BAR, _LABELS, _SCALE = 760, 22, 330, 200  # pixels; _SCALE is the length of the ratio 1


def put(page: Path, measured: str, *, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Replace a measured part of a page: what stands between the marks."""
    begin, end = marks
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n\n{measured}\n{end}{after}", encoding="utf-8")


def where(tools: Mapping[str, str], *, quick: bool) -> str:
    """What was measured on."""
    rounds = "Quick: few rounds, small numbers. " if quick else ""
    found = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return (
        f"{rounds}{cpus()} CPUs ({platform.machine()}), {platform.system()}, Python {platform.python_version()}; "
        + ", ".join((found, *(f"{name} ({said})" for name, said in tools.items())))
        + ". The sandbox answers on the same processors.\n"
    )


def processes(rows: Sequence[Row]) -> str:
    """One line per comparison."""
    return _table(
        ("one process", "against", "wall, ours / theirs (quartiles)", "CPU", "ours", "theirs", "budget"),
        (
            (
                row.what,
                row.peer,
                str(row.wall),
                str(row.cpu),
                f"{row.ours * 1000:.0f} ms",
                f"{row.theirs * 1000:.0f} ms",
                "" if row.budget is None else f"{row.budget} {'met' if row.cpu.median <= row.budget else 'MISSED'}",
            )
            for row in rows
        ),
    )


def crowds(found: Sequence[Crowd]) -> str:
    """One line per verb and size."""
    return _table(
        ("verb", "runs", "scopes", "calls", "wall", "calls/s", "CPU per call", "peak memory"),
        (
            (
                f"`{one.verb}`",
                f"{one.runs:,}",
                str(one.scopes),
                f"{one.calls:,}",
                f"{one.sample.wall:.1f} s",
                f"{one.calls / one.sample.wall:.0f}",
                f"{one.sample.cpu / one.calls * 1000:.1f} ms",
                f"{one.sample.peak:.0f} MB",
            )
            for one in found
        ),
    )


def breadths(found: Sequence[Breadth]) -> str:
    """One line per number of scopes."""
    return _table(
        ("`list` over scopes", "calls", "wall", "CPU", "calls per second of CPU", "threads", "peak memory"),
        (
            (
                f"{one.scopes:,}",
                f"{one.calls:,}",
                f"{one.sample.wall:.0f} s",
                f"{one.sample.cpu:.0f} s",
                f"{one.rate:.0f}",
                str(one.threads),
                f"{one.sample.peak:.0f} MB",
            )
            for one in found
        ),
    )


def floors(found: Sequence[Floor]) -> str:
    """One line per limit."""
    return _table(
        ("cancel, limits enforced", "runs", "cancels only", "read, cancel, read", "ours", "ratio to that"),
        (
            (
                one.what,
                str(one.runs),
                f"{one.asking:.1f} s",
                f"{one.least:.1f} s",
                f"{one.sample.wall:.1f} s",
                f"{one.sample.wall / one.least:.2f}",
            )
            for one in found
        ),
    )


def throttled(found: Iterable[Throttled]) -> str:
    """One line per limiter and number of processes."""
    return _table(
        ("limiter", "processes", "runs", "calls", "ideal", "ours", "ratio", "most in a second"),
        (
            (
                one.shape,
                str(one.processes),
                str(one.runs),
                str(one.calls),
                f"{one.ideal:.1f} s",
                f"{one.took:.1f} s",
                f"{one.took / one.ideal:.2f}",
                str(one.most),
            )
            for one in found
        ),
    )


def shells(found: Sequence[Shell], *, sizes: Sequence[int] = (1000, 10_000)) -> str:
    """One line per verb: measured, then what that is for more."""
    return _table(
        (
            "verb",
            "runs",
            "shell loop",
            "`xargs -P8`",
            "ours",
            "loop / ours",
            *(f"loop of {n:,}, extrapolated" for n in sizes),
        ),
        (
            (
                f"`{one.verb}`",
                str(one.runs),
                f"{one.loop:.1f} s",
                f"{one.xargs:.1f} s",
                f"{one.ours:.1f} s",
                f"{one.loop / one.ours:.0f}",
                *(f"{one.loop / one.runs * size / 60:.0f} min" for size in sizes),
            )
            for one in found
        ),
    )


def streams(found: Mapping[int, Sample]) -> str:
    """One line per size, with the peak as a multiple of the first."""
    least = next(iter(found.values())).peak
    return _table(
        ("invocations as jsonl", "wall", "peak memory", "of the first"),
        (
            (f"{size:,}", f"{sample.wall:.1f} s", f"{sample.peak:.0f} MB", f"{sample.peak / least:.2f}")
            for size, sample in found.items()
        ),
    )


def chart(rows: Sequence[Row]) -> str:
    """A bar per comparison: CPU of ours over theirs, with a line at 1."""
    height = _BAR * len(rows) + 44
    one = _LABELS + _SCALE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="12" role="img" aria-label="CPU time, ours over theirs">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        '<text x="10" y="18" font-weight="bold">CPU of one process, runcancel over the other</text>',
    ]
    for number, row in enumerate(rows):
        top = 30 + number * _BAR
        length = min(row.cpu.median * _SCALE, _WIDTH - _LABELS - 45)
        colour = "#2b8a57" if row.cpu.median <= 1 else "#b3722a"
        label = escape(f"{row.what} : {row.peer}".replace("`", ""))
        parts += [
            f'<text x="{_LABELS - 8}" y="{top + 14}" text-anchor="end">{label}</text>',
            f'<rect x="{_LABELS}" y="{top + 3}" width="{length:.0f}" height="{_BAR - 7}" fill="{colour}"/>',
            f'<text x="{_LABELS + length + 5:.0f}" y="{top + 14}">{row.cpu.median:.2f}</text>',
        ]
    line = f'<line x1="{one}" y1="28" x2="{one}" y2="{height - 12}" stroke="#555" stroke-dasharray="3 3"/>'
    return "\n".join([*parts, line, "</svg>", ""])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
