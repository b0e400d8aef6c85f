"""Webhook posts: signed, in order for each conversation, each tried once within five seconds.

Only loopback addresses are ever called. A URL that begins with the public origin is signed as it is and
delivered to the loopback origin that stands for it.
"""

import http.client
import ipaddress
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import RequestValidator

from app.emulator.faults import REORDER_SECONDS, Faults
from app.emulator.options import Options
from app.emulator.scheduler import Pending, Scheduler
from app.emulator.state import split_origin
from app.emulator.webhook_targets import Target

POSTERS = 24
LOG_LENGTH = 20_000
RAW_IN_QUERY = ":!"  # as in captured GET requests
FORM_TYPE = "application/x-www-form-urlencoded; charset=utf-8"


@dataclass(frozen=True)
class WebhookResponse:
    """What the receiver said: a status and body, or an error instead (then the status is 0)."""

    status: int
    body: bytes = b""
    error: str = ""


@dataclass(frozen=True)
class Post:
    """One webhook request that is to be made; `token` is the same for a duplicate."""

    target: Target
    form: Mapping[str, str]
    token: str


class Outgoing:
    """Queues posts by lane (a conversation), sends each lane's one after another, and keeps a log."""

    def __init__(self, options: Options, faults: Faults, pending: Pending, scheduler: Scheduler) -> None:
        self._validator = RequestValidator(options.auth_token)
        self._timeout = options.webhook_timeout
        self._faults = faults
        self._pending = pending
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._lanes: dict[str, deque[Post]] = {}
        self._ready: SimpleQueue[str] = SimpleQueue()
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
        self.point_at(options.webhook_url, options.public_url)
        for number in range(POSTERS):
            threading.Thread(target=self._work, name=f"emulator-poster-{number}", daemon=True).start()

    def point_at(self, webhook_url: str, public_url: str) -> None:
        """Set the loopback origin that posts to the public origin are delivered to."""
        self._public_origin = public_url.rstrip("/")
        self._loopback_origin = split_origin(webhook_url)[0] if webhook_url else ""

    def clear(self) -> None:
        """Forget the posts that wait."""
        with self._lock:
            dropped = sum(len(lane) for lane in self._lanes.values())
            for lane in self._lanes.values():
                lane.clear()
        self._pending.done(dropped)

    def is_idle(self, lane: str) -> bool:
        """Return whether no post of that lane waits or is being made."""
        with self._lock:
            return lane not in self._lanes

    def add(self, lane: str, target: Target, form: Mapping[str, str]) -> None:
        """Queue one event for one URL, with the faults that happen to be its lot."""
        fault = self._faults.for_post()
        post = Post(target, form, str(uuid.uuid4()))
        if fault.dropped:
            self._record(post, WebhookResponse(0, error="dropped on request"), 0.0)
            return
        for _ in range(fault.copies):
            if fault.overtaken:
                self._scheduler.after(fault.delay + REORDER_SECONDS, self._adder(f"late:{post.token}", post))
            elif fault.delay:
                self._scheduler.after(fault.delay, self._adder(lane, post))
            else:
                self._enqueue(lane, post)

    def ask(self, target: Target, form: Mapping[str, str]) -> WebhookResponse:
        """Make a pre-action request at once and return its answer."""
        return self._deliver(Post(target, form, str(uuid.uuid4())))

    def post_now(self, target: Target, form: Mapping[str, str]) -> WebhookResponse:
        """Sign and send any form as it is, outside every queue, and return its answer."""
        return self._deliver(Post(target, form, str(uuid.uuid4())))

    def _adder(self, lane: str, post: Post) -> Callable[[], None]:
        return lambda: self._enqueue(lane, post)

    def _enqueue(self, lane: str, post: Post) -> None:
        self._pending.add()
        with self._lock:
            waiting = self._lanes.get(lane)
            if waiting is not None:
                waiting.append(post)
                return
            self._lanes[lane] = deque([post])
        self._ready.put(lane)

    def _work(self) -> None:
        while True:
            lane = self._ready.get()
            post = self._next_of(lane)
            if post is None:
                continue
            try:
                self._deliver(post)
            finally:
                self._ready.put(lane)
                self._pending.done()

    def _next_of(self, lane: str) -> Post | None:
        """Return the lane's next post; a lane without posts is closed."""
        with self._lock:
            if self._lanes[lane]:
                return self._lanes[lane].popleft()
            del self._lanes[lane]
            return None

    def _deliver(self, post: Post) -> WebhookResponse:
        started = time.perf_counter()
        try:
            answer = self._send(post)
        except (OSError, http.client.HTTPException, ValueError) as error:
            timed_out = isinstance(error, TimeoutError)
            answer = WebhookResponse(0, error="timeout" if timed_out else f"{type(error).__name__}: {error}")
        self._record(post, answer, (time.perf_counter() - started) * 1000)
        return answer

    def _send(self, post: Post) -> WebhookResponse:
        """Make the request on a connection of its own, so that no idle connection can swallow a post."""
        signed_url, loopback_url = self._urls(post)
        query = post.target.method == "GET"
        headers = {
            "Content-Type": FORM_TYPE,
            "Accept": "*/*",
            "User-Agent": "TwilioProxy/1.1",
            "I-Twilio-Idempotency-Token": post.token,
            "X-Twilio-Signature": self._validator.compute_signature(signed_url, {} if query else post.form),
            "Connection": "close",
        }
        origin, path = split_origin(loopback_url)
        connection = _connect(origin, self._timeout)
        try:
            body = None if query else urlencode(post.form).encode("ascii")
            connection.request(post.target.method, path or "/", body, headers)
            response = connection.getresponse()
            return WebhookResponse(response.status, response.read())
        finally:
            connection.close()

    def _urls(self, post: Post) -> tuple[str, str]:
        """Return the URL that is signed and the one that is called; a fragment is in neither."""
        url = post.target.url.partition("#")[0]
        if post.target.method == "GET":
            url += ("&" if "?" in url else "?") + urlencode(post.form, safe=RAW_IN_QUERY)
        public = self._public_origin
        if public and self._loopback_origin and url.startswith(public + "/"):
            return url, self._loopback_origin + url[len(public) :]
        return url, url

    def _record(self, post: Post, answer: WebhookResponse, elapsed_ms: float) -> None:
        self.log.append(
            {
                "event_type": post.form.get("EventType", ""),
                "url": post.target.url,
                "status": answer.status,
                "error": answer.error,
                "elapsed_ms": round(elapsed_ms, 2),
                "conversation_sid": post.form.get("ConversationSid"),
                "message_sid": post.form.get("MessageSid"),
                "form": dict(post.form),
            }
        )


def _connect(origin: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(origin)
    if not _is_loopback(parts.hostname or ""):
        raise ValueError("not a loopback address: the emulator calls nothing else")
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
