"""One request as a server hands it to a WSGI app, to be sent, written to a file and sent again."""

import base64
import io
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask
from werkzeug.test import run_wsgi_app

SLOW_SECONDS = 1.0
LOOKS = 3  # at a slow answer: a busy machine is slow once, a slow answer is slow each time
UNAVAILABLE = 503


@dataclass(frozen=True)
class Shot:
    """A request: `length` is Content-Length as it was sent, None where there is none (chunks, or no body).

    `breaks` is how many bytes of the body come before the connection is cut; None: all.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    length: str | None
    breaks: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it; the body in base64."""
        return asdict(self) | {"body": base64.b64encode(self.body).decode()}

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> "Shot":
        """Return what to_json() made."""
        headers = tuple((name, value) for name, value in said["headers"])
        return Shot(**dict(said) | {"headers": headers, "body": base64.b64decode(said["body"])})


@dataclass(frozen=True)
class Seen:
    """What came of a shot: the status, how long it took, and what is wrong with that, or nothing."""

    status: int
    seconds: float
    wrong: str = ""


class _Cut(io.RawIOBase):
    """A body whose connection is cut on the way."""

    def __init__(self, body: bytes) -> None:
        self._rest = io.BytesIO(body)

    def read(self, size: int | None = -1) -> bytes:
        """Return what came, and raise as a server does where nothing comes any more."""
        if data := self._rest.read(-1 if size is None else size):
            return data
        raise OSError("the connection was cut")


def send(app: Flask, shot: Shot) -> Seen:
    """Return what comes of a shot; a 5xx, an exception or a slow answer is wrong."""
    seen = _send_once(app, shot)
    looks = 1
    while not seen.wrong and seen.seconds >= SLOW_SECONDS and looks < LOOKS:
        seen = min(seen, _send_once(app, shot), key=lambda one: one.seconds)
        looks += 1
    if not seen.wrong and seen.seconds >= SLOW_SECONDS:
        return Seen(seen.status, seen.seconds, f"took {seen.seconds:.1f} s, {looks} times")
    return seen


def _send_once(app: Flask, shot: Shot) -> Seen:
    started = time.perf_counter()
    try:
        _, line, _ = run_wsgi_app(app, environ_of(shot), buffered=True)
    except Exception as error:
        return Seen(0, time.perf_counter() - started, f"raised {type(error).__name__}: {error}")
    status = int(line.split()[0])
    return Seen(status, time.perf_counter() - started, f"answered {status}" if status >= 500 else "")


def environ_of(shot: Shot) -> dict[str, Any]:
    """Return the WSGI environment that gunicorn makes of such a request."""
    path, _, query = shot.target.partition("#")[0].partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": shot.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1", "replace")).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": shot.target,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(shot.body) if shot.breaks is None else _Cut(shot.body[: shot.breaks]),
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in shot.headers:
        key = name.upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if shot.length is not None:
        environ["CONTENT_LENGTH"] = shot.length
    return environ
