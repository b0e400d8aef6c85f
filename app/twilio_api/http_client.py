"""The SDK's HTTP client on urllib3: time-outs, another origin, Retry-After; what leaves asks the fence.

The SDK's own client, on requests, takes more time for a request than the SDK does for all the rest.
Imported by whoever makes a request, not before: the SDK takes its time to load.
"""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from twilio.http import HttpClient
from twilio.http.response import Response

from app.twilio_api.bounded_http import Answer, Body, BoundedHttp, RequestFailed
from app.twilio_api.errors import never_connected
from app.twilio_api.resources import Change, change_of

CONNECT_SECONDS, READ_SECONDS = 3.0, 8.0
REQUEST_SECONDS = CONNECT_SECONDS + READ_SECONDS  # for all of it; less than a lease
log = logging.getLogger("twilio.http_client")  # the SDK's own; ours says nothing
LONGEST_RETRY_AFTER = timedelta(minutes=15)  # who asks for more is asked again by then: nobody is silent for ever


class FencedHttpClient(HttpClient):  # type: ignore[misc]  # the SDK has no types
    """Makes the requests of one thread; `retry_after` is what the last answer asked for.

    `record_call` gets the end of each request: "ok", the HTTP status from 300, "not connected", "no answer", or "not
    sent" for one that the fence stopped; `record_change` of what it has changed.
    """

    retry_after: timedelta | None = None

    def __init__(
        self,
        base_url: str,
        record_call: Callable[[str], None],
        record_change: Callable[[Change], None],
        *,
        trust_environment: bool = True,
    ) -> None:
        super().__init__(log, False)
        self._http = BoundedHttp(REQUEST_SECONDS, trust_environment=trust_environment)
        self._base_url, self._record_call, self._record_change = base_url, record_call, record_change

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **_other: Any,
    ) -> Response:
        """Make a request and return Twilio's answer. Raises RequestFailed, and what the fence raises.

        The SDK's other wishes are not ours: the time-outs are fixed, and no redirect is followed.
        """
        self.retry_after = None
        try:
            answer = self._ask(method, _with_query(self._at(url), params), data, dict(headers or {}), auth)
        except Exception as error:
            self._record_call(_result_of(error))
            raise
        self._record_call("ok" if answer.status < 300 else str(answer.status))
        self.retry_after = wait_asked_for(answer.headers.get("Retry-After"))
        text = answer.text
        if answer.status < 300 and text and not text.lstrip().startswith("{"):
            raise ValueError("the answer is no JSON object")
        if change := change_of(method, url, answer.status, text):
            self._record_change(change)
        return Response(answer.status, text, answer.headers)

    def _ask(self, method: str, url: str, data: Any, headers: dict[str, str], auth: tuple[str, str] | None) -> Answer:
        if auth:
            headers["Authorization"] = f"Basic {b64encode(':'.join(auth).encode('latin-1')).decode()}"
        body = _body_of(data, headers.get("Content-Type", ""))
        return self._http.request(method.upper(), url, headers, body, timeout=(CONNECT_SECONDS, READ_SECONDS))

    def _at(self, url: str) -> str:
        if not self._base_url:
            return url
        parts = urlsplit(url)
        return self._base_url + parts.path + (f"?{parts.query}" if parts.query else "")


def _with_query(url: str, params: Mapping[str, Any] | None) -> str:
    query = _form_of(params or {})
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def _form_of(values: Mapping[str, Any]) -> str:
    return urlencode({name: value for name, value in values.items() if value is not None}, doseq=True)


def _body_of(data: Any, content_type: str) -> Body:
    """Return what is sent: a form, JSON, or a text or file as it is."""
    if not data:
        return None
    if "json" in content_type:
        return json.dumps(data).encode()
    if isinstance(data, Mapping):
        return _form_of(data).encode()
    return data.encode() if isinstance(data, str) else data  # bytes or a file


def _result_of(error: Exception) -> str:
    if not isinstance(error, RequestFailed | ValueError):
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
    except (TypeError, ValueError, OverflowError):  # the last one for a year of twenty digits
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)  # "-0000": in UTC, from nobody knows where
    return min(max(timedelta(0), at - datetime.now(UTC)), LONGEST_RETRY_AFTER)
