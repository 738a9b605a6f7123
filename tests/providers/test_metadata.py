"""Keys of a machine's role: the metadata services of both clouds, as their documentation shows them."""

import json
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opened import refused

from runcancel.model.states import Reason
from runcancel.providers.alibaba.sources import Sources as AlibabaSources
from runcancel.providers.common.credential_client import CredentialClient
from runcancel.providers.common.credentials import CredentialSource
from runcancel.providers.common.http import Endpoint
from runcancel.providers.tencent.sources import Sources as TencentSources

ALIBABA = {"Code": "Success", "AccessKeyId": "STS.a", "AccessKeySecret": "s", "SecurityToken": "t"}
TENCENT = {"Code": "Success", "TmpSecretId": "AKIDa", "TmpSecretKey": "s", "Token": "t", "ExpiredTime": 4_000_000_000}


class Machine:
    """A metadata service; `pages` is path -> body, anything else is 404."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.heard: list[tuple[str, str, Mapping[str, str]]] = []
        machine = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                machine.heard.append((self.command, self.path, headers))
                body = machine.pages.get(f"{self.command} {self.path}")
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            do_GET = do_PUT = _answer

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.server.shutdown()
    made.server.server_close()


def of_alibaba(machine: Machine, role: str | None) -> CredentialSource:
    sts = Endpoint.of("https://sts.aliyuncs.com")
    client = CredentialClient({})
    sources = AlibabaSources(client, lambda _, base: pytest.fail("STS"), sts, fixed=True, metadata=machine.url)
    return sources.of_machine(role, source="the metadata role")


def of_tencent(machine: Machine) -> CredentialSource:
    sts = Endpoint.of("https://sts.tencentcloudapi.com")
    sources = TencentSources(CredentialClient({}), lambda base: pytest.fail("STS"), sts, metadata=machine.url)
    return sources.of_machine(source="the machine's role")


def test_alibabas_role_is_looked_up_with_the_token_of_the_hardened_service(machine: Machine) -> None:
    roles = "/latest/meta-data/ram/security-credentials/"
    machine.pages = {
        "PUT /latest/api/token": b"session-token",
        f"GET {roles}": b"ops",
        f"GET {roles}ops": json.dumps({**ALIBABA, "Expiration": "2099-01-01T00:00:00Z"}).encode(),
    }
    source = of_alibaba(machine, None)

    keys = source()
    source()

    assert (keys.id, keys.token, keys.expires_at) == ("STS.a", "t", 4_070_908_800)
    assert [path for _, path, _ in machine.heard] == ["/latest/api/token", roles, f"{roles}ops"]
    assert {headers.get("x-aliyun-ecs-metadata-token") for _, _, headers in machine.heard[1:]} == {"session-token"}


def test_alibabas_older_service_answers_without_a_token(machine: Machine) -> None:
    machine.pages = {"GET /latest/meta-data/ram/security-credentials/web": json.dumps(ALIBABA).encode()}

    assert of_alibaba(machine, "web")().id == "STS.a"


def test_tencents_role_is_looked_up(machine: Machine) -> None:
    roles = "/latest/meta-data/cam/security-credentials/"
    machine.pages = {f"GET {roles}": b"ops", f"GET {roles}ops": json.dumps(TENCENT).encode()}

    keys = of_tencent(machine)()

    assert (keys.id, keys.token, keys.expires_at) == ("AKIDa", "t", 4_000_000_000)


@pytest.mark.parametrize("cloud", ["alibaba", "tencent"])
def test_a_machine_without_a_role_says_so_once(cloud: str, machine: Machine) -> None:
    source = of_alibaba(machine, None) if cloud == "alibaba" else of_tencent(machine)

    first = refused(source)
    asked = len(machine.heard)
    second = refused(source)

    assert first.reason is second.reason is Reason.NO_CREDENTIALS
    assert "this machine has no role" in first.message
    assert len(machine.heard) == asked


@pytest.mark.parametrize("body", [b"<html>sikrit</html>", b"[]", b'{"Code": "Failed"}', b'{"Code": "Success"}'])
def test_an_answer_without_keys_is_refused_and_not_quoted(body: bytes, machine: Machine) -> None:
    machine.pages = {"GET /latest/meta-data/ram/security-credentials/web": body}

    error = refused(of_alibaba(machine, "web"))

    assert error.reason is Reason.NO_CREDENTIALS
    assert "sikrit" not in error.message
