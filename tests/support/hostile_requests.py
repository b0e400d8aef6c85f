"""Requests that no library would send: bodies signed byte for byte, and bytes on a raw socket."""

import base64
import hmac
import socket
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.webhook_fixtures import RecordedRequest

TARGET = "/conversations/webhook"
FORM_TYPE = "application/x-www-form-urlencoded"


def signed_bytes(body: bytes, origin: str, token: str, target: str = TARGET) -> RecordedRequest:
    """Return a form post of exactly these bytes, whatever they are, signed as Twilio signs its own."""
    pairs = {
        tuple(unquote_to_bytes(side.replace(b"+", b" ")) for side in part.partition(b"=")[::2])
        for part in body.split(b"&")
        if part
    }
    said = (origin + target).encode() + b"".join(name + value for name, value in sorted(pairs))
    signature = base64.b64encode(hmac.digest(token.encode(), said, "sha1")).decode()
    return RecordedRequest("POST", target, {"Content-Type": FORM_TYPE, "X-Twilio-Signature": signature}, body)


def deliver(app: Flask, request: RecordedRequest) -> TestResponse:
    """Let the app answer a request whose target reaches it as it is written."""
    overrides = {"RAW_URI": request.target}
    return app.test_client().open(
        request.target, method=request.method, headers=request.headers, data=request.body, environ_overrides=overrides
    )


def on_the_wire(request: RecordedRequest, **more: str) -> bytes:
    """Return the bytes of a request; `more` are headers to add, Like_This."""
    headers = request.headers | {name.replace("_", "-"): value for name, value in more.items()}
    head = [f"{request.method} {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + request.body


@dataclass(frozen=True)
class Answer:
    """What came back: the status (0: nothing) and all bytes."""

    status: int
    raw: bytes


def exchange(port: int, data: bytes, *, ends: bool = False, patience: float = 60.0) -> Answer:
    """Send the bytes, close our side if the message `ends`, and return the answer, all of it up to its end.

    Raises TimeoutError when nothing comes for `patience` seconds.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        _send(connection, data)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        raw = _receive(connection)
        is_head = data.startswith(b"HEAD ")
        while not ends and raw and not _is_complete(raw, is_head) and (more := _receive(connection)):
            raw += more
        status = int(raw.split(b" ", 2)[1]) if raw.startswith(b"HTTP/1.") else 0
        return Answer(status, raw)


def _send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except ConnectionError:
        return  # the server has answered and closed before our end; the answer is there to read


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def _is_complete(raw: bytes, is_head: bool) -> bool:
    head, end, body = raw.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(end) and (is_head or len(body) >= (int(lengths[0].split(b":")[1]) if lengths else 0))
