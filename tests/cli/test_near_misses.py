"""What a person mistypes at night: each message shows what was wrong, what was not done, and what would be right."""

import pytest
from outside import COMMAND, ONE_SHOT, TENCENT, WINDOW, Outside, id_of

_RUN = id_of(TENCENT)
_HELP = "see: runcancel"

MISTYPED = {
    ("cancl",): ("no such command “cancl” (did you mean runcancel cancel?); nothing was sent", f"{_HELP} --help"),
    ("cancel", "--nmae", "x"): (
        "no such option “--nmae” (did you mean --name?); nothing was sent",
        f"{_HELP} cancel --help",
    ),
    ("kill", "--nmae=x"): (
        "no such option “--nmae” (did you mean --name?); nothing was sent",
        f"{_HELP} cancel --help",
    ),
    ("list", "-x"): ("no such option “-x”; nothing was sent", f"{_HELP} list --help"),
    ("-p", "aws", "list"): ("no such option “-p”; nothing was sent", "options follow the verb: runcancel list -p …"),
    ("cancel", "--max-runs", "ten"): ("--max-runs “ten” is not a number; nothing was sent", f"{_HELP} cancel --help"),
    ("logs", _RUN, "--tail", "0"): (
        "--tail 0 is not a number from 1 to 1000000000; nothing was sent",
        f"{_HELP} logs --help",
    ),
    ("cancel", _RUN, "--reason"): ("--reason needs a value; nothing was sent", f"{_HELP} cancel --help"),
    ("cancel", _RUN, "--yes=1"): ("--yes takes no value; nothing was sent", f"{_HELP} cancel --help"),
    ("list", "patch-openssl"): (
        "unexpected argument “patch-openssl”; nothing was sent",
        "To find runs by name: runcancel list --name patch-openssl",
    ),
    ("triggers", "nightly"): (
        "unexpected argument “nightly”; nothing was sent",
        "To find triggers by name: runcancel triggers --name nightly",
    ),
    ("status",): (
        "missing argument REF; nothing was sent",
        "name runs, or a list: -f FILE, or an operation: --operation last",
    ),
    ("sandbox", "exce"): (
        "no such command “exce” (did you mean exec?); nothing was sent",
        f"{_HELP} sandbox --help",
    ),
    ("sandbox", "demo", "--story", "x"): (
        "--story does not accept “x”. Expected one of: cancel, schedule; nothing was sent",
        f"{_HELP} sandbox demo --help",
    ),
    ("sandbox", "exec", "--regions", "x", "--", "true"): (
        "--regions “x” is not a number; nothing was sent",
        f"{_HELP} sandbox exec --help",
    ),
}


@pytest.mark.parametrize(("argv", "lines"), MISTYPED.items(), ids=[" ".join(argv) for argv in MISTYPED])
def test_a_wrong_command_line_is_one_line_and_what_to_do(
    argv: tuple[str, ...], lines: tuple[str, str], command: Outside
) -> None:
    done = command.run(*argv)

    assert done.code == 2
    assert done.err == f"runcancel: {lines[0]}\n  {lines[1]}\n"


