"""Twilio's Conversations REST API: send, look up, fetch receipts; every failure becomes one SendError.

The only file that uses twilio.rest. SIDs are checked in full before they reach the SDK, which does not encode them.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from app.twilio_api.errors import SendError, never_connected, no_answer, refusal
from app.twilio_api.look_up import MARKER, Found, Sought, look_through

if TYPE_CHECKING:
    from twilio.rest import Client

CONNECT_SECONDS, READ_SECONDS = 3.0, 8.0
REQUEST_SECONDS = CONNECT_SECONDS + READ_SECONDS  # for all of it; less than a lease
Result = TypeVar("Result")


@dataclass(frozen=True)
class ReceiptDetail:
    """A delivery receipt as REST shows it; `error_code` is 0 when there is none."""

    status: str
    error_code: int


class Conversations:
    """The REST calls we make. Safe from many threads: each has a Client of its own (see twilio-python #580)."""

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_key: str = "",
        api_secret: str = "",
        base_url: str = "",
        default_service_sid: str = "",
        note_call: Callable[[str], None] = lambda _result: None,
    ) -> None:
        self._note_call = note_call
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
        return str(self._call(lambda: messages.create(author=author, attributes=attributes, **given)).sid)

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

            user, password, account = self._credentials
            http_client = _http_client(self.base_url, self._note_call)
            client = self._local.client = TwilioClient(user, password, account, http_client=http_client)
        return client

    def _call(self, request: Callable[[], Result]) -> Result:
        import requests
        from twilio.base.exceptions import TwilioException

        try:
            return request()
        except TwilioException as error:
            raise refusal(error, self._client().http_client.retry_after) from error
        except (requests.RequestException, ValueError) as error:
            raise no_answer(error) from error


def _check_sid(prefix: str, sid: str) -> None:
    if not re.fullmatch(rf"{prefix}[0-9a-fA-F]{{32}}", sid):
        raise SendError(f"{sid[:40]!r} is not a SID that begins with {prefix}", "give up")


def _http_client(base_url: str, note_call: Callable[[str], None] = lambda _result: None) -> Any:
    """Return the SDK's HTTP client with time-outs, another origin where one is set, and Retry-After kept.

    `note_call` is told of each request: "ok", the HTTP status from 400, "not connected" or "no answer".
    """
    from twilio.http.http_client import TwilioHttpClient

    from app.twilio_api.bounded_http import BoundedSession

    class HttpClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK has no types
        retry_after: timedelta | None = None

        def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
            self.retry_after = None
            options["timeout"] = None  # so that self.timeout, a pair, is used
            try:
                response = super().request(method, _at(base_url, url), *args, **options)
            except Exception as error:
                note_call("not connected" if never_connected(error) else "no answer")
                raise
            note_call("ok" if response.status_code < 400 else str(response.status_code))
            self.retry_after = _seconds_in(response.headers.get("Retry-After"))
            return response

    http_client = HttpClient()
    http_client.session = BoundedSession(REQUEST_SECONDS)
    http_client.timeout = (CONNECT_SECONDS, READ_SECONDS)
    if is_here(base_url):
        http_client.session.trust_env = False  # no proxy between us and the emulator
    return http_client


def is_here(url: str) -> bool:
    """Return whether a URL leads to this machine, as the emulator's does."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _at(base_url: str, url: str) -> str:
    if not base_url:
        return url
    parts = urlsplit(url)
    return base_url + parts.path + (f"?{parts.query}" if parts.query else "")


def _seconds_in(retry_after: str | None) -> timedelta | None:
    """Return the wait of a Retry-After header, in seconds or as a date; None when there is none to understand."""
    if not retry_after:
        return None
    if re.fullmatch(r"\d{1,5}(\.\d{1,6})?", retry_after.strip()):
        return timedelta(seconds=float(retry_after))
    try:
        at = parsedate_to_datetime(retry_after)
        return max(timedelta(0), at - at.now(at.tzinfo))
    except (TypeError, ValueError):
        return None
