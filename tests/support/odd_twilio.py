"""A server in Twilio's place that answers as it is told, byte for byte, and keeps what each connection has brought."""

import re
import socket
import threading
from collections.abc import Sequence


def answer(status: int, body: str, *headers: str) -> bytes:
    """Return an HTTP answer."""
    length = f"Content-Length: {len(body.encode())}"
    lines = [f"HTTP/1.1 {status} Odd", length, "Content-Type: application/json", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class OddTwilio:
    """Gives the answers in their order, the last again and again; `received` has what each connection has brought."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.received: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Take no more connections, and wait until those that are open have ended."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.received.append(b"")
            thread = threading.Thread(target=self._serve, args=(connection, len(self.received) - 1))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(10)
        with connection:
            while data := _read(connection):
                self.received[number] += data
                if _is_whole(self.received[number]):
                    connection.sendall(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])
                    return


def _read(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def _is_whole(request: bytes) -> bool:
    head, ended, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head, re.IGNORECASE)
    return bool(ended) and len(body) >= (int(length[1]) if length else 0)
