"""`tccli` and `runcancel`, side by side."""

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from runcancel.providers import provider
from runcancel.providers.common.credential_client import CredentialClient
from runcancel.providers.common.credentials import CredentialSource
from runcancel.providers.common.http import Endpoint
from runcancel.providers.tencent import credentials
from runcancel.providers.tencent.sources import Sources
from runcancel.sandbox.accounts import key
from runcancel.sandbox.seeds import HOSTILE_NAME

from .bench import Bench, counted, narrowed, plain

RUNNING, ENDED, NOBODY = "inv-ib2lld37", "inv-0ended0001", "inv-nobody00"

MEANS = {
    "PENDING": {"pending"},
    "RUNNING": {"running"},
    "SUCCESS": {"succeeded"},
    "CANCELLING": {"cancelling"},
    "CANCELLED": {"cancelled", "terminated"},  # of a run: terminated when one of its tasks was
    "TERMINATED": {"terminated"},
}
"""What each word may become. Written again here, so that it is not the program's own table that is asked."""

_RUNS = (
    "InvocationSet[].{id: InvocationId, provider_status: InvocationStatus, name: CommandName, created_at: CreatedTime,"
    " started_at: StartTime, ended_at: EndTime, target_count: length(InvocationTaskBasicInfoSet)}"
)
_TASKS = (
    "InvocationTaskSet[].{id: InvocationTaskId, target: InstanceId, provider_status: TaskStatus,"
    " status_detail: ErrorInfo, started_at: StartTime, ended_at: EndTime}"
)
_WORDS = "InvocationTaskSet[].{id: InvocationTaskId, target: InstanceId, word: TaskStatus, run: InvocationId}"


def read(bench: Bench, *ids: str) -> Any:
    return bench.tccli("DescribeInvocations", "--InvocationIds", json.dumps(ids), query=_RUNS)


def tasks(bench: Bench, id: str, *page: str, query: str = _TASKS) -> Any:
    return bench.tccli("DescribeInvocationTasks", "--Filters", _filter("invocation-id", id), *page, query=query)


def reference(id: str) -> str:
    return f"tencent:ap-guangzhou:{id}"


def test_runs_read_the_same(still: Bench) -> None:
    ids = (RUNNING, ENDED, still.run_named("tencent", "invocation", HOSTILE_NAME))
    theirs = read(still, *ids)
    ours = still.runcancel("status", *map(reference, ids))["runs"]
    assert narrowed(ours, to=theirs) == plain(theirs)
    assert _wrongly_read((run["state"], run["provider_status"]) for run in ours) == set()
    assert ours[0]["counts"] == {"running": 9, "pending": 3}
    assert ours[2]["name"] == HOSTILE_NAME


def test_every_page_of_targets_reads_the_same(still: Bench) -> None:
    id = still.run_named("tencent", "invocation", "rolling-restart")
    theirs = [row for offset in ("0", "50") for row in tasks(still, id, "--Limit", "50", "--Offset", offset)]
    ours = still.runcancel("invocations", reference(id))["invocations"]
    assert len(theirs) == 75
    assert narrowed(ours, to=theirs) == plain(theirs)
    assert _wrongly_read((row["state"], row["provider_status"]) for row in ours) == set()


def test_a_task_id_leads_to_the_run_that_tccli_names(still: Bench) -> None:
    task = still.runcancel("invocations", reference(RUNNING), "--limit", "1")["invocations"][0]["id"]
    theirs = still.tccli("DescribeInvocationTasks", "--InvocationTaskIds", json.dumps([task]), query=_WORDS)
    (ours,) = still.runcancel("status", reference(task))["runs"]
    assert [row["run"] for row in theirs] == [ours["id"]] == [RUNNING]


def test_a_cancel_by_tccli_is_seen_by_runcancel(moving: Bench) -> None:
    moving.tccli("CancelInvocation", "--InvocationId", RUNNING)
    moving.box.clock.advance(30)
    (ours,) = moving.runcancel("status", reference(RUNNING))["runs"]
    assert (ours["state"], ours["counts"]) == ("terminated", {"cancelled": 3, "terminated": 9})
    theirs = read(moving, RUNNING)
    assert narrowed([ours], to=theirs) == plain(theirs)
    assert moving.effective() == ["CancelInvocation"]


