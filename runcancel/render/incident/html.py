"""A document as one HTML file: no script, nothing from the network, light and dark, made to be printed."""

from collections.abc import Iterable, Iterator
from html import escape

from runcancel.render.incident.blocks import Block, Chart, Collapsed, Commands, Heading, Paragraph, Table, Text
from runcancel.render.incident.chart import chart, present
from runcancel.render.incident.markdown import samples_table
from runcancel.render.screens.words import readable
from runcancel.text import local, safe

_UNBROKEN = 26  # characters of an id that stays on one line: that of an operation

_COLORS = {
    "cancelled": ("#1b8a9c", "#38b6c9"),
    "terminated": ("#2660a4", "#5b9be6"),
    "succeeded": ("#3f8f4f", "#62bd74"),
    "failed": ("#c23b3b", "#ec6a6a"),
    "timed_out": ("#d1643d", "#f08e67"),
    "undelivered": ("#9c4a63", "#cf7d96"),
    "skipped": ("#6b7280", "#9ba3af"),
    "cancelling": ("#8d4fb3", "#b987dd"),
    "unknown": ("#1f2328", "#e6e8eb"),
    "running": ("#d69a00", "#f0bd3e"),
    "scheduled": ("#a9b4c0", "#6a7684"),
    "pending": ("#cfd6dd", "#4b5663"),
}
"""Per state: the colour on a light page and on a dark one."""

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1f2328; --line: #d0d7de; --soft: #f3f5f7; --warn: #b42318;
  %(light)s }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --text: #e4e7ea; --line: #3a424c; --soft: #1f242a;
  --warn: #ff8b7e; %(dark)s } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; } h2 { margin-top: 2rem; border-bottom: 1px solid var(--line); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .7rem 0; font-size: 14px; }
th, td { border: 1px solid var(--line); padding: .3rem .55rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; min-width: 4.5rem; }
td code.id { white-space: nowrap; }
th { background: var(--soft); } .right { text-align: right; }
code, pre { font-family: ui-monospace, monospace; font-size: 13px; }
pre { background: var(--soft); border: 1px solid var(--line); padding: .5rem .7rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.warning { color: var(--warn); font-weight: 600; }
summary { cursor: pointer; }
svg { width: 100%%; height: auto; } .axis { fill: var(--text); font-size: 12px; } .grid { stroke: var(--line); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: 0; list-style: none; }
.legend svg { width: 14px; height: 14px; vertical-align: -2px; margin-right: .35rem; }
%(states)s
@media print {
  :root { color-scheme: light; --page: #fff; --text: #000; --line: #999; --soft: #f3f5f7; --warn: #b42318; %(light)s }
  body { margin: 0; max-width: none; font-size: 11px; } table { font-size: 10px; } code, pre { font-size: 9.5px; }
  .scroll { overflow: visible; } tr, svg, pre { break-inside: avoid; } h2, h3 { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def html(blocks: Iterable[Block], *, title: str) -> str:
    """The text of the file."""
    return _PAGE.format(title=_plain(title), style=_style(), body="\n".join(map(_block, blocks)))


def _style() -> str:
    light, dark = (" ".join(f"--{state}: {colors[index]};" for state, colors in _COLORS.items()) for index in range(2))
    states = " ".join(f".s-{state} {{ fill: var(--{state}); }}" for state in _COLORS)
    return _STYLE % {"light": light, "dark": dark, "states": states}


def _plain(text: str) -> str:
    """A text of others as characters alone."""
    return escape(safe(text), quote=True)


def _text(text: Text) -> str:
    if isinstance(text, str):
        return _plain(text)
    whole = ' class="id"' if len(text.text) <= _UNBROKEN else ""
    return f"<code{whole}>{_plain(text.text)}</code>"


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{_plain(block.text)}</h{block.level}>"
        case Paragraph():
            warning = ' class="warning" role="note"' if block.warning else ""
            return f"<p{warning}>{''.join(map(_text, block.texts))}</p>"
        case Table():
            return _table(block)
        case Commands():
            pre = "" if block.command is None else f"\n<pre>{_plain(block.command)}</pre>"
            return f"<p>{_plain(block.text)}</p>{pre}"
        case Collapsed():
            return f"<details>\n<summary>{_plain(block.summary)}</summary>\n{_table(block.table)}\n</details>"
        case Chart():
            return "\n".join(_chart(block))


def _table(table: Table) -> str:
    marks = [' class="right"' if index in table.right else "" for index in range(len(table.head))]
    head = "".join(f'<th scope="col"{mark}>{_plain(text)}</th>' for text, mark in zip(table.head, marks, strict=True))
    rows = (
        "<tr>" + "".join(f"<td{mark}>{_text(text)}</td>" for text, mark in zip(row, marks, strict=True)) + "</tr>"
        for row in table.rows
    )
    body = "\n".join(rows)
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _chart(block: Chart) -> Iterator[str]:
    picture = chart(block.samples)
    if not picture:
        yield _table(samples_table(block.samples))
        return
    yield f"<figure>{picture}"
    yield '<figcaption><ul class="legend">'
    for state in present(block.samples):
        swatch = f'<svg viewBox="0 0 14 14" aria-hidden="true"><rect class="s-{state}" width="14" height="14"/></svg>'
        yield f"<li>{swatch}{_plain(readable(state))}</li>"
    first, last = block.samples[0].at, block.samples[-1].at
    yield f"</ul>From {_plain(local(first))} to {_plain(local(last))}.</figcaption></figure>"
    table = _table(samples_table(block.samples))
    yield f"<details>\n<summary>The same as a table.</summary>\n{table}\n</details>"
