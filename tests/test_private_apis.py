"""What has no public way in a library: one module holds it, and a test here fails when the library changes it."""

import getpass
import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pytest
from botocore.credentials import AssumeRoleProvider, Credentials, RefreshableCredentials
from botocore.session import Session
from sources import MODULES, source

from runcancel.providers.aws import private


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


def test_keys_that_are_renewed_have_an_end() -> None:
    end = datetime(2026, 11, 28, 12, tzinfo=UTC)
    keys = RefreshableCredentials("a", "b", "c", end, refresh_using=dict, method="x")

    assert private.end_of(keys) == end.timestamp()
    assert private.end_of(Credentials("a", "b")) is None


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
    readers = {module for module in MODULES if pattern.search(source(module))}

    assert readers <= {"config/toml.py", "model/encoding.py"}  # the second raises one in the same words