ALONE = {
    ("cancel", _RUN, "--max-triggers", "3"): "--max-triggers needs --disable-triggers",
    ("cancel", _RUN, "--shard", "0/2"): "--shard 0/2 is a part of a saved plan: add --plan FILE",
    ("cancel", _RUN, "--allow-incomplete"): "--allow-incomplete needs -f FILE",
    ("cancel", "--name", "x", "--hold", "5m"): "--hold needs --max-runs N, the most runs that it may cancel in all",
    ("cancel", "--name", "x", "--include-schedules", "-n"): "--include-schedules needs --kind oos",
    ("list", "--include-schedules", "--kind", "state-machine"): "--include-schedules needs --kind oos",
    ("disable", "mw-0c50858d01c0ffee0", "--take-over"): "--take-over needs --resume ID",
    ("enable", "mw-0c50858d01c0ffee0", "--take-over"): "--take-over needs --resume ID",
    ("disable", "--name", "x", "--allow-incomplete"): "--allow-incomplete needs -f FILE",
    ("enable", "--name", "x", "--allow-incomplete"): "--allow-incomplete needs -f FILE",
    ("enable", "mw-0c50858d01c0ffee0", "--force"): "--force needs --operation, -f FILE, --plan or --resume",
    ("wait", _RUN, "--accept-reported"): "--accept-reported needs --for stopped",
    ("wait", _RUN, "--for", "succeeded", "--accept-reported"): "--accept-reported needs --for stopped",
    ("history", "--older-than", "3d"): "--older-than needs prune: runcancel history prune --older-than 90d",
    ("history", "last", "--limit", "3"): "--limit cannot be used with last",
    ("history", "prune", "--limit", "3"): "--limit cannot be used with prune",
    ("contexts", "add", "x", "-p", "aws", "--external-id", "x"): "--external-id needs --role-arn",
    ("contexts", "add", "x", "-p", "aws", "--source-profile", "x"): "--source-profile needs --role-arn",
    ("contexts", "--dry-run"): "-n needs import",
    ("contexts", "import", "--c7n-org", "x", "--ou", "x"): "--ou and --role need --aws-organization",
    ("permissions", "--account", "111122223333"): "--account needs one provider: add -p, as in -p aws",
    ("sandbox", "exec", "--tick", "1", "--speed", "2", "--", "true"): (
        "--tick moves the clock with each request: --speed cannot be used with it"
    ),
}
"""Every option that does nothing without another one, without it."""


@pytest.mark.parametrize(("argv", "line"), ALONE.items(), ids=[" ".join(argv) for argv in ALONE])
def test_an_option_without_what_it_needs_is_wrong_usage(argv: tuple[str, ...], line: str, outside: Outside) -> None:
    done = outside.run(*argv)

    assert done.code == 2, str(done)
    assert done.err.splitlines()[0].removeprefix("runcancel: ").split("; nothing was ")[0] == line
    assert outside.requests() == []


@pytest.mark.parametrize(
    "copied",
    [f"'{_RUN}'", f'"{_RUN}"', f"“{_RUN}”", f"[{_RUN}]", f"{_RUN},", f"{_RUN}\r\n", f" {_RUN}", _RUN.upper()],
)
@pytest.mark.parametrize("verb", ["status", "cancel", "logs", "wait"])
def test_a_reference_that_was_copied_with_its_quotes_is_offered_without(
    verb: str, copied: str, command: Outside
) -> None:
    done = command.run(verb, copied)

    assert done.code == 2
    assert done.err.splitlines()[1] == f"  did you mean {_RUN}?"


def test_a_link_in_quotes_is_offered_without_what_may_sign_in(command: Outside) -> None:
    link = f"https://console.tencentcloud.com/cvm/tat/invocation?id={_RUN}&rid=1&token=s3cr3t"

    done = command.run("status", f"'{link}'")

    assert done.code == 2
    assert "did you mean tencent:" in done.err
    assert "s3cr3t" not in done.err


@pytest.mark.parametrize("cut", [_RUN[:-1], "t-7d2a7", "02f05632-d0bc-470d-b1e5-c59a8d4f2a1"])
def test_a_cut_id_is_copied_again(cut: str, command: Outside) -> None:
    done = command.run("cancel", cut)

    assert done.code == 2
    assert "copy the whole id" in done.err


@pytest.mark.parametrize("verb", ["status", "cancel", "invocations"])
def test_a_name_or_a_target_in_place_of_a_reference_is_searched(verb: str, command: Outside) -> None:
    done = command.run(verb, "patch-openssl")

    assert done.code == 2
    assert "To find runs by name: runcancel list --name patch-openssl" in done.err
    assert "By target: runcancel list --target patch-openssl" in done.err


