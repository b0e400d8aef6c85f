"""Uploads files to Twilio's media store; sends no message.

No helper library knows this store: it is a host of its own, beside Conversations.
Source: conversations-classic/api/media-resource, read 2026-11-22.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from app.common.quoting import quoted
from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError
from app.twilio_api.form import is_sid

ORIGIN = "https://mcs.us1.twilio.com"


def upload(twilio: Conversations, service_sid: str, content: bytes, content_type: str, filename: str) -> str:
    """Store a file and return its media SID (ME...), which one message can use. Raises SendError.

    `service_sid` is the ChatServiceSid of the conversation; "" is the account's default service. An upload is
    safe to repeat: a file that no message uses is seen by nobody.
    """
    headers = {"Content-Type": content_type or "application/octet-stream"}
    url = f"{ORIGIN}/v1/Services/{_service(twilio, service_sid)}/Media"

    def post(client: Any) -> Any:
        file = BytesIO(content)  # sent piece by piece: the time-out is then for a piece, not for the whole file
        return document_of(client.request("POST", url, {"Filename": filename}, file, dict(headers)), "POST", url)

    try:
        stored = twilio.ask(post)
    except SendError as error:
        if error.status != 404:
            raise
        raise SendError(
            f"the media store knows no such service ({error.code or 404}); check TWILIO_SERVICE_SID and the account",
            "give up",
            status=404,
        ) from error
    sid = str(stored.get("sid")) if isinstance(stored, dict) else ""
    if not is_sid(sid, "ME"):
        raise SendError("the media store named no media SID", "retry")
    return sid


def _service(twilio: Conversations, service_sid: str) -> str:
    sid = service_sid or twilio.default_service_sid or twilio.ask(_default_service)
    if not is_sid(sid, "IS"):
        raise SendError(f"{quoted(sid, 40)} is not a SID that begins with IS", "give up")
    return sid


def _default_service(client: Any) -> str:
    return str(client.conversations.v1.configuration().fetch().default_chat_service_sid)


def document_of(response: Any, method: str, url: str) -> Any:
    """Return the document of an answer; raise what the SDK raises for a refusal, so that one table rules both."""
    from twilio.base.exceptions import TwilioRestException

    document = _document(response.text)
    if not 200 <= response.status_code < 300:
        code = document.get("code") if isinstance(document, dict) else None
        raise TwilioRestException(response.status_code, url, "", code if isinstance(code, int) else None, method)
    return document


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
