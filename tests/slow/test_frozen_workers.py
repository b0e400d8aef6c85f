"""A worker that stands still for longer than its lease, and a Twilio that answers too late: still one reply.

Slow, because leases and time-outs are waited for in real time.
"""

import json
import signal
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app.db.database import Database
from app.db.tables import replies
from app.inbox import leases, queue
from app.inbox.job import Job
from app.store.replies import LATE_STORE
from tests.support.arrivals import arrive, webhook_of
from tests.support.eventually import eventually
from tests.support.full_front import FullFront
from tests.support.running_service import Service, post_until_stored

pytestmark = pytest.mark.slow
THANKS = "Thanks, we will be right back."


@pytest.fixture
def service(environ, tmp_path):
    service = Service(
        {**environ, "BOT_INLINE_WORKER": "off", "BOT_RECONCILE_SECONDS": "0"}, tmp_path / "log", workers=2
    )
    yield service
    service.close()


def test_a_worker_frozen_in_a_request_beyond_its_lease_finds_that_another_has_finished(service, emulator):
    emulator.faults(hang_next={"seconds": 2.0, "stored": True})
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    form = webhook_of(emulator.inbound("hello"), "hello") | {"DateCreated": now}
    service.start("web")
    service.start("worker 1")
    post_until_stored(service.url, [form])
    assert eventually(emulator.replies)
    service.signal("worker 1", signal.SIGSTOP)
    service.start("worker 2")
    assert service.drains(1, seconds=30)
    service.signal("worker 1", signal.SIGCONT)
    exit_codes = service.stop()

    assert emulator.replies() == [THANKS]
    assert service.stats()["processed"] == 1
    assert set(exit_codes.values()) == {0}
    assert "the lease ended before we did" in service.log_text()


@pytest.fixture
def front(emulator):
    front = FullFront(emulator.url)
    yield front
    front.close()


@pytest.fixture
def behind_the_front(environ, tmp_path, front):
    """A worker of the same installation that reaches Twilio through the front."""
    service = Service(
        {**environ, "TWILIO_API_BASE_URL": front.url, "BOT_RECONCILE_SECONDS": "0"},
        tmp_path / "log of the frozen",
        workers=1,
    )
    yield service
    service.close()


def test_a_worker_frozen_while_it_connects_sends_nothing_when_it_thaws(service, behind_the_front, front, emulator):
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    form = webhook_of(emulator.inbound("hello"), "hello") | {"DateCreated": now}
    service.start("web")
    behind_the_front.start("worker 1")
    post_until_stored(service.url, [form])
    assert eventually(lambda: is_sending(service) and front.is_someone_connecting(), seconds=60, pause=0.005)
    behind_the_front.signal("worker 1", signal.SIGSTOP)
    front.let_in()
    service.start("worker 2")
    assert service.drains(1, seconds=180)
    assert eventually(lambda: front.received)
    behind_the_front.signal("worker 1", signal.SIGCONT)
    exit_codes = {**service.stop(), **behind_the_front.stop()}

    assert not any(b"POST" in received for received in front.received)
    assert emulator.replies() == [THANKS]
    assert [one["method"] for one in emulator.requests()].count("POST") == 1
    assert set(exit_codes.values()) == {0}


def is_sending(service):
    with service.db.read() as tx:
        return tx.scalars(select(replies.c.state)).all() == ["sending"]


@pytest.mark.parametrize("stored", [pytest.param(True, id="stored"), pytest.param(False, id="not stored")])
def test_an_answer_later_than_our_patience_is_one_reply(
    emulator, post_webhook, attempts_go_by, run_worker, flask_command, stored
):
    emulator.faults(hang_next={"seconds": 9.0, "stored": stored})
    arrive(emulator, post_webhook)
    run_worker()
    (event,) = json.loads(flask_command("inbox", "list", "--json"))
    assert (event["finished_at"], event["outcome"]) == (None, "no answer from Twilio")
    attempts_go_by(4, LATE_STORE.total_seconds())

    assert emulator.replies() == [THANKS]
    assert json.loads(flask_command("inbox", "stats", "--json"))["processed"] == 1


def test_a_worker_frozen_between_its_commit_and_its_request_does_not_make_the_request(sqlite_url):
    db = Database(sqlite_url)
    event = queue.NewEvent("onMessageAdded:IM1", "onMessageAdded", "CH1", "SMS", "POST", "/", b"")
    with db.write() as tx:
        queue.add_all(db, tx, [event])
    work = Job(db, queue.claim(db))
    work.commit()
    time.sleep(leases.LEASE_SECONDS + 0.1)  # what a stopped process, or a laptop's lid, does

    with pytest.raises(leases.LeaseLost), work.network_call():
        pytest.fail("the request would be made a second time by whoever took over")
    work.rollback()
    db.close()
