"""Somebody who has the page open: logs in, then looks at addresses, or asks for news as the page's script does."""

import http.client
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

PAUSE_SECONDS = 1.5  # as in parley.js
PASSWORD = "benchmark-of-the-page"


class Onlooker:
    """One browser; keeps its connection, its cookie and the ETags of what it shows."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._cookie = ""
        self._tags: dict[str, str] = {}
        form = self.look("/login")
        token = re.search(r'name="csrf_token" value="([^"]+)"', form)
        if token is None:
            raise SystemExit("the page has no log-in form")
        self._log_in(token[1])

    def look(self, path: str) -> str:
        """Return a page; fails for anything but 200."""
        status, text = self._ask("GET", path, {})
        if status != 200:
            raise SystemExit(f"GET {path} answered {status}")
        return text

    def look_for_news(self, path: str) -> int:
        """Ask for a part of the page unless it is the one we have; return the status, 200 or 304."""
        known = {"If-None-Match": self._tags[path]} if path in self._tags else {}
        status, _ = self._ask("GET", path, {"X-Requested-With": "parley", **known})
        if status not in (200, 304):
            raise SystemExit(f"GET {path} answered {status}")
        return status

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _log_in(self, token: str) -> None:
        body = urlencode({"csrf_token": token, "name": "Maria", "password": PASSWORD})
        status, _ = self._ask("POST", "/login", {"Content-Type": "application/x-www-form-urlencoded"}, body)
        if status not in (302, 303):
            raise SystemExit(f"the log-in answered {status}")

    def _ask(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> tuple[int, str]:
        cookie = {"Cookie": self._cookie} if self._cookie else {}
        self._connection.request(method, path, body, {**headers, **cookie})
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if given := answer.headers.get("Set-Cookie"):
            self._cookie = given.partition(";")[0]
        if tag := answer.headers.get("ETag"):
            self._tags[path] = tag
        return answer.status, text


@contextmanager
def people_looking(port: int, threads: list[str]) -> Iterator[list[int]]:
    """Let one person look at each of these conversations, beside the list; gives the statuses of what they asked.

    Begins when every page is open: logging in and loading are not what a page costs that stays open.
    """
    statuses: list[int] = []
    over, opened = threading.Event(), threading.Semaphore(0)
    people = [
        threading.Thread(target=_keep_looking, args=(port, sid, n, over, opened, statuses))
        for n, sid in enumerate(threads)
    ]
    for one in people:
        one.start()
    try:
        for _ in people:
            if not opened.acquire(timeout=60):
                raise SystemExit("a page was not opened within a minute")
        yield statuses
    finally:
        over.set()
        for one in people:
            one.join()


def _keep_looking(
    port: int, sid: str, number: int, over: threading.Event, opened: threading.Semaphore, statuses: list[int]
) -> None:
    time.sleep(number * PAUSE_SECONDS / 10)  # nobody logs in at the same moment as others
    person = Onlooker(port)
    person.look(f"/c/{sid}")
    opened.release()
    while not over.wait(PAUSE_SECONDS):
        statuses.append(person.look_for_news(f"/fragments/list?open={sid}"))
        statuses.append(person.look_for_news(f"/fragments/c/{sid}?lines=50"))
    person.close()
