"""The site policy file: what it denies nothing lifts, what it wants confirmed has to be typed."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from outside import AUTOMATION, COMMAND, ENDED, ONE_SHOT, TENCENT, WINDOW, Done, Outside

from runcancel import __version__
from runcancel.guards import site_policy

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"

_ELSEWHERE = """
import os
from pathlib import Path
from runcancel.guards import site_policy
site_policy.PATH = Path({path!r})
site_policy.OWNERS = frozenset({{os.getuid()}})
"""


class Site:
    """A machine with a policy: the command, but for the place of the file and who may own it."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.folder = outside.home / "etc"
        self.folder.mkdir(mode=0o755)
        self.file = self.folder / "policy.toml"

    def rules(self, text: str) -> None:
        self.file.write_text(text)
        self.file.chmod(0o644)

    def run(self, *argv: str, env: Mapping[str, str | None] | None = None) -> Done:
        return self.outside.run(*argv, env=env, before=_ELSEWHERE.format(path=str(self.file)))

    def configure(self, text: str) -> None:
        folder = self.outside.home / ".config" / "runcancel"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(text)


@pytest.fixture
def site(outside: Outside) -> Site:
    return Site(outside)


def denied(site: Site, *argv: str, env: Mapping[str, str | None] | None = None) -> Done:
    """A cancel that ends with 6 and of which no cloud saw anything but reads."""
    done = site.run("cancel", *argv, env=env)
    assert done.code == 6, str(done)
    assert site.outside.writes() == []
    assert "nothing was sent" in done.out + done.err
    assert "Traceback" not in done.err
    return done


# deny


def test_a_denial_says_which_rule_why_and_who_may_change_it(site: Site) -> None:
    site.rules('contact = "ops@example.com"\n[[deny]]\nproviders = ["tencent"]\nwhy = "not from this machine"\n')

    done = denied(site, TENCENT)

    assert done.err.splitlines() == [
        f"runcancel: {TENCENT}: denied by the site policy: not from this machine (deny[0] of {site.file}); "
        "nothing was sent",
        "  No option overrides this. Policy contact: ops@example.com",
    ]


@pytest.mark.parametrize(
    "flags", [("--yes",), ("--confirm", "1"), ("--max-runs", "99"), ("--no-journal",), ("--from", "list"), ("-q",)]
)
def test_no_flag_lifts_a_denial(flags: tuple[str, ...], site: Site) -> None:
    site.rules('[[deny]]\nwhy = "frozen"\n')
    (site.outside.home / "list").write_text(f"{TENCENT}\n")

    denied(site, *(() if "--from" in flags else (TENCENT,)), *flags)


def test_no_variable_and_no_configuration_moves_the_rules(site: Site) -> None:
    site.rules('[[deny]]\nwhy = "frozen"\n')
    (site.outside.home / "empty.toml").touch()
    elsewhere = str(site.outside.home / "empty.toml")
    names = ("RUNCANCEL_POLICY", "RUNCANCEL_POLICY_FILE", "RUNCANCEL_POLICY_PATH", "RUNCANCEL_YES", "RUNCANCEL_CONFIRM")

    denied(site, TENCENT, env={**dict.fromkeys(names, elsewhere), "XDG_CONFIG_HOME": str(site.outside.home / "none")})

    for key in ("policy", "policy_file"):
        site.configure(f'{key} = "{elsewhere}"\n')
        assert site.run("cancel", TENCENT).code == 2


def test_the_file_is_looked_for_in_one_place_only() -> None:
    assert Path("/etc/runcancel/policy.toml") == site_policy.PATH
    assert frozenset({0}) == site_policy.OWNERS


def test_one_denied_run_among_others_keeps_all_from_being_sent(site: Site) -> None:
    site.rules('[[deny]]\nkinds = ["maintenance-window"]\nwhy = "patch nights are sacred"\n')

    done = denied(site, TENCENT, WINDOW, COMMAND)

    assert f"{WINDOW}: denied" in done.err


