"""The webhook route: check the signature, store the event, answer. It understands no event and sends nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from flask import Blueprint, Request, Response, current_app, request
from werkzeug.datastructures import Headers

from app.db import faults
from app.db.database import DatabaseUnavailable
from app.inbox import queue
from app.logs import describe_error
from app.monitoring.webhook_metrics import UNVERIFIED, Outcome, WebhookCounts
from app.operations import round_trip
from app.receiver.candidates import Received
from app.receiver.group_commit import GroupCommit
from app.receiver.rejections import WRONG_PATH, Refusals
from app.twilio_api import form as form_module
from app.twilio_api import parsing, signature

ROUTE = "/conversations/webhook"
LARGEST_BODY = 256 * 1024  # bytes; Twilio's largest, an inbound message of 32 KB with attributes, is far below
KEPT_HEADERS = ("Content-Type", "I-Twilio-Idempotency-Token", "User-Agent")

log = logging.getLogger("parley.webhooks")
blueprint = Blueprint("webhooks", __name__)


class StoringProcess(Protocol):
    """What is used of the process that stores."""

    @property
    def stored(self) -> Callable[[], None]:
        """To be called after each new event: it wakes the worker in this process."""


@dataclass(frozen=True)
class Receiver:
    """What the blueprint needs; create_app() puts it under app.extensions["parley.receiver"]."""

    public_url: str
    keys: signature.Keys
    arrivals: GroupCommit[queue.NewEvent, bool]
    process: StoringProcess
    refusals: Refusals
    not_stored: Callable[[], None] = lambda: None  # called after each webhook that was answered 503
    counts: WebhookCounts = field(default_factory=WebhookCounts)


class WebhookAnswer(NamedTuple):
    """What a request is answered, and what it is counted as."""

    response: Response
    outcome: Outcome
    event_type: str = UNVERIFIED
    reason: str = ""


@blueprint.route(ROUTE, methods=["GET", "POST"])
def receive() -> Response:
    """Answer a webhook: 204 stored or known, 403 not signed by Twilio, 4xx signed but unusable, 503 not stored."""
    began = time.perf_counter()
    receiver: Receiver = current_app.extensions["parley.receiver"]
    # The request itself: each look through Flask's proxy takes a microsecond.
    answer = _answer(receiver, request._get_current_object())  # type: ignore[attr-defined]
    seconds = time.perf_counter() - began
    receiver.counts.record(answer.outcome, seconds, event_type=answer.event_type, reason=answer.reason)
    return answer.response


@blueprint.after_app_request
def note_wrong_path(response: Response) -> Response:
    """Record a signed request to another path, where nothing takes webhooks; what it is answered stays as it is."""
    if "HTTP_X_TWILIO_SIGNATURE" in request.environ and request.path != ROUTE:
        receiver: Receiver = current_app.extensions["parley.receiver"]
        target, body = _raw_target(request), _read_body(request)
        read = body if isinstance(body, bytes) else b""
        received = Received.of(request.method, target, request.headers.items(), read)
        if not _is_our_doctor(receiver, request):
            receiver.refusals.record(signature.public_url(receiver.public_url, target), WRONG_PATH, received)
            receiver.counts.record("refused", 0.0, reason=WRONG_PATH)
    return response


def _answer(receiver: Receiver, request: Request) -> WebhookAnswer:
    target = _raw_target(request)
    url = signature.public_url(receiver.public_url, target)
    if not request.headers.get("X-Twilio-Signature"):
        return _refuse(receiver, url, "missing", Received(request.method, target, {}, b""), request)
    body = _read_body(request)
    if isinstance(body, WebhookAnswer):
        return body
    form = form_module.read_form(request.method, target, body)
    verdict = _check(receiver, url, form, body, request)
    if not verdict.valid:
        received = Received.of(request.method, target, request.headers.items(), body)
        return _refuse(receiver, url, verdict.reason, received, request)
    if request.method == "POST" and not _is_form(request):
        return _cannot_use(415, "The body is not application/x-www-form-urlencoded.")
    if parsing.is_pre_action(parsing.event_type(form)):
        # Accepted unchanged, at once, whatever else is wrong.
        return WebhookAnswer(Response(status=200), "pre-action", parsing.event_type(form))
    try:
        identity = parsing.identity(form)
    except parsing.Unusable as unusable:
        return _cannot_use(400, unusable.reason, parsing.event_type(form))
    return _store(receiver, identity, request, target, body)


def _store(receiver: Receiver, identity: parsing.Identity, request: Request, target: str, body: bytes) -> WebhookAnswer:
    event = queue.NewEvent(
        event_key=identity.event_key,
        event_type=identity.event_type,
        lane=identity.lane,
        source=identity.source,
        method=request.method,
        target=_storable(target),
        body=body,
        headers=_kept_headers(request.headers),
    )
    try:
        is_new = receiver.arrivals.add(event)
    except Exception as error:  # noqa: BLE001 - 503 is the only answer after which Twilio may send again
        receiver.not_stored()
        return _not_stored(error, identity.event_type)
    if is_new:
        receiver.process.stored()
    return WebhookAnswer(Response(status=204), "stored" if is_new else "known", identity.event_type)


def _not_stored(error: Exception, event_type: str) -> WebhookAnswer:
    reason, kind = describe_error(error), faults.OTHER
    if isinstance(error, DatabaseUnavailable):
        reason, kind = str(error), error.kind
    log.error("webhook.not_stored", extra={"event_type": event_type, "reason": reason})
    response = Response("Storage is unavailable; nothing was stored.\n", 503, {"Retry-After": "5"}, "text/plain")
    return WebhookAnswer(response, "unavailable", event_type, kind)


def _check(receiver: Receiver, url: str, form: form_module.Form, body: bytes, request: Request) -> signature.Verdict:
    signed = signature.SignedRequest(
        url=url,
        form=form,
        signature=request.headers.get("X-Twilio-Signature"),
        settings=request.headers.get("X-Twilio-Webhooks-Signature-Settings"),
        content_type=request.headers.get("Content-Type", ""),
        body=body,
        method=request.method,
    )
    return signature.check(receiver.keys, signed)


def _refuse(receiver: Receiver, url: str, reason: str, received: Received, request: Request) -> WebhookAnswer:
    if _is_our_doctor(receiver, request):
        reason = ""
    else:
        receiver.refusals.record(url, reason, received)
    return WebhookAnswer(_say(403, "The signature is missing or wrong."), "refused", reason=reason)


def _is_our_doctor(receiver: Receiver, request: Request) -> bool:
    return round_trip.is_ours(request.headers.get(round_trip.MARK, ""), receiver.keys)


def _cannot_use(status: int, sentence: str, event_type: str = UNVERIFIED) -> WebhookAnswer:
    return WebhookAnswer(_say(status, sentence), "unusable", event_type)


def _say(status: int, sentence: str) -> Response:
    return Response(sentence + "\n", status, mimetype="text/plain")


def _raw_target(request: Request) -> str:
    """Return the request target as it came; Flask's own URLs are unescaped and would not match the signature."""
    environ = request.environ
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if raw:
        return str(raw)
    query = environ.get("QUERY_STRING", "")
    return request.path + (f"?{query}" if query else "")


def _read_body(request: Request) -> bytes | WebhookAnswer:
    """Return the body, or the answer to one that is too large or broken off."""
    announced = request.content_length or 0
    if announced > LARGEST_BODY:
        return _too_large()
    try:
        body = request.stream.read(LARGEST_BODY + 1)
    except Exception:  # noqa: BLE001 - broken chunks and cut connections: each server raises its own kind
        body = None
    if body is None or len(body) < announced:
        return _cannot_use(400, "The body could not be read to its end.")
    return body if len(body) <= LARGEST_BODY else _too_large()


def _too_large() -> WebhookAnswer:
    return _cannot_use(413, f"The body is larger than {LARGEST_BODY} bytes.")


def _is_form(request: Request) -> bool:
    return request.mimetype == "application/x-www-form-urlencoded"


def _kept_headers(headers: Headers) -> dict[str, str]:
    return {name: _storable(value)[:200] for name in KEPT_HEADERS if (value := headers.get(name)) is not None}


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
