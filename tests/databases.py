"""A real PostgreSQL for the tests: one server of this machine's binaries, shared by the workers of a test run."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

REQUIRED = "RUNCANCEL_TESTS_NEED_POSTGRES"
"""With this variable a missing server is a failure, not a skip."""

DURABLE = ("max_connections=60",)
"""Settings of a server that keeps what it committed, as it is delivered."""

FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=60", "shared_buffers=16MB")
_NOBODY = "nobody"
_WHO = "host all canary 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
"""One role has a password; the others need none."""


class NoServer(Exception):
    """Why there is no server here; the text is one sentence."""


class Server:
    """A server that is running. `pid` is its process, `folder` has its files."""

    def __init__(self, pid: int, port: int, folder: Path) -> None:
        self.pid = pid
        self.port = port
        self.folder = folder

    @classmethod
    def start(cls, options: Sequence[str] = FAST) -> "Server":
        """Start one in a folder of its own. Raises `NoServer`."""
        programs = _programs()
        folder = Path(tempfile.mkdtemp(prefix="runcancel-postgres-", dir="/tmp"))
        somebody = _as_somebody(folder)
        data = str(folder / "data")
        words = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--no-locale")
        made = subprocess.run(
            [*somebody, str(programs / "initdb"), "-D", data, *words],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
        if made.returncode != 0:
            raise NoServer(f"initdb failed: {made.stderr.strip()[-300:]}")
        (folder / "data" / "pg_hba.conf").write_text(_WHO)
        port = _free_port()
        settings = [word for one in (*options, "listen_addresses=127.0.0.1") for word in ("-c", one)]
        command = [*somebody, str(programs / "postgres"), "-D", data, "-p", str(port), "-k", str(folder), *settings]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
        server = cls(process.pid, port, folder)
        server._wait(process)
        return server

    def url(self, database: str, user: str = "postgres") -> str:
        """How to connect."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def create(self) -> str:
        """A new and empty database; its URL."""
        name = f"journal_{uuid4().hex}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.url(name)

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Carry out statements as the administrator."""
        import psycopg  # most tests need no database

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @contextmanager
    def tls(self, key: str, certificate: str) -> Iterator[None]:
        """Offer TLS with this key and certificate for a while."""
        data = self.folder / "data"
        for name, text in (("server.key", key), ("server.crt", certificate)):
            (data / name).write_text(text)
            (data / name).chmod(0o600)
            owner = data.stat()
            os.chown(data / name, owner.st_uid, owner.st_gid)
        self.execute("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
        try:
            yield
        finally:
            self.execute("ALTER SYSTEM SET ssl = off", "SELECT pg_reload_conf()")

    @property
    def log(self) -> str:
        """What the server wrote."""
        return (self.folder / "log").read_text()

    def close(self) -> None:
        """Stop it at once and remove its files."""
        os.kill(self.pid, signal.SIGQUIT)  # without a last checkpoint
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        import psycopg

        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise NoServer(f"the server does not start: {error}; {self.log[-300:]}") from None
                time.sleep(0.02)


@contextmanager
def shared(folder: Path) -> Iterator[Server]:
    """The server of all processes that name this folder: the first one starts it, the last one stops it."""
    with _users(folder) as users:
        server = Server.start() if not users else Server(users[0][0], users[0][1], Path(users[0][2]))
        users.append([server.pid, server.port, str(server.folder)])
    try:
        yield server
    finally:
        with _users(folder) as users:
            users.pop()
            if not users:
                server.close()


@contextmanager
def _users(folder: Path) -> Iterator[list[list[Any]]]:
    """An entry for each process that uses the server, changed by one process at a time."""
    with (folder / "postgres.users").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        users: list[list[Any]] = json.loads(file.read() or "[]")
        yield users
        file.truncate(0)
        file.write(json.dumps(users))


def _programs() -> Path:
    """The folder of the newest server that is installed here."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: int(file.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path is None:
        raise NoServer("no PostgreSQL server is installed (apt-get install postgresql)")
    return Path(on_path).resolve().parent


def _as_somebody(folder: Path) -> Sequence[str]:
    """The beginning of a command that runs as who may run the server, to whom the folder is given."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        raise NoServer("PostgreSQL does not run as root, and there is no setpriv")
    shutil.chown(folder, _NOBODY)
    return ("setpriv", f"--reuid={_NOBODY}", "--regid=nogroup", "--clear-groups", "--")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
