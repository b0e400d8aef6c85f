"""Twilio's Conversations REST API: send, look up, fetch receipts; every failure becomes one SendError.

The only file that uses twilio.rest. SIDs are checked in full before they reach the SDK, which does not encode them.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from app.common.quoting import quoted
from app.twilio_api.errors import SendError, named, no_answer, refusal
from app.twilio_api.form import is_sid
from app.twilio_api.look_up import MARKER, Found, Sought, look_through
from app.twilio_api.resources import Change

if TYPE_CHECKING:
    from twilio.rest import Client

Result = TypeVar("Result")


@dataclass(frozen=True)
class ReceiptDetail:
    """A delivery receipt as REST shows it; `error_code` is 0 when there is none."""

    status: str
    error_code: int


class CallCounts:
    """How many requests of this process ended how, since they were last taken; safe from many threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def record(self, result: str) -> None:
        """Count one request; `result` is what `record_call` of Conversations is told."""
        with self._lock:
            self._counts[result] += 1

    def take(self) -> Counter[str]:
        """Return the counts, and begin anew."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def put_back(self, counts: Counter[str]) -> None:
        """Count again what was taken and could not be stored."""
        with self._lock:
            self._counts.update(counts)


def _ignore(_told: object) -> None:
    """Note nothing."""


class Conversations:
    """The REST calls we make. Safe from many threads: each has a Client of its own (see twilio-python #580).

    `record_call` is called for each request: "ok", the HTTP status from 400, "not connected" or "no answer";
    `record_change` of everything that one has changed, whoever made it: Twilio posts no webhook for it.
    """

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_key: str = "",
        api_secret: str = "",
        base_url: str = "",
        default_service_sid: str = "",
        record_call: Callable[[str], None] = _ignore,
        record_change: Callable[[Change], None] = _ignore,
    ) -> None:
        self._record_call = record_call
        self.record_change = record_change
        self._credentials = (api_key, api_secret, account_sid) if api_key else (account_sid, auth_token, None)
        self.base_url = base_url
        self.default_service_sid = default_service_sid
        self._local = threading.local()

    def warm_up(self) -> None:
        """Import the SDK and make this thread's Client, so that the first reply need not wait for it."""
        self._client()

    def ask(self, request: Callable[[Client], Result]) -> Result:
        """Return what a request brings that is made with this thread's Client. Raises SendError."""
        return self._call(lambda: request(self._client()))

    def send_message(
        self,
        conversation_sid: str,
        service_sid: str,
        *,
        author: str,
        marker: Mapping[str, Any],
        body: str = "",
        media_sid: str = "",
        content_sid: str = "",
        content_variables: Mapping[str, str] | None = None,
    ) -> str:
        """Send a text, a file with or without a text, or a template, and return the MessageSid. Raises SendError.

        Never with X-Twilio-Webhook-Enabled: our own message must not come back as a webhook.
        """
        messages = self._messages(conversation_sid, service_sid)
        said: dict[str, Any] = {"body": body, "media_sid": media_sid, "content_sid": content_sid}
        said["content_variables"] = json.dumps(dict(content_variables)) if content_variables else ""
        given = {name: value for name, value in said.items() if value}
        attributes = json.dumps({MARKER: marker})
        return named("IM", self._call(lambda: messages.create(author=author, attributes=attributes, **given)).sid)

    def find_message(self, conversation_sid: str, service_sid: str, sought: Sought, *, back_to: str) -> Found:
        """Return what is there of a message that an earlier request may have stored. Raises SendError.

        Looks newest first and stops at the message `back_to`, which is older than any answer to it.
        """
        messages = self._messages(conversation_sid, service_sid)

        def look() -> Found:
            listed = messages.stream(order="desc", page_size=50)
            return look_through(listed, sought, lambda message: message.sid == back_to)

        return self._call(look)

    def fetch_receipt(
        self, conversation_sid: str, service_sid: str, *, message_sid: str, delivery_receipt_sid: str
    ) -> ReceiptDetail:
        """Return what REST knows of a delivery receipt. Raises SendError."""
        _check_sid("IM", message_sid)
        _check_sid("DY", delivery_receipt_sid)
        message = self.conversation(conversation_sid, service_sid).messages(message_sid)
        receipt = self._call(lambda: message.delivery_receipts(delivery_receipt_sid).fetch())
        return ReceiptDetail(str(receipt.status or ""), int(receipt.error_code or 0))

    def _messages(self, conversation_sid: str, service_sid: str) -> Any:
        return self.conversation(conversation_sid, service_sid).messages

    def conversation(self, conversation_sid: str, service_sid: str) -> Any:
        """Return the SDK's conversation, to be used inside ask(). Raises SendError for what is no SID."""
        _check_sid("CH", conversation_sid)
        v1 = self._client().conversations.v1
        service_sid = service_sid or self.default_service_sid
        if not service_sid:
            return v1.conversations(conversation_sid)
        _check_sid("IS", service_sid)
        return v1.services(service_sid).conversations(conversation_sid)

    def _client(self) -> Client:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            from twilio.rest import Client as TwilioClient

            from app.twilio_api.http_client import FencedHttpClient

            user, password, account = self._credentials
            http_client = FencedHttpClient(
                self.base_url,
                self._record_call,
                self.record_change,
                trust_environment=not is_here(self.base_url),  # no proxy between us and the emulator
            )
            client = self._local.client = TwilioClient(user, password, account, http_client=http_client)
        return client

    def _call(self, request: Callable[[], Result]) -> Result:
        from twilio.base.exceptions import TwilioException

        from app.twilio_api.bounded_http import RequestFailed

        try:
            return request()
        except TwilioException as error:
            raise refusal(error, self._client().http_client.retry_after) from error
        except (RequestFailed, ValueError) as error:
            raise no_answer(error) from error


def _check_sid(prefix: str, sid: str) -> None:
    if not is_sid(sid, prefix):
        raise SendError(f"{quoted(sid, 40)} is not a SID that begins with {prefix}", "give up")


def is_here(url: str) -> bool:
    """Return whether a URL leads to this machine, as the emulator's does."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
