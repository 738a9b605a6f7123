"""A picture of a terminal: pyte's cells as SVG that follows the reader's light or dark theme."""

import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from pyte.screens import Char

_CELL, _LINE, _EDGE, _BAR = 8.4, 18, 14, 30  # pixels: width and height of a cell, the margin, the bar with the dots
_COLORS = {  # name in pyte: (dark, light)
    "default": ("#e6edf3", "#1f2328"),
    "black": ("#484f58", "#24292f"),
    "red": ("#ff7b72", "#cf222e"),
    "green": ("#3fb950", "#116329"),
    "brown": ("#d29922", "#9a6700"),  # what pyte calls yellow
    "blue": ("#58a6ff", "#0969da"),
    "magenta": ("#bc8cff", "#8250df"),
    "cyan": ("#39c5cf", "#1b7c83"),
    "white": ("#b1bac4", "#6e7781"),
}
_GROUND, _RIM, _DOTS = ("#0d1117", "#ffffff"), ("#30363d", "#d0d7de"), ("#484f58", "#d0d7de")
_STROKES = {"━": 4.0, "─": 1.6}  # drawn as lines: glyphs of different fonts leave gaps

Row = Sequence[Char]


def svg(rows: Sequence[Row], *, title: str, theme: str = "") -> str:
    """The picture. `theme` is `dark` or `light`; without it the reader's own is followed."""
    return _framed([*_screen(rows)], rows, len(rows), title=title, style=_styles(theme))


def film(frames: Sequence[tuple[Sequence[Row], float]], *, title: str) -> str:
    """Pictures one after the other, each for so many seconds, for ever; a reader who wants no motion sees the last."""
    whole = sum(seconds for _, seconds in frames)
    style, drawn, start = [_styles(""), "g{visibility:hidden}g:last-of-type{visibility:visible}"], [], 0.0
    motion = [f"g{{animation:{whole:g}s step-end infinite}}"]
    for number, (rows, seconds) in enumerate(frames):
        first, after = (f"{100 * at / whole:.2f}%" for at in (start, start + seconds))
        until = "" if number == len(frames) - 1 else f"{after}{{visibility:hidden}}"
        before = "0%{visibility:hidden}" if start else ""
        motion.append(f"@keyframes f{number}{{{before}{first}{{visibility:visible}}{until}}}")
        motion.append(f"#f{number}{{animation-name:f{number}}}")
        drawn += [f'<g id="f{number}">', *_screen(rows), "</g>"]
        start += seconds
    style.append(f"@media not (prefers-reduced-motion:reduce){{{''.join(motion)}}}")
    lines = max(len(rows) for rows, _ in frames)
    return _framed(drawn, frames[-1][0], lines, title=title, style="".join(style))


def _framed(drawn: Sequence[str], rows: Sequence[Row], lines: int, *, title: str, style: str) -> str:
    """A window around what is drawn; `rows` is what it says to those who cannot see it."""
    columns = max(len(row) for row in rows)
    width, height = round(columns * _CELL + 2 * _EDGE), lines * _LINE + 2 * _EDGE + _BAR
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    text = "\n".join("".join(cell.data for cell in row).rstrip() for row in rows)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(text)}</desc>",
            f"<style>{style}</style>",
            f'<rect class="ground" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8"/>',
            *(f'<circle class="dot" cx="{18 + 16 * place}" cy="17" r="4.5"/>' for place in range(3)),
            *drawn,
            "</svg>\n",
        ]
    )


def _screen(rows: Sequence[Row]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield from _drawn(row, _EDGE + _BAR + number * _LINE)


def _styles(theme: str) -> str:
    sheets = [_sheet(place) for place in range(2)]
    base = (
        "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre}"
        ".bold{font-weight:700}.dim{opacity:.65}"
    )
    if theme:
        return base + sheets[theme == "light"]
    return f"{base}{sheets[0]}@media (prefers-color-scheme:light){{{sheets[1]}}}"


def _sheet(place: int) -> str:
    rules = [f".ground{{fill:{_GROUND[place]};stroke:{_RIM[place]}}}.dot{{fill:{_DOTS[place]}}}"]
    rules += [f".{name}{{fill:{pair[place]}}}" for name, pair in _COLORS.items()]
    rules += [f".on{{fill:{_GROUND[place]}}}"]
    return "".join(rules)


def _drawn(row: Row, top: float) -> Iterator[str]:
    """One line: neighbours of the same look together."""
    at = 0
    for look, group in groupby(row, key=_look):
        cells = list(group)
        x, length = _EDGE + at * _CELL, len(cells) * _CELL
        text = "".join(cell.data for cell in cells)
        yield from _part(text, look, x, length, top)
        at += len(cells)


def _look(cell: Char) -> tuple[str, bool, bool, bool, str]:
    stroke = cell.data if cell.data in _STROKES else ""
    return cell.fg, cell.bold, cell.italics, cell.reverse, stroke


def _part(text: str, look: tuple[str, bool, bool, bool, str], x: float, length: float, top: float) -> Iterator[str]:
    color, bold, dim, reverse, stroke = look
    words = [color if color in _COLORS else "default", *(["bold"] if bold else []), *(["dim"] if dim else [])]
    if stroke:
        thick = _STROKES[stroke]
        y = top + (_LINE - thick) / 2
        yield f'<rect class="{" ".join(words)}" x="{x:.1f}" y="{y:.1f}" width="{length:.1f}" height="{thick}"/>'
        return
    if reverse:
        yield f'<rect class="{words[0]}" x="{x:.1f}" y="{top}" width="{length:.1f}" height="{_LINE}"/>'
        words[0] = "on"
    for found in re.finditer(r"\S+(?: \S+)*", text):  # wide gaps apart: no renderer may stretch them
        start, end = found.span()
        yield (
            f'<text class="{" ".join(words)}" x="{x + start * _CELL:.1f}" y="{top + 13.5}" '
            f'textLength="{(end - start) * _CELL:.1f}">{escape(found.group())}</text>'
        )
