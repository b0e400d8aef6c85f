"""A stand-in for a pooler in transaction mode: statements pass, but no word of LISTEN ever reaches the client."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_WORD = b"A"  # NotificationResponse in PostgreSQL's protocol: type, length with itself, content


@contextmanager
def deaf_pooler(socket_folder: str) -> Iterator[int]:
    """Give a loopback port behind which the PostgreSQL of this folder is, but for its notifications.

    Clients connect without TLS and GSS, so that every answer is a message with a type.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=_accept, args=(listener, socket_folder), daemon=True)
        accepting.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(5)


def _accept(listener: socket.socket, socket_folder: str) -> None:
    (path,) = (path for path in Path(socket_folder).glob(".s.PGSQL.*") if path.suffix != ".lock")
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(path))
        threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
        threading.Thread(target=_pass_on_but_words, args=(server, client), daemon=True).start()


def _pass_on(client: socket.socket, server: socket.socket) -> None:
    with server, suppress(OSError):  # whoever ends first cuts the other off
        while some := client.recv(65536):
            server.sendall(some)
        server.shutdown(socket.SHUT_RDWR)


def _pass_on_but_words(server: socket.socket, client: socket.socket) -> None:
    with client, server.makefile("rb") as answers, suppress(OSError):
        while kind := answers.read(1):
            length = answers.read(4)
            content = answers.read(int.from_bytes(length) - 4)
            if kind != _WORD:
                client.sendall(kind + length + content)
        client.shutdown(socket.SHUT_RDWR)