def test_the_name_of_a_trigger_is_searched(command: Outside) -> None:
    done = command.run("disable", "nightly-cleanup")

    assert done.code == 2
    assert "To find triggers by name: runcancel triggers --name nightly-cleanup" in done.err


@pytest.mark.parametrize(
    "trigger", ["rule/default/nightly-cleanup", "schedule/default/rotate-keys", "window/mw-0c50858d01c0ffee0"]
)
def test_a_trigger_without_its_scope_is_no_unknown_kind(trigger: str, command: Outside) -> None:
    done = command.run("cancel", trigger)

    assert done.code == 2
    assert "names a trigger, not a run" in done.err
    assert f"runcancel disable {trigger}" in done.err


def test_a_region_of_another_cloud_is_named(outside: Outside) -> None:
    done = outside.run("status", _RUN, "-r", "us-east-2")

    assert done.code == 2
    assert "--region us-east-2 names no region of Tencent Cloud" in done.err


def test_a_mistyped_region_gets_a_did_you_mean(outside: Outside) -> None:
    done = outside.run("list", "-r", "ap-guangzou")

    assert done.code == 2
    assert "(did you mean ap-guangzhou?); nothing was sent" in done.err
    assert "-r tencent:ap-guangzou" in done.err


def test_a_search_of_nothing_is_no_search_without_matches(outside: Outside) -> None:
    bare = {name: None for name in outside.environ if name.startswith("AWS_")}

    done = outside.on_terminal("list", "-p", "aws", env=bare)

    assert done.code == 4
    assert "Nothing was searched; not searched: aws (no credentials)." in done.final
    assert "No runs match" not in done.final


def test_a_message_is_legible_where_the_encoding_has_no_quotation_marks(command: Outside) -> None:
    done = command.run("lst", env={"PYTHONIOENCODING": "ascii"})

    assert done.err.startswith('runcancel: no such command "lst" (did you mean runcancel list?); nothing was sent\n')


def test_refused_credentials_are_named_in_words_on_every_cloud(outside: Outside) -> None:
    for provider, key in {"aws": "AWS_ACCESS_KEY_ID", "tencent": "TENCENTCLOUD_SECRET_KEY"}.items():
        done = outside.run("list", "-p", provider, env={key: "AKIANOBODYATALL00000"})

        assert done.code == 4
        assert "the credentials are not accepted" in done.err


@pytest.mark.parametrize(
    ("words", "action"),
    [
        (("delete", "x"), "remove"),
        (("rm", "x"), "remove"),
        (("create", "x"), "add"),
        (("ls",), "list"),
        (("shw",), "show"),
    ],
)
def test_an_action_of_another_tool_gets_a_fitting_did_you_mean(
    words: tuple[str, ...], action: str, command: Outside
) -> None:
    done = command.run("contexts", *words)

    assert done.code == 2
    assert f"(did you mean {action}?)" in done.err


def test_a_group_is_not_deleted_but_removed(command: Outside) -> None:
    assert "(did you mean remove?)" in command.run("contexts", "groups", "delete", "x").err


def test_a_file_of_another_sort_is_named(outside: Outside) -> None:
    files = {
        "list.json": ("list", "--name", "patch-openssl", "-o", "json"),
        "list.jsonl": ("list", "--name", "patch-openssl", "-o", "jsonl"),
        "plan.json": ("cancel", "--name", "patch-openssl", "-n", "-o", "json"),
    }
    for name, argv in files.items():
        (outside.home / name).write_text(outside.run(*argv).out, encoding="utf-8")

    to_plan, to_list = "To create a plan: runcancel cancel", "a list is one reference per line"
    for option, name, says, next_step in (
        ("--from", "list.json", "is one JSON document, not a list", to_list),
        ("--from", "plan.json", "is a plan, not a list", "To carry it out: runcancel cancel --plan FILE"),
        ("--plan", "list.json", "is not a plan", to_plan),
        ("--plan", "list.jsonl", "is not JSON", "To cancel the runs of a list: runcancel cancel --from FILE"),
    ):
        done = outside.run("cancel", option, name)

        assert done.code == 2
        assert done.err.startswith(f"runcancel: {name} {says}; nothing was sent\n  {next_step}")


