"""Recorded webhooks as `.http` files: read, changed, dated anew, signed, written; never posted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from app.common.quoting import quoted
from app.twilio_api import signature
from app.twilio_api.form import Form, read_date, read_form, webhook_date

SUFFIX = ".http"
FORM_TYPE = "application/x-www-form-urlencoded; charset=utf-8"


class Unreadable(ValueError):
    """A file that holds no recorded request; says which line is wrong."""


@dataclass(frozen=True)
class RecordedRequest:
    """One raw HTTP request, taken apart but not decoded: `target` and `body` are as on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def parse(raw: bytes) -> RecordedRequest:
    """Return the request in the bytes of a file: request line, headers, blank line, body. Raises Unreadable."""
    head, blank_line, body = raw.partition(b"\r\n\r\n")
    if not blank_line:
        raise Unreadable("has no blank line (CRLF CRLF) after its headers")
    try:
        request_line, *header_lines = head.decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        raise Unreadable("has headers that are not ASCII") from None
    words = request_line.split(" ")
    if len(words) != 3 or words[0] not in ("GET", "POST") or not words[2].startswith("HTTP/"):
        raise Unreadable(
            f"does not begin with a request line such as POST /path HTTP/1.1, but {quoted(request_line, 40)}"
        )
    for line in header_lines:
        if not re.match(r"[A-Za-z0-9-]+: ", line):
            raise Unreadable(f"has a header that is not `Name: value`: {quoted(line, 40)}")
    return RecordedRequest(words[0], words[1], dict(line.split(": ", 1) for line in header_lines), body)


def read(path: Path) -> RecordedRequest:
    """Return the request recorded in a file. Raises Unreadable, which names the file."""
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error
    except Unreadable as fault:
        raise Unreadable(f"{path} {fault}") from fault


def render(request: RecordedRequest) -> bytes:
    """Return the bytes of a file that parse() reads back as this request."""
    head = [
        f"{request.method} {request.target} HTTP/1.1",
        *(f"{name}: {text}" for name, text in request.headers.items()),
    ]
    return "\r\n".join([*head, "", ""]).encode("ascii") + request.body


def form_of(request: RecordedRequest) -> Form:
    """Return the decoded parameters, from the body or, for GET, from the query."""
    return read_form(request.method, request.target, request.body)


def encode(form: Form) -> str:
    """Return the form urlencoded; bytes that were not UTF-8 come out as they went in."""
    return urlencode(form, errors="surrogateescape")


def with_form(request: RecordedRequest, form: Form) -> RecordedRequest:
    """Return the request with these parameters, encoded anew."""
    if request.method == "GET":
        return replace(request, target=f"{request.target.partition('?')[0]}?{encode(form)}")
    body = encode(form).encode("ascii")
    return replace(request, headers={**request.headers, "Content-Length": str(len(body))}, body=body)


def with_fields(
    request: RecordedRequest, changes: Mapping[str, str | None] | None = None, /, **more: str | None
) -> RecordedRequest:
    """Return the request with parameters changed, added or (None) left out.

    `changes` is for names that are no Python names: {"MessagingBinding.Address": "+15550100002"}.
    """
    wanted = {**dict(form_of(request)), **(changes or {}), **more}
    return with_form(request, tuple((name, value) for name, value in wanted.items() if value is not None))


def of_account(request: RecordedRequest, account_sid: str) -> RecordedRequest:
    """Return the request as one of this account: a recording names a stand-in, and nobody else's is answered."""
    form = tuple((name, account_sid if name == "AccountSid" else text) for name, text in form_of(request))
    return request if form == form_of(request) else with_form(request, form)


def newest_date(request: RecordedRequest) -> datetime | None:
    """Return the newest date among the parameters, or None when there is none."""
    return max((date for _, text in form_of(request) if (date := read_date(text))), default=None)


def newest_of(requests: Sequence[RecordedRequest]) -> datetime | None:
    """Return the newest date in all of the requests, or None."""
    return max((date for request in requests if (date := newest_date(request))), default=None)


def moved(request: RecordedRequest, offset: timedelta) -> RecordedRequest:
    """Return the request with every date moved by the same time, so that their order stays."""
    form = tuple((name, _moved(text, offset)) for name, text in form_of(request))
    return request if form == form_of(request) else with_form(request, form)


def _moved(text: str, offset: timedelta) -> str:
    date = read_date(text)
    return text if date is None else webhook_date(date + offset)


def sign(request: RecordedRequest, origin: str, token: str) -> dict[str, str]:
    """Return the request's headers with the signature Twilio would send for it to `origin`."""
    form = form_of(request) if request.method == "POST" else ()
    url = signature.public_url(origin, request.target)
    return {**request.headers, "X-Twilio-Signature": signature.compute(token, url, form)}
