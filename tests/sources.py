"""The modules of the program as text and as syntax trees, for the tests that read them."""

import ast
from functools import cache
from pathlib import Path

import runcancel

ROOT = Path(runcancel.__file__).parent
MODULES = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.rglob("*.py"))}
"""Every file of the program, by the name that `docs/layout.md` has for it."""


def source(module: str) -> str:
    """What a file holds."""
    return MODULES[module].read_text(encoding="utf-8")


@cache
def nodes(module: str) -> tuple[ast.AST, ...]:
    """Every node of the syntax tree of a file. Each file is parsed once in a process."""
    return tuple(ast.walk(ast.parse(source(module))))


@cache
def imports(module: str) -> frozenset[str]:
    """The files of the program that a file imports, at its top or when needed."""
    found: set[str] = set()
    for node in nodes(module):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if _file_of(name)}
            found |= modules if modules == inner else modules | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(file for name in found if (file := _file_of(name)))


def _file_of(name: str) -> str | None:
    """The file of a module of the program."""
    package, _, inner = name.partition(".")
    if package != "runcancel":
        return None
    path = inner.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__init__.py".removeprefix("/")) if file in MODULES), None)
