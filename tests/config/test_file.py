"""The configuration file: what it may hold, what is said of one that is wrong, and what writing keeps."""

import contextlib
import threading
import tomllib
from pathlib import Path

import pytest
from fuzz.budget import tries
from hypothesis import given
from hypothesis import strategies as st

from runcancel.config import edit
from runcancel.config import file as config_file
from runcancel.config.file import Config, Context
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


ROLE = '[contexts.a]\nprovider = "aws"\nrole_arn = "arn:aws:iam::111122223333:role/path/ops"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "config.toml"


def written(file: Path, text: str = WHOLE) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_missing_file_is_an_empty_configuration(file: Path) -> None:
    assert config_file.load(file) == Config()


def test_a_whole_file_is_read(file: Path) -> None:
    found = config_file.load(written(file))

    assert found.contexts["prod"] == Context(provider="aws", profile="prod", regions=("us-east-2",), protected=True)
    assert found.expand(["both", "prod"]) == ("prod", "cn")
    assert found.caps.max_runs == 10


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = [1", "is not valid TOML: Unclosed array"),
        ('\n\n[contexts.a]\nprovider == "aws"', "line 4"),
        ("regons = 1", "unknown key regons"),
        ('[contexts.a]\nprovder = "aws"', "contexts.a.provder. Expected one of: provider"),
        ('[contexts.a]\nprovider = "aws"\nregions = [1]', "contexts.a.regions[0]: Expected `str`, got `int`"),
        ('[contexts.a]\nprovider = "azure"', "contexts.a.provider is “azure”. Expected one of: aws"),
        ("[contexts.a]\n", "contexts.a.provider is missing. Expected one of: aws"),
        ('[contexts.a]\nprovider = "awss"', "did you mean aws?"),
        ('[contexts."a.b"]\nprovider = "aws"\nregions = [1]', 'contexts."a.b".regions[0]: Expected'),
        (
            '[contexts.a]\nprovider = "aws"\nregions = ["all", "evil.com/"]',
            "contexts.a.regions[1] “evil.com/” is not a region",
        ),
        ('[contexts.a]\nprovider = "aws"\nprofile = ""', "contexts.a.profile is empty"),
        ('[contexts.a]\nprovider = "aws"\nendpoint_url = "http://x.com"', "contexts.a.endpoint_url: plain http only"),
        ('[contexts.a]\nprovider = "aws"\nsts_endpoint_url = "http://x.com"', "contexts.a.sts_endpoint_url: plain"),
        ('[contexts.a]\nprovider = "aws"\nendpoint_url = "https://me:word@x.com"', "cannot have a user"),
        ('[contexts.a]\nprovider = "aws"\nrole_arn = "arn:aws:iam::1:role/x"', "a.role_arn is “arn:aws:iam::1:role/x”"),
        (
            '[contexts.a]\nprovider = "aws"\nrole_arn = "acs:ram::12345:role/x"',
            "which is not a role of AWS. Expected arn:",
        ),
        ('[contexts.a]\nprovider = "aws"\nexternal_id = "x1"', "contexts.a.external_id needs role_arn"),
        ('[contexts.a]\nprovider = "aws"\nsource_profile = "x"', "contexts.a.source_profile needs role_arn"),
        ('[contexts.a]\nprovider = "aws"\nrole_chain = ["x"]', "contexts.a.role_chain needs role_arn"),
        (f'{ROLE}external_id = "a\\nb"', "contexts.a.external_id is empty or not printable"),
        (f'{ROLE}external_id = "a b"', "contexts.a.external_id is not an external id"),
        (f'{ROLE}profile = "p"', "contexts.a.profile excludes role_arn"),
        (f'{ROLE}account = "999988887777"', "contexts.a.role_arn is a role of account 111122223333, and account is"),
        (f'{ROLE}role_chain = ["x"]', "contexts.a.role_chain[0] is “x”, which is not a role of AWS"),
        ('[contexts.""]\nprovider = "aws"', 'contexts."" is a name that is empty'),
        ('[contexts."a\\u0007"]\nprovider = "aws"', "not printable"),
        ('[groups]\n"" = []', 'groups."" is a name that is empty'),
        ('[groups]\ng = ["nobody"]', "groups.g[0] names no context “nobody”"),
        ('[contexts.a]\nprovider = "aws"\n[groups]\na = ["a"]', "groups.a is also the name of a context"),
        ('default = ["x"]', "default[0] names no context or group “x”"),
        (f"[caps]\nmax_runs = {'9' * 5000}", "contains a number that is too long"),
        (f"a = {'[' * 20000}", "is nested too deeply"),
        ("[caps]\nmax_runs = -1", "caps.max_runs is negative"),
        ('[caps]\nmax_runs = "many"', "caps.max_runs: Expected"),
        ("contexts = 7", "contexts: Expected `object`"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(file: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        config_file.load(written(file, text))

    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert "word" not in caught.value.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "http://[::1]:5000", "http://localhost", "https://x.com"])
def test_plain_http_is_for_loopback(file: Path, url: str) -> None:
    text = f'[contexts.a]\nprovider = "alibaba"\nendpoint_url = "{url}"\n'

    assert config_file.load(written(file, text)).contexts["a"].endpoint_url == url


def test_an_empty_group_is_never_everything(file: Path) -> None:
    found = config_file.load(written(file, "[groups]\ng = []\n"))

    with pytest.raises(UsageError, match="has no contexts"):
        found.expand(["g"])


@pytest.mark.parametrize(
    ("environ", "where"),
    [({"XDG_CONFIG_HOME": "/etc/xdg"}, "/etc/xdg/runcancel/config.toml")],
)
def test_the_file_is_where_the_environment_says(environ: dict[str, str], where: str) -> None:
    assert config_file.path(environ) == Path(where)
    assert config_file.path({"XDG_CONFIG_HOME": "relative"}) == config_file.path({})


def test_a_folder_and_bytes_are_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")

    for wrong in (tmp_path, tmp_path / "bytes"):
        with pytest.raises(UsageError):
            config_file.load(wrong)


@given(text=st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_usage_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("any") / "config.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))

    with contextlib.suppress(UsageError):
        assert isinstance(config_file.load(file), Config)


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
        edit.add(file, name, context)
    except UsageError:
        assert file.read_text() == WHOLE
        return

    assert config_file.load(file).contexts == config_file.load(written(file.with_name("was"))).contexts | {
        name: context
    }
    assert "# ours" in file.read_text()
    assert "# the big one" in file.read_text()


def test_removing_takes_it_out_of_groups_and_default_and_keeps_comments(file: Path) -> None:
    stood = edit.remove(written(file), "prod")

    assert stood == ("group both", "default")
    assert config_file.load(file) == Config(
        contexts={"cn": Context(provider="alibaba")},
        groups={"both": ("cn",)},
        caps=config_file.LimitSettings(max_runs=10),
    )
    assert "# ours" in file.read_text()


COMMENTED = """\
# ours

default = [
  "a", # first
  "b", # second
]

# about a
[contexts.a] # header of a
provider = "aws" # in a

# about b
[contexts.b]
provider = "aws"

# about groups
[groups]
one = ["a"]
two = [
  "a", # two: a
  # alone
  "b", # two: b
]

# about caps
[caps]
max_runs = 1 # low
# the end
"""


def comments(text: str) -> list[str]:
    return [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]


def test_removing_leaves_every_comment_that_is_about_something_else(file: Path) -> None:
    stood = edit.remove(written(file, COMMENTED), "a")

    its_own = {"first", "header of a", "in a", "two: a"}
    assert comments(file.read_text()) == [one for one in comments(COMMENTED) if one not in its_own]
    assert stood == ("group one, which is removed with it", "group two", "default")
    assert config_file.load(file) == Config(
        default=("b",),
        contexts={"b": Context(provider="aws")},
        groups={"two": ("b",)},
        caps=config_file.LimitSettings(max_runs=1),
    )


def test_adding_and_using_leave_every_comment_where_it_was(file: Path) -> None:
    edit.add(written(file, COMMENTED), "c", Context(provider="aws"))
    edit.use(file, ["a", "b", "c"])

    assert comments(file.read_text()) == comments(COMMENTED)
    assert file.read_text().startswith(COMMENTED.partition("]\n")[0])
    assert config_file.load(file).default == ("a", "b", "c")


def test_the_default_goes_above_what_is_said_of_the_first_table(file: Path) -> None:
    edit.use(written(file, '# ours\n\n# about a\n[contexts.a]\nprovider = "aws"\n'), ["a"])

    assert file.read_text() == '# ours\n\ndefault = ["a"]\n\n# about a\n[contexts.a]\nprovider = "aws"\n'


def test_a_group_that_would_be_empty_goes_with_its_last_context(file: Path) -> None:
    text = 'default = ["g"]\n[contexts.a]\nprovider = "aws"\n[groups]\ng = ["a"]\n'

    assert edit.remove(written(file, text), "a") == ("group g, which is removed with it", "default")
    assert config_file.load(file) == Config()


@pytest.mark.parametrize(
    "text",
    [
        'contexts = {a = {provider = "aws"}, b = {provider = "aws"}}\n',
        'contexts.a.provider = "aws"\ncontexts.b.provider = "aws"\ncaps.max_runs = 1\n',
        '[contexts]\na = {provider = "aws"}\nb.provider = "aws"\n[caps]\n',
        '[contexts.a]\nprovider = "aws"\n[caps]\n[contexts.b]\nprovider = "aws"\n[groups]\ng = ["a", "b"]',
        '\ufeff[contexts.b]\r\nprovider = "aws"\r\n# x\r\n[ contexts . "a" ]\r\nprovider = "aws"\r\n',
        '[contexts.a]\nprovider = "aws"\nprofile = """\n[x"""\n[contexts.b]\nprovider = "aws"',
    ],
)
@pytest.mark.parametrize("how", ["add", "remove", "use", "rename"])
def test_other_ways_to_write_it_are_changed_rightly_or_left_alone(file: Path, text: str, how: str) -> None:
    was = config_file.load(written(file, text))
    before = file.read_bytes()
    try:
        if how == "add":
            edit.add(file, "c", Context(provider="tencent"))
        elif how == "remove":
            edit.remove(file, "a")
        elif how == "rename":
            edit.rename(file, "a", "c d")
        else:
            edit.use(file, ["b"])
    except UsageError as error:
        said = error.message
    else:
        said = ""
    if said:
        assert "cannot be edited automatically" in said
        assert file.read_bytes() == before
        return

    now = config_file.load(file)
    assert (
        set(now.contexts) == {"add": {"a", "b", "c"}, "remove": {"b"}, "use": {"a", "b"}, "rename": {"c d", "b"}}[how]
    )
    assert now.default == (("b",) if how == "use" else ())
    assert now.contexts["b"] == was.contexts["b"]
    assert now.caps == was.caps


def test_a_broken_file_is_not_written(file: Path) -> None:
    for text in ("a = [1", "regons = 1"):
        written(file, text)
        for change in (
            lambda: edit.add(file, "x", Context(provider="aws")),
            lambda: edit.remove(file, "x"),
            lambda: edit.use(file, []),
        ):
            with pytest.raises(UsageError):
                change()
        assert file.read_text() == text


@pytest.mark.parametrize(
    "context",
    [
        Context(provider="azure"),
        Context(provider="aws", regions=("nowhere",)),
        Context(provider="aws", endpoint_url="http://example.com"),
        Context(provider="aws", profile=""),
    ],
)
def test_a_wrong_context_is_not_added(file: Path, context: Context) -> None:
    with pytest.raises(UsageError, match=r"contexts\.x\."):
        edit.add(file, "x", context)

    assert not file.exists()


def test_writers_at_once_lose_nothing(file: Path) -> None:
    names = [f"c{index}" for index in range(12)]
    writers = [threading.Thread(target=edit.add, args=(file, name, Context(provider="aws"))) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert sorted(config_file.load(file).contexts) == sorted(names)
    assert sorted(left.name for left in file.parent.iterdir()) == [".lock", "config.toml"]


NAMES = ("a", "b", "c.d", "é", "x y")


@st.composite
def files(draw: st.DrawFn) -> str:
    """A valid file whose every comment is unique, in an order of its own."""
    count = iter(range(1000))

    def quoted(name: str) -> str:
        return f'"{name}"'

    def remark(why: str) -> str:
        lines = draw(st.integers(0, 2))
        return "\n" * draw(st.integers(0, 1)) + "".join(f"# {why} {next(count)}\n" for _ in range(lines))

    def several(names: list[str]) -> str:
        if draw(st.booleans()):
            return f"[{', '.join(quoted(name) for name in names)}]"
        return "[\n" + "".join(f"  {quoted(name)}, # item {name} {next(count)}\n" for name in names) + "]"

    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    subset = st.lists(st.sampled_from(names), unique=True, min_size=1)
    tables = [
        f'[contexts.{quoted(name)}] # own {name} {next(count)}\nprovider = "aws" # own {name} {next(count)}\n'
        for name in names
    ]
    tables.append("[groups]\n" + "".join(f"g{index} = {several(draw(subset))}\n" for index in range(2)))
    tables.append("[caps]\nmax_runs = 3 # kept\n")
    head = remark("kept") + (f"default = {several(draw(subset))}\n" if draw(st.booleans()) else "")
    return head + "".join(remark("kept") + table for table in draw(st.permutations(tables))) + remark("kept")


@tries(30)
@given(text=files(), data=st.data())
def test_what_is_written_means_what_was_asked_and_keeps_the_comments(
    tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject
) -> None:
    file = written(tmp_path_factory.mktemp("kept") / "config.toml", text)
    was = config_file.load(file)
    name = data.draw(st.sampled_from(list(was.contexts)))
    used = data.draw(st.lists(st.sampled_from(list(was.contexts)), unique=True))

    edit.add(file, "new", Context(provider="tencent", protected=True))
    assert set(comments(text)) == set(comments(file.read_text()))

    edit.remove(file, name)
    left = [one for one in comments(text) if not one.startswith((f"own {name} ", f"item {name} "))]
    groups = {group: tuple(one for one in members if one != name) for group, members in was.groups.items()}
    now = config_file.load(file)
    assert {one for one in left if one.startswith(("kept", "own"))} <= set(comments(file.read_text()))
    assert now.groups == {group: members for group, members in groups.items() if members}
    assert list(now.contexts) == [one for one in (*was.contexts, "new") if one != name]
    assert now.default == tuple(one for one in was.default if one != name)

    edit.use(file, [one for one in used if one != name])
    assert config_file.load(file) == Config(
        default=tuple(one for one in used if one != name), contexts=now.contexts, groups=now.groups, caps=now.caps
    )
    assert {one for one in left if one.startswith(("kept", "own"))} <= set(comments(file.read_text()))


@tries(30)
@given(text=files(), data=st.data())
def test_a_rename_changes_the_name_and_not_one_character_more(
    tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject
) -> None:
    file = written(tmp_path_factory.mktemp("renamed") / "config.toml", text)
    was = config_file.load(file)
    old = data.draw(st.sampled_from(list(was.contexts)))
    new = data.draw(st.sampled_from(["a new one", "für alle", "x.y", 'q"uo\\te']))

    edit.rename(file, old, new)

    now = config_file.load(file)
    assert list(now.contexts) == [new if one == old else one for one in was.contexts]
    assert now.contexts[new] == was.contexts[old]
    assert comments(file.read_text()) == comments(text)
    edit.rename(file, new, old)
    assert config_file.load(file) == was
    again = file.read_text()
    assert again.replace(f'"{old}"', old) == text.replace(f'"{old}"', old)


@tries(30)
@given(text=files(), data=st.data())
def test_groups_change_without_losing_a_comment_of_something_else(
    tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject
) -> None:
    file = written(tmp_path_factory.mktemp("groups") / "config.toml", text)
    was = config_file.load(file)
    members = data.draw(st.lists(st.sampled_from(list(was.contexts)), unique=True, min_size=1))
    group = data.draw(st.sampled_from(["g0", "g1", "a new one"]))

    made = edit.add_to_group(file, group, members)

    grown = tuple(dict.fromkeys((*was.groups.get(group, ()), *members)))
    assert made is (group not in was.groups)
    assert config_file.load(file).groups == was.groups | {group: grown}
    assert [one for one in comments(file.read_text()) if not one.startswith("item")] == [
        one for one in comments(text) if not one.startswith("item")
    ]

    gone = edit.remove_from_group(file, group, members)

    left = tuple(one for one in grown if one not in members)
    assert gone is (not left)
    now = config_file.load(file)
    assert now.groups == {
        **{one: each for one, each in was.groups.items() if one != group},
        **({group: left} if left else {}),
    }
    assert (now.contexts, now.default, now.caps) == (was.contexts, was.default, was.caps)
    assert {one for one in comments(text) if one.startswith(("kept", "own"))} <= set(comments(file.read_text()))


def test_use_stands_before_the_tables(file: Path) -> None:
    edit.add(file, "one", Context(provider="aws"))
    edit.use(file, ["one"])

    assert tomllib.loads(file.read_text())["default"] == ["one"]
    assert config_file.load(file).default == ("one",)


@pytest.mark.parametrize("name", ["", " ", " a", "a,b", "-x", "a\nb", "\u202e"])
def test_names_that_hide_or_look_like_options_are_refused(file: Path, name: str) -> None:
    with pytest.raises(UsageError):
        edit.add(file, name, Context(provider="aws"))

    assert not file.exists()


@pytest.mark.parametrize("target", ["real", "nowhere"])
def test_a_link_in_the_place_of_the_file_is_neither_read_nor_written(tmp_path: Path, target: str) -> None:
    real = tmp_path / "real"
    real.write_text('[contexts.a]\nprovider = "aws"\n')
    file = tmp_path / "config" / "config.toml"
    file.parent.mkdir()
    file.symlink_to(tmp_path / target)

    for attempt in (lambda: config_file.load(file), lambda: edit.add(file, "one", Context(provider="aws"))):
        with pytest.raises(UsageError, match="is a link"):
            attempt()
    assert file.is_symlink()
    assert real.read_text() == '[contexts.a]\nprovider = "aws"\n'


def test_a_folder_that_is_a_link_is_taken(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "config").symlink_to(tmp_path / "dotfiles")

    edit.add(tmp_path / "config" / "config.toml", "one", Context(provider="aws"))

    assert "one" in config_file.load(tmp_path / "config" / "config.toml").contexts
    assert (tmp_path / "dotfiles" / "config.toml").stat().st_mode & 0o077 == 0


def test_the_folder_is_private(file: Path) -> None:
    edit.add(file, "one", Context(provider="aws"))

    assert file.parent.stat().st_mode & 0o077 == 0
    assert all(left.stat().st_mode & 0o077 == 0 for left in file.parent.iterdir())


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="nothing was"):
        edit.add(tmp_path / "file" / "config.toml", "one", Context(provider="aws"))
