"""Requests for credentials over HTTP, with the care of every other request."""

from collections.abc import Mapping
from urllib.parse import urlencode

from runcancel.errors import CloudError
from runcancel.model.states import Reason
from runcancel.providers.common.http import HttpClient, Reply


class CredentialClient:
    """The one way to request credentials over HTTP: metadata services, credential URIs, STS and OIDC of every vendor.

    As `HttpClient`, whose care it has; plain http goes to loopback and to the link-local metadata services only. Every
    method returns the `Reply` unjudged, a redirect among them, and raises `CloudError` as `HttpClient.send` does. Take
    the error's code out of a reply and never its text, which may hold keys.
    """

    def __init__(self, environ: Mapping[str, str], *, connect_timeout: float = 5.0, read_timeout: float = 10.0) -> None:
        self._client = HttpClient(environ, connect_timeout=connect_timeout, read_timeout=read_timeout, metadata=True)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask by GET."""
        return self._client.send("GET", url, headers=headers or {}, credentials=True)

    def get_metadata(self, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask the metadata service of a machine for its role. Raises `Reason.NO_CREDENTIALS` where it has none."""
        reply = self.get(url, headers)
        if reply.status_code != 200:
            what = "this machine has no role" if reply.status_code == 404 else f"HTTP {reply.status_code}"
            raise CloudError(Reason.NO_CREDENTIALS, f"the metadata service: {what}", action="credentials")
        return reply

    def put(self, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask by PUT without a body: for the token of a metadata service."""
        return self._client.send("PUT", url, headers=headers or {}, credentials=True)

    def post_form(self, url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Reply:
        """Send a form in the body, where no log of URLs keeps it."""
        form = {"content-type": "application/x-www-form-urlencoded"}
        return self._post(url, {**form, **(headers or {})}, urlencode(fields).encode())

    def post_json(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """Send JSON, which may have to be signed unchanged."""
        return self._post(url, {"content-type": "application/json", **(headers or {})}, body)

    def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        return self._client.send("POST", url, headers=headers, body=body, credentials=True)
