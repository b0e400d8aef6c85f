"""A front of Twilio whose queue is full: who connects waits, as with a Twilio far away, until all are let in."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

SYN_SENT = "02"


class FullFront:
    """Listens, takes nobody until `let_in`, then hands all on; `received` has what each connection has brought."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self._port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.received: list[bytes] = []
        self._threads: list[threading.Thread] = []
        self._ours = self._fill()

    def is_someone_connecting(self) -> bool:
        """Return whether somebody's first packet is on its way."""
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return any(line[2].endswith(f":{self._port:04X}") and line[3] == SYN_SENT for line in lines)

    def let_in(self) -> None:
        """Take all who wait and whoever comes."""
        for one in self._ours:
            one.close()
        self._start(self._accept)

    def close(self) -> None:
        """Take nobody any more, and wait for the end of who is here."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _fill(self) -> list[socket.socket]:
        waiting = []
        while True:
            one = socket.socket()
            one.settimeout(0.5)
            if one.connect_ex(("127.0.0.1", self._port)):
                one.close()
                return waiting
            waiting.append(one)

    def _start(self, deed: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=deed, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._hand_on, connection)

    def _hand_on(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        number = len(self.received)
        self.received.append(b"")
        with connection, socket.create_connection(self._target) as target:
            answers = threading.Thread(target=_copy, args=(target, connection))
            answers.start()
            while data := _read(connection):
                self.received[number] += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
            answers.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    while data := _read(source):
        try:
            target.sendall(data)
        except OSError:
            return


def _read(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""
