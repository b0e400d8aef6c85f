"""A proxy in front of PostgreSQL that falls silent: its connections stay open, and nothing comes through them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PLAIN = "sslmode=disable&gssencmode=disable"  # no more round trips than one needs


class SilentFront:
    """Passes bytes between a loopback port and the PostgreSQL of a folder, as long as it may."""

    def __init__(self, socket_folder: str) -> None:
        self._target = socket_folder
        self._is_silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: list[_Link] = []
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The address of the database behind it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres?{PLAIN}"

    def silence(self, *, new_ones_too: bool) -> None:
        """Pass nothing more through the connections that are open, nor through new ones if those are meant too."""
        self._is_silent = new_ones_too
        for link in self._links:
            link.is_silent = True

    def speak(self) -> None:
        """Let new connections through; those that were silenced stay so."""
        self._is_silent = False

    def point_to(self, socket_folder: str) -> None:
        """Lead new connections to another server; those that are open stay where they are."""
        self._target = socket_folder

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self._links:
            link.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._links.append(_Link(client, self._target, is_silent=self._is_silent))


class _Link:
    def __init__(self, client: socket.socket, socket_folder: str, *, is_silent: bool) -> None:
        self.is_silent = is_silent
        self._client, self._server = client, socket.socket(socket.AF_UNIX)
        if is_silent:
            return
        (path,) = (path for path in Path(socket_folder).glob(".s.PGSQL.*") if path.suffix != ".lock")
        self._server.connect(str(path))
        for one, other in ((client, self._server), (self._server, client)):
            threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while some := one.recv(65536):
                if self.is_silent:
                    return
                other.sendall(some)
        if not self.is_silent:
            with suppress(OSError):
                other.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def silent_front(socket_folder: str) -> Iterator[SilentFront]:
    """Give a front that passes everything on until it is told otherwise."""
    front = SilentFront(socket_folder)
    try:
        yield front
    finally:
        front.close()
