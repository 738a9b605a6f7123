"""An import, whatever the names of accounts are: it is idempotent, and it leaves what a person made alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcancel.config import file as config_file
from runcancel.config.import_file import write_changes
from runcancel.config.imports import ImportOptions, changes
from runcancel.config.references import parse
from runcancel.errors import UsageError
from runcancel.model.inventory import Account, Inventory

HAND_MADE = """\
# ours
[contexts.prod]  # the one
provider = "aws"
account = "999988887777"

[contexts.web]
provider = "tencent"

[groups]
team = ["prod", "web"]
"""

TEXT = st.text(max_size=30) | st.sampled_from(["prod", "web", "team", "a b", "-x", "..", "@", "x\ny", "a,b"])
ACCOUNTS = st.lists(
    st.builds(
        Account,
        id=st.integers(111122223300, 111122223309).map(str),
        name=TEXT,
        tags=st.none() | st.lists(TEXT, max_size=3).map(tuple),
        profile=st.just("hub"),
    ),
    max_size=4,
    unique_by=lambda one: (one.id, one.name),
)


def imported(file: Path, accounts: list[Account], source: str = "c7n-org a.yml") -> dict[str, str]:
    config = config_file.load(file)
    inventory = Inventory(provider="aws", source=source, accounts=tuple(accounts), exhaustive=True)
    found = changes(config, inventory, ImportOptions())
    write_changes(file, found, config)
    return {one.name: one.row.change for one in found}


@given(accounts=ACCOUNTS, others=ACCOUNTS)
def test_any_accounts_become_contexts_once(
    accounts: list[Account], others: list[Account], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("import") / "config.toml"
    file.write_text(HAND_MADE)

    first = imported(file, accounts)
    text = file.read_text()
    again = imported(file, accounts)
    known = config_file.load(file)

    assert set(first.values()) <= {"added"}
    assert len(first) == len(accounts)
    assert set(again.values()) <= {"unchanged"}
    assert file.read_text() == text
    assert text.startswith(HAND_MADE)
    for name, context in known.contexts.items():
        assert parse(f"{name}@aws:us-east-2:command/4f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b").context == name
        assert known.expand([name]) == (name,)
        assert all(name in known.expand([tag]) for tag in context.tags)

    imported(file, others)

    assert file.read_text().startswith(HAND_MADE)
    assert known.contexts.keys() <= config_file.load(file).contexts.keys()


def test_a_file_that_another_process_changed_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(HAND_MADE)
    config = config_file.load(file)
    inventory = Inventory(
        provider="aws", source="c7n-org a.yml", accounts=(Account(id="111122223333", name="x", profile="p"),)
    )
    found = changes(config, inventory, ImportOptions())
    file.write_text(HAND_MADE.replace("team", "crew"))

    with pytest.raises(UsageError, match="was changed meanwhile; nothing was changed"):
        write_changes(file, found, config)

    assert "crew" in file.read_text()


@pytest.mark.parametrize("source", ["c7n-org b.yml", "aws-organization o-other00000"])
def test_imports_of_two_sources_leave_each_other_alone(source: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    account = Account(id="111122223333", name="x", profile="p")

    assert imported(file, [account]) == {"x": "added"}
    assert imported(file, [account], source) == {"x-111122223333": "skipped"}
    assert imported(file, [], source) == {}
    assert imported(file, []) == {"x": "missing"}
    assert list(config_file.load(file).contexts) == ["x"]
