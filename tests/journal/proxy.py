"""A way to a server that can stop passing anything on, or end every connection."""

import socket
from threading import Event, Thread


class Proxy:
    """Passes connections on to a port of this machine, until it stalls or is cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._passes = Event()
        self._passes.set()
        self._sockets: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0
        self.stall_after: int | None = None
        """After so many pieces from clients nothing is passed on any more, in either direction."""
        Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """From now on connections stay open and nothing comes."""
        self._passes.clear()

    def cut(self) -> None:
        """End every connection."""
        for one in self._sockets:
            one.close()

    def close(self) -> None:
        """Accept no more, and end what there is."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            if self.stall_after == 0:
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets.append(server)
            Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(65536):
                if counted:
                    if self.passed == self.stall_after:
                        self.stall()
                    self.passed += 1
                self._passes.wait()
                target.sendall(data)
        except OSError:
            return
        finally:
            for one in (source, target):
                one.close()
