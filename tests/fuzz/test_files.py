"""Files that somebody damaged or forged: one clear refusal, or exactly what a sound file would have given."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from outside import COMMAND, TENCENT, WINDOW, Outside

from fuzz.budget import tries
from fuzz.liar import Change, lies
from runcancel import environment
from runcancel.cli import options
from runcancel.config import file as config_file
from runcancel.config import references, settings
from runcancel.config.search_scopes import search_scopes
from runcancel.engine.saved import SavedPlan, read_list, read_plan
from runcancel.errors import CloudError, JournalError, Refused, UsageError
from runcancel.journal.store import JournalStore
from runcancel.model.outcomes import Operation, PlanItem
from runcancel.providers import provider
from runcancel.render.screens.notes import problem_lines, problem_of
from runcancel.sandbox.wire import Reply
from runcancel.text import is_plain

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
_any_text = st.text(alphabet=st.characters(), max_size=40)


@pytest.fixture(scope="module")
def made(begin: Callable[..., Outside]) -> Outside:
    """A command whose home holds a saved plan and a journal of one operation."""
    at = begin()
    at.run("cancel", TENCENT, "--reason", "drill")
    plan = at.run("cancel", WINDOW, COMMAND, "--dry-run", "-o", "json")
    (at.home / "plan.json").write_text(plan.out)
    return at


def refused(ask: Callable[[], Any]) -> Any:
    """What a call gives, or None when it is refused: in one line that can be shown."""
    try:
        return ask()
    except (UsageError, Refused, CloudError) as error:
        said = problem_lines(problem_of(error))
    assert said[0].removeprefix("runcancel: ")
    assert all(map(is_plain, said))
    return None


CONFIG = """\
default = ["prod"]

[contexts.prod]
provider = "aws"
profile = "work"
regions = ["us-east-2", "eu-west-1"]
protected = true

[contexts.cn]
provider = "alibaba"
endpoint_url = "https://ecs.example.com"

[groups]
every = ["prod", "cn"]

[caps]
max_runs = 5
"""
_LINES = CONFIG.splitlines()
_TOML = st.sampled_from(
    [
        *(
            "regions = 5",
            'regions = ["all", 5]',
            "protected = 1",
            'provider = "azure"',
            "[contexts]",
            "[contexts.prod]",
        ),
        *('default = "nobody"', "max_runs = -1", "max_runs = 1e3", "max_runs = nan", "[[contexts.x]]", 'x = "\\ud800"'),
        *("[contexts.'']", '[contexts."\\u0000"]', '[contexts."a@b"]', "default = [[]]", "a" * 500, "= = =", "\x00"),
        *('endpoint_url = "http://example.com"', 'endpoint_url = "https://u:p@h"', 'site = "x"', "[groups]\nprod=[]"),
        *("max_runs = 99999999999999999999999", "every = ['every']", "t = 2026-11-21T00:00:00+99:00", "[" * 300),
    ]
)


@st.composite
def configs(draw: st.DrawFn) -> bytes:
    """A configuration with lines added, lost and moved, and now and then a byte that is no text."""
    lines = list(_LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines)))
        if draw(st.booleans()) and at < len(lines):
            del lines[at]
        else:
            lines.insert(at, draw(_TOML | _any_text))
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 9)) == 0 else data


@tries(100)
@given(configs() | st.binary(max_size=40))
def test_any_configuration_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = _folder(tmp_path_factory) / "config.toml"
    file.write_bytes(data)

    found = refused(lambda: config_file.load(file))

    if found is None:
        return
    for name, context in found.contexts.items():
        assert provider(context.provider)
        assert name
    chosen = refused(lambda: settings.gather(config=found, environ={}))
    if chosen is not None:
        refused(lambda: search_scopes(chosen))


def _folder(factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of all tests here."""
    path = factory.getbasetemp() / "fuzzed"
    path.mkdir(exist_ok=True)
    return path


@tries(80)
@given(lies)
@example((Change("everywhere", (1,), "\ud800"),))
def test_any_plan_is_taken_whole_or_refused(made: Outside, changes: tuple[Change, ...]) -> None:
    whole = (made.home / "plan.json").read_bytes()
    now = datetime.fromisoformat(json.loads(whole)["created_at"])
    text = _lied(whole, changes)

    def read() -> SavedPlan:
        return read_plan(text, "plan.json", now=now)

    saved = refused(read)

    if saved is not None:
        assert all(isinstance(item, PlanItem) for item in saved.plan)
        assert all(references.full(str(item.run)) == item.run for item in saved.plan if item.ask)
        assert saved.expires_at is not None
        assert saved.expires_at > now


def _lied(data: bytes, changes: tuple[Change, ...]) -> str:
    reply = Reply(200, data, {})
    for change in changes:
        change.apply(reply)
    return reply.body.decode("utf-8", "replace")


_row = st.sampled_from(
    [
        *(COMMAND, TENCENT, f'{{"type":"run","ref":"{COMMAND}"}}', '{"type":"end","complete":true}', "# note", ""),
        *('{"type":"end","complete":"true"}', '{"type":"run"}', '{"type":"run","ref":5}', "{", "[]", "null", "{}}"),
        *("ref\tname", f"{WINDOW}\tx\ty", f"{WINDOW}\r", "\ufeff" + WINDOW, '{"a":' * 3000, "\x1b[2J", "\u2028"),
        *('{"type":"run","ref":"\\ud800"}', '{"type":["run"]}', '{"type":"end","complete":NaN}'),
    ]
)


