"""What is in a release, as CycloneDX: of the Python packages, and of the self-contained build."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from archive import BUNDLED, packages
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from libraries import libraries, shared_files

_VERSION = SchemaVersion.V1_6

Document = dict[str, Any]


def of_packages(source: Path) -> Document:
    """The SBOM of the wheel: itself, what it needs, and what they need."""
    return _of_environment(
        source, [package.name for package in packages(source) if _plain(package.name) not in BUNDLED]
    )


def of_folder(source: Path, tree: Path) -> Document:
    """The SBOM of a self-contained build: the packages, the interpreter, and the libraries with their digests."""
    document = _of_environment(source, [package.name for package in packages(source)])
    files = shared_files(tree / "_internal")
    parts = []
    for library in libraries(source / "LICENSE"):
        own = [file for file in files if library.has(file.name)]
        if own or library.version:
            parts.append(
                {
                    "bom-ref": f"library:{library.name}",
                    "type": "library",
                    "name": library.name,
                    **({"version": library.version} if library.version else {}),
                    "licenses": [_licence(library.licence)],
                    "components": [_file(file) for file in own],
                }
            )
    document["components"] += parts
    root = document["metadata"]["component"]["bom-ref"]
    inside = [part["bom-ref"] for part in document["components"] if _plain(part["name"]) in BUNDLED or part in parts]
    for entry in document["dependencies"]:
        if entry["ref"] == root:
            entry["dependsOn"] = sorted({*entry.get("dependsOn", ()), *inside})
    document["dependencies"] += [{"ref": part["bom-ref"]} for part in parts]
    return document


def write(file: Path, document: Document) -> None:
    """Write a document that the schema of CycloneDX accepts."""
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    error = JsonStrictValidator(_VERSION).validate_str(text)
    if error is not None:
        sys.exit(f"{file.name} is no CycloneDX document: {error}")
    file.write_text(text, encoding="utf-8")


def _of_environment(source: Path, names: Iterable[str]) -> Document:
    """What cyclonedx-py sees with this Python, without what else is installed here."""
    command = (Path(sys.executable).parent / "cyclonedx-py", "environment", "--output-reproducible", "--of", "JSON")
    options = ("--sv", _VERSION.to_version(), "--pyproject", source / "pyproject.toml", sys.executable)
    document: Document = json.loads(subprocess.run([*command, *options], check=True, capture_output=True).stdout)
    wanted = {_plain(name) for name in names}
    kept = [part for part in document["components"] if _plain(part["name"]) in wanted]
    refs = {part["bom-ref"] for part in kept} | {document["metadata"]["component"]["bom-ref"]}
    edges = [
        {**entry, **({"dependsOn": sorted(set(entry["dependsOn"]) & refs)} if "dependsOn" in entry else {})}
        for entry in document["dependencies"]
        if entry["ref"] in refs
    ]
    return {**document, "components": kept, "dependencies": edges}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(name: str) -> Document:
    return {"expression": name} if " " in name else {"license": {"id": name}}


def _file(file: Path) -> Document:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"type": "file", "name": file.name, "hashes": [{"alg": "SHA-256", "content": digest}]}
