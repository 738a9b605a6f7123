"""The configuration file: what it may hold, what is said of one that is wrong, and what writing keeps."""

import contextlib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcancel import config
from runcancel.config import Config, Context
from runcancel.errors import UsageError

WHOLE = """\
# ours
default = ["prod"]

[contexts.prod]        # the big one
provider = "aws"
profile = "prod"
regions = ["us-east-2"]
protected = true

[contexts.cn]
provider = "alibaba"

[groups]
both = ["prod", "cn"]

[caps]
max_runs = 10
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "config.toml"


def written(file: Path, text: str = WHOLE) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_missing_file_is_an_empty_configuration(file: Path) -> None:
    assert config.load(file) == Config()


def test_a_whole_file_is_read(file: Path) -> None:
    found = config.load(written(file))

    assert found.contexts["prod"] == Context(provider="aws", profile="prod", regions=("us-east-2",), protected=True)
    assert found.expand(["both", "prod"]) == ("prod", "cn")
    assert found.caps.max_runs == 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = [1", "is no TOML: Unclosed array"),
        ('\n\n[contexts.a]\nprovider == "aws"', "line 4"),
        ("regons = 1", "no key regons"),
        ('[contexts.a]\nprovder = "aws"', "contexts.a.provder: there are provider"),
        ('[contexts.a]\nprovider = "aws"\nregions = [1]', "contexts.a.regions[0]: Expected `str`, got `int`"),
        ('[contexts.a]\nprovider = "azure"', "contexts.a.provider is “azure”: there are aws"),
        ("[contexts.a]\n", "contexts.a"),
        ('[groups]\ng = ["nobody"]', "groups.g names no context “nobody”"),
        ('[contexts.a]\nprovider = "aws"\n[groups]\na = ["a"]', "groups.a is the name of a context, too"),
        ('default = ["x"]', "default names no context or group “x”"),
        ("[caps]\nmax_runs = -1", "caps.max_runs is below zero"),
        ('[caps]\nmax_runs = "many"', "caps.max_runs: Expected"),
        ("contexts = 7", "contexts: Expected `object`"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(file: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.load(written(file, text))

    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_folder_and_bytes_are_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")

    for wrong in (tmp_path, tmp_path / "bytes"):
        with pytest.raises(UsageError):
            config.load(wrong)


@given(text=st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_usage_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("any") / "config.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))

    with contextlib.suppress(UsageError):
        assert isinstance(config.load(file), Config)


@given(
    name=st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12).filter(
        lambda name: name.isprintable() and not name.startswith("-")
    ),
    profile=st.none() | st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=9),
    regions=st.lists(st.sampled_from(["us-east-2", "eu-west-1", "all"]), max_size=2).map(tuple),
    protected=st.booleans(),
)
def test_what_is_added_is_read_back_and_the_rest_stays(
    tmp_path_factory: pytest.TempPathFactory, name: str, profile: str | None, regions: tuple[str, ...], protected: bool
) -> None:
    file = written(tmp_path_factory.mktemp("add") / "config.toml")
    context = Context(provider="tencent", profile=profile, regions=regions, protected=protected)
    if name in {"prod", "cn", "both"}:
        return
    try:
        config.add(file, name, context)
    except UsageError:
        assert file.read_text() == WHOLE
        return

    assert config.load(file).contexts == config.load(written(file.with_name("was"))).contexts | {name: context}
    assert "# ours" in file.read_text()
    assert "# the big one" in file.read_text()


def test_removing_takes_it_out_of_groups_and_default_and_keeps_comments(file: Path) -> None:
    stood = config.remove(written(file), "prod")

    assert stood == ("group both", "default")
    assert config.load(file) == Config(
        contexts={"cn": Context(provider="alibaba")}, groups={"both": ("cn",)}, caps=config.Caps(max_runs=10)
    )
    assert "# ours" in file.read_text()


def test_use_stands_before_the_tables(file: Path) -> None:
    config.add(file, "one", Context(provider="aws"))
    config.use(file, ["one"])

    assert tomllib.loads(file.read_text())["default"] == ["one"]
    assert config.load(file).default == ("one",)


@pytest.mark.parametrize("name", ["", "-x", "a\nb", "\u202e"])
def test_names_that_hide_or_look_like_options_are_refused(file: Path, name: str) -> None:
    with pytest.raises(UsageError):
        config.add(file, name, Context(provider="aws"))

    assert not file.exists()


def test_files_are_private_and_a_link_is_written_through(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "runcancel.toml"
    real.parent.mkdir()
    real.write_text("# kept in a repository\n")
    file = tmp_path / "config" / "config.toml"
    file.parent.mkdir()
    file.symlink_to(real)

    config.add(file, "one", Context(provider="aws"))

    assert file.is_symlink()
    assert real.read_text().startswith("# kept in a repository")
    assert real.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="nothing was"):
        config.add(tmp_path / "file" / "config.toml", "one", Context(provider="aws"))