def test_what_was_denied_is_no_operation_of_the_journal(site: Site) -> None:
    site.rules('[[deny]]\nwhy = "frozen"\n')

    denied(site, TENCENT)

    assert site.outside.json("history")["operations"] == []


def test_a_denial_is_a_document_where_one_was_asked_for(site: Site) -> None:
    site.rules('[[deny]]\nwhy = "frozen"\n')

    (error,) = denied(site, TENCENT, "-o", "json").document["errors"]

    assert (error["code"], error["retryable"]) == ("refused", False)
    assert "frozen" in error["message"]


def test_runs_that_have_ended_are_no_concern_of_the_rules(site: Site) -> None:
    site.rules('[[deny]]\nwhy = "frozen"\n')

    assert site.run("cancel", *ENDED).code == 0


def test_a_resume_is_a_cancel_too(site: Site) -> None:
    site.rules("")
    site.outside.faults({"action": "CancelInvocation", "kind": "denied"})
    failed = site.run("cancel", TENCENT, "-o", "json")
    site.outside.faults()
    site.rules('[[deny]]\nwhy = "frozen"\n')
    before = len(site.outside.writes())

    done = site.run("cancel", "--resume", failed.document["operation"])

    assert done.code == 6, str(done)
    assert len(site.outside.writes()) == before


@pytest.mark.parametrize(
    ("rule", "caught", "free"),
    [
        ('providers = ["aws"]', COMMAND, TENCENT),
        ('regions = ["cn-hangzhou", "us-east-2"]', COMMAND, TENCENT),
        ('kinds = ["automation"]', AUTOMATION, COMMAND),
        ('kinds = ["invocation"]\nproviders = ["alibaba"]', ONE_SHOT, TENCENT),
        ('accounts = ["100000000001"]', TENCENT, COMMAND),
        ('profiles = ["default"]\nproviders = ["tencent"]', TENCENT, COMMAND),
        ("over_targets = 50", COMMAND, TENCENT),  # 88 against 12
    ],
)
def test_a_rule_is_about_the_runs_that_fit_all_of_it(rule: str, caught: str, free: str, site: Site) -> None:
    site.rules(f'[[deny]]\n{rule}\nwhy = "not here"\n')

    denied(site, caught)
    assert site.run("cancel", free, "--no-wait").code in (0, 3)


def test_many_runs_are_too_many_where_one_is_not(site: Site) -> None:
    site.rules('[[deny]]\nover_runs = 1\nproviders = ["tencent", "alibaba"]\nwhy = "one at a time"\n')

    done = denied(site, TENCENT, ONE_SHOT, COMMAND)

    assert f"{TENCENT} and 1 more: denied" in done.err
    assert site.run("cancel", TENCENT, COMMAND, "--no-wait").code == 0


def test_an_account_that_cannot_be_found_out_may_be_the_one(site: Site) -> None:
    site.rules('[[deny]]\naccounts = ["999999999999"]\nwhy = "production"\n')
    site.outside.faults({"action": "GetCallerIdentity", "kind": "denied"})

    done = denied(site, TENCENT)

    assert "an account is unknown, so the rule may apply" in done.err
    site.outside.faults()
    assert site.run("cancel", TENCENT).code == 0


def test_accounts_are_asked_for_only_where_a_rule_is_about_them(site: Site) -> None:
    site.rules('[[deny]]\nproviders = ["aws"]\nwhy = "no"\n')

    assert site.run("cancel", TENCENT).code == 0
    assert "GetCallerIdentity" not in site.outside.actions()


# by where a scope leads


