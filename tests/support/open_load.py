"""So many webhooks a second whatever becomes of them, as Twilio sends them; and what each was answered."""

import http.client
import secrets
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.running_service import signed

CONVERSATIONS = 40
MOST_POSTS = 2000
PATIENCE_SECONDS = 20.0  # more than Twilio's, to see how long it would have had to wait


def conversation(number: int) -> str:
    """Return the SID of one of the conversations that are written in."""
    return f"CH{number % CONVERSATIONS:032x}"


@dataclass(frozen=True)
class Post:
    """A webhook, when it was sent, its status (0: no answer) and how long that took."""

    message_sid: str
    sent_at: float
    status: int
    seconds: float


@dataclass
class OpenLoad:
    """What was posted so far."""

    posts: list[Post] = field(default_factory=list)

    def acknowledged(self) -> set[str]:
        """Return the messages for which we said that they are stored."""
        return {post.message_sid for post in self.posts if post.status == 204}

    def slowest_seconds(self) -> float:
        return max(post.seconds for post in self.posts)

    def usual_seconds(self) -> float:
        """Return the median."""
        return statistics.median(post.seconds for post in self.posts)

    def last_refused_at(self) -> float:
        """Return when the last webhook was sent that was not stored; 0 when all were."""
        return max((post.sent_at for post in self.posts if post.status != 204), default=0.0)

    def count(self, *statuses: int, since: float = 0.0) -> int:
        return sum(post.status in statuses for post in self.posts if post.sent_at >= since)


@contextmanager
def open_load(url: str, *, per_second: int = 50) -> Iterator[OpenLoad]:
    """Post at an even pace, each on a connection of its own; the list is complete when the block has ended."""
    load, stop, webhooks = OpenLoad(), threading.Event(), _Webhooks(url, MOST_POSTS)

    def tick() -> None:
        began = time.monotonic()
        for number in range(MOST_POSTS):
            if stop.wait(max(0.0, began + number / per_second - time.monotonic())):
                return
            threads.submit(lambda number: load.posts.append(webhooks.post(number)), number)

    with ThreadPoolExecutor(max_workers=per_second * 10) as threads:
        ticking = threading.Thread(target=tick)
        ticking.start()
        try:
            yield load
        finally:
            stop.set()
            ticking.join()


def post_at_once(url: str, count: int) -> OpenLoad:
    """Post so many webhooks at the same time, and return when each has an answer."""
    webhooks, together = _Webhooks(url, count), threading.Barrier(count)

    def post(number: int) -> Post:
        together.wait(30)
        return webhooks.post(number)

    with ThreadPoolExecutor(count) as threads:
        return OpenLoad(list(threads.map(post, range(count))))


class _Webhooks:
    """Webhooks of different messages, signed before they are posted, since that takes the processor's time."""

    def __init__(self, url: str, count: int) -> None:
        self._address, run = urlsplit(url), secrets.token_hex(8)
        self._forms = [_form(run, number) for number in range(count)]
        self._signed = [signed(form) for form in self._forms]

    def post(self, number: int) -> Post:
        """Post one of them."""
        sent_at = time.monotonic()
        try:
            status = self._status(*self._signed[number])
        except OSError:
            status = 0
        return Post(self._forms[number]["MessageSid"], sent_at, status, time.monotonic() - sent_at)

    def _status(self, body: bytes, headers: dict[str, str]) -> int:
        host, port = self._address.hostname or "", self._address.port
        with closing(http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)) as connection:
            connection.request("POST", self._address.path, body, headers | {"Connection": "close"})
            return connection.getresponse().status


def _form(run: str, number: int) -> dict[str, str]:
    return {"MessageSid": f"IM{run}{number:016x}", "ConversationSid": conversation(number)}
