"""What the emulator's tests put around it: a little webhook receiver, and the unmodified Twilio SDK."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
ACCOUNT_SID = "AC00000000000000000000000000000001"
PUBLIC_URL = "https://bot.example.com"
PATH = "/conversations/webhook"


@dataclass(frozen=True)
class Received:
    """A request as it came in; `signed` tells whether the SDK accepts its signature for the public URL."""

    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, str]
    signed: bool


class Receiver:
    """Listens on loopback, keeps every request, and answers as it is told (204 unless changed)."""

    def __init__(self, public_url: str = PUBLIC_URL) -> None:
        self.answer: Callable[[Received], tuple[int, bytes]] = lambda request: (204, b"")
        self.got: list[Received] = []
        self.public_url = public_url
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Return the loopback URL of the webhook route."""
        return self.origin + PATH

    def clear(self) -> None:
        """Forget what came in, and answer 204 again."""
        self.got.clear()
        self.answer = lambda request: (204, b"")

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def forms(self, event_type: str | None = None) -> list[dict[str, str]]:
        """Return the forms that came in, of one event or of all."""
        return [got.form for got in self.got if event_type in (None, got.form["EventType"])]

    def take(self) -> list[dict[str, str]]:
        """Return the forms that came in since the last time, and forget those."""
        taken = self.got[:]
        del self.got[: len(taken)]
        return [got.form for got in taken]

    def events(self) -> list[str]:
        """Return the event types in the order they came in."""
        return [form["EventType"] for form in self.forms()]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._keep(dict(parse_qsl(body, keep_blank_values=True)), signed_form=True)

            def do_GET(self) -> None:
                query = self.path.partition("?")[2]
                self._keep(dict(parse_qsl(query, keep_blank_values=True)), signed_form=False)

            def _keep(self, form: dict[str, str], *, signed_form: bool) -> None:
                received = Received(
                    method=self.command,
                    path=self.path,
                    headers=dict(self.headers),
                    form=form,
                    signed=RequestValidator(AUTH_TOKEN).validate(
                        receiver.public_url + self.path,
                        form if signed_form else {},
                        self.headers["X-Twilio-Signature"],
                    ),
                )
                receiver.got.append(received)
                status, body = receiver.answer(received)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


class RedirectedHttpClient(TwilioHttpClient):
    """The SDK's own client, with Twilio's origin replaced by the emulator's."""

    def __init__(self, origin: str) -> None:
        super().__init__(timeout=10)
        self._origin = origin
        self.documents: list[tuple[str, str, int, str]] = []

    def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
        """Make the request at the emulator and keep what was answered."""
        here = re.sub(r"^https://(conversations|api)\.twilio\.com", self._origin, url)
        response = super().request(method, here, *args, **more)
        self.documents.append((method, url, response.status_code, response.text))
        return response


def sdk_client(origin: str, *, user: str = ACCOUNT_SID, secret: str = AUTH_TOKEN) -> Client:
    """Return the SDK's client, pointed at the emulator."""
    return Client(user, secret, account_sid=ACCOUNT_SID, http_client=RedirectedHttpClient(origin))


def refusal_of(call: Any, *args: Any, **more: Any) -> tuple[int, int]:
    """Return HTTP status and Twilio's code of a call that must be refused."""
    with pytest.raises(TwilioRestException) as refusal:
        call(*args, **more)
    return refusal.value.status, refusal.value.code