@pytest.mark.parametrize("written", ["prod", "alias", "profile", "bare"])
def test_a_context_is_meant_by_whatever_name_it_is_reached(written: str, site: Site) -> None:
    site.rules('[[deny]]\ncontexts = ["prod"]\nwhy = "production"\n')
    site.configure(
        '[contexts.prod]\nprovider = "aws"\nprofile = "live"\nregions = ["us-east-2"]\n'
        '[contexts.alias]\nprovider = "aws"\nprofile = "live"\n'
    )
    keys = {name: site.outside.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    (site.outside.home / ".aws").mkdir()
    lines = [f"{name.lower()} = {value}" for name, value in keys.items()]
    (site.outside.home / ".aws" / "credentials").write_text("\n".join(["[live]", *lines, ""]))
    named = {
        "prod": (f"prod@{COMMAND}",),
        "alias": (COMMAND, "-c", "alias"),
        "profile": (COMMAND, "--profile", "live"),
        "bare": (COMMAND,),
    }[written]

    denied(site, *named, env={**dict.fromkeys(keys), "AWS_PROFILE": "live"} if written == "bare" else None)


def test_a_context_that_nobody_configured_is_the_profile_of_that_name(site: Site) -> None:
    site.rules('[[deny]]\ncontexts = ["live"]\nwhy = "production"\n')
    credential = {"secretId": "TENCENTCLOUD_SECRET_ID", "secretKey": "TENCENTCLOUD_SECRET_KEY"}
    (site.outside.home / ".tccli").mkdir()
    (site.outside.home / ".tccli" / "live.credential").write_text(
        json.dumps({key: site.outside.environ[name] for key, name in credential.items()})
    )

    denied(site, TENCENT, "--profile", "live")


# confirm


def test_what_has_to_be_confirmed_is_typed_even_for_a_named_run(site: Site) -> None:
    site.rules('[[confirm]]\nproviders = ["tencent"]\nwhy = "the shop is open"\n')

    done = denied(site, TENCENT)
    denied(site, TENCENT, "--yes")
    denied(site, TENCENT, "--confirm", "2")

    assert "--confirm 1" in done.err
    assert site.run("cancel", TENCENT, "--confirm", "1").code == 0


def test_the_reason_stands_where_somebody_is_told_how_to_confirm(site: Site) -> None:
    site.rules('[[confirm]]\nwhy = "the shop is open"\n')

    assert "the shop is open" in denied(site, TENCENT).err
    assert "the shop is open" in denied(site, TENCENT, "--confirm", "2").err


def test_a_denial_goes_before_a_confirmation(site: Site) -> None:
    site.rules('[[confirm]]\nwhy = "ask first"\n[[deny]]\nwhy = "frozen"\n')

    assert "frozen" in denied(site, TENCENT, "--confirm", "1").err


# a dry run


def test_a_dry_run_tells_what_the_rules_would_say(site: Site) -> None:
    site.rules(
        'contact = "ops@example.com"\n'
        '[[deny]]\nproviders = ["tencent"]\nwhy = "frozen"\n[[confirm]]\nproviders = ["aws"]\nwhy = "ask first"\n'
    )

    done = site.run("cancel", TENCENT, COMMAND, ONE_SHOT, "--dry-run", "-o", "json")

    plan = {item["run"]: item for item in done.document["plan"]}
    assert done.code == 0
    assert (plan[TENCENT]["ask"], plan[TENCENT]["why"]) == (False, "the site policy denies it: frozen")
    assert plan[COMMAND]["ask"]
    assert plan[COMMAND]["why"].endswith("; the site policy requires confirmation: ask first")
    assert "policy" not in plan[ONE_SHOT]["why"]
    assert "refused as a whole. Policy contact: ops@example.com" in done.err


def test_a_saved_plan_is_no_way_around(site: Site) -> None:
    site.rules("")
    plan = site.outside.home / "plan.json"
    plan.write_text(site.run("cancel", TENCENT, "--dry-run", "-o", "json").out)
    site.rules('[[deny]]\nwhy = "frozen"\n')

    denied(site, "--plan", str(plan), "--yes")


# files that say nothing


def test_without_a_file_there_are_no_rules(site: Site) -> None:
    assert site.run("cancel", TENCENT).code == 0
    site.folder.rmdir()
    assert site.run("cancel", ONE_SHOT, "--no-wait").code == 0


BROKEN = {
    "no TOML": ("[[deny]\n", "is not valid TOML"),
    "unknown key": ('[[deny]]\nproviderz = ["aws"]\nwhy = "x"\n', "unknown key deny[0].providerz. Expected one of:"),
    "near key": ('[[deny]]\nprovider = ["aws"]\nwhy = "x"\n', "did you mean providers?"),
    "unknown table": ('[[denny]]\nwhy = "x"\n', "unknown key denny. Expected one of: contact, deny, confirm"),
    "a table for a list": ('[deny]\nwhy = "x"\n', "deny: Expected `array`, got `object`"),
    "wrong type": ('[[deny]]\naccounts = [111122223333]\nwhy = "x"\n', "deny[0].accounts[0]: Expected `str`"),
    "text for a list": ('[[deny]]\nproviders = "aws"\nwhy = "x"\n', "deny[0].providers: Expected `array"),
    "no reason": ("[[deny]]\n", "deny[0].why is missing"),
    "empty reason": ('[[deny]]\nwhy = " "\n', "deny[0].why is empty"),
    "hidden reason": ('[[confirm]]\nwhy = "a\\u001b[31m"\n', "confirm[0].why is empty or not printable"),
    "empty name": ('[[deny]]\ncontexts = [" "]\nwhy = "x"\n', "deny[0].contexts[0] is empty or not printable"),
    "empty list": ('[[deny]]\nkinds = []\nwhy = "x"\n', "deny[0].kinds is empty"),
    "no such provider": ('[[deny]]\nproviders = ["azure"]\nwhy = "x"\n', "deny[0].providers[0] is “azure”"),
    "no such kind": ('[[deny]]\nkinds = ["window"]\nwhy = "x"\n', "deny[0].kinds[0] is “window”"),
    "no region": ('[[deny]]\nregions = ["*"]\nwhy = "x"\n', "deny[0].regions[0]"),
    "is negative": ('[[deny]]\nover_runs = -1\nwhy = "x"\n', "deny[0].over_runs is negative"),
    "half a run": ('[[deny]]\nover_runs = 1.5\nwhy = "x"\n', "deny[0].over_runs: Expected `int"),
    "empty contact": ('contact = ""\n', "contact is empty"),
    "long number": (f"contact = {'9' * 5000}\n", "number that is too long"),
    "deep": (f"contact = {'[' * 5000}\n", "nested too deeply"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_understood_refuses_every_cancel(name: str, site: Site) -> None:
    text, said = BROKEN[name]
    site.rules(text)

    done = denied(site, TENCENT)

    assert said in done.err
    assert str(site.file) in done.err
    assert len(done.err.splitlines()) == 2
    assert site.outside.requests() == []


def _no_utf8(site: Site) -> None:
    site.file.write_bytes(b"contact = '\xff'\n")


def _huge(site: Site) -> None:
    site.rules("# " + "x" * 1024 * 1024 + "\n")


def _folder(site: Site) -> None:
    site.file.mkdir()


def _loop(site: Site) -> None:
    site.file.symlink_to(site.file)


def _nowhere(site: Site) -> None:
    site.file.symlink_to(site.folder / "gone.toml")


def _pipe(site: Site) -> None:
    os.mkfifo(site.file)


def _not_in_a_folder(site: Site) -> None:
    site.folder.rmdir()
    site.folder.touch()


def _writable(site: Site) -> None:
    site.rules("")
    site.file.chmod(0o664)


def _folder_writable(site: Site) -> None:
    site.rules("")
    site.folder.chmod(0o777)


def _linked_into_a_writable_folder(site: Site) -> None:
    (site.outside.home / "open").mkdir()
    (site.outside.home / "open").chmod(0o777)
    (site.outside.home / "open" / "rules").touch(mode=0o644)
    site.file.symlink_to(site.outside.home / "open" / "rules")


def _a_folder_that_leads_nowhere(site: Site) -> None:
    site.folder.rmdir()
    site.folder.symlink_to(site.outside.home / "gone")


def _linked_through_a_writable_folder(site: Site) -> None:
    """Who may write in the middle of the way can lead it elsewhere, though both ends are of root."""
    open_, kept = site.outside.home / "open", site.outside.home / "kept"
    open_.mkdir()
    kept.mkdir(mode=0o755)
    (kept / "policy.toml").touch(mode=0o644)
    (open_ / "way").symlink_to(kept)
    open_.chmod(0o777)
    site.folder.rmdir()
    site.folder.symlink_to(open_ / "way")


def _above_it_others_may_write(site: Site) -> None:
    site.rules("")
    site.folder.parent.chmod(0o777)


def _of_somebody_else(site: Site) -> None:
    site.rules("")
    os.chown(site.file, 12345, -1)


def _in_a_folder_of_somebody_else(site: Site) -> None:
    site.rules("")
    os.chown(site.folder, 12345, -1)


UNTRUSTED = {
    _no_utf8: "it is not UTF-8 text",
    _huge: "it is larger than 1 MiB",
    _folder: "Is a directory",
    _loop: "Too many levels of symbolic links",
    _nowhere: "it is a broken link",
    _pipe: "it is not a regular file",
    _not_in_a_folder: "Not a directory",
    _writable: "is writable by others (mode 0664)",
    _folder_writable: "is writable by others (mode 0777)",
    _a_folder_that_leads_nowhere: "it is a broken link",
    _linked_through_a_writable_folder: "is writable by others (mode 0777)",
    _above_it_others_may_write: "is writable by others (mode 0777)",
    _linked_into_a_writable_folder: "is writable by others (mode 0777)",
    _of_somebody_else: "belongs to user 12345, not to root",
    _in_a_folder_of_somebody_else: "belongs to user 12345, not to root",
}


@pytest.mark.parametrize("spoil", UNTRUSTED)
def test_a_file_that_cannot_be_trusted_refuses_every_cancel(spoil: object, site: Site) -> None:
    assert callable(spoil)
    if "somebody_else" in spoil.__name__ and os.getuid() != 0:
        pytest.skip("only root gives files away")
    spoil(site)

    done = denied(site, TENCENT, "--yes")

    assert UNTRUSTED[spoil] in done.err
    assert "the site policy cannot be read, so every cancel is refused" in done.err


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_refuses_every_cancel(site: Site) -> None:
    site.rules("")
    site.file.chmod(0)

    assert "Permission denied" in denied(site, TENCENT).err


def test_a_link_to_a_file_of_root_is_followed(site: Site) -> None:
    (site.folder / "v1").mkdir(mode=0o755)
    (site.folder / "v1" / "rules").write_text('[[deny]]\nwhy = "frozen"\n')
    (site.folder / "v1" / "rules").chmod(0o644)
    site.file.symlink_to("v1/rules")

    assert "frozen" in denied(site, TENCENT).err


def test_whoever_only_reads_is_not_held_up_by_a_broken_policy(site: Site) -> None:
    site.rules("[[deny]\n")

    dry = site.run("cancel", TENCENT, "--dry-run", "-o", "json")

    assert dry.code == 0
    assert dry.document["plan"][0]["ask"]
    assert "the site policy cannot be read, so every cancel is refused" in dry.err
    for argv in (("status", TENCENT), ("list",), ("invocations", TENCENT), ("history",), ("contexts",)):
        done = site.run(*argv)
        assert (done.code, done.err) == (0, ""), str(done)


def test_wrong_usage_is_told_before_the_rules_are_read(site: Site) -> None:
    site.rules("[[deny]\n")

    assert site.run("cancel").code == 2


def test_a_rule_about_a_context_holds_for_every_key_of_its_account(site: Site) -> None:
    context = '[contexts.live]\nprovider = "tencent"\nprofile = "elsewhere"\naccount = "{}"\n'
    site.rules('[[deny]]\ncontexts = ["live"]\nwhy = "frozen"\n')

    site.configure(context.format("100000000001"))
    assert "frozen" in denied(site, TENCENT).err
    site.configure(context.format("100000000009"))
    assert site.run("cancel", TENCENT, "--no-wait").code == 0


# actions


@pytest.mark.parametrize(
    ("actions", "code"), [('["cancel"]', 6), ('["disable", "cancel"]', 6), ('["disable", "enable"]', 0), (None, 6)]
)
def test_a_rule_is_about_the_actions_it_names(site: Site, actions: str | None, code: int) -> None:
    line = "" if actions is None else f"actions = {actions}\n"
    site.rules(f'[[deny]]\n{line}why = "frozen"\n')

    assert site.run("cancel", TENCENT, "--no-wait").code == code


@pytest.mark.parametrize("actions", ['["stop"]', "[]", '"cancel"', '[""]'])
def test_an_action_that_nobody_knows_refuses_every_cancel(site: Site, actions: str) -> None:
    site.rules(f'[[confirm]]\nactions = {actions}\nwhy = "frozen"\n')

    assert "confirm[0].actions" in denied(site, TENCENT).err


# the page


def test_every_example_of_the_page_is_a_policy(site: Site) -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)

    assert len(examples) >= 4
    for text in examples:
        site.rules(text)
        done = site.run("cancel", *ENDED)
        assert (done.code, "policy" in done.err) == (0, False), str(done)


# joining with audit logs


def agents(outside: Outside) -> set[str]:
    """What clouds were told about who asks, without the SDKs' own words."""
    return {agent[at:] if (at := agent.find("runcancel/")) >= 0 else agent for agent in _agents(outside)}


def _agents(outside: Outside) -> list[str]:
    return [each["user_agent"] for each in outside.requests()]


@pytest.mark.parametrize("ref", [COMMAND, ONE_SHOT, TENCENT])
def test_every_request_of_an_operation_carries_its_id(ref: str, outside: Outside) -> None:
    done = outside.run("cancel", ref, "--no-wait", "-o", "json")

    assert agents(outside) == {f"runcancel/{__version__} op/{done.document['operation']}"}
    assert len(outside.requests()) > 1


def test_who_asks_is_found_out_under_the_same_id(outside: Outside) -> None:
    refs = outside.home / "refs"
    refs.write_text(f"{COMMAND}\n{ONE_SHOT}\n{TENCENT}\n")

    done = outside.run("cancel", "--from", str(refs), "--confirm", "3", "--no-wait", "-o", "json")

    assert outside.actions().count("GetCallerIdentity") == 3
    assert agents(outside) == {f"runcancel/{__version__} op/{done.document['operation']}"}


def test_what_the_journal_does_not_have_carries_no_id(outside: Outside) -> None:
    outside.run("cancel", TENCENT, COMMAND, ONE_SHOT, "--dry-run")
    outside.run("cancel", TENCENT, COMMAND, ONE_SHOT, "--no-journal", "--no-wait")
    outside.run("list")
    outside.run("status", TENCENT, COMMAND, ONE_SHOT)

    assert agents(outside) == {f"runcancel/{__version__}"}


def test_a_resume_keeps_the_id(outside: Outside) -> None:
    outside.faults({"action": "CancelInvocation", "kind": "denied"})
    failed = outside.run("cancel", TENCENT, "-o", "json").document["operation"]
    outside.faults()

    assert outside.run("cancel", "--resume", failed).code == 0
    assert agents(outside) == {f"runcancel/{__version__} op/{failed}"}


def test_doctor_says_what_is_wrong_with_the_rules(site: Site) -> None:
    site.rules("[[deny]]\nwhy = 7\n")

    done = site.run("doctor", "-p", "tencent", "-o", "json")

    (file,) = [each for each in done.document["files"] if each["name"] == "policy"]
    assert "the site policy cannot be read, so every cancel is refused" in file["problem"]


def test_what_a_window_started_meets_the_rules_too(site: Site) -> None:
    site.rules('[[deny]]\nkinds = ["command"]\nwhy = "the platform team stops commands"\n')

    done = denied(site, WINDOW, "--stop-running")

    assert "the platform team stops commands" in done.err
    assert site.run("cancel", WINDOW, "--no-wait").code == 0


def test_a_rename_says_that_rules_about_the_old_name_do_not_follow(site: Site) -> None:
    site.rules('[[deny]]\nwhy = "not here"\ncontexts = ["prod"]\n')
    site.configure('[contexts.prod]\nprovider = "tencent"\n[contexts.games]\nprovider = "tencent"\n')

    assert "rules about prod" in site.run("contexts", "rename", "prod", "live").err
    assert "rules about" not in site.run("contexts", "rename", "games", "play").err
