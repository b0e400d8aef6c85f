"""Twilio's Conversations REST API: send, look up, fetch receipts; every failure becomes one SendError.

The only file that uses twilio.rest. SIDs are checked in full before they reach the SDK, which does not encode them.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from twilio.rest import Client

CONNECT_SECONDS, READ_SECONDS = 3.0, 8.0
MARKER = "parley"  # our key in a message's Attributes: {"parley": {"reply_to": "IM...", "n": 0}}
Decision = Literal["retry", "give up", "suppress"]
Result = TypeVar("Result")


class SendError(Exception):
    """Why a request to Twilio brought nothing, and what to do.

    `decision`: "retry" later, "give up" (a person must look), or "suppress" (sending would be pointless or wrong).
    `uncertain`: Twilio may have done it all the same. `retry_after` and `scope` ("conversation" or "account")
    are set when Twilio asked to wait.
    """

    def __init__(
        self,
        reason: str,
        decision: Decision,
        *,
        status: int = 0,
        code: int = 0,
        uncertain: bool = False,
        retry_after: timedelta | None = None,
        scope: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason, self.decision, self.status, self.code = reason, decision, status, code
        self.uncertain, self.retry_after, self.scope = uncertain, retry_after, scope

    @property
    def asks_to_wait(self) -> bool:
        """Whether this is a limit (429): nothing failed, so it counts as no attempt."""
        return bool(self.scope)


@dataclass(frozen=True)
class Ruling:
    """One row of the decision table."""

    decision: Decision
    reason: str
    uncertain: bool = False
    scope: str = ""


# Twilio's code, else the HTTP status -> what to do. Source of each row: twilio.com/docs/api/errors/<code>
# (statuses: twilio.com/docs/usage/troubleshooting/debugging-your-application), read 2026-11-22.
BY_CODE = {
    20003: Ruling("retry", "Twilio refused the credentials; check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"),
    20404: Ruling("suppress", "the conversation no longer exists"),
    20429: Ruling("retry", "too many requests for the account", scope="account"),
    21610: Ruling("suppress", "the recipient opted out"),
    50063: Ruling("retry", "too many writes to the conversation", scope="conversation"),
    50074: Ruling("retry", "too many writes to the conversation", scope="conversation"),
    50304: Ruling("give up", "the attributes are not valid JSON"),
    50350: Ruling("suppress", "the conversation no longer exists"),
    50373: Ruling("give up", "the conversation has no messaging service; set one in the Twilio console"),
    50377: Ruling("suppress", "the conversation is closed"),
    50504: Ruling("give up", "the reply is too long for this channel; shorten it in rules.toml"),
    50513: Ruling("give up", "in a group MMS the author must be a participant; set BOT_AUTHOR to one"),
    63016: Ruling("suppress", "outside WhatsApp's 24 hour window"),
}
BY_STATUS = {
    401: BY_CODE[20003],
    403: Ruling("retry", "Twilio refused the credentials for this request; check the API key's permissions"),
    404: BY_CODE[20404],
    408: Ruling("retry", "Twilio took too long", uncertain=True),
    429: Ruling("retry", "too many requests", scope="account"),
}
OTHER_5XX = Ruling("retry", "Twilio has a fault", uncertain=True)
OTHER_4XX = Ruling("give up", "Twilio refused the request")
# No network connection was made, so nothing can have arrived.
NOT_CONNECTED = Ruling("retry", "Twilio cannot be reached")
CUT_OFF = Ruling("retry", "no answer from Twilio", uncertain=True)


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
        self._base_url = base_url
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

    def find_message(
        self, conversation_sid: str, service_sid: str, *, author: str, marker: Mapping[str, Any], back_to: str
    ) -> str | None:
        """Return the MessageSid of the message that carries our marker, or None when it is not there.

        Looks newest first and stops at the message `back_to`, which is older than any answer to it. Raises SendError.
        """
        messages = self._messages(conversation_sid, service_sid)

        def look() -> str | None:
            for message in messages.stream(order="desc", page_size=50):
                if message.author == author and _marker_of(message.attributes) == marker:
                    return str(message.sid)
                if message.sid == back_to:
                    return None
            return None

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
            http_client = _http_client(self._base_url, self._note_call)
            client = self._local.client = TwilioClient(user, password, account, http_client=http_client)
        return client

    def _call(self, request: Callable[[], Result]) -> Result:
        import requests
        from twilio.base.exceptions import TwilioException

        try:
            return request()
        except TwilioException as error:
            raise _refused(error, self._client().http_client.retry_after) from error
        except (requests.RequestException, ValueError) as error:
            raise _ruled(NOT_CONNECTED if _never_connected(error) else CUT_OFF) from error


def _refused(error: Any, retry_after: timedelta | None) -> SendError:
    status, code = _status_and_code(error)
    ruling = BY_CODE.get(code) or BY_STATUS.get(status) or (OTHER_5XX if status >= 500 or not status else OTHER_4XX)
    return _ruled(ruling, status=status, code=code, retry_after=retry_after if status in (429, 503) else None)


def _status_and_code(error: Any) -> tuple[int, int]:
    """Return HTTP status and Twilio's code; 0 where there is none.

    For a refused list the SDK (9.13) raises a plain TwilioException that carries the response.
    """
    if hasattr(error, "status"):
        return int(error.status or 0), int(getattr(error, "code", 0) or 0)
    response = error.args[1] if len(error.args) > 1 else None
    try:
        code = json.loads(getattr(response, "text", "")).get("code")
    except (ValueError, AttributeError):
        code = 0
    return int(getattr(response, "status_code", 0) or 0), code if isinstance(code, int) else 0


def _ruled(ruling: Ruling, *, status: int = 0, code: int = 0, retry_after: timedelta | None = None) -> SendError:
    number = f" ({code or status})" if code or status else ""
    return SendError(
        ruling.reason + number,
        ruling.decision,
        status=status,
        code=code,
        uncertain=ruling.uncertain,
        retry_after=retry_after,
        scope=ruling.scope,
    )


def _never_connected(error: Exception) -> bool:
    import requests
    from urllib3.exceptions import NewConnectionError, SSLError

    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(cause, SSLError):  # it may also end a connection on which all was said
        return isinstance(cause.args[0], ssl.SSLCertVerificationError)
    return isinstance(cause, NewConnectionError)


def _check_sid(prefix: str, sid: str) -> None:
    if not re.fullmatch(rf"{prefix}[0-9a-fA-F]{{32}}", sid):
        raise SendError(f"{sid[:40]!r} is not a SID that begins with {prefix}", "give up")


def _marker_of(attributes: str | None) -> object:
    try:
        found = json.loads(attributes or "{}")
    except ValueError:
        return None
    return found.get(MARKER) if isinstance(found, dict) else None


def _http_client(base_url: str, note_call: Callable[[str], None] = lambda _result: None) -> Any:
    """Return the SDK's HTTP client with time-outs, another origin where one is set, and Retry-After kept.

    `note_call` is told of each request: "ok", the HTTP status from 400, "not connected" or "no answer".
    """
    from twilio.http.http_client import TwilioHttpClient

    class HttpClient(TwilioHttpClient):
        retry_after: timedelta | None = None

        def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
            self.retry_after = None
            options["timeout"] = None  # so that self.timeout, a pair, is used
            try:
                response = super().request(method, _at(base_url, url), *args, **options)
            except Exception as error:
                note_call("not connected" if _never_connected(error) else "no answer")
                raise
            note_call("ok" if response.status_code < 400 else str(response.status_code))
            self.retry_after = _seconds_in(response.headers.get("Retry-After"))
            return response

    http_client = HttpClient()
    http_client.timeout = (CONNECT_SECONDS, READ_SECONDS)
    if urlsplit(base_url).hostname in ("127.0.0.1", "localhost", "::1"):
        http_client.session.trust_env = False  # no proxy between us and the emulator
    return http_client


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
