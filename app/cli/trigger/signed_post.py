"""Posts webhooks as Twilio does: a form, signed for a URL, and what came back."""

from __future__ import annotations

import http.client
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from app.cli.output import why_of
from app.twilio_api import signature

TIMEOUT_SECONDS = 10.0
_SHOWN_SIDS = ("ConversationSid", "MessageSid", "DeliveryReceiptSid", "UserSid")


@dataclass(frozen=True)
class Posted:
    """One webhook that was posted; status 0 means that no answer came, `error` says why."""

    form: Mapping[str, str]
    status: int
    milliseconds: float
    error: str = ""

    @property
    def is_accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def sids(self) -> dict[str, str]:
        """The SIDs that tell what the event is about."""
        names = _SHOWN_SIDS if "MessageSid" in self.form else (*_SHOWN_SIDS, "ParticipantSid")
        return {name: self.form[name] for name in names if name in self.form}


def post(form: Mapping[str, str], *, url: str, signed_url: str, token: str) -> Posted:
    """Sign a form for `signed_url`, post it to `url`, and return what came of it; follows no redirect."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Accept": "*/*",
        "User-Agent": "TwilioProxy/1.1",
        "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
        "X-Twilio-Signature": signature.compute(token, signed_url, tuple(form.items())),
        "Connection": "close",
    }
    began = time.perf_counter()
    status, error = 0, ""
    try:
        status = send("POST", url, urlencode(form).encode("ascii"), headers)
    except TimeoutError:
        error = f"no answer within {TIMEOUT_SECONDS:.0f} s"
    except (OSError, http.client.HTTPException) as failure:
        error = why_of(failure)
    return Posted(form, status, round((time.perf_counter() - began) * 1000, 1), error)


def send(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> int:
    """Return the status of one request, its target sent as it stands in `url`; follows no redirect.

    Raises OSError (TimeoutError after 10 s) or HTTPException when no answer came.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, target_of(url), body, dict(headers))
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def target_of(url: str) -> str:
    """Return path and query of a URL, as they stand in the request line."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
