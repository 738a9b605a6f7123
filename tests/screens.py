"""The pictures in docs/screens: the real command on a terminal before a sandbox whose time is moved by hand.

python tests/screens.py FOLDER [NAME-COLUMNS ...]
"""

import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outside import WINDOW, Outside
from pyte.screens import Char
from svg import film, svg
from terminal import Terminal

WIDTHS = (80, 120, 200)
_LINES = 40
_NAME = "deploy-4711"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """`begin` puts runs into the sandbox and returns what is typed after the command's name; `until` is when to look.

    `until` None: at the end. `fleet`: the sandbox holds its usual runs as well.
    """

    title: str
    begin: Callable[[Outside], Sequence[str]]
    until: Callable[[Outside, Terminal], object] | None = None
    fleet: bool = False
    lines: int = _LINES


def taken(name: str, columns: int, home: Path, *, theme: str = "") -> str:
    """One picture as SVG."""
    picture = PICTURES[name]
    with Outside(home, speed=0, fleet=picture.fleet) as outside:
        argv = list(picture.begin(outside))
        typed = f"\x1b[1m$ runcancel {' '.join(argv)}\x1b[0m\r\n"
        with Terminal(
            outside, *argv, columns=columns, lines=picture.lines, prompt=typed, env={"TZ": "UTC"}
        ) as terminal:
            if picture.until is not None:
                picture.until(outside, terminal)
            else:
                terminal.end()
            return svg(_steady(terminal), title=f"runcancel {' '.join(argv)}", theme=theme)


# what differs from one time to the next, and what stands there instead

