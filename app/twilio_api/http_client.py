"""The SDK's HTTP client with our time-outs, base URL, Retry-After, and fence.

Imported by whoever makes a request, not before: the SDK takes its time to load.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from twilio.http.http_client import TwilioHttpClient

from app.twilio_api.bounded_http import BoundedSession
from app.twilio_api.errors import never_connected
from app.twilio_api.resources import Change, change_of

CONNECT_SECONDS, READ_SECONDS = 3.0, 8.0
REQUEST_SECONDS = CONNECT_SECONDS + READ_SECONDS  # for all of it; less than a lease
LONGEST_RETRY_AFTER = timedelta(minutes=15)  # who asks for more is asked again by then: nobody is silent for ever


class FencedHttpClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK has no types
    """Makes the requests of one thread; `retry_after` is what the last answer asked for.

    `record_call` gets the end of each request: "ok", the HTTP status from 300, "not connected", "no answer", or "not
    sent" for one that the fence stopped; `record_change` of what it has changed.
    """

    retry_after: timedelta | None = None

    def __init__(
        self, base_url: str, record_call: Callable[[str], None], record_change: Callable[[Change], None]
    ) -> None:
        super().__init__()
        self.session = BoundedSession(REQUEST_SECONDS)
        self.timeout = (CONNECT_SECONDS, READ_SECONDS)
        self._base_url, self._record_call, self._record_change = base_url, record_call, record_change

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        """Make a request and return Twilio's answer."""
        self.retry_after = None
        options["timeout"] = None  # so that self.timeout, a pair, is used
        try:
            response = super().request(method, self._at(url), *args, **options)
        except Exception as error:
            self._record_call(_result_of(error))
            raise
        self._record_call("ok" if response.status_code < 300 else str(response.status_code))
        self.retry_after = wait_asked_for(response.headers.get("Retry-After"))
        if response.status_code < 300 and response.text and not response.text.lstrip().startswith("{"):
            raise ValueError("the answer is no JSON object")
        if change := change_of(method, url, response.status_code, response.text):
            self._record_change(change)
        return response

    def _at(self, url: str) -> str:
        if not self._base_url:
            return url
        parts = urlsplit(url)
        return self._base_url + parts.path + (f"?{parts.query}" if parts.query else "")


def _result_of(error: Exception) -> str:
    if not isinstance(error, requests.RequestException | ValueError):
        return "not sent"
    return "not connected" if never_connected(error) else "no answer"


def wait_asked_for(retry_after: str | None) -> timedelta | None:
    """Return the wait of a Retry-After header, in seconds or as a date, at most 15 minutes; None if it says nothing."""
    if not retry_after:
        return None
    if re.fullmatch(r"\d{1,300}(\.\d{1,6})?", retry_after.strip()):
        return timedelta(seconds=min(float(retry_after), LONGEST_RETRY_AFTER.total_seconds()))
    try:
        at = parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)  # "-0000": in UTC, from nobody knows where
    return min(max(timedelta(0), at - datetime.now(UTC)), LONGEST_RETRY_AFTER)
