"""ARNs and console URLs as references: what is read out of them, and one clear line for every one that will not do."""

from typing import Any
from urllib.parse import quote, unquote

import pytest
from fakes import UUID, read_or_not
from hypothesis import example, given
from hypothesis import strategies as st
from outside import AUTOMATION, COMMAND, KILLED, TENCENT, WINDOW, Outside, id_of

from runcancel.config.references import full, parse
from runcancel.errors import UsageError
from runcancel.providers import PROVIDERS, provider
from runcancel.providers.aws.links import HOSTS, partition_of
from runcancel.providers.tencent.links import NUMBERS
from runcancel.text import is_plain

AWS = sorted(provider("aws").regions)
MW = "mw-0c50858d01e4f7a2b"
CONSOLE = "https://us-east-2.console.aws.amazon.com/systems-manager"
AT = "?region=us-east-2"
EXECUTION = "arn:aws:states:us-east-2:111122223333:execution:nightly-etl:run@1"

uuids = st.uuids().map(str)
accounts = st.from_regex(r"[0-9]{12}", fullmatch=True)


@given(
    uuids, st.sampled_from(AWS), accounts, st.sampled_from([("automation-execution", "automation"), ("command",) * 2])
)
def test_an_arn_built_from_an_id_reads_back(id: str, region: str, account: str, kind: tuple[str, str]) -> None:
    read = parse(f"arn:{partition_of(region)}:ssm:{region}:{account}:{kind[0]}/{id.upper()}")

    assert (read.provider, read.region, read.kind, read.id, read.account) == ("aws", region, kind[1], id, account)


PAGES = {
    "command": "/systems-manager/run-command/{}",
    "automation": "/systems-manager/automation/execution/{}",
    "maintenance-window": f"/systems-manager/maintenance-windows/{MW}/history/{{}}",
}


@given(
    uuids, st.sampled_from([one for one in AWS if partition_of(one) in HOSTS.values()]), st.sampled_from(list(PAGES))
)
def test_a_page_of_aws_built_from_an_id_reads_back(id: str, region: str, kind: str) -> None:
    host = next(host for host, partition in HOSTS.items() if partition == partition_of(region))
    path = PAGES[kind].format(id)

    for url in (
        f"https://{host}{path}?region={region}",
        f"https://{region}.{host}{path}",
        f"https://{region}.{host}{path}?region={region}#",
        f"https://{host}{path}/?REGION={region}",
    ):
        read = parse(url)
        assert (read.provider, read.region, read.kind, read.id, read.account) == ("aws", region, kind, id, None)
        assert read.text == f"aws:{region}:{kind}/{id}"


def test_the_host_of_one_of_several_sessions_tells_the_account() -> None:
    read = parse(f"https://111122223333-ab12cd34.us-east-2.console.aws.amazon.com/systems-manager/run-command/{UUID}")

    assert (read.region, read.account) == ("us-east-2", "111122223333")


@pytest.mark.parametrize("rest", ["/approval", f"/step/3/{UUID[:-1]}0", "/"])
def test_a_page_below_an_automation_is_of_the_automation(rest: str) -> None:
    assert parse(f"{CONSOLE}/automation/execution/{UUID}{rest}{AT}").id == UUID


@given(st.from_regex(r"t-[0-9a-z]{8,32}", fullmatch=True), st.sampled_from(sorted(provider("alibaba").regions)))
def test_a_page_of_alibaba_reads_back(id: str, region: str) -> None:
    for host in ("ecs.console.aliyun.com", "ecs.console.alibabacloud.com"):
        for url in (
            f"https://{host}/cloud-assistant/region/{region}/result?InvokeId={id}",
            f"https://{host}/cloud-assistant/region/{region}#/result/{id}",
        ):
            read = parse(url)
            assert (read.provider, read.region, read.kind, read.id) == ("alibaba", region, "invocation", id)


@given(st.from_regex(r"exec-[0-9a-z]{8,32}", fullmatch=True), st.sampled_from(sorted(provider("alibaba").regions)))
def test_a_page_of_oos_reads_back(id: str, region: str) -> None:
    for host in ("oos.console.aliyun.com", "oos.console.alibabacloud.com"):
        read = parse(f"https://{host}/{region}/execution/detail/{id}")
        assert (read.provider, read.region, read.kind, read.id) == ("alibaba", region, "oos", id)


