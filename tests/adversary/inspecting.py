"""A proxy that inspects TLS, as companies have them: it answers in the place of whatever host a client asks for."""

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adversary.gateway import Answer, Asked

_START = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_END = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Authority:
    """A CA of one test: the file with its certificate, and the file with a certificate and key for any host."""

    bundle: Path
    server: Path


def authority(folder: Path, hosts: tuple[str, ...]) -> Authority:
    """Make a CA, and a certificate for these hosts."""
    folder.mkdir(parents=True, exist_ok=True)
    key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "inspecting proxy of a test")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = dict.fromkeys(
        (
            *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("encipher_only", "decipher_only"),
        ),
        False,
    )

    def made(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(subject_name=subject, issuer_name=name, public_key=public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(_START).not_valid_after(_END)
        return builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )

    signs = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage)
    root = made(name, key.public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    root = root.add_extension(identifier, critical=False).add_extension(signs, critical=True)
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    leaf = made(x509.Name([]), server_key.public_key()).add_extension(names, critical=True)
    ca, server = folder / "ca.pem", folder / "server.pem"
    ca.write_bytes(root.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server.write_bytes(private + leaf.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return Authority(bundle=ca, server=server)


@dataclass
class Proxy:
    """Its address; the first line of whatever came in clear text; and what was asked within TLS, by host."""

    url: str
    clear: list[str] = field(default_factory=list)
    asked: list[tuple[str, Asked]] = field(default_factory=list)

    @property
    def hosts(self) -> set[str]:
        """The hosts that were asked for."""
        return {line.split()[1].rpartition(":")[0] for line in self.clear if line.startswith("CONNECT ")}


Answering = Callable[[str, Asked], Answer]


@contextmanager
def inspecting(server_certificate: Path | None, answer: Answering) -> Iterator[Proxy]:
    """A proxy that answers by itself. Without a certificate it refuses every CONNECT, and only keeps what it heard."""
    context = None
    if server_certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server_certificate)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        made = Proxy(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.settimeout(10)
                head = _head(connection)
                made.clear.append(head.split("\r\n", 1)[0])
                if context is None or not head.startswith("CONNECT "):
                    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                    return
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                host = head.split()[1].rpartition(":")[0]
                with context.wrap_socket(connection, server_side=True) as inner:
                    asked = _asked(inner)
                    made.asked.append((host, asked))
                    inner.sendall(_bytes(answer(host, asked)))

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield made
        listener.shutdown(socket.SHUT_RDWR)


def _head(connection: socket.socket) -> str:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(1)
        if not part:
            break
        received += part
    return received.decode("latin-1")


def _asked(connection: socket.socket) -> Asked:
    first, *lines = _head(connection).rstrip("\r\n").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = b""
    while len(body) < int(headers.get("content-length") or 0):
        body += connection.recv(65536)
    method, target, *_ = first.split()
    return Asked(method, target, headers, body)


def _bytes(answer: Answer) -> bytes:
    headers = {**answer.headers, "content-length": str(len(answer.body)), "connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Answer\r\n{lines}\r\n".encode() + answer.body