@pytest.mark.parametrize("verb", ["invocations", "logs"])
@pytest.mark.parametrize("target", ["i-bp1fexample", "ins-aaaaaaaa", "i-0123456789abcdef0", "web-107", "x"])
def test_a_target_of_another_cloud_is_a_target_that_no_run_has(verb: str, target: str, outside: Outside) -> None:
    done = outside.run(verb, TENCENT, ONE_SHOT, COMMAND, WINDOW, "--target", target, "-o", "json")

    assert done.code == 0, str(done)
    assert done.document["complete"] is True


def test_targets_that_do_not_match_are_not_silence(outside: Outside) -> None:
    shown = outside.on_terminal("invocations", TENCENT, "--target", "ins-aaaaaaaa")

    assert shown.code == 0
    assert f"{TENCENT}: no target matches" in shown.final
    for flags in (("--target", "ins-aaaaaaaa"), ("--task", "no-such-task")):
        piped = outside.run("invocations", TENCENT, *flags)
        assert (piped.code, piped.err) == (0, f"{TENCENT}: no target matches\n"), str(piped)


def test_the_message_about_an_id_names_the_form_of_every_kind(command: Outside) -> None:
    assert command.run("status", "foo").err.startswith(
        "runcancel: “foo” is not a run id. Expected a UUID or the ARN of an execution (AWS), "
        "t-… or exec-… (Alibaba Cloud) or inv-… (Tencent Cloud); nothing was sent\n"
    )


@pytest.mark.parametrize("end", [("--until", "2h"), ("--older-than", "2h")])
@pytest.mark.parametrize("verb", ["list", "cancel"])
def test_a_time_that_ends_before_it_begins_is_wrong_usage(verb: str, end: tuple[str, str], command: Outside) -> None:
    done = command.run(verb, "--since", "1h", *end)

    assert done.code == 2
    assert f"--since is later than {end[0]}, so that no run can match; nothing was sent" in done.err


@pytest.mark.parametrize("cut", ["mw-0c50858d01c0ffee", "ivk-u6nwnf8"])
def test_a_cut_id_of_a_trigger_is_copied_again(cut: str, command: Outside) -> None:
    assert "copy the whole id" in command.run("disable", cut).err


@pytest.mark.parametrize("verb", ["history", "report"])
def test_an_operation_that_was_named_by_an_option_is_named_alone(verb: str, command: Outside) -> None:
    done = command.run(verb, "--operation", "last")

    assert done.code == 2
    assert f"runcancel {verb} last" in done.err


@pytest.mark.parametrize(
    "argv",
    [
        ("triggers", "--starts-within", "5"),
        ("disable", "--starts-within", "5", "-n"),
        ("cancel", "--name", "x", "--max-runs", "5", "--hold", "30"),
    ],
)
def test_a_time_without_a_unit_is_not_taken_for_seconds(argv: tuple[str, ...], command: Outside) -> None:
    done = command.run(*argv)

    assert done.code == 2
    assert "has no unit; nothing was sent" in done.err


@pytest.mark.parametrize(
    ("argv", "option"),
    [
        (("list", "--json"), "-o json"),
        (("status", _RUN, "--format", "json"), "-o"),
        (("list", "--all-regions"), "-r all"),
        (("triggers", "--accounts", "prod"), "-c"),
        (("cancel", "--filter", "patch"), "--name"),
    ],
)
def test_an_option_of_another_tool_gets_a_fitting_did_you_mean(
    argv: tuple[str, ...], option: str, command: Outside
) -> None:
    done = command.run(*argv)

    assert done.code == 2
    assert f"(did you mean {option}?); nothing was sent" in done.err
