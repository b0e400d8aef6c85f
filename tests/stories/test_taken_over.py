"""A worker stands still in the middle of a request, for longer than its lease: another answers, and only that one."""

import socket

import pytest

from app.inbox.leases import LEASE_SECONDS
from app.runtime.worker import make_worker
from app.store.replies import LATE_STORE
from tests.support.arrivals import arrive

THANKS = "Thanks, we will be right back."


@pytest.fixture
def environ(environ):
    """Twilio is called by a name that has to be looked up."""
    return environ | {"TWILIO_API_BASE_URL": environ["TWILIO_API_BASE_URL"].replace("127.0.0.1", "localhost")}


@pytest.fixture
def meanwhile(monkeypatch):
    """Let something happen while the name of Twilio is looked up for the first time."""
    look_up, waiting = socket.getaddrinfo, []

    def slowly(*arguments, **options):
        if waiting:
            waiting.pop()()
        return look_up(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    return waiting.append


@pytest.fixture
def another_worker(app, clock):
    """Works off what is due, each time after so many seconds, while the first stands still."""
    runtime = app.extensions["parley"]

    def works(*waits):
        worker = make_worker(runtime.settings, runtime.db)
        for seconds in waits:
            clock.advance(seconds)
            while worker.work_once():
                pass

    return works


@pytest.fixture
def first_worker(app):
    runtime = app.extensions["parley"]
    return make_worker(runtime.settings, runtime.db)


def sends(emulator):
    return [one for one in emulator.requests() if one["method"] == "POST" and one["path"].endswith("/Messages")]


def test_who_has_waited_for_the_connection_for_longer_than_the_lease_sends_nothing(
    emulator, post_webhook, meanwhile, another_worker, first_worker, flask_command
):
    arrive(emulator, post_webhook)
    meanwhile(lambda: another_worker(LEASE_SECONDS + 1, LATE_STORE.total_seconds()))
    first_worker.work_once()

    assert emulator.replies() == [THANKS]
    assert len(sends(emulator)) == 1
    assert '"processed": 1' in flask_command("inbox", "stats", "--json")


def test_where_nobody_takes_over_it_is_sent_by_the_next_attempt(
    emulator, post_webhook, clock, meanwhile, first_worker, another_worker
):
    arrive(emulator, post_webhook)
    meanwhile(lambda: clock.advance(LEASE_SECONDS + 1))
    first_worker.work_once()
    assert sends(emulator) == []
    another_worker(LEASE_SECONDS + 1, LATE_STORE.total_seconds())

    assert emulator.replies() == [THANKS]
    assert len(sends(emulator)) == 1
