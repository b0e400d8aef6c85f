"""Our recorded webhooks by name, and signatures for them made with Twilio's SDK, not with our code."""

from pathlib import Path
from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from app.recordings import files
from app.recordings.files import RecordedRequest, with_fields

__all__ = ["RecordedRequest", "form", "load", "names", "sign", "with_fields"]

FOLDER = Path(__file__).parents[1] / "fixtures"


def load(name: str) -> RecordedRequest:
    """Return the request recorded in tests/fixtures/<name>.http."""
    return files.read(FOLDER / f"{name}.http")


def names() -> list[str]:
    """Return the names of all recorded requests."""
    return sorted(path.stem for path in FOLDER.glob("*.http"))


def form(name: str) -> dict[str, str]:
    """Return the decoded parameters of a recorded request, from its body or, for GET, its query."""
    return dict(_pairs(load(name)))


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
