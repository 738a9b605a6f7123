"""What AWS's answers and refusals prove, whatever the kind of run."""

import logging
from collections.abc import Iterator

import pytest
from botocore.exceptions import BotoCoreError
from fakes import HandClock
from opened import read, refused, unread

from providers.aws.scripted import AUTOMATION, COMMAND, NIGHTLY, WINDOW, Scripted, connect, error, ref
from runcancel.model.runs import Kind, Ref
from runcancel.model.states import Reason, State
from runcancel.providers import provider
from runcancel.providers.aws.cloud import Aws
from runcancel.providers.aws.failures import CODES, EXCEPTIONS
from runcancel.providers.aws.models import OURS
from runcancel.providers.aws.wire import APIS
from runcancel.sandbox import Sandbox
from runcancel.sandbox.faults import rule


@pytest.mark.parametrize(
    ("wanted", "state"),
    [(WINDOW, State.CANCELLING), (COMMAND, State.TERMINATED), (AUTOMATION, State.TERMINATED)],
    ids=lambda one: one.kind if isinstance(one, Ref) else "",
)
def test_a_cancel_is_asked_once_and_seen(box: Sandbox, cloud: Aws, wanted: Ref, state: State) -> None:
    asked = list(cloud.cancel(wanted))
    box.clock.advance(30)
    seen = read(cloud, wanted)

    assert len(asked) == 1
    assert asked[0]
    assert seen.run.state is state


def test_an_answer_about_another_run_is_no_answer_to_a_cancel(box: Sandbox, cloud: Aws) -> None:
    box.board.replace([rule("aws:CancelMaintenanceWindowExecution=foreign-echo")])

    assert refused(lambda: list(cloud.cancel(WINDOW))).reason is Reason.UNPROVEN
    assert len(box.log.shown()) == 1


def test_no_region_at_all_is_not_believed(wire: Scripted, scripted: Aws) -> None:
    none = b"<DescribeRegionsResponse><requestId>req-1</requestId><regionInfo/></DescribeRegionsResponse>"
    wire.script = lambda action, params: (200, {"content-type": "text/xml"}, none)

    assert refused(scripted.regions).reason is Reason.UNPROVEN


@pytest.mark.parametrize(("code", "reason"), [*CODES.items(), ("NewException", Reason.INVALID)])
def test_every_error_code_has_its_reason_and_keeps_its_request_id(
    wire: Scripted, scripted: Aws, code: str, reason: Reason
) -> None:
    wire.script = lambda action, params: error(code, "said so", **{"x-amz-retry-after": "5"})

    said = refused(lambda: list(scripted.cancel(AUTOMATION)))

    assert (said.reason, said.provider_code, said.request_id) == (reason, code, "req-9")
    assert (said.action, said.retry_after) == ("StopAutomationExecution", 0.005)


def test_every_credential_exception_of_botocore_has_its_own_reason() -> None:
    def named(family: type[Exception]) -> Iterator[type[Exception]]:
        yield family
        for child in family.__subclasses__():
            yield from named(child)

    about = ("Credential", "SSO", "Token", "Login", "Profile")
    ours = [one for one in named(BotoCoreError) if one.__module__ == "botocore.exceptions"]
    missed = [
        one.__name__
        for one in ours
        if any(word in one.__name__ for word in about)
        and next(base.__name__ for base in one.__mro__ if base.__name__ in EXCEPTIONS) == "BotoCoreError"
    ]

    assert missed == []


def test_a_denial_names_the_action_and_the_credentials(wire: Scripted, scripted: Aws) -> None:
    said = "User: arn:aws:iam::1:user/ops is not authorized to perform: ssm:CancelCommand on resource: *"
    wire.script = lambda action, params: error("AccessDeniedException", said)

    told = refused(lambda: list(scripted.cancel(COMMAND))).message

    assert told.startswith("not permitted: ssm:CancelCommand (AWS_ACCESS_KEY_ID of the environment)")


def test_a_complaint_about_a_signature_is_not_repeated(
    wire: Scripted, scripted: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="runcancel.wire")
    wire.script = lambda action, params: error("InvalidSignatureException", "you sent x-amz-security-token:SECRET")

    said = refused(lambda: list(scripted.cancel(COMMAND)))

    assert said.reason is Reason.BAD_CREDENTIALS
    assert "SECRET" not in str(said) + str(said.hint)
    with_trace = "\n".join(one.getMessage() for one in caplog.records if one.name == "runcancel.wire")
    assert "CancelCommand" in with_trace
    assert "SECRET" not in with_trace
    assert "very-secret" not in with_trace


@pytest.mark.parametrize("id", [NIGHTLY + "0", "mw-0c50858d01c0ffee0", "02f05632*"])
def test_an_id_of_the_wrong_shape_never_travels(wire: Scripted, scripted: Aws, id: str) -> None:
    for kind in ("maintenance-window", "command", "automation"):
        assert unread(scripted, ref(kind, id)).reason is Reason.INVALID
        assert refused(lambda: list(scripted.cancel(ref(kind, id)))).reason is Reason.INVALID  # noqa: B023
    assert wire.asked == []


def test_a_proxy_is_not_asked_for_loopback(wire: Scripted, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    wire.script = lambda action, params: {}

    assert list(connect(clock).cancel(COMMAND)) == ["req-1"]


def test_nobody_listening_is_unreachable(clock: HandClock, monkeypatch: pytest.MonkeyPatch, wire: Scripted) -> None:
    cloud = connect(clock, endpoint_url="http://127.0.0.1:9")

    assert refused(lambda: list(cloud.cancel(WINDOW))).reason is Reason.UNREACHABLE


def test_plain_http_goes_to_loopback_only(clock: HandClock, monkeypatch: pytest.MonkeyPatch, wire: Scripted) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "http://ssm.example.com")

    assert refused(lambda: connect(clock)).reason is Reason.NOT_CONFIGURED


def test_kinds_are_looked_up_in_order_and_ask_for_real_permissions() -> None:
    kinds: tuple[Kind, ...] = provider("aws").kinds

    assert [kind.name for kind in kinds] == ["maintenance-window", "command", "automation", "state-machine"]
    assert all(kind.permission.partition(":")[2] == kind.action and APIS[kind.action].asks for kind in kinds)
    assert {kind.permission.partition(":")[0] for kind in kinds[:3]} == {"ssm"}
    assert [kind.in_part for kind in kinds] == [False, True, False, False]


def test_every_api_is_one_of_the_service() -> None:
    import botocore.session

    session = botocore.session.Session()
    known = {name for service in ("sts", *OURS) for name in session.get_service_model(service).operation_names}
    regions = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ssm", partition_name=partition)
    }

    assert set(APIS) <= known
    assert regions <= provider("aws").regions
