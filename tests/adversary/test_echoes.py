"""A gateway that repeats every secret, in every field and in every spelling: none gets out by any door."""

import base64
import json
import random
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outside import COMMAND, KILLED, TENCENT, Done, Outside

from adversary.gateway import Answer, Asked, gateway
from runcancel import redaction
from runcancel.sandbox.accounts import key

RUNS = {"aws": COMMAND, "alibaba": KILLED, "tencent": TENCENT}
ENDPOINTS = {
    "aws": "AWS_ENDPOINT_URL",
    "alibaba": "RUNCANCEL_ALIBABA_ENDPOINT_URL",
    "tencent": "RUNCANCEL_TENCENT_ENDPOINT_URL",
}


def spellings(secret: str) -> dict[str, str]:
    """A secret as headers, URLs, documents and pages write it."""
    raw = secret.encode()
    once = quote(secret, safe="")
    return {
        "raw": secret,
        "percent": once,
        "percent twice": quote(once, safe=""),
        "form": quote_plus(secret),
        "every character": "".join(f"%{byte:02x}" for byte in raw),
        "json": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "json twice": json.dumps(json.dumps(secret)),
        "unicode escapes": "".join(f"\\u{byte:04x}" for byte in raw),
        "entities": "".join(f"&#{byte};" for byte in raw),
        "base64": base64.b64encode(raw).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(raw).decode(),
        "base64 with a user": base64.b64encode(b"me:" + raw).decode(),
        "hexadecimal": raw.hex(),
        "cut": secret[: len(secret) * 3 // 4],
    }


def echo(cloud: str, field: str, text: str) -> Answer:
    """An error in the dialect of a cloud, with the text in one field of it."""
    fields = {"message": "no", "code": "Odd.Failure", "request id": "req-1", field: text}
    code, message, request = (fields[name] for name in ("code", "message", "request id"))
    headers = {"content-type": "application/json"}
    if field == "header":
        flat = re.sub(r"[^\x20-\x7e]", "", text)
        headers |= {"x-request-id": flat, "x-amzn-requestid": flat, "date": flat, "x-amzn-errortype": flat}
    if field == "page":
        return Answer(503, {"content-type": "text/html"}, f"<!DOCTYPE html><html><body>{text}</body>".encode())
    if cloud == "aws":
        headers = {"x-amzn-requestid": re.sub(r"[^\x20-\x7e]", "", request), **headers}
        return Answer(400, headers, json.dumps({"__type": code, "message": message}).encode())
    if cloud == "alibaba":
        return Answer(400, headers, json.dumps({"Code": code, "Message": message, "RequestId": request}).encode())
    error = {"Error": {"Code": code, "Message": message}, "RequestId": request}
    return Answer(200, headers, json.dumps({"Response": error}).encode())


def held(cloud: str) -> list[str]:
    """What the command signs with."""
    pair = key(cloud, 0, "temporary")
    return [part for part in (pair.secret, pair.token) if part]


def leaks(outside: Outside, done: Done, secrets: Iterable[str]) -> list[str]:
    """Where which spelling of which secret stands, on the streams and in every file."""
    places = {"stdout": done.out, "stderr": done.err}
    for path in outside.home.rglob("*"):
        if path.is_file():
            places[path.name] = path.read_bytes().decode("latin-1")
    return [
        f"{place}: {name}"
        for place, content in places.items()
        for secret in secrets
        for name, spelling in spellings(secret).items()
        if spelling in content or spelling[:20] in content
    ]


FIELDS = ("message", "code", "request id", "header", "page")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("cloud", RUNS)
def test_nothing_that_a_gateway_repeats_gets_out(cloud: str, field: str, outside: Outside) -> None:
    secrets = held(cloud)
    everything = [spelling for secret in secrets for spelling in spellings(secret).values()]
    random.Random(f"{cloud} {field}").shuffle(everything)

    for writes in (True, False):
        calls = {"sent": 0}

        def answer(asked: Asked, *, writes: bool = writes, calls: dict[str, int] = calls) -> Answer | None:
            if asked.writes is not writes:
                return None
            calls["sent"] += 1
            return echo(cloud, field, " ".join(everything))

        with gateway(outside.box.url, answer) as before:
            env = {**outside.box.environment(sort="temporary"), ENDPOINTS[cloud]: before.url}
            done = outside.run("cancel", RUNS[cloud], "-o", "json", "--debug", "--timeout", "1", env=env)
            shown = outside.run("history", "-o", "json", env=env)

        assert calls["sent"], str(done)
        assert done.document["errors"] or done.document["outcomes"], str(done)
        assert leaks(outside, done, secrets) == []
        assert leaks(outside, shown, secrets) == []


def test_a_name_that_holds_a_secret_is_shown_without_it(outside: Outside) -> None:
    token = held("tencent")[-1]

    def answer(asked: Asked) -> Answer | None:
        if asked.action != "DescribeInvocations":
            return None
        run = {"InvocationId": TENCENT.rpartition("/")[2], "InvocationStatus": "SUCCESS", "CommandName": f"x {token}"}
        listing = {"TotalCount": 1, "InvocationSet": [run], "RequestId": f"req-{token}"}
        return Answer(200, {}, json.dumps({"Response": listing}).encode())

    with gateway(outside.box.url, answer) as before:
        env = {**outside.box.environment(sort="temporary"), ENDPOINTS["tencent"]: before.url}
        done = outside.run("list", "-p", "tencent", "--status", "succeeded", "-o", "json", env=env)

    assert "x ..." in done.out, str(done)
    assert leaks(outside, done, [token]) == []


# URLs that are given as references

LINK = "https://us-east-2.console.aws.amazon.com/systems-manager/run-command/{}?region=us-east-2&token={}#{}"
HUSH = "hush-c4n4ry-0123456789"


@pytest.mark.parametrize("verb", [("status",), ("cancel", "--no-wait")], ids=["status", "cancel"])
def test_the_query_of_a_link_is_neither_shown_nor_kept(verb: tuple[str, ...], outside: Outside) -> None:
    link = LINK.format(COMMAND.rpartition("/")[2], HUSH, HUSH)

    done = outside.run(*verb, link, "-o", "json", "--debug")
    refused = outside.run(*verb, link.replace("us-east-2&", "us-east-2&region=eu-west-1&"), "--debug")
    odd = outside.run(*verb, f"https://me:{HUSH}@example.com/x y?{HUSH}", "--debug")
    shown = outside.run("history", "-o", "json")

    assert done.code in (0, 8), str(done)
    assert (refused.code, odd.code) == (2, 2)
    for one in (done, refused, odd, shown):
        assert leaks(outside, one, [HUSH]) == []


def test_debugging_that_is_off_prints_no_traceback(outside: Outside) -> None:
    hook = outside.home / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import runcancel.config.references\n\ndef broken(*_):\n    raise RuntimeError('made to fail')\n\n"
        "runcancel.config.references.parse = runcancel.config.references.parse_all = broken\n"
    )
    values = [{"RUNCANCEL_DEBUG": value} for value in ("1", "0", "false", "no", "off", "")]
    calls = [("status", TENCENT)] * len(values)

    loud, *others = outside.forks(*calls, own=values, env={"PYTHONPATH": str(hook)})

    assert "Traceback" in loud.err
    for quiet in others:
        assert "Traceback" not in quiet.err, str(quiet)
        assert "internal error" in quiet.err


