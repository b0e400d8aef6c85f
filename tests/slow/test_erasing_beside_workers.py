"""Somebody is erased while workers answer in the same conversation: nobody there is answered twice.

Slow, because Twilio takes its time and leases are waited for.
"""

import signal
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from app.db.tables import replies
from app.privacy.erasure import Erased, erase
from app.privacy.subject import Subject
from app.privacy.subject_search import find
from app.twilio_api.form import webhook_date
from tests.support.arrivals import webhook_of
from tests.support.eventually import eventually
from tests.support.one_person import texts
from tests.support.running_service import Service, post_until_stored

pytestmark = pytest.mark.slow
A, B = "+15550100001", "+15550100002"
THANKS = "Thanks, we will be right back."
OF_B = "IM" + "b" * 32


@pytest.fixture
def service(environ, tmp_path):
    service = Service({**environ, "BOT_INLINE_WORKER": "off"}, tmp_path / "log", workers=2)
    service.start("web")
    yield service
    service.close()


@pytest.fixture
def group(service, emulator, workers):
    """A conversation in which A was answered, with so many workers; gives the parameters of a webhook from there."""
    written = webhook_of(emulator.inbound("I am A", sender=A), "I am A", A)
    for number in range(1, workers + 1):
        service.start(f"worker {number}")
    post_until_stored(service.url, [written | {"DateCreated": webhook_date(datetime.now(UTC))}])
    assert eventually(lambda: emulator.replies() == [THANKS], seconds=30)
    assert service.drains(1, seconds=30)
    return written


@pytest.fixture
def b_is_being_answered(service, emulator, group):
    """Let B write, and Twilio take 7 s to store the answer."""
    emulator.faults(slow_next={"seconds": 7.0})
    from_b = {"Author": B, "MessageSid": OF_B, "ParticipantSid": "MB" + "b" * 32, "Body": "And I am B", "Index": "2"}
    post_until_stored(service.url, [group | from_b | {"DateCreated": webhook_date(datetime.now(UTC))}])
    assert eventually(lambda: emulator.faults_in_force()["slow_next"] is None, seconds=20)
    assert state_of_reply(service) == "sending"


def state_of_reply(service: Service) -> str | None:
    with service.db.read() as tx:
        return tx.scalar(select(replies.c.state).where(replies.c.reply_to == OF_B))


def erase_a(service: Service) -> Erased:
    subject = Subject.of(A)
    return erase(service.db, subject, (), find(service.db, subject, ()), actor="test", wait=time.sleep)


@pytest.mark.parametrize("workers", [2])
def test_a_reply_to_somebody_else_that_is_on_its_way_is_waited_for(service, emulator, b_is_being_answered):
    done, state = erase_a(service), state_of_reply(service)

    assert service.drains(2, seconds=60)
    assert emulator.replies() == [THANKS, THANKS]
    assert (done.unfinished, state, service.stats()["processed"]) == (0, "sent", 2)


@pytest.mark.parametrize("workers", [1])
def test_a_frozen_worker_is_not_waited_for_for_ever_and_sends_nothing_when_it_thaws(
    service, emulator, b_is_being_answered
):
    service.signal("worker 1", signal.SIGSTOP)
    done = erase_a(service)
    service.start("worker 2")
    assert service.drains(2, seconds=90)
    service.signal("worker 1", signal.SIGCONT)
    service.stop()

    assert done.unfinished == 1
    assert emulator.replies() == [THANKS, THANKS]
    assert A not in texts(service.db)