_STEADY: tuple[tuple[str, str], ...] = (
    (r"\b01[0-9A-HJKMNP-TV-Z]{24}\b", "01K9ZQ3V7W5T8R2M4N6P0C1D2E"),
    (r"(?<=request )[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "6f1c2d3e-4b5a-4978-8c6d-7e8f90a1b2c3"),
    (r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "2026-11-21 09:41:07"),
    (r"(?<=\| `)[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "6f1c2d3e-4b5a-4978-8c6d-7e8f90a1b2c3"),
    (r"\bAt \d\d:\d\d\b", "At 02:00"),
    (r"\b\w+&#64;\w+\b", "ops&#64;vm"),
    (r"\b\d+\.\ds\b", "2.4s"),
    (r"  \d\d:\d\d(?: · \d+ s left)?(?: · \d+ calls?/s)?$", "00:12"),
)


def _steady(terminal: Terminal) -> list[list[Char]]:
    """The cells that were written on, the same every time."""
    cells = terminal.screen.buffer
    rows = [[cells[y][x] for x in range(terminal.columns)] for y in range(len(terminal.rows))]
    return [_scrubbed(row) for row in rows]


def _scrubbed(row: list[Char]) -> list[Char]:
    for pattern, words in _STEADY:
        text = "".join(cell.data or " " for cell in row)
        for found in re.finditer(pattern, text.rstrip()):
            start, end = found.span()
            instead = _clock(found.group()) if words == "00:12" else words.rjust(end - start)
            row[start:end] = [row[end - 1]._replace(data=char) for char in instead[-(end - start) :]]
    return row


def _clock(text: str) -> str:
    left = " · 48 s left" if "left" in text else ""
    calls = " · 18 calls/s" if "call" in text else ""
    return f"00:12{left}{calls}".rjust(len(text))


# the pictures


def _window(outside: Outside) -> Sequence[str]:
    return ("cancel", WINDOW)


def _deploy(outside: Outside) -> Sequence[str]:
    """A deploy on three clouds; a part of it stops at once."""
    _add(outside, "aws", "command", count=40, targets={"succeeded": 3, "running": 6}, settle=0)
    _add(outside, "aws", "command", count=20, targets={"running": 6, "pending": 2}, settle=60, age=400)
    _add(outside, "alibaba", count=30, targets={"pending": 5, "succeeded": 1}, settle=0)
    _add(outside, "alibaba", count=10, targets={"running": 3, "pending": 2}, settle=60, age=750)
    _add(outside, "tencent", count=30, targets={"running": 9, "pending": 3}, settle=0)
    _add(outside, "tencent", count=30, targets={"running": 9, "failed": 1}, settle=60, age=570)
    _add(outside, "tencent", count=1, targets={"running": 9, "pending": 3}, settle=20, age=510)
    return ("cancel", "--name", _NAME, "--max-runs", "200", "--confirm", "161")


def _few(outside: Outside) -> Sequence[str]:
    """What a cancel can and cannot do on each of them."""
    _add(outside, "tencent", targets={"running": 9, "pending": 3}, settle=0)
    _add(outside, "alibaba", targets={"pending": 31, "running": 9}, settle=0, terminates=False, age=750)
    _add(outside, "aws", "command", targets={"running": 88, "succeeded": 12}, settle=0, age=270)
    _add(outside, "aws", "automation", targets={"succeeded": 2, "running": 1, "pending": 3}, settle=0, age=390)
    return ("cancel", "--name", _NAME)


def _two(outside: Outside) -> Sequence[str]:
    """One that stops what runs, and one that does not."""
    _add(outside, "tencent", targets={"running": 9, "pending": 3}, settle=0)
    _add(outside, "alibaba", targets={"pending": 31, "running": 9}, settle=0, terminates=False, age=750)
    return ("cancel", "--name", _NAME)


def _mixed(outside: Outside) -> Sequence[str]:
    """Runs to list: several names, several states."""
    _few(outside)
    _add(outside, "aws", "maintenance-window", name="nightly-patching", targets={"running": 3, "pending": 17}, age=1230)
    _add(outside, "tencent", name="collect-logs", targets={"pending": 40}, age=100)
    return ("list",)


def _many_to_pick(outside: Outside) -> Sequence[str]:
    """More runs than fit a screen."""
    _mixed(outside)
    for number in range(30):
        provider, target = (("tencent", "ins"), ("alibaba", "i"))[number % 2]
        _add(outside, provider, name=f"rotate-{target}-logs-{number:02d}", targets={"running": 2}, age=60 + number)
    return ("cancel",)


def _large(outside: Outside) -> Sequence[str]:
    """A cancel of many runs with every verdict that needs attention, to its end."""
    _add(outside, "aws", "command", count=20, targets={"succeeded": 3, "running": 6}, settle=0)
    _add(outside, "alibaba", count=3, targets={"running": 9, "pending": 31}, settle=0, terminates=False, age=750)
    _add(outside, "tencent", count=30, targets={"running": 9, "pending": 3}, settle=0)
    _add(outside, "tencent", name="rotate-logs", targets={"running": 2}, settle=0)
    outside.faults({"kind": "denied", "provider": "aws", "action": "CancelCommand", "times": 2})
    return ("cancel", "--name-glob", "*o*", "--max-runs", "100", "--confirm", "54")


def _reported(outside: Outside) -> Sequence[str]:
    """The report of a cancel that did not stop everything."""
    outside.run(*_few(outside), "--confirm", "4", "--reason", "bad patch 4711")
    return ("report",)


def _switched(outside: Outside) -> Sequence[str]:
    """Two triggers before somebody confirms."""
    return ("disable", "--name-glob", "nightly-*", "-r", "us-east-2")


def _watched(outside: Outside) -> Sequence[str]:
    refs = [
        _add(outside, "tencent", targets={"running": 9, "succeeded": 3}),
        _add(outside, "alibaba", targets={"running": 9, "pending": 31}, age=750),
        _add(outside, "aws", "command", targets={"succeeded": 61, "failed": 2, "running": 37}, age=270),
    ]
    return ("status", "--watch", *refs)


def _add(outside: Outside, provider: str, kind: str = "invocation", *, count: int = 1, **spec: object) -> str:
    wanted = {"name": _NAME, "document": _NAME, "age": 210.0, "runs_for": 3600.0, **spec}
    return [outside.add(provider, kind, **wanted) for _ in range(count)][-1]


def _asked_and_waiting(outside: Outside, terminal: Terminal) -> None:
    """All asked; one more ends; then one cloud asks for patience."""
    terminal.until(
        lambda text: "without a reply" not in text and "no reply yet" not in text and "100 ended" in text, seconds=90
    )
    outside.box.clock.advance(30)
    terminal.until("101 ended")
    outside.faults({"kind": "throttle", "provider": "alibaba", "retry_after": 9000})
    terminal.until("next try in 3 s")


PICTURES: Mapping[str, Picture] = {
    "window": Picture(title="A cancel that cannot stop everything", begin=_window, fleet=True),
    "board": Picture(title="While it watches", begin=_deploy, until=_asked_and_waiting),
    "watch": Picture(
        title="Watching", begin=_watched, until=lambda outside, terminal: terminal.until("Ctrl-C").until("37 running")
    ),
    "several": Picture(title="Several runs, the end", begin=lambda outside: (*_few(outside), "--confirm", "4")),
    "list": Picture(title="What is there", begin=_mixed),
    "plan": Picture(title="What a cancel would do", begin=lambda outside: (*_few(outside), "--dry-run")),
    "consent": Picture(
        title="The question", begin=_few, until=lambda outside, terminal: terminal.until("Type 4 to confirm")
    ),
    "pick": Picture(
        title="Choosing runs by hand",
        begin=_many_to_pick,
        until=lambda outside, terminal: terminal.until("Enter: none"),
        lines=24,
    ),
    "large": Picture(title="Many runs, the end", begin=_large),
    "report": Picture(title="The incident report", begin=_reported, lines=60),
    "triggers": Picture(
        title="What starts runs",
        begin=lambda _: ("triggers", "--kind", "window,rule", "-r", "us-east-2"),
        fleet=True,
    ),
    "disable": Picture(
        title="Before triggers are disabled",
        begin=_switched,
        until=lambda outside, terminal: terminal.until("y/N"),
        fleet=True,
    ),
    "refusal": Picture(title="Nobody to ask", begin=lambda outside: (*_few(outside), "--no-input")),
}


FILM = "film"
"""The moving picture of the main job: the command, the confirmation, the wait, the result."""


def filmed(home: Path) -> str:
    """The moving picture as SVG; between its pictures time stands still or is moved by hand."""
    with Outside(home, speed=0) as outside:
        argv = list(_two(outside))
        typed = f"\x1b[1m$ runcancel {' '.join(argv)}\x1b[0m\r\n"
        with Terminal(outside, *argv, columns=100, lines=_LINES, prompt=typed, env={"TZ": "UTC"}) as terminal:
            pictures = [(_steady(terminal), 2.0)]
            terminal.until("Type 2 to confirm")
            pictures.append((_steady(terminal), 7.0))
            terminal.send("2")
            terminal.until("lists them): 2")
            pictures.append((_steady(terminal), 1.0))
            terminal.send("\r")
            terminal.end()
            pictures.append((_steady(terminal), 9.0))
            return film(pictures, title=f"runcancel {' '.join(argv)}")


def main(folder: Path, wanted: Sequence[str]) -> None:
    """Take the pictures, or those that are named."""
    if not wanted or FILM in wanted:
        with tempfile.TemporaryDirectory() as home:
            (folder / f"{FILM}.svg").write_text(filmed(Path(home) / "home"))
    for name in PICTURES:
        for columns in WIDTHS:
            if not wanted or f"{name}-{columns}" in wanted or name in wanted:
                with tempfile.TemporaryDirectory() as home:
                    (folder / f"{name}-{columns}.svg").write_text(taken(name, columns, Path(home) / "home"))
                    print(f"{folder / f'{name}-{columns}.svg'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
