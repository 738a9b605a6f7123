"""The page with the figures: its marked parts, tables, and a chart as SVG."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.place import cpus

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
CHART = PAGE.with_suffix(".svg")
_PACKAGES = ("typer", "botocore", "boto3", "alibabacloud-ecs20140526", "tencentcloud-sdk-python-common", "msgspec")
_WIDTH, _BAR, _LABELS, _SCALE = 760, 22, 330, 200  # pixels; _SCALE is the length of the ratio 1


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What was measured for a budget, and how: `instructions`, `CPU time`, `log of the server`, …"""

    value: float
    how: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the page, and its figures by the keys of their budgets."""

    text: str
    figures: Mapping[str, Figure] = field(default_factory=dict)


def marks(name: str) -> tuple[str, str]:
    """Where a measured part begins and ends on a page."""
    return f"<!-- {name}: begin (make bench writes this part) -->", f"<!-- {name}: end -->"


def put(page: Path, measured: str, *, name: str) -> None:
    """Replace a measured part of a page: what stands between its marks. Raises `ValueError` if they are missing."""
    text = page.read_text(encoding="utf-8")
    begin, end = marks(name)
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{page.name} has no part {name}")
    page.write_text(f"{before}{begin}\n\n{measured}\n{end}{after}", encoding="utf-8")


def between(text: str, name: str) -> str:
    """A measured part of a page."""
    begin, end = marks(name)
    return text.partition(begin)[2].partition(end)[0]


def where(tools: Mapping[str, str]) -> str:
    """What was measured on."""
    found = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return (
        f"{cpus()} CPUs ({platform.machine()}), {platform.system()}, Python {platform.python_version()}; "
        + ", ".join((found, *(f"{name} ({text})" for name, text in tools.items())))
        + ". The sandbox answers on the same processors.\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def chart(rows: Sequence[tuple[str, float]]) -> str:
    """A bar per comparison: CPU of ours over theirs, with a line at 1."""
    height = _BAR * len(rows) + 44
    one = _LABELS + _SCALE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="12" role="img" aria-label="CPU time, ours over theirs">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        '<text x="10" y="18" font-weight="bold">CPU of one process, runcancel over the other</text>',
    ]
    for number, (name, ratio) in enumerate(rows):
        top = 30 + number * _BAR
        length = min(ratio * _SCALE, _WIDTH - _LABELS - 45)
        colour = "#2b8a57" if ratio <= 1 else "#b3722a"
        label = escape(name.replace("`", ""))
        parts += [
            f'<text x="{_LABELS - 8}" y="{top + 14}" text-anchor="end">{label}</text>',
            f'<rect x="{_LABELS}" y="{top + 3}" width="{length:.0f}" height="{_BAR - 7}" fill="{colour}"/>',
            f'<text x="{_LABELS + length + 5:.0f}" y="{top + 14}">{ratio:.2f}</text>',
        ]
    line = f'<line x1="{one}" y1="28" x2="{one}" y2="{height - 12}" stroke="#555" stroke-dasharray="3 3"/>'
    return "\n".join([*parts, line, "</svg>", ""])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
