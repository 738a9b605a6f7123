"""Places to run: a user without passwd entry and HOME, XDG folders alone, no writable disk, an empty environment."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from outside import COMMAND, ENDED, KILLED, RUNCANCEL, TENCENT, Done, Outside, ran

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can become a user without passwd entry, by setpriv",
)

VERBS: Mapping[str, Sequence[str]] = {
    "list": ("list",),
    "status": ("status", TENCENT, KILLED, COMMAND),
    "invocations": ("invocations", KILLED),
    "logs": ("logs", ENDED[3]),
    "wait": ("wait", ENDED[4]),
    "doctor": ("doctor",),
    "contexts": ("contexts", "list"),
    "permissions": ("permissions", "-p", "aws"),
    "dry run": ("cancel", "-n", TENCENT),
    "cancel": ("cancel", TENCENT, KILLED, "--timeout", "5s"),
}
GOOD = (0, 7, 8)  # a pending-only cancel and one that is only reported have codes of their own

HOMELESS: Mapping[str, None] = dict.fromkeys(("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_STATE_HOME"))


AS_NOBODY = (
    *("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"),
    *("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"),
)
"""Runs a command as a uid that has no passwd entry. It may read what root may: the interpreter can be below /root."""


def as_nobody(outside: Outside, *argv: str, limit: Sequence[str]) -> Done:
    """Run the installed command; `limit` is a command that runs another one under a limit."""
    environ = {name: value for name, value in outside.environ.items() if name not in HOMELESS}
    return ran([*AS_NOBODY, *limit, RUNCANCEL], *argv, environ=environ, cwd=Path("/"))


def all_as_nobody(outside: Outside, *commands: Sequence[str], env: Mapping[str, str] | None = None) -> list[Done]:
    """Run one after the other."""
    return outside.forks(*commands, env={**HOMELESS, **(env or {})}, prefix=AS_NOBODY, cwd=Path("/"))


def test_a_user_without_passwd_entry_and_home_can_use_every_verb(outside: Outside) -> None:
    for done in all_as_nobody(outside, *((*words, "-o", "json") for words in VERBS.values())):
        assert done.code in GOOD, str(done)
        assert "internal error" not in done.out + done.err, str(done)
        assert done.out.startswith("{"), str(done)


def test_a_cancel_without_a_home_says_that_it_is_not_written_down(outside: Outside) -> None:
    done = as_nobody(outside, "cancel", TENCENT, "-o", "json", limit=())

    assert done.outcomes[TENCENT]["verdict"] == "stopped"
    assert "set HOME or an XDG variable" in done.err


def test_what_needs_a_folder_says_so_in_one_sentence(outside: Outside) -> None:
    calls = (("history",), ("contexts", "add", "dev", "-p", "aws"), ("cancel", TENCENT, "--require-journal"))

    for done in all_as_nobody(outside, *calls):
        assert done.code in (2, 6), str(done)
        assert "set HOME or an XDG variable" in done.err, str(done)
    assert not outside.writes()


def test_without_home_and_keys_each_cloud_says_that_it_has_no_credentials(outside: Outside) -> None:
    keys = [name for name in outside.environ if name.startswith(("AWS_", "ALIBABA_", "TENCENTCLOUD_"))]
    for name in keys:
        del outside.environ[name]
    regions = {"aws": "us-east-2", "alibaba": "cn-hangzhou", "tencent": "ap-guangzhou"}
    calls = [("list", "-p", cloud, "-r", region, "-o", "json") for cloud, region in regions.items()]

    for done in all_as_nobody(outside, *calls, env={"AWS_EC2_METADATA_DISABLED": "true"}):
        assert {problem["code"] for problem in done.document["errors"]} == {"no_credentials"}, str(done)


def test_xdg_folders_alone_hold_configuration_and_journal(outside: Outside, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("config", "state"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 54321, 54321)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}

    added, done, past = all_as_nobody(
        outside,
        ("contexts", "add", "dev", "-p", "tencent"),
        ("cancel", f"dev@{TENCENT}", "-o", "json"),
        ("history", "-o", "json"),
        env=env,
    )

    assert added.code == 0, str(added)
    assert [one["verdict"] for one in done.document["outcomes"]] == ["stopped"], str(done)
    assert [one["id"] for one in past.document["operations"]] == [done.document["operation"]]


def test_a_home_that_cannot_be_written_holds_up_no_cancel(outside: Outside) -> None:
    (done,) = all_as_nobody(outside, ("cancel", TENCENT, "-o", "json"), env={"HOME": "/"})

    assert done.outcomes[TENCENT]["verdict"] == "stopped", str(done)
    assert done.err.count("cannot be resumed") == 1


def test_an_empty_environment_is_enough_for_help_and_an_answer(outside: Outside) -> None:
    outside.environ = {}
    search = ("list", "-p", "tencent", "-r", "ap-guangzhou", "-o", "json")

    version, page, found = outside.forks(("--version",), ("help", "exit-codes"), search)

    assert (version.code, page.code) == (0, 0)
    assert found.code in (4, 7)


def crowd(outside: Outside) -> list[str]:
    """Four runs of each cloud that a cancel can stop."""
    return [
        *(outside.add("aws", "command", targets={"running": 1}, runs_for=1e6) for _ in range(4)),
        *(outside.add("tencent", targets={"running": 1}, runs_for=1e6) for _ in range(4)),
        *(outside.add("alibaba", targets={"pending": 1}, waits_for=1e6) for _ in range(4)),
    ]


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit sets the limit")
@pytest.mark.parametrize("processes", [0, 2, 4])
def test_where_threads_run_out_every_run_is_cancelled_with_those_there_are(processes: int, outside: Outside) -> None:
    refs = crowd(outside)

    limit = ("prlimit", f"--nproc={processes}")
    done = as_nobody(outside, "cancel", *refs, "--timeout", "10s", "-o", "json", limit=limit)

    assert {ref: outcome["verdict"] for ref, outcome in done.outcomes.items()} == dict.fromkeys(refs, "stopped")


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit sets the limit")
@pytest.mark.parametrize("megabytes", [300, 400])
def test_where_memory_runs_out_nothing_is_sent_without_an_outcome(megabytes: int, outside: Outside) -> None:
    refs = crowd(outside)

    limit = ("prlimit", f"--as={megabytes << 20}")
    done = as_nobody(outside, "cancel", *refs, "--timeout", "10s", "-o", "json", limit=limit)

    sent = {ref for ref in refs if outside.effective(ref)}
    assert sent <= done.outcomes.keys(), str(done)
    assert all(done.outcomes[ref]["verdict"] != "failed" for ref in sent), str(done)
    assert megabytes < 400 or len(sent) == len(refs), str(done)