@given(st.from_regex(r"inv-[0-9a-z]{8,10}", fullmatch=True), st.sampled_from(sorted(NUMBERS.items())))
def test_a_page_of_tencent_reads_back(id: str, region: tuple[str, str]) -> None:
    for url in (
        f"https://console.cloud.tencent.com/tat/invocation/detail?rid={region[0]}&id={id}",
        f"https://console.tencentcloud.com/tat/invocation/{id}?region={region[1]}",
    ):
        read = parse(url)
        assert (read.provider, read.region, read.kind, read.id) == ("tencent", region[1], "invocation", id)


@pytest.mark.parametrize("name", ["run@1", "a.b-c_d", "nightly-etl/each:02f05632"])
def test_an_execution_of_a_state_machine_is_named_by_its_whole_arn(name: str) -> None:
    arn = f"arn:aws:states:us-east-2:111122223333:execution:deploy:{name}".replace("deploy:nightly-etl", "nightly-etl")
    page = "https://us-east-2.console.aws.amazon.com/states/home"

    assert parse(arn).account == "111122223333"
    for text in (
        arn,
        f"state-machine/{arn}",
        f"aws:us-east-2:state-machine/{arn}",
        f"{page}?region=us-east-2#/v2/executions/details/{arn}",
        f"{page}?region=us-east-2#/executions/details/{quote(arn, safe='')}",
    ):
        for context in ("", "prod%20eu@"):
            read = parse(context + text)
            assert (read.provider, read.region, read.kind, read.id) == ("aws", "us-east-2", "state-machine", arn)
            assert read.context == (unquote(context.removesuffix("@")) or None)


def test_every_number_of_a_region_is_one_that_has_tat() -> None:
    assert set(NUMBERS.values()) <= provider("tencent").regions


