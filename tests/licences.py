"""The licences of everything that is installed with runcancel: `docs/licences.md`, and what may be in it.

`python tests/licences.py` writes the page; `--check` fails for a licence that is not allowed, and says when the page is
stale: what another version of a library needs is no fault of this repository.
"""

import re
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ALLOWED = {
    "Apache": "Apache-2.0",
    "MIT": "MIT",
    "BSD": "BSD",
    "PSF|Python": "PSF-2.0",
    "ISC": "ISC",
    "MPL|Mozilla": "MPL-2.0",
}
"""What a permissive licence's name holds, and what it is called here; MPL binds only who changes that library."""

_HEAD = """\
# Licences

runcancel is licensed under Apache-2.0. These packages are installed with it; `make check` refuses a licence that is
neither permissive nor MPL-2.0. Written by `make generate`.

| package | licence |
|---|---|
"""


_MPL = """
**{name} is under MPL-2.0**, a weak copyleft: who distributes changed files of {name} publishes those files under
MPL-2.0. runcancel uses it as it is published, changes no file of it, and has none of its files in its own distribution.
"""


_LGPL = """
## With `runcancel[postgres]`

| package | licence |
|---|---|
{table}
A journal on one machine needs none of them. **psycopg is under LGPL-3.0**, a weak copyleft. Who distributes a changed
psycopg publishes the changes. Who distributes it inside a program lets the user replace it. runcancel has none of its
files.
"""


def installed() -> dict[str, str]:
    """The packages that are needed at run time, each with its licence as it is called here."""
    return _needed(PROJECT["dependencies"], "")


def optional() -> dict[str, str]:
    """The packages that the team's journal needs besides."""
    needed = _needed(PROJECT["optional-dependencies"]["postgres"], "binary")
    return {name: text for name, text in needed.items() if name not in installed()}


def _needed(requirements: list[str], extra: str) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = [requirements]
    while waiting:
        for text in waiting.pop():
            requirement = Requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
                continue
            key = re.sub(r"[-_.]+", "-", requirement.name).lower()
            if key in found:
                continue
            try:
                found[key] = licence(distribution(key))
            except PackageNotFoundError:  # for another platform
                continue
            waiting.append(distribution(key).requires or [])
    return dict(sorted(found.items()))


def licence(package: Distribution) -> str:
    """The licence as its package states it: the expression, else its classifiers, else the field."""
    about = package.metadata
    expression = about.get("License-Expression")
    if expression:
        return _called(str(expression))
    classifiers = [
        text.rpartition(" :: ")[2] for text in about.get_all("Classifier") or () if text.startswith("License ::")
    ]
    stated = [text for text in classifiers if text != "OSI Approved"]
    return _called(", ".join(stated) or str(about.get("License") or "not stated").splitlines()[0])


def _called(text: str) -> str:
    """The licence in few words; as it stands when none of them is allowed."""
    if re.search("LGPL|Lesser General", text):
        return "LGPL-3.0"
    return ", ".join(name for pattern, name in ALLOWED.items() if re.search(pattern, text)) or text


def page() -> str:
    """The page as it should be."""
    found = installed()
    table = "".join(f"| {name} | {text} |\n" for name, text in found.items())
    extra = "".join(f"| {name} | {text} |\n" for name, text in optional().items())
    weak = "".join(_MPL.format(name=name) for name, text in found.items() if "MPL-2.0" in text)
    return _HEAD + table + weak + _LGPL.format(table=extra)


def refused() -> list[str]:
    """Packages whose licence is not allowed."""
    wrong = {name: text for name, text in installed().items() if text.split(", ")[0] not in ALLOWED.values()}
    wrong |= {name: text for name, text in optional().items() if text not in (*ALLOWED.values(), "LGPL-3.0")}
    return [f"{name}: {text}" for name, text in wrong.items()]


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    if PAGE.read_text(encoding="utf-8") != page():
        print("docs/licences.md is stale: make generate")
    print(
        "\n".join(f"not allowed: {each}" for each in refused())
        or f"{len(installed())} packages, all permissive or MPL-2.0"
    )
    sys.exit(bool(refused()))
