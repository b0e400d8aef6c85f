"""Reads one raw HTTP request from a file, as in tests/fixtures but with its signature."""

from __future__ import annotations

import re
from pathlib import Path

from app.receiver.candidates import Received

LARGEST = 1024 * 1024
_REQUEST_LINE = re.compile(r"([A-Z]{3,10}) (\S+)( HTTP/1\.[01])?")


class UnusableFile(ValueError):
    """The file holds no request; says what is wrong with it."""


def read_request(path: Path) -> Received:
    """Return the request in the file. Raises UnusableFile.

    Lines of the head may end in LF alone; an editor's line end after the body is cut off by Content-Length.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UnusableFile(f"{path}: {error.strerror or 'cannot be read'}") from error
    if len(data) > LARGEST:
        raise UnusableFile(f"{path}: is larger than {LARGEST} bytes, so it is no webhook")
    head, body = _split(data)
    line, *header_lines = head.decode("utf-8", "surrogateescape").splitlines() or [""]
    found = _REQUEST_LINE.fullmatch(line.strip())
    if not found:
        raise UnusableFile(f"{path}: the first line must be like POST /conversations/webhook HTTP/1.1")
    headers = [_header(path, number, text) for number, text in enumerate(header_lines, start=2)]
    received = Received.of(found[1], found[2], headers, body)
    return Received(received.method, received.target, received.headers, _cut_to_length(path, received))


def _split(data: bytes) -> tuple[bytes, bytes]:
    parted = re.split(rb"\r?\n\r?\n", data, maxsplit=1)
    return parted[0], parted[1] if len(parted) > 1 else b""


def _header(path: Path, number: int, text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UnusableFile(f"{path}: line {number} is no header (Name: value)")
    return name.strip(), value.strip()


def _cut_to_length(path: Path, received: Received) -> bytes:
    if received.header("Transfer-Encoding"):
        raise UnusableFile(f"{path}: has a Transfer-Encoding; save the decoded body with a Content-Length")
    announced = received.header("Content-Length")
    if not announced:
        return received.body.rstrip(b"\r\n")
    if not re.fullmatch("[0-9]{1,9}", announced) or int(announced) > len(received.body):
        raise UnusableFile(f"{path}: Content-Length is {announced[:20]}, but the body has {len(received.body)} bytes")
    return received.body[: int(announced)]
