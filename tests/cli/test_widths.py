"""At 80 columns nothing is cut that a person needs, no word is broken, and every verb's table keeps its data."""

import re
from collections.abc import Callable

import pytest
from outside import AUTOMATION, COMMAND, ENDED, ONE_SHOT, TENCENT, WINDOW, Outside, id_of

WIDTHS = (80, 120)


@pytest.fixture(scope="module")
def still(begin: Callable[..., Outside]) -> Outside:
    """Time stands still: the tests share it."""
    return begin(speed=0)


def columns_of(still: Outside, argv: str, columns: int) -> list[str]:
    """The lines of a command on a terminal so wide, as they were printed."""
    shown = still.on_terminal(*argv.split(), columns=columns, lines=200)
    return [line.rstrip() for line in re.sub(rb"\x1b\[[0-9;]*m", b"", shown.raw).decode().replace("\r", "").split("\n")]


VERBS = (
    "list -p tencent",
    "list -p alibaba -o wide",
    f"status {WINDOW} {COMMAND} {ONE_SHOT}",
    f"status {AUTOMATION}",
    f"invocations {WINDOW}",
    f"invocations {ONE_SHOT} --limit 3",
    f"wait {ENDED[0]} {ENDED[4]}",
    f"logs {ENDED[1]}",
    f"cancel {TENCENT} --dry-run",
    "cancel -p aws --kind command --dry-run",
    "contexts show",
    "doctor",
    "doctor -o wide",
    "permissions",
    "permissions -o wide",
    "list -p tencent --name nothing-of-this-name",
    "triggers -r us-east-2,ap-guangzhou",
    "triggers -p aws -r us-east-2 -o wide",
    "disable -p aws -r us-east-2 --name-glob nightly-* --dry-run",
    "status t-nonsense",
)


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("argv", VERBS)
def test_no_line_is_wider_than_the_screen_unless_a_word_is(argv: str, columns: int, still: Outside) -> None:
    for line in columns_of(still, argv, columns):
        longest = max(map(len, line.split()), default=0)
        whole = "runcancel " in line or longest > columns - 12 or line.lstrip().startswith('"')
        assert len(line) <= columns or whole, line


@pytest.mark.parametrize(
    ("argv", "cells"),
    [
        ("doctor", "identity credentials clock latency permitted"),
        (f"status {WINDOW} {COMMAND}", f"running 17 pending {WINDOW} {COMMAND}"),
        ("contexts show", "AWS_ENDPOINT_URL RUNCANCEL_ALIBABA_ENDPOINT_URL RUNCANCEL_TENCENT_ENDPOINT_URL"),
        (f"cancel {WINDOW} {COMMAND} --dry-run", f"{WINDOW} {COMMAND} 17 cancelled"),
    ],
)
def test_the_useful_cells_are_there_at_80_columns(argv: str, cells: str, still: Outside) -> None:
    text = " ".join(" ".join(columns_of(still, argv, 80)).split())

    for cell in cells.split():
        assert cell in text
    assert "…" not in text.replace("(…", "")


def test_doctor_names_identity_and_key_uncut_at_80_columns(still: Outside) -> None:
    lines = columns_of(still, "doctor", 80)
    for scope in still.json("doctor")["scopes"]:
        assert any(scope["principal"] in line for line in lines)
        assert any(f"(…{scope['key']})" in line for line in lines)


def test_a_reference_is_never_cut(still: Outside) -> None:
    refs = still.run("list", "-o", "ref").out.split()
    text = "\n".join(columns_of(still, "list --limit 0", 80))

    assert len(refs) > 20
    for ref in refs:
        assert ref in text, id_of(ref)


def test_history_shows_the_whole_command_and_reason_at_80_columns(outside: Outside) -> None:
    reason = "the patch of this morning stops the web servers of two regions"
    assert outside.run("cancel", TENCENT, "--reason", reason).code == 0

    text = " ".join(" ".join(columns_of(outside, "history", 80)).split())

    assert f"cancel {TENCENT} --reason '{reason}'" in text
    assert text.endswith(reason)


def test_triggers_stand_on_few_lines_and_end_with_a_command_that_runs(outside: Outside) -> None:
    lines = [line for line in columns_of(outside, "triggers -r us-east-2 --kind window", 80) if line]

    assert max(map(len, lines[:-1])) <= 80
    at = lines.index("aws:us-east-2:window/mw-0c50858d01c0ffee0")
    assert "nightly-patching" in lines[at + 1]
    assert "every day" in lines[at + 2]
    assert "tag:Patch=nightly-patching" in " ".join(lines[at + 2 : at + 4])
    assert outside.run(*lines[-1].partition("runcancel ")[2].split()).err == "Dry run: nothing was sent\n"


def test_an_empty_search_for_triggers_names_what_was_searched(outside: Outside) -> None:
    text = " ".join(filter(None, columns_of(outside, "triggers --name none -p aws -r us-east-2", 120)))

    assert text == "No triggers match. Searched aws us-east-2. Patterns need --name-glob; every region: -r all"


def test_contexts_and_groups_show_every_name_at_80_columns(outside: Outside) -> None:
    names = [f"production-account-{number}" for number in range(7)]
    for name in names:
        outside.run("contexts", "add", name, "-p", "aws", "-r", "us-east-2,eu-west-1,ap-southeast-1")
    outside.run("contexts", "groups", "add", "everything", *names)

    for argv in ("contexts groups", "contexts"):
        lines = columns_of(outside, argv, 80)
        assert max(map(len, lines)) <= 80
        assert all(name in " ".join(lines) for name in (*names, "ap-southeast-1")[: 7 if argv != "contexts" else 8])
        assert "…" not in "".join(lines)
