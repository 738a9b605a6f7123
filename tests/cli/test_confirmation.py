"""The confirmation as an operator meets it: all stands before the question, and the flags work as printed."""

import re
import shlex

import pytest
from adversary.test_questions import conversation, in_a_shell
from outside import KILLED, TENCENT, Outside
from terminal import Terminal

FOUND = ("cancel", "--name", "patch-openssl", "-r", "all", "--no-wait")


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_everything_stands_before_the_question_and_a_question_mark_lists_the_runs(
    columns: int, outside: Outside
) -> None:
    outside.faults("aws:DescribeMaintenanceWindowExecutions=denied")
    with Terminal(outside, *FOUND, columns=columns, lines=40) as terminal:
        terminal.until("(? lists them):")
        text = terminal.text
        order = ["NOT searched: aws ", "About to cancel 2 runs (52 targets)", "patch-openssl  tencent ap-guangzhou"]
        order += [
            "9 running: will keep running",
            "tencent invocation: A cancel here",
            "As qcs::cam",
            "Type 2 to confirm",
        ]
        assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
        assert TENCENT not in text

        terminal.send("?\n")
        terminal.until(lambda shown: shown.count("(? lists them):") == 2)
        assert TENCENT in terminal.text
        terminal.send("2\n")
        assert terminal.end() == 7  # accepted, and one scope was not searched
    assert len(outside.writes()) == 2


def test_a_wrong_answer_is_asked_again_twice_and_the_list_costs_no_try(outside: Outside) -> None:
    with Terminal(outside, *FOUND, columns=120, lines=60) as terminal:
        for count, reply in enumerate(["y\n", "?\n", "3\n", "?\n", "yes\n"], start=1):
            terminal.until(lambda shown, count=count: shown.count("(? lists them):") == count)
            terminal.send(reply)
        assert terminal.end() == 6
        assert "not confirmed; nothing was sent" in terminal.text
    assert outside.writes() == []


def test_without_a_terminal_one_message_names_every_flag_and_they_work(outside: Outside) -> None:
    """Over the limit and in two accounts: not one refusal after the other."""
    done = outside.run("cancel", "--name", "patch-openssl", "--max-targets", "9", "--no-wait")

    assert done.code == 6
    assert outside.writes() == []
    (printed,) = re.findall(r"^  To proceed: use (.*?)   To preview: add --dry-run$", done.err, re.MULTILINE)
    assert printed == "--max-targets 52 --confirm 2"
    again = outside.run("cancel", "--name", "patch-openssl", "--no-wait", *shlex.split(printed))
    assert len(outside.writes()) == 2, str(again)


def test_more_runs_than_the_limit_are_one_message(outside: Outside) -> None:
    done = outside.run("cancel", "-r", "all", "--status", "running")

    assert done.code == 6
    first, hint = done.err.splitlines()[-2:]
    count = re.match(r"runcancel: (\d+) runs match; the limit is 20 \(--max-runs\); nothing was sent$", first)
    assert count is not None, str(done)
    assert hint == f"  To proceed: add --max-runs {count[1]} --confirm {count[1]}   To preview: add --dry-run"


@pytest.mark.parametrize("verb", ["status", "wait", "logs", "invocations"])
def test_many_runs_that_are_not_there_are_one_message(verb: str, outside: Outside) -> None:
    refs = [f"tencent:ap-guangzhou:invocation/inv-{number:08d}" for number in range(21)]

    done = outside.run(verb, "-f", "-", stdin="\n".join(refs))

    assert done.code == 5
    assert [line for line in done.err.splitlines() if line.startswith("runcancel: ")] == [
        "runcancel: 21 runs: not found; it may be no longer kept, or in another region or account"
    ]
    assert refs[0] in done.err


def test_what_a_list_names_and_nobody_could_read_stands_before_the_question(outside: Outside) -> None:
    gone = "tencent:ap-guangzhou:invocation/inv-00000000"
    listed = outside.home / "list.txt"
    listed.write_text(f"{KILLED}\n{gone}\n")

    shown = outside.on_terminal("cancel", "-f", str(listed), answer="n\n", columns=120, lines=40)

    assert shown.code == 6
    assert shown.final.index(f"NOT included: {gone} (not found") < shown.final.index("Cancel this run? [y/N/?]")


def test_the_plan_and_the_caller_stand_before_a_question_also_when_it_should_be_quiet(outside: Outside) -> None:
    """A run that was typed needs no confirmation, unless it is in a protected context."""
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[contexts.prod]\nprovider = "tencent"\nprotected = true\n')

    shown = outside.on_terminal("cancel", TENCENT, "-q", answer="n\n", columns=120)

    assert shown.code == 6
    parts = [TENCENT, "patch-openssl", "Expected: 3 pending", "As qcs::cam", "Type prod or 1 to confirm (? lists them)"]
    assert [shown.final.index(part) for part in parts] == sorted(shown.final.index(part) for part in parts)


def test_a_list_on_stdin_is_asked_about_on_the_terminal_with_all_that_matters(outside: Outside) -> None:
    script = f"echo {TENCENT} | runcancel cancel -f - --no-wait"
    code, text = conversation(in_a_shell(outside, script), ["?\n", "what\n", "y\n"])

    assert code == 0
    assert text.index("As qcs::cam") < text.index("Cancel this run? [y/N/?]")
    assert text.count("Cancel this run? [y/N/?]") == 3


@pytest.mark.parametrize("how", ["listed", "filtered", "of an operation"])
def test_a_runbook_that_runs_again_after_all_has_ended_succeeds(how: str, outside: Outside) -> None:
    runs = [outside.add("tencent", name="deploy-4711") for _ in range(2)]
    (outside.home / "runs").write_text("\n".join(runs))
    words = {
        "listed": ("-f", str(outside.home / "runs")),
        "filtered": ("--name", "deploy-4711", "-p", "tencent"),
        "of an operation": ("--operation", "last"),
    }[how]
    if how == "of an operation":
        assert outside.run("cancel", *runs, "--timeout", "0").code in (0, 8)
        outside.box.clock.advance(60)
    else:
        wrong = outside.run("cancel", *words, "--confirm", "3")
        assert (wrong.code, outside.writes()) == (6, [])
        assert outside.run("cancel", *words, "--confirm", "2").code == 0
    sent = len(outside.writes())

    again = outside.run("cancel", *words, "--confirm", "2", "-o", "json")

    assert again.code == 0, str(again)
    assert len(outside.writes()) == sent
    assert {one["verdict"] for one in again.document["outcomes"]} <= {"ended", "stopped"}
    if how == "filtered":
        assert outside.run("cancel", *words, "--confirm", "2", "--require-match").code == 5


def test_a_disable_that_runs_again_succeeds(outside: Outside) -> None:
    ref = outside.json("triggers", "--kind", "invoker", "--status", "enabled")["triggers"][0]["ref"]
    for _ in range(2):
        assert outside.run("disable", ref, "--confirm", "1").code == 0
    assert outside.actions().count("DisableInvoker") == 1
