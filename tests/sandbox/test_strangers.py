"""A web page cannot drive the sandbox: not by its address, not by a name bent to it, not by a form."""

import http.client
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .conftest import COMMAND, Box

JSON = {"Content-Type": "application/json"}


def send(box: Box, method: str, path: str, headers: dict[str, str], body: str | None = None) -> int:
    """The status of a request with these headers; a `Host` among them is sent as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def here(box: Box, name: str = "127.0.0.1") -> str:
    return f"{name}:{box.port}"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example:1", "10.0.0.1", ""]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/_sandbox/truth"), ("POST", "/_sandbox/reset"), ("POST", "/")])
def test_a_foreign_host_is_refused(box: Box, host: str, method: str, path: str) -> None:
    assert send(box, method, path, {"Host": host}) == 421


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_this_machine_goes_by_three_names(box: Box, name: str) -> None:
    assert send(box, "GET", "/_sandbox/time", {"Host": here(box, name)}) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda headers: "".join(headers.values()),
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/_sandbox/reset"), ("DELETE", "/_sandbox/requests"), ("POST", "/")]
)
def test_a_page_of_another_site_is_refused(box: Box, headers: dict[str, str], method: str, path: str) -> None:
    assert send(box, method, path, headers) == 403


@pytest.mark.parametrize("sort", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
@pytest.mark.parametrize(
    ("name", "body"),
    [("faults", '["aws:*=denied"]'), ("advance", '{"seconds": 9}'), ("skew", '{"seconds": 9}'), ("runs", "[]")],
)
def test_json_is_taken_as_json_only(box: Box, sort: str | None, name: str, body: str) -> None:
    headers = {} if sort is None else {"Content-Type": sort}
    assert send(box, "POST", f"/_sandbox/{name}", headers, body) == 415
    assert send(box, "POST", f"/_sandbox/{name}", {"Content-Type": "application/json; charset=utf-8"}, body) == 200


def test_what_was_refused_changed_nothing(box: Box) -> None:
    before = box.truth(COMMAND)
    send(box, "POST", "/_sandbox/advance", JSON | {"Origin": "https://evil.example"}, '{"seconds": 999999}')
    send(box, "POST", "/", {"Host": "evil.example", "X-Amz-Target": "AmazonSSM.CancelCommand"}, "{}")
    assert box.truth(COMMAND) == before
    assert box.control("GET", "requests") == []


PAGE = """<!doctype html><title>tried</title><iframe name=inner hidden></iframe>
<form id=f method=post target=inner enctype="text/plain" action="URL/_sandbox/faults">
<input name='["aws:*=denied", "' value='"]'></form>
<pre id=said></pre><script>
const said = [], url = "URL", tell = text => said.push(text);
async function attempt(name, options) {
  try {
    const reply = await fetch(url + name, options);
    tell(name + " " + reply.type);
    if (reply.ok) tell("READ " + await reply.text());
  }
  catch (error) { tell(name + " blocked"); }
}
(async () => {
  const plain = {"Content-Type": "text/plain"}, json = {"Content-Type": "application/json"};
  await attempt("/_sandbox/truth");
  await attempt("/_sandbox/reset", {method: "POST", mode: "no-cors"});
  await attempt("/_sandbox/advance", {method: "POST", mode: "no-cors", headers: plain, body: '{"seconds": 999999}'});
  await attempt("/_sandbox/advance", {method: "POST", headers: json, body: '{"seconds": 999999}'});
  await attempt("/_sandbox/faults", {method: "POST", mode: "no-cors", headers: plain, body: '["aws:*=denied"]'});
  await attempt("/_sandbox/requests", {method: "DELETE"});
  await attempt("/", {method: "POST", mode: "no-cors", headers: plain, body: "{}"});
  navigator.sendBeacon(url + "/_sandbox/reset");
  document.getElementById("f").submit();
  await fetch("/done", {method: "POST", body: said.join("\\n")});
  document.title = "done";
})();
</script>"""


class _Site:
    """A page on another origin of this machine, and what it reports when it has tried everything."""

    def __init__(self, target: str) -> None:
        self.report: str = ""
        self.reported = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = PAGE.replace("URL", target).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                site.report = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.send_response(204)
                self.end_headers()
                site.reported.set()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Callable[[str, str], str]]:
    """Open a page in headless Chromium and return what it reports; `rules` bend names to addresses."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not on PATH: apt-get install chromium")
    browsers: list[subprocess.Popen[bytes]] = []
    sites: list[_Site] = []

    def open_page(target: str, rules: str) -> str:
        site = _Site(target)
        sites.append(site)
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
            " --disable-component-update --disable-sync --disable-dev-shm-usage"
        )
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        bent = f"--host-resolver-rules={rules}"
        # It keeps the page open, so that the form and the beacon are really sent.
        argv = [chromium, *flags.split(), profile, bent, "--remote-debugging-port=0", site.url]
        browsers.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        assert site.reported.wait(60), "the page did not come to its end"
        return site.report

    yield open_page
    for browser in browsers:
        browser.terminate()
        browser.wait(10)
    for site in sites:
        site.server.shutdown()
        site.server.server_close()


@pytest.mark.parametrize("name", ["127.0.0.1", "rebound.example"])
def test_a_page_in_a_browser_drives_nothing(box: Box, visit: Callable[[str, str], str], name: str) -> None:
    before = box.truth(COMMAND)
    box.aws().list_commands(MaxResults=1)
    report = visit(f"http://{name}:{box.port}", "MAP rebound.example 127.0.0.1")
    assert "/_sandbox/reset opaque" in report  # the request was really sent, and refused here
    assert "READ" not in report
    assert box.control("GET", "faults") == []
    assert [each["action"] for each in box.control("GET", "requests")] == ["ListCommands"]
    assert box.truth(COMMAND) == before
    assert json.dumps(box.control("GET", "time"))
