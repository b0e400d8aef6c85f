"""Calls our own public address as Twilio would, signed and unsigned, with a webhook that stores nothing."""

from __future__ import annotations

import hmac
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from app.twilio_api import signature
from app.twilio_api.client import is_here
from app.twilio_api.signature import Keys

MARK = "X-Parley-Doctor"  # by this header the receiver knows our own call and diagnoses nothing
CALL_SECONDS = 5
# A pre-action event: the receiver checks its signature, accepts it unchanged and stores nothing.
_PROBE = (("EventType", "onConversationUpdate"), ("Source", "SDK"))


def is_ours(mark: str, keys: Keys) -> bool:
    """Return whether a request with this MARK comes from a doctor who has one of our keys."""
    secrets = (*keys.tokens, *keys.shared.values())
    return bool(mark) and any(hmac.compare_digest(_mark(secret), mark.encode()) for secret in secrets if secret)


def _mark(secret: str) -> bytes:
    return signature.compute(secret, "parley doctor", ()).encode("ascii")


def post_signed(url: str, keys: Keys) -> int:
    """Return the status of a signed webhook, 0 for no answer; Parley says 200."""
    token = next(iter(keys.tokens), "")
    key_id, secret = next(iter(keys.shared.items()), ("", ""))
    headers = {"X-Twilio-Signature": signature.compute(token or secret, url, _PROBE)}
    if not token:
        headers["X-Twilio-Webhooks-Signature-Settings"] = f"key={key_id},algorithm={signature.DEFAULT_ALGORITHM}"
    return _post(url, headers, keys)


def post_unsigned(url: str, keys: Keys) -> int:
    """Return the status of the same webhook without a signature, 0 for no answer; Parley says 403."""
    return _post(url, {}, keys)


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


def _post(url: str, headers: dict[str, str], keys: Keys) -> int:
    body = "&".join(f"{name}={value}" for name, value in _PROBE).encode("ascii")
    mark = _mark(next(iter((*keys.tokens, *keys.shared.values()))))
    headers = {"Content-Type": "application/x-www-form-urlencoded", MARK: mark.decode(), **headers}
    return call(Request(url, body, headers))[0]  # noqa: S310 - http or https, see config
