"""Calls our own public address as Twilio would, signed or not, with a webhook that changes and stores nothing."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from app.twilio_api import signature
from app.twilio_api.client import is_here
from app.twilio_api.signature import Keys

CALL_SECONDS = 5
# A pre-action event: the door checks its signature, accepts it unchanged and stores nothing.
_PROBE = (("EventType", "onConversationUpdate"), ("Source", "SDK"))


def post_signed(url: str, keys: Keys) -> int:
    """Return the status of a signed webhook, 0 for no answer; Parley says 200."""
    token = next(iter(keys.tokens), "")
    key_id, secret = next(iter(keys.shared.items()), ("", ""))
    headers = {"X-Twilio-Signature": signature.compute(token or secret, url, _PROBE)}
    if not token:
        headers["X-Twilio-Webhooks-Signature-Settings"] = f"key={key_id},algorithm={signature.DEFAULT_ALGORITHM}"
    return _post(url, headers)


def post_unsigned(url: str) -> int:
    """Return the status of the same webhook without a signature, 0 for no answer; Parley says 403."""
    return _post(url, {})


def call(request: Request) -> tuple[int, str]:
    """Return the status, 0 for none, and the run that answered."""
    request.add_header("ngrok-skip-browser-warning", "1")
    no_proxy = is_here(request.full_url)  # between us and ourselves
    opener = build_opener(ProxyHandler({})) if no_proxy else build_opener()
    try:
        with opener.open(request, timeout=CALL_SECONDS) as answer:
            return answer.status, answer.headers.get("X-Parley-Run", "")
    except HTTPError as error:
        error.close()
        return error.code, ""
    except (OSError, ValueError):
        return 0, ""


def _post(url: str, headers: dict[str, str]) -> int:
    body = "&".join(f"{name}={value}" for name, value in _PROBE).encode("ascii")
    headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return call(Request(url, body, headers))[0]  # noqa: S310 - http or https, see config
