"""The auth token is rotated while webhooks come in, as docs/security.md says: none is refused, none is lost."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.db.tables import inbox
from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.eventually import eventually
from tests.support.gunicorn_process import Gunicorn, serving
from tests.support.hostile_requests import exchange, on_the_wire

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite")]
OLD, NEW = TOKEN, "f" * 32
SENDERS = 4


class Twilio:
    """Signs with the primary token, and sends to one server after the other of those in the balancer's pool."""

    def __init__(self) -> None:
        self.primary, self.pool = OLD, list[Gunicorn]()
        self.answers: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()
        self._sent = 0
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def goes_on(self, webhooks: int = 40) -> bool:
        """Wait until so many more webhooks are answered: what was begun before is finished by then."""
        before = self.answers.total()
        return eventually(lambda: self.answers.total() >= before + webhooks, seconds=30)

    def _send(self) -> None:
        while not self._ended.is_set():
            with self._lock:
                self._sent += 1
                number, token, server = self._sent, self.primary, self.pool[self._sent % len(self.pool)]
            status = exchange(server.port, webhook(number, token)).status
            with self._lock:
                self.answers[token, status] += 1


def webhook(number: int, token: str) -> bytes:
    request = webhook_fixtures.with_fields(
        webhook_fixtures.load("onMessageAdded__sms_text"), {"MessageSid": f"IM{number:032}"}
    )
    headers = webhook_fixtures.sign(request, ORIGIN, token)
    return on_the_wire(replace(request, headers=headers), Connection="close")


class Servers:
    """Two servers on one database, restarted one after the other."""

    def __init__(self, environ: dict[str, str], folder: Path, twilio: Twilio, stack: ExitStack) -> None:
        self._environ = environ | {"WEB_CONCURRENCY": "1", "BOT_INLINE_WORKER": "off"}
        self._folder, self._twilio, self._stack, self._started = folder, twilio, stack, 0

    def start(self, **settings: str) -> Gunicorn:
        self._started += 1
        output = self._folder / f"server {self._started}"
        return self._stack.enter_context(serving(self._environ | settings, output))

    def replace_all(self, **settings: str) -> None:
        """Put a new server with these settings beside each one, then end the old one, as a rolling deploy does."""
        for old in list(self._twilio.pool):
            self._twilio.pool = [one for one in self._twilio.pool if one is not old] + [self.start(**settings)]
            assert self._twilio.goes_on()
            assert old.stop() == 0


@pytest.fixture
def twilio() -> Iterator[Twilio]:
    twilio = Twilio()
    yield twilio
    twilio.stop()


@pytest.fixture
def servers(environ, tmp_path, twilio) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(environ, tmp_path, twilio, stack)
        twilio.stop()


def test_a_rotation_under_load_refuses_and_loses_no_webhook(servers, twilio, app):
    twilio.pool = [servers.start(TWILIO_AUTH_TOKEN=OLD), servers.start(TWILIO_AUTH_TOKEN=OLD)]
    twilio.start()
    assert twilio.goes_on()
    servers.replace_all(TWILIO_AUTH_TOKEN=OLD, TWILIO_SECONDARY_AUTH_TOKEN=NEW)
    twilio.primary = NEW  # the moment of the promotion
    assert twilio.goes_on()
    servers.replace_all(TWILIO_AUTH_TOKEN=NEW, TWILIO_SECONDARY_AUTH_TOKEN="")
    assert twilio.goes_on()
    twilio.stop()

    assert set(twilio.answers) == {(OLD, 204), (NEW, 204)}
    with app.extensions["parley"].db.read() as tx:
        assert tx.scalar(select(func.count()).select_from(inbox)) == twilio.answers.total()
    assert exchange(twilio.pool[0].port, webhook(1, OLD)).status == 403
