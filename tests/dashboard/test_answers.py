"""A human's answer is sent once, however often and from however many threads it is submitted; on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.dashboard import agent_replies
from app.dashboard.agent_replies import WrittenAnswer
from app.db.database import Database
from app.emulator.client import Emulator
from app.operations.account import Account
from app.runtime.from_settings import make_conversations
from app.store import agent_answers, conversations, messages
from app.twilio_api.errors import SendError
from tests.support.arrivals import arrive

pytestmark = pytest.mark.engines("sqlite", "postgresql")  # the SQL itself is the subject

PAUSE = timedelta(minutes=30)


@pytest.fixture
def account(app: Flask) -> Account:
    return Account(make_conversations(app.extensions["parley"].settings, None))


@pytest.fixture
def sid(emulator: Emulator, post_webhook: Callable[..., Any], run_worker: Callable[[], None]) -> str:
    """A conversation in which a customer waits for a human."""
    found = str(arrive(emulator, post_webhook)["conversation_sid"])
    run_worker()
    return found


@pytest.fixture
def give(db: Database, account: Account, sid: str) -> Callable[..., str]:
    """Submit a form with an answer."""
    return lambda text="Here I am.", form="f" * 32: agent_replies.give(
        db, account, WrittenAnswer(sid, "Maria", text, form), PAUSE
    )


def test_submitted_by_eight_threads_at_once_it_is_sent_once(give, emulator):
    emulator.faults(latency=0.05)
    with ThreadPoolExecutor(8) as threads:
        outcomes = [one.result() for one in [threads.submit(give) for _ in range(8)]]

    assert emulator.replies(author="Maria") == ["Here I am."]
    assert outcomes.count("sent") == 1
    assert set(outcomes) <= {"sent", "sent before", "under way"}


def test_answers_of_two_people_at_once_are_both_sent(give, emulator):
    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(lambda form: give(form=form), ["a" * 32, "b" * 32]))

    assert outcomes == ["sent", "sent"]
    assert emulator.replies(author="Maria") == ["Here I am.", "Here I am."]


def test_it_is_stored_as_an_agents_message_and_nobody_waits_any_more(give, db, sid, emulator):
    give()

    said = emulator.messages(sid)[-1]
    with db.read() as tx:
        message, decision = messages.message(tx, said["sid"]), messages.decision(tx, messages.DecisionKey(said["sid"]))
        here = conversations.conversation(tx, sid)
    assert (message.author, message.body, message.message_index) == ("Maria", "Here I am.", said["index"])
    assert (decision.code, decision.reason) == ("agent", "a human agent wrote")
    assert (here.waiting_since, here.paused_by, here.paused_why) == (None, "agent", "an agent wrote")


def test_what_was_not_sent_after_all_leaves_the_customer_waiting_since_the_same_moment(give, db, sid, emulator):
    with db.read() as tx:
        before = conversations.conversation(tx, sid)
    emulator.faults(fail_next=[{"method": "POST", "path_contains": "/Messages", "status": 400, "code": 50513}])
    with pytest.raises(SendError):
        give()

    with db.read() as tx:
        after = conversations.conversation(tx, sid)
    assert before.waiting_since is not None
    assert (after.waiting_since, after.last_agent_at) == (before.waiting_since, before.last_agent_at)


def test_of_one_who_died_while_sending_the_answer_is_found_by_a_later_submit(give, db, sid, emulator, clock):
    give()
    with db.write() as tx:
        given = agent_answers.find(tx, "f" * 32, sid, clock())
        agent_answers.save(tx, replace(given, state="sending", message_sid=None))

    assert give() == "under way"
    clock.advance(61)
    assert give() == "sent before"
    assert emulator.replies(author="Maria") == ["Here I am."]