def test_a_cancel_of_some_targets_by_tccli_is_seen_target_by_target(moving: Bench) -> None:
    rows = tasks(moving, RUNNING, query=_WORDS)
    chosen = [next(row["target"] for row in rows if row["word"] == word) for word in ("RUNNING", "PENDING")]
    moving.tccli("CancelInvocation", "--InvocationId", RUNNING, "--InstanceIds", json.dumps(chosen))
    moving.box.clock.advance(30)
    ours = moving.runcancel("invocations", reference(RUNNING))["invocations"]
    states = {row["target"]: row["state"] for row in ours}
    assert [states[target] for target in chosen] == ["terminated", "cancelled"]
    assert counted(ours) == {"running": 8, "pending": 2, "terminated": 1, "cancelled": 1}


def test_what_runcancel_says_after_a_cancel_is_what_tccli_reads(moving: Bench) -> None:
    (outcome,) = moving.runcancel("cancel", reference(RUNNING))["outcomes"]
    (run,) = read(moving, RUNNING)
    words = {row["id"]: row["word"] for row in tasks(moving, RUNNING, query=_WORDS)}
    said = {row["id"]: row["after"] for row in outcome["invocations"]}
    assert outcome["verdict"] == "stopped"
    assert said.keys() == words.keys()
    pairs = [(outcome["after"], run["provider_status"]), *((said[id], words[id]) for id in words)]
    assert _wrongly_read(pairs) == set()
    assert moving.effective() == ["CancelInvocation"]


def test_tccli_and_runcancel_find_no_unknown_run(still: Bench) -> None:
    assert read(still, NOBODY) == []
    assert still.tccli_refusal("CancelInvocation", "--InvocationId", NOBODY) == "ResourceNotFound.InvocationNotFound"
    (error,) = still.runcancel("status", reference(NOBODY), code=5)["errors"]
    assert error["code"] == "not_found"


def _expired() -> dict[str, str]:
    pair = key("tencent", 0, "expired")
    return {
        "TENCENTCLOUD_SECRET_ID": pair.id,
        "TENCENTCLOUD_SECRET_KEY": pair.secret,
        "TENCENTCLOUD_TOKEN": pair.token,
    }


@pytest.mark.parametrize(
    ("env", "theirs", "ours"),
    [
        ({"TENCENTCLOUD_SECRET_KEY": "not-the-secret"}, "AuthFailure.SignatureFailure", "bad_credentials"),
        ({"TENCENTCLOUD_SECRET_ID": "AKIDnobody"}, "AuthFailure.SecretIdNotFound", "bad_credentials"),
        (_expired(), "AuthFailure.TokenFailure", "expired_credentials"),
    ],
    ids=["wrong secret", "unknown key", "expired token"],
)
def test_bad_keys_have_the_code_that_tccli_shows(still: Bench, env: dict[str, str], theirs: str, ours: str) -> None:
    assert still.tccli_refusal("DescribeInvocations", "--Limit", "1", env=env) == theirs
    (error,) = still.runcancel("status", reference(RUNNING), code=4, env=env)["errors"]
    assert (error["code"], error["provider_code"]) == (ours, theirs)


def test_a_denied_cancel_has_the_code_that_tccli_shows(start: Callable[..., Bench]) -> None:
    bench = start(tick=1, faults=("tencent:CancelInvocation=denied",))
    code = bench.tccli_refusal("CancelInvocation", "--InvocationId", RUNNING)
    (outcome,) = bench.runcancel("cancel", reference(RUNNING), code=4)["outcomes"]
    assert code.startswith("UnauthorizedOperation")
    assert (outcome["error"]["code"], outcome["error"]["provider_code"]) == ("denied", code)
    assert bench.effective() == []


