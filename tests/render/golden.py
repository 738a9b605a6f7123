"""The pictures that the tables are held against; `python -m tests.render.golden` draws them anew (with TZ=UTC)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from runcancel.model.states import State
from runcancel.render import Record

from . import samples
from .printing import written

FOLDER = Path(__file__).with_name("golden")
WIDTHS = (40, 80, 200)

PICTURES: Mapping[str, tuple[str, str, Sequence[Record]]] = {
    "status": (
        "table",
        "status",
        (
            samples.run(),
            samples.run(
                samples.SCRIPT,
                State.PENDING,
                name="补丁 openssl",
                counts={State.PENDING: 31, State.SUCCEEDED: 9},
                target_count=45,
            ),
        ),
    ),
    "status-wide": ("wide", "status", (samples.run(), samples.run(samples.PATCH, State.TERMINATED))),
    "status-one": ("table", "status", (samples.run(),)),
    "invocations": (
        "table",
        "invocations",
        (
            samples.invocation(1, State.SUCCEEDED),
            samples.invocation(2, State.RUNNING, child=samples.CHILD),
            samples.invocation(3, State.PENDING),
            samples.invocation(3, State.RUNNING, ref=samples.PATCH),
        ),
    ),
    "plan": ("table", "plan", (samples.plan_item(), samples.plan_item(samples.PATCH, ask=False))),
    "cancel": ("table", "cancel", (samples.reported(), samples.partial(), samples.requested(), samples.failed())),
    "cancel-many": ("table", "cancel", samples.large_cancel()),
    "cancel-reported": ("table", "cancel", (samples.reported(),)),
    "cancel-partial": ("table", "cancel", (samples.partial(),)),
    "cancel-requested": ("table", "cancel", (samples.requested(),)),
    "cancel-failed": ("table", "cancel", (samples.failed(),)),
}
"""Name of the picture -> format, answer, records."""


def picture(name: str, width: int) -> Path:
    """Where one picture is kept."""
    return FOLDER / f"{name}-{width}.txt"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, (format, answer, records) in PICTURES.items():
        for width in WIDTHS:
            picture(name, width).write_text(written(format, answer, records, width=width), encoding="utf-8")
