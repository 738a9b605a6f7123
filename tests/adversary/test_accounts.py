"""Protection goes by the account: by whatever keys it is reached, and whatever a caller sets to hide it."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
from outside import COMMAND, KILLED, TENCENT, Outside

ACCOUNTS = {"aws": "111122223333", "alibaba": "1234567890123456", "tencent": "100000000001"}
REFS = {"aws": COMMAND, "alibaba": KILLED, "tencent": TENCENT}
STS = {
    "aws": "RUNCANCEL_AWS_STS_ENDPOINT_URL",
    "alibaba": "RUNCANCEL_ALIBABA_STS_ENDPOINT_URL",
    "tencent": "RUNCANCEL_TENCENT_STS_ENDPOINT_URL",
}


def configure(outside: Outside, cloud: str, account: str, *more: str, name: str = "live") -> None:
    """A context whose profile is not the one in use: only its account leads to it."""
    folder = outside.home / ".config" / "runcancel"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"[contexts.{name}]", f'provider = "{cloud}"', f'account = "{account}"', *more]
    (folder / "config.toml").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("cloud", ACCOUNTS)
def test_keys_in_the_environment_of_a_protected_account_are_protected(outside: Outside, cloud: str) -> None:
    configure(outside, cloud, ACCOUNTS[cloud], 'profile = "elsewhere"', "protected = true")

    for flags in ((), ("--yes",), ("--confirm", "prod")):
        done = outside.run("cancel", REFS[cloud], *flags)
        assert done.code == 6, str(done)
    assert outside.writes() == []
    assert outside.run("cancel", REFS[cloud], "--confirm", "live", "--no-wait").code == 0


def test_who_asks_is_found_out_beside_the_lookup(outside: Outside) -> None:
    """The lookup hangs for a minute, and the identity is asked for meanwhile."""
    configure(outside, "tencent", ACCOUNTS["tencent"], 'profile = "elsewhere"', "protected = true")
    outside.faults("tencent:DescribeInvocations=hang")

    done, _ = outside.interrupted(
        signal.SIGINT, "cancel", TENCENT, "--lookup-timeout", "60s", until="GetCallerIdentity"
    )

    assert done.code == 130, str(done)
    assert outside.writes() == []


@pytest.mark.parametrize("cloud", ACCOUNTS)
def test_another_account_is_not_protected(outside: Outside, cloud: str) -> None:
    other = ACCOUNTS[cloud][:-1] + "9"
    configure(outside, cloud, other, 'profile = "elsewhere"', "protected = true")

    done = outside.run("cancel", REFS[cloud], "--no-wait")

    assert done.code == 0, str(done)
    assert outside.actions().count("GetCallerIdentity") == 1


@pytest.mark.parametrize("cloud", ACCOUNTS)
@pytest.mark.parametrize("protected", [(), ("protected = true",)])
def test_a_context_that_leads_to_another_account_is_refused(
    outside: Outside, cloud: str, protected: tuple[str, ...]
) -> None:
    configure(outside, cloud, ACCOUNTS[cloud][:-1] + "9", *protected)

    for flags in ((), ("--confirm", "live"), ("--confirm", "1")):
        done = outside.run("cancel", f"live@{REFS[cloud]}", *flags)
        assert done.code == 6, str(done)
        assert ACCOUNTS[cloud] in done.err
    assert outside.writes() == []


@pytest.mark.parametrize("cloud", ACCOUNTS)
def test_a_dry_run_and_doctor_report_a_context_that_leads_to_another_account(outside: Outside, cloud: str) -> None:
    named = ACCOUNTS[cloud][:-1] + "9"
    configure(outside, cloud, named)
    why = f"the context live is of account {named}, and its credentials are of account {ACCOUNTS[cloud]}"

    planned = outside.run("cancel", f"live@{REFS[cloud]}", "--dry-run", "-o", "json")
    doctor = outside.run("doctor", "-c", "live", "-o", "json")

    (item,) = planned.document["plan"]
    assert (planned.code, item["ask"], item["why"]) == (0, False, why), str(planned)
    assert f"{why}; a cancel is refused" in planned.err
    (error,) = doctor.document["errors"]
    assert (doctor.code, error["code"], error["message"]) == (4, "refused", f"{why}; a cancel is refused"), str(doctor)
    assert doctor.document["scopes"][0]["ok"] is False
    assert outside.writes() == []


@pytest.mark.parametrize("protected", [(), ("protected = true",)])
@pytest.mark.parametrize("by", ["live@", ""])
def test_an_identity_that_is_not_told_counts_as_protected(
    outside: Outside, protected: tuple[str, ...], by: str
) -> None:
    configure(outside, "tencent", ACCOUNTS["tencent"], *protected)
    outside.faults("tencent:GetCallerIdentity=denied")
    guarded = bool(protected or by)

    done = outside.run("cancel", f"{by}{TENCENT}", "--no-wait")

    assert done.code == (6 if guarded else 0), str(done)
    assert bool(outside.writes()) is not guarded


def test_who_asks_is_found_out_once_per_credential(outside: Outside) -> None:
    configure(outside, "tencent", ACCOUNTS["tencent"], 'profile = "elsewhere"', "protected = true")
    refs = [outside.add("tencent", region=region) for region in ("ap-guangzhou", "ap-shanghai", "ap-singapore")]

    assert outside.run("cancel", *refs, "--confirm", "3", "--no-wait").code == 0
    assert outside.actions().count("GetCallerIdentity") == 1


def test_a_rule_about_a_context_goes_by_its_account(outside: Outside) -> None:
    """The rule is in the policy; here the same function is asked that names the contexts of a scope."""
    configure(outside, "tencent", ACCOUNTS["tencent"], 'profile = "elsewhere"', "protected = true")

    shown = outside.run("cancel", TENCENT, "--no-input")

    assert "in protected context live" in shown.err


@contextmanager
def another_sts(account: str, *, silent: bool = False) -> Iterator[str]:
    """An STS that tells whatever its owner likes, or holds the line."""
    left = Event()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            if silent:
                left.wait(30)
                return
            query = b"Action=GetCallerIdentity" in self.requestline.encode() or "amz" in str(self.headers).lower()
            if query and "x-acs-action" not in self.headers and "X-TC-Action" not in self.headers:
                body, kind = _xml(account), "text/xml"
            else:
                known = {"AccountId": account, "Arn": "arn:x", "RequestId": "r-1", "PrincipalId": "p", "UserId": "u"}
                body, kind = json.dumps({"Response": known, **known}), "application/json"
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        left.set()
        server.shutdown()
        server.server_close()


def _xml(account: str) -> str:
    told = f"<Arn>arn:aws:iam::{account}:user/x</Arn><UserId>u</UserId><Account>{account}</Account>"
    return (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"{told}</GetCallerIdentityResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>"
    )


@pytest.mark.parametrize("cloud", ACCOUNTS)
def test_an_sts_that_is_neither_the_vendors_nor_beside_the_service_is_not_believed(
    outside: Outside, cloud: str
) -> None:
    configure(outside, cloud, ACCOUNTS[cloud], 'profile = "elsewhere"', "protected = true")
    with another_sts(ACCOUNTS[cloud][:-1] + "9") as url:
        done = outside.run("cancel", REFS[cloud], env={STS[cloud]: url})

    assert done.code == 6, str(done)
    assert "in protected context live" in done.err
    assert outside.writes() == []


def test_an_sts_that_is_silent_holds_a_cancel_up_for_five_seconds_at_most(outside: Outside) -> None:
    configure(outside, "tencent", ACCOUNTS["tencent"], 'profile = "elsewhere"', "protected = true")
    with another_sts("", silent=True) as url:
        done = outside.run("cancel", TENCENT, env={STS["tencent"]: url}, patience=15)

    assert done.code == 6, str(done)


def test_the_account_of_a_context_is_written_shown_and_checked(outside: Outside) -> None:
    added = outside.run("contexts", "add", "live", "-p", "aws", "--account", "111122223333", "--protected")
    assert added.code == 0, str(added)
    assert 'account = "111122223333"' in (outside.home / ".config" / "runcancel" / "config.toml").read_text()
    assert outside.json("contexts")["contexts"][0]["account"] == "111122223333"
    (row,) = [one for one in outside.json("contexts", "show", "live")["settings"] if one["key"] == "account"]
    assert (row["value"], row["origin"]) == ("111122223333", "context")

    for bad in ("prod", "1111", "111122223333x"):
        assert outside.run("contexts", "add", "bad", "-p", "aws", "--account", bad).code == 2
    assert outside.run("contexts", "list", "--account", "111122223333").code == 2
    configure(outside, "aws", "prod")
    done = outside.run("cancel", COMMAND)
    assert (done.code, outside.writes()) == (2, [])
    assert "contexts.live.account" in done.err
