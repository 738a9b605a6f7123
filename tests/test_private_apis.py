"""What has no public way in a library: one module holds it, and a test here fails when the library changes it."""

import ast
import getpass
import re
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from botocore.credentials import AssumeRoleProvider
from botocore.session import Session

import runcancel

ROOT = Path(runcancel.__file__).parent
HOLDERS = {
    "providers/aws/private.py": {
        *("_ini_parser", "_config_parser", "_fetcher", "_role_fetcher", "_session"),
        *("_prompter", "_profile_provider_builder", "_sso_token_cache", "_login_token_cache"),
    },
}
"""Module -> the private names of libraries in it, no name in two modules."""

OWN = re.compile(r"_[a-z]")


def private_names(path: Path) -> set[str]:
    """Names of others that begin with an underscore: imported, or attributes of what is neither `self` nor `cls`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    defined |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _is_self(node.value)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("runcancel"):
            words = {*(node.module or "").split("."), *(alias.name for alias in node.names)}
            found |= {word for word in words if OWN.match(word)}
        elif isinstance(node, ast.Attribute) and OWN.match(node.attr) and not _is_self(node.value):
            found |= {node.attr} - defined
    return found - {"_exit"}  # `os._exit` is documented


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def test_one_module_holds_each_private_api() -> None:
    holders = {str(path.relative_to(ROOT)): private_names(path) for path in sorted(ROOT.rglob("*.py"))}

    assert {name: found for name, found in holders.items() if found} == HOLDERS


def test_the_sources_of_botocore_keep_what_they_get_where_it_is_replaced() -> None:
    resolver = Session().get_component("credential_provider")
    roles = resolver.get_provider("assume-role")

    assert isinstance(roles, AssumeRoleProvider)
    assert roles._prompter is getpass.getpass
    assert {"_sso_token_cache", "_login_token_cache"} <= vars(roles._profile_provider_builder).keys()
    assert callable(resolver.get_provider("shared-credentials-file")._ini_parser)
    assert callable(resolver.get_provider("config-file")._config_parser)
    assert "_fetcher" in vars(resolver.get_provider("container-role"))
    assert "_session" in vars(resolver.get_provider("iam-role")._role_fetcher)


class Record(msgspec.Struct, forbid_unknown_fields=True):
    number: Annotated[int, msgspec.Meta(ge=1)]
    table: dict[str, "Record"] = {}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "Object missing required field `number`"),
        ({"number": 1, "other": 2}, "Object contains unknown field `other`"),
        ({"number": "x"}, "Expected `int`, got `str` - at `$.number`"),
        ({"number": 0}, "Expected `int` >= 1 - at `$.number`"),
        ({"number": 1, "table": {"a": {}}}, "Object missing required field `number` - at `$.table[...]`"),
    ],
)
def test_errors_of_msgspec_read_as_config_toml_reads_them(data: dict[str, object], text: str) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.convert(data, Record)

    assert str(error.value) == text


def test_one_module_reads_the_errors_of_msgspec() -> None:
    pattern = re.compile(r"Object contains unknown|Object missing required|Expected `")
    readers = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if pattern.search(path.read_text("utf-8"))}

    assert readers <= {"config/toml.py", "model/encoding.py"}  # the second raises one in the same words