def test_keys_that_tccli_configure_wrote_are_good_for_runcancel(start: Callable[..., Bench]) -> None:
    bench = start(speed=0)
    pair = key("tencent", 0)
    without = dict.fromkeys(("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_REGION"))
    answers = f"{pair.id}\n{pair.secret}\nap-guangzhou\njson\n"
    bench.run("tccli", "configure", "--profile", "ops", stdin=answers, env=without)
    (run,) = bench.runcancel("status", RUNNING, "--profile", "ops", env=without)["runs"]
    assert run["ref"] == f"ops@tencent:ap-guangzhou:invocation/{RUNNING}"


JUDGE = """
import json, os, sys
from collections import defaultdict
from tccli.services.tat.tat_client import parse_global_arg
names = "profile secretId secretKey token region output role_arn role_session_name use_cvm_role".split()
out = []
for environ, profile in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(environ)
    found = parse_global_arg(defaultdict(lambda: None, dict.fromkeys(names)) | {"profile": profile})
    role = bool(found["role_arn"] and found["role_session_name"])
    out.append([found["profile"], found["secretId"][-4:], found["region"], found["role_arn"] if role else None])
print(json.dumps(out))
"""


def test_profile_key_region_and_role_are_those_that_tccli_resolves(peers: Path, tmp_path: Path) -> None:
    """Variables, files and the flag, each with each."""
    role = "qcs::cam::uin/1:roleName/"
    (tmp_path / ".tccli").mkdir()
    for name, more in (("default", {}), ("work", {}), ("ops", {"role-arn": f"{role}ops", "role-session-name": "me"})):
        keys = {"secretId": f"AKID{name}file", "secretKey": "s", **more}
        system = {"region": f"ap-{name}", "output": "json", "language": "en-US"}
        service = {"version": "2020-10-28", "endpoint": "tat.tencentcloudapi.com"}
        (tmp_path / ".tccli" / f"{name}.credential").write_text(json.dumps(keys))
        (tmp_path / ".tccli" / f"{name}.configure").write_text(json.dumps({"_sys_param": system, "tat": service}))
    bare = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    variables = (
        ({}, {"TENCENTCLOUD_SECRET_ID": "AKIDenvv", "TENCENTCLOUD_SECRET_KEY": "s"}),
        ({}, {"TENCENTCLOUD_REGION": "ap-env"}),
        ({}, {"TCCLI_PROFILE": "work"}, {"TCCLI_PROFILE": "ops"}),
        ({}, {"TENCENTCLOUD_ROLE_ARN": f"{role}env", "TENCENTCLOUD_ROLE_SESSION_NAME": "me"}),
    )
    cases = [
        ({**bare, **{name: value for part in parts for name, value in part.items()}}, profile)
        for parts in product(*variables)
        for profile in (None, "default", "work", "ops")
    ]
    judge = [str(peers / "python"), "-c", JUDGE]
    told = subprocess.run(judge, input=json.dumps(cases), capture_output=True, text=True, timeout=60, check=True)

    for (environ, profile), expected in zip(cases, json.loads(told.stdout), strict=True):
        assert _resolved(environ, profile) == expected, f"{environ} {profile}"


class _Seen(Sources):
    """Sources that ask nobody: a role is noted, and its base answers."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(CredentialClient(environ), _no_wire, Endpoint.of("https://sts.tencentcloudapi.com"))
        self.role: str | None = None

    def assumed(self, role: str, session: str, base: CredentialSource, *, source: str) -> CredentialSource:
        self.role = role
        return base


def _resolved(environ: Mapping[str, str], profile: str | None) -> list[str | None]:
    """The same, as runcancel resolves it."""
    found, sources = provider("tencent").resolve(environ, profile), _Seen(environ)
    keys = credentials.find(environ, profile, lambda: sources)()
    return [found.profile.value, keys.id[-4:], found.region.value if found.region else None, sources.role]


def _no_wire(_base: CredentialSource) -> Any:
    raise AssertionError("nothing is asked for")


def _filter(name: str, *values: str) -> str:
    return json.dumps([{"Name": name, "Values": values}])


def _wrongly_read(pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Pairs of our state and the vendor's word that do not belong together."""
    return {(state, word) for state, word in pairs if state not in MEANS[word]}