@tries(100)
@given(st.lists(_row | _any_text, max_size=6))
@example(['{"type":["run"]}'])
def test_any_list_of_references_is_taken_whole_or_refused(lines: list[str]) -> None:
    text = "\n".join(lines)

    listed = refused(lambda: read_list(text, "standard input"))

    if listed is not None:
        assert all(references.parse(one.text) == one for one in listed.references)
        if any('"type":"end","complete":"true"' in line for line in lines[-1:]):
            assert not listed.complete


@tries(60)
@given(st.data())
def test_any_journal_is_read_or_refused(
    made: Outside, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = _copied(made, _folder(tmp_path_factory))
    whole = file.read_bytes()
    sort = data.draw(st.sampled_from(["cut", "noise", "version", "rows", "bytes"]))
    if sort == "cut":
        file.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    elif sort == "noise":
        at, noise = data.draw(st.integers(0, len(whole))), data.draw(st.binary(min_size=1, max_size=200))
        file.write_bytes(whole[:at] + noise + whole[at + len(noise) :])
    elif sort == "version":
        _told(file, f"PRAGMA user_version={data.draw(st.integers(-(2**31), 2**31 - 1))}")
    elif sort == "rows":
        column = data.draw(st.sampled_from(["id", "at", "user", "argv", "verb", "state", "exit_code"]))
        value = data.draw(st.sampled_from([None, "", "x", -1, 2**62, 1.5, b"\xff", "[]", "{", "\x1b[2J", "9999-99-99"]))
        _told(file, f"UPDATE operations SET {column}=?", value)
    else:
        file.write_bytes(data.draw(st.binary(max_size=200)))

    with suppress(JournalError), closing(JournalStore(file).open(busy=0.1)) as journal:
        for operation in journal.operations():
            assert msgspec.convert(msgspec.to_builtins(operation), Operation) == operation
            list(journal.entries(operation.id))


def _copied(made: Outside, folder: Path) -> Path:
    (found,) = made.home.rglob("journal.sqlite3")
    for old in folder.glob("journal*"):
        old.unlink()
    return Path(shutil.copy(found, folder / "journal.sqlite3"))


def _told(file: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(file)
    try:
        connection.execute(statement, values)
        connection.commit()
    except sqlite3.Error:
        pass  # a value that the table itself refuses
    finally:
        connection.close()


@tries(8)
@given(st.binary(max_size=120), st.sampled_from(["journal", "config", "plan", "list"]))
def test_the_command_refuses_any_bytes_for_a_file(made: Outside, data: bytes, which: str) -> None:
    made.box.log.clear()
    file = made.home / "bytes"
    file.write_bytes(data)
    argv, env = {
        "journal": (["history", "-o", "json"], {"XDG_STATE_HOME": str(made.home / "state")}),
        "config": (["contexts", "list", "-o", "json"], {"RUNCANCEL_CONFIG": str(file)}),
        "plan": (["cancel", "--plan", str(file), "-y", "-o", "json"], {}),
        "list": (["cancel", "--from", str(file), "-y", "-o", "json"], {}),
    }[which]
    if which == "journal":
        state = made.home / "state" / "runcancel"
        state.mkdir(parents=True, mode=0o700, exist_ok=True)
        (state / "journal.sqlite3").write_bytes(data)
        (state / "journal.sqlite3").chmod(0o600)

    done = made.run(*argv, env=env)

    assert done.code in {0, 1, 2, 5, 6}, str(done)
    assert "Traceback" not in done.err
    assert "internal" not in {error["code"] for error in done.document["errors"]} or which == "journal", str(done)
    assert made.writes() == []


@tries(120)
@given(st.text(max_size=12) | st.from_regex(r"[0-9.]{0,8}(ms|s|m|h|d)?", fullmatch=True) | st.datetimes().map(str))
@example("1e400h")
@example("9" * 400)
@example("9" * 400 + "d")
@example("0001-01-01T00:00:00+23:59")
@example("٢h")
def test_any_time_is_understood_or_refused(text: str) -> None:
    refused(lambda: environment.duration("--timeout", text))
    refused(lambda: environment.moment("--since", text, NOW))
    refused(lambda: options.Filters(older_than=text).query())


@tries(120)
@given(_any_text | st.from_regex(r"([a-z%@]{0,6}@)?(aws:|alibaba:|x:)?([a-z-]{1,9}:)?([a-z]+/)?[it]nv?-[a-f0-9]{8,9}"))
def test_any_reference_is_read_back_or_refused(text: str) -> None:
    found = refused(lambda: references.parse(text))

    if found is not None and found.provider is not None and found.region is not None:
        again = refused(lambda: references.full(text))
        assert again is None or references.full(str(again)) == again


@tries(60)
@given(st.binary(max_size=60), st.sampled_from(["aws", "alibaba", "tencent"]))
def test_any_profile_file_of_a_vendor_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    home = _folder(tmp_path_factory)
    for path in (".aws/config", ".aws/credentials", ".aliyun/config.json", ".tccli/default.configure"):
        (home / path).parent.mkdir(exist_ok=True)
        (home / path).write_bytes(data)
    (home / ".tccli/default.credential").write_bytes(data)

    provider(name).resolve({"HOME": str(home)}, None)
    provider(name).resolve({"HOME": str(home)}, "x")
    assert provider(name).configured({"HOME": str(home)})


def test_a_plan_that_is_a_lie_about_another_run_is_one_clear_line(made: Outside) -> None:
    document = json.loads((made.home / "plan.json").read_text())
    document["plan"][0]["run"] = "x\x1b[2J"
    (made.home / "forged.json").write_text(json.dumps(document))

    done = made.run("cancel", "--plan", "forged.json", "-y")

    assert done.code == 2, str(done)
    assert "is not a reference" in done.err
    assert "\x1b" not in done.err
