"""The skeletons that every verb prints; `python -m tests.cli.skeletons` writes the kept ones anew."""

from pathlib import Path

from runcancel.cli.app import load
from runcancel.cli.support.skeleton import request_skeleton
from runcancel.cli.verbs import VERBS

FOLDER = Path(__file__).with_name("skeletons")
TAKES = tuple(verb for verb in VERBS if verb not in ("sandbox", "help"))
"""The verbs that take a request: all but those that connect to nothing."""


def kept(verb: str) -> Path:
    """Where the skeleton of a verb is kept."""
    return FOLDER / f"{verb}.json"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for verb in TAKES:
        kept(verb).write_text(request_skeleton(load(verb)), encoding="utf-8")
