"""Recorded webhooks from tests/fixtures: load, change and sign them (with Twilio's SDK, not with our code)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

FOLDER = Path(__file__).parent / "fixtures"


@dataclass(frozen=True)
class RecordedRequest:
    """One raw HTTP request, taken apart but not decoded: `target` and `body` are as on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def load(name: str) -> RecordedRequest:
    """Return the request recorded in tests/fixtures/<name>.http."""
    head, _, body = (FOLDER / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    request_line, *header_lines = head.decode("ascii").split("\r\n")
    method, target, _ = request_line.split(" ")
    return RecordedRequest(method, target, dict(line.split(": ", 1) for line in header_lines), body)


def names() -> list[str]:
    """Return the names of all recorded requests."""
    return sorted(path.stem for path in FOLDER.glob("*.http"))


def form(name: str) -> dict[str, str]:
    """Return the decoded parameters of a recorded request, from its body or, for GET, its query."""
    return dict(_pairs(load(name)))


def with_fields(
    request: RecordedRequest, changes: Mapping[str, str | None] | None = None, /, **more: str | None
) -> RecordedRequest:
    """Return the request with parameters changed, added or (None) left out, encoded anew.

    `changes` is for names that are no Python names: {"MessagingBinding.Address": "+15550100002"}.
    """
    wanted = {**dict(_pairs(request)), **(changes or {}), **more}
    encoded = urlencode({name: value for name, value in wanted.items() if value is not None})
    if request.method == "GET":
        return replace(request, target=f"{request.target.partition('?')[0]}?{encoded}")
    headers = {**request.headers, "Content-Length": str(len(encoded))}
    return replace(request, headers=headers, body=encoded.encode("ascii"))


def sign(
    request: RecordedRequest, origin: str, token: str, algorithm: str = "HMAC_SHA1", key_id: str = ""
) -> dict[str, str]:
    """Return the request's headers with the signature Twilio would send for it to `origin`.

    With `key_id` the header that names a shared key comes along, and `token` is that key's secret.
    """
    params = MultiDict(_pairs(request)) if request.method == "POST" else {}
    signature = RequestValidator(token).compute_signature(origin + request.target, params, algorithm)
    settings = {"X-Twilio-Webhooks-Signature-Settings": f"key={key_id},algorithm={algorithm}"} if key_id else {}
    return {**request.headers, **settings, "X-Twilio-Signature": signature}


def _pairs(request: RecordedRequest) -> list[tuple[str, str]]:
    encoded = request.target.partition("?")[2] if request.method == "GET" else request.body.decode("ascii")
    return parse_qsl(encoded, keep_blank_values=True)