def test_a_context_before_a_link_is_a_context() -> None:
    assert parse(f"prod%20eu@arn:aws:ssm:eu-west-1:111122223333:automation-execution/{UUID}").context == "prod eu"
    assert parse(f"prod@{CONSOLE}/run-command/{UUID}{AT}").context == "prod"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{CONSOLE}/run-command/executing-commands{AT}", "not the page of a command"),
        (f"{CONSOLE}/run-command/{UUID}0{AT}", "not the page of a command"),
        (f"{CONSOLE}/run-command/{'-' * 36}{AT}", "is not a UUID"),
        (f"{CONSOLE}/maintenance-windows/{MW}/history{AT}", "is a maintenance window; cancel one of its executions"),
        (f"{CONSOLE}/run-command/{UUID}?region=eu-west-1", "more than one region"),
        (f"https://console.aws.amazon.com/systems-manager/run-command/{UUID}", "has no region"),
        (f"https://console.aws.amazon.com/systems-manager/run-command/{UUID}?region=us-east-99", "an unknown region"),
        (f"https://console.amazonaws.cn/systems-manager/run-command/{UUID}{AT}", "not of that console"),
        (f"https://a@us-east-2.console.aws.amazon.com/systems-manager/run-command/{UUID}", "no user and no password"),
        (f"https://console.aws.amazon.com\\@evil.net/systems-manager/run-command/{UUID}{AT}", "not a console URL"),
        (f"https://console.aws.amazon.com:8443/systems-manager/run-command/{UUID}{AT}", "no port"),
        (f"https://console.aws.amazon.com:x/systems-manager/run-command/{UUID}{AT}", "cannot be read as a URL"),
        (f"http://console.aws.amazon.com/systems-manager/run-command/{UUID}{AT}", "starts with https://"),
        (f"file:///systems-manager/run-command/{UUID}{AT}", "not a console URL"),
        (f"https://console.aws.amazon.com.attacker.net/systems-manager/run-command/{UUID}{AT}", "not a console URL of"),
        (f"https://evil-console.aws.amazon.com/systems-manager/run-command/{UUID}{AT}", "not a console URL of"),
        (f"https://a.b.console.aws.amazon.com/systems-manager/run-command/{UUID}{AT}", "not a console URL of"),
        (f"https://aws.amazon.com/systems-manager/run-command/{UUID}{AT}", "not a console URL of"),
        ("https://ecs.console.aliyun.com/cloud-assistant/region/cn-hangzhou", "no id of a run"),
        ("https://ecs.console.aliyun.com/region/cn-hangzhou?a=t-7d2a745b412b&b=t-7d2a745b413b", "more than one id"),
        (
            "https://ecs.console.aliyun.com/region/cn-hangzhou?a=t-7d2a745b412b&region=cn-beijing",
            "more than one region",
        ),
        ("https://console.cloud.tencent.com/tat/invocation?id=inv-ib2lld37", "has no region"),
        ("https://console.cloud.tencent.com/tat/invocation?id=inv-ib2lld37&rid=2", "has no region"),
        ("https://console.cloud.tencent.com/tat?id=inv-ib2lld37&task=invt-ib2lld37&rid=1", "more than one id"),
        ("arn:aws:ssm:us-east-2", "six parts"),
        (f"arn:aws:ssm:us-east-2:111122223333:maintenancewindow/{MW}", "is a maintenance window"),
        ("arn:aws:ssm:us-east-2::document/AWS-RunShellScript", "is a document"),
        (f"arn:aws:ssm:us-east-2:111122223333:opsitem/{UUID}", "ARNs of runs end in automation-execution/ID"),
        (f"arn:aws:sqs:us-east-2:111122223333:execution:deploy:{UUID}", "not of Systems Manager"),
        ("arn:aws:states:us-east-2:111122223333:stateMachine:deploy", "cancel one of its executions instead"),
        (f"arn:aws:states:us-east-2:111122223333:express:deploy:{UUID}:{UUID}", "EXPRESS execution, which cannot"),
        (f"arn:aws:states:us-east-2:111122223333:mapRun:deploy/each:{UUID}", "it is a Map Run"),
        ("arn:aws:states:us-east-2:111122223333:execution:deploy", "not that of an execution"),
        (f"arn:aws:states:us-east-2:1:execution:deploy:{UUID}", "not that of an execution"),
        (f"arn:aws-cn:states:us-east-2:111122223333:execution:deploy:{UUID}", "the region in the ARN"),
        (f"us-east-1:state-machine/{EXECUTION}", "its region is us-east-1, but its id is one of us-east-2"),
        (f"command/{EXECUTION}", "its kind is command, but its id is one of state-machine"),
        (f"tencent:state-machine/{EXECUTION}", "no kind"),
        (f"state-machine/{UUID}", "is not a state-machine id; expected the ARN of an execution"),
        (f"arn:aws:ssm:us-east-2::automation-execution/{UUID}", "not 12 digits"),
        (f"arn:aws:ssm::111122223333:automation-execution/{UUID}", "the region in the ARN"),
        (f"arn:aws-cn:ssm:us-east-2:111122223333:automation-execution/{UUID}", "the region in the ARN"),
        (f"arn:gcp:ssm:us-east-2:111122223333:automation-execution/{UUID}", "no partition of AWS"),
        ("arn:aws:ssm:us-east-2:111122223333:automation-execution/", "is not a UUID"),
        (f"@arn:aws:ssm:us-east-2:111122223333:automation-execution/{UUID}", "the context before @ is empty"),
        (f"%ff@{CONSOLE}/run-command/{UUID}{AT}", "not percent-encoded UTF-8"),
    ],
)
def test_what_names_no_run_is_told_with_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert says in caught.value.message
    assert "nothing was sent" in caught.value.message
    assert caught.value.hint


def test_the_page_of_one_target_is_never_taken_for_the_whole_command() -> None:
    with pytest.raises(UsageError, match="one target") as caught:
        parse(f"{CONSOLE}/run-command/{UUID}/i-0a11b22c33d44e55f{AT}")

    assert caught.value.hint == (
        f"name the command and restrict it: aws:us-east-2:command/{UUID} --target i-0a11b22c33d44e55f"
    )


@pytest.mark.parametrize("query", ["", "?region=us-east-99", "?region=eu-west-1"])
def test_a_region_that_the_page_leaves_open_is_not_made_up_in_the_hint(query: str) -> None:
    host = "us-east-2.console.aws.amazon.com" if "eu-" in query else "console.aws.amazon.com"

    with pytest.raises(UsageError, match="one target") as caught:
        parse(f"https://{host}/systems-manager/run-command/{UUID}/i-0a11b22c33d44e55f{query}")

    assert f"aws:REGION:command/{UUID} --target" in (caught.value.hint or "")


def test_what_may_sign_somebody_in_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"https://me:pass@evil.net/systems-manager/run-command/{UUID}?SigninToken=secret#token=secret")

    assert f"“https://evil.net/systems-manager/run-command/{UUID}”" in caught.value.message
    assert "pass@" not in caught.value.message
    assert "secret" not in caught.value.message + (caught.value.hint or "")