# the scrubber itself

SECRETS = st.text(st.sampled_from("ABCxyz0189+/=-_.~!"), min_size=24, max_size=120).filter(
    lambda s: s.strip("+/=-_.~!")
)


@given(SECRETS, st.sampled_from(sorted(spellings("x" * 24))), st.text(max_size=20), st.text(max_size=20))
def test_every_spelling_of_a_secret_is_found(secret: str, spelling: str, before: str, after: str) -> None:
    text = redaction.redact_sent(f"{before} {spellings(secret)[spelling]} {after}", [secret])

    assert redaction.HIDDEN in text
    assert spellings(secret)[spelling] not in text


@given(st.text(max_size=200))
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redaction.redact_sent(text, ["IQoJb3JpZ2luX2VjEJr//////wEaCXVzLWVhc3QtMiJH"]) == text


NAMES: Mapping[str, bool] = {
    "AWS_SECRET_ACCESS_KEY": True,
    "AWS_SESSION_TOKEN": True,
    "aws_access_key_id": False,
    "TENCENTCLOUD_SECRET_ID": False,
    "secretKey": True,
    "secretId": False,
    "access_key_secret": True,
    "sts_token": True,
    "AWS_WEB_IDENTITY_TOKEN_FILE": False,
    "NextToken": False,
    "X-Amz-Security-Token": True,
    "x-aws-ec2-metadata-token-ttl-seconds": False,
    "clientSecretExpiresAt": False,
    "credential_process": False,
    "refreshToken": True,
    "TokenType": False,
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_secrets_are_known(name: str) -> None:
    assert redaction.is_secret(name) is NAMES[name]