def test_where_only_the_full_form_will_do_a_link_does_not() -> None:
    with pytest.raises(UsageError, match="only the full form"):
        full(f"arn:aws:ssm:us-east-2:111122223333:automation-execution/{UUID}")


hosts = st.sampled_from([*HOSTS, "ecs.console.aliyun.com", "console.cloud.tencent.com", "evil.net", "[::1", "x:y"])
paths = st.text(st.sampled_from(f"/?&=#:@%\\{UUID}" + "abi-"), max_size=40) | st.sampled_from(list(PAGES.values()))


@given(
    st.builds("{}{}{}".format, st.sampled_from(["https://", "http://", "a@https://", "://"]), hosts, paths)
    | st.builds("arn:{}".format, st.text(st.sampled_from("aws:sm-cn/" + UUID), max_size=80))
    | st.text().map("https://{}".format)
)
@example("https://[")
@example("https://console.cloud.tencent.com/?rid=%31&id=inv-ib2lld37&%ff")
def test_any_link_is_a_reference_or_one_line_that_says_why_not(text: str) -> None:
    read = read_or_not(text)

    if isinstance(read, UsageError):
        assert "nothing was sent" in read.message
        assert is_plain(read.message)
        assert is_plain(read.hint or "")
    else:
        assert read.provider in PROVIDERS
        assert read.kinds(read.provider)
        assert read.region


# from outside

ACCOUNT = "111122223333"
LINKS = {
    AUTOMATION: f"arn:aws:ssm:us-east-2:{ACCOUNT}:automation-execution/{id_of(AUTOMATION)}",
    COMMAND: f"{CONSOLE}/run-command/{id_of(COMMAND)}{AT}",
    WINDOW: f"{CONSOLE}/maintenance-windows/{MW}/history/{id_of(WINDOW)}{AT}",
    KILLED: f"https://ecs.console.aliyun.com/cloud-assistant/region/cn-hangzhou/result?InvokeId={id_of(KILLED)}",
    TENCENT: f"https://console.cloud.tencent.com/tat/invocation/detail?rid=1&id={id_of(TENCENT)}",
}


def refs_of(document: Any) -> list[str]:
    return [row.get("ref") or row["run"] for row in document.get("runs") or document["plan"]]


def test_every_verb_takes_links_where_it_takes_references(outside: Outside) -> None:
    listed = outside.home / "list"
    listed.write_text("\n".join(LINKS.values()))

    assert refs_of(outside.json("status", *LINKS.values())) == list(LINKS)
    rows = outside.json("invocations", *LINKS.values(), "--limit", "1")["invocations"]
    assert [row["run"] for row in rows] == list(LINKS)
    assert refs_of(outside.json("cancel", *LINKS.values(), "--dry-run")) == list(LINKS)
    assert sorted(refs_of(outside.json("cancel", "--from", str(listed), "--dry-run"))) == sorted(LINKS)
    assert outside.writes() == []


def test_a_cancel_by_url_stops_that_run(outside: Outside) -> None:
    done = outside.run("cancel", LINKS[TENCENT], "-o", "json")

    assert done.code == 0, str(done)
    assert list(done.outcomes) == [TENCENT]


def test_an_arn_of_another_account_is_refused_before_anything_is_read(outside: Outside) -> None:
    done = outside.run("cancel", LINKS[AUTOMATION].replace(ACCOUNT, "999988887777"))

    assert done.code == 2
    assert (
        "is in account 999988887777, but these credentials belong to account 111122223333; nothing was sent" in done.err
    )
    assert outside.actions() == ["GetCallerIdentity"]


def test_an_account_that_cannot_be_checked_is_said_and_stops_nothing(outside: Outside) -> None:
    outside.faults("GetCallerIdentity=denied")

    done = outside.run("cancel", LINKS[AUTOMATION], "-o", "json")

    assert done.code == 0, str(done)
    assert f"could not verify that the credentials belong to account {ACCOUNT}" in done.err


@pytest.mark.parametrize("link", [f"{CONSOLE}/run-command/executing-commands{AT}", "arn:aws:ssm:x"])
def test_one_that_will_not_do_refuses_all(link: str, outside: Outside) -> None:
    done = outside.run("cancel", TENCENT, link)

    assert done.code == 2
    assert done.err.count("\n") == 2, done.err
    assert outside.actions() == []
