"""Bursts, long replies, actions and follow-ups, cut off before any step: nothing is lost and nothing is done twice."""

import json
from contextlib import suppress
from functools import cache

import pytest
from sqlalchemy import select

from app.db.tables import decisions, replies, rule_actions
from app.inbox.leases import LEASE_SECONDS
from app.runtime.worker import make_worker
from app.twilio_api.client import Conversations
from tests.support.arrivals import arrive
from tests.support.power_cuts import PowerCut, cut_at

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite")]

LONG = "A sentence of some length that is said again and again. " * 40
BURST = '[bot]\ncoalesce = "2s"\n[[rule]]\nname = "echo"\nreply = "You said: {{ text }}"\n'
SPLIT = f'[[rule]]\nname = "long"\nreply = "{LONG}"\n'
ACTIONS = """
[[rule]]
name = "busy"
reply = "Thanks."
set_attributes = { seen = true }
add_participant = { identity = "colleague" }
hand_over = true
close = true
"""
FOLLOW_UP = """
[[rule]]
name = "late"
when = { unanswered_for = "5m" }
reply = "Sorry."
set_attributes = { late = true }
"""


@pytest.fixture
def rules_file(tmp_path):
    return tmp_path / "rules.toml"


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def arrives(emulator, post_webhook):
    """Let a customer write these texts, by number."""

    def arrives(n, *texts):
        return [arrive(emulator, post_webhook, text, sender=f"+1555010{1000 + n}") for text in texts or ("hello",)]

    return arrives


@pytest.fixture
def work_until(app, db):
    """Work on one event until the step; return the steps that were begun."""
    parley = app.extensions["parley"]

    @cache
    def worker():
        return make_worker(parley.settings, parley.db)  # when the test has written its rules

    def work(step):
        with cut_at(db.engine, step) as steps, suppress(PowerCut):
            worker().work_once()
        return steps

    return work


@pytest.fixture
def recover(clock, run_worker):
    """Let the leases of those who were cut off end, and work off what is due; also what waits after a request."""

    def recovered():
        for _ in range(2):
            clock.advance(LEASE_SECONDS + 1)
            run_worker()

    return recovered


@pytest.fixture
def stats(flask_command):
    return lambda: json.loads(flask_command("inbox", "stats", "--json"))


@pytest.fixture
def ledger(db):
    """What was sent, as it is written down: message answered, after how many seconds, part, MessageSid."""

    def read():
        with db.read() as tx:
            rows = tx.execute(select(replies)).all()
        assert {row.state for row in rows} == {"sent"}
        return sorted((row.reply_to, row.timer_seconds, row.n, row.message_sid) for row in rows)

    return read


@pytest.fixture
def sent(emulator):
    """The same, as Twilio has it."""

    def read():
        ours = [message for message in emulator.messages() if message["author"] == "support-bot"]
        markers = [json.loads(message["attributes"])["parley"] for message in ours]
        return sorted(
            (marker["reply_to"], marker.get("after", 0), marker["n"], message["sid"])
            for marker, message in zip(markers, ours, strict=True)
        )

    return read


def test_a_burst_that_is_cut_off_at_any_step_and_one_more_message_make_no_second_answer(
    rules_file, arrives, clock, work_until, recover, emulator, db, ledger, sent
):
    rules_file.write_text(BURST)
    arrives(0, "one", "two")
    clock.advance(2)
    steps = work_until(0)
    for n in range(1, len(steps) + 1):
        arrives(n, "one", "two")
    clock.advance(2)
    for n in range(1, len(steps) + 1):
        work_until(n)
    for n in range(1, len(steps) + 1):
        arrives(n, "three")
    recover()

    heard = [reply.removeprefix("You said: ") for reply in emulator.replies()]
    texts = [text for reply in heard for text in reply.split("\n")]
    assert (texts.count("one"), texts.count("two"), texts.count("three")) == (
        len(steps) + 1,
        len(steps) + 1,
        len(steps),
    )
    assert ledger() == sent()
    with db.read() as tx:
        assert len(tx.execute(select(decisions)).all()) == 3 * len(steps) + 2


def test_a_long_reply_that_is_cut_off_at_any_step_arrives_once_and_in_order(
    rules_file, arrives, work_until, recover, emulator, ledger, sent
):
    rules_file.write_text(SPLIT)
    arrives(0)
    steps = work_until(0)
    assert steps.count("POST") == 2
    for n in range(1, len(steps) + 1):
        arrives(n)
        work_until(n)
    recover()

    conversations = {message["conversation_sid"] for message in emulator.messages()}
    assert len(conversations) == len(steps) + 1
    assert {texts_in(emulator, sid) for sid in conversations} == {LONG.strip()}
    assert ledger() == sent()


def texts_in(emulator, conversation_sid):
    written = emulator.messages(conversation_sid)
    return " ".join(message["body"] for message in written if message["author"] == "support-bot")


def test_when_an_agent_writes_between_two_parts_the_rest_is_not_sent(
    rules_file, arrives, work_until, clock, run_worker, emulator, post_webhook, db
):
    rules_file.write_text(SPLIT.replace("reply =", "set_attributes = { seen = true }\nreply ="))
    for conversation in (0, 1):  # the first has steps that only a new process takes
        arrives(conversation)
        steps = work_until(0)
    second_part = [n for n, step in enumerate(steps, start=1) if step == "POST"][1]
    (message,) = arrives(2)
    work_until(second_part)
    written = emulator.chat(message["conversation_sid"], "support-agent", "I am on it")
    told = {
        "ConversationSid": message["conversation_sid"],
        "MessageSid": written["message_sid"],
        "Author": "support-agent",
        "Body": "I am on it",
        "ChatServiceSid": None,
    }
    post_webhook("onMessageAdded__human_agent", told)
    for _ in range(4):  # a part that may have been sent is looked for during half a minute
        clock.advance(LEASE_SECONDS + 1)
        run_worker()

    assert len(texts_in(emulator, message["conversation_sid"])) <= 1600
    with db.read() as tx:
        of_it = rule_actions.c.conversation_sid == message["conversation_sid"]
        assert tx.scalar(select(rule_actions.c.state).where(of_it)) == "skipped"


def test_actions_that_are_cut_off_at_any_step_are_done_in_the_end(
    rules_file, arrives, work_until, recover, emulator, environ, db, ledger, sent
):
    rules_file.write_text(ACTIONS)
    arrives(0)
    steps = work_until(0)
    for n in range(1, len(steps) + 1):
        arrives(n)
        work_until(n)
    recover()

    twilio = Conversations(
        account_sid=environ["TWILIO_ACCOUNT_SID"], auth_token=environ["TWILIO_AUTH_TOKEN"], base_url=emulator.url
    )
    found = twilio.ask(lambda client: client.conversations.v1.conversations.list())
    assert len(found) == len(steps) + 1
    assert {(one.state, one.attributes) for one in found} == {("closed", '{"seen":true}')}
    assert ledger() == sent()
    with db.read() as tx:
        assert set(tx.scalars(select(rule_actions.c.state))) == {"done"}


def test_a_timer_that_is_cut_off_at_any_step_brings_one_follow_up(
    rules_file, arrives, clock, work_until, run_worker, recover, emulator, stats, ledger, sent
):
    rules_file.write_text(FOLLOW_UP)
    arrives(0)
    run_worker()
    clock.advance(300)
    timer, follow_up = work_until(0), work_until(0)
    assert (timer.count("POST"), follow_up.count("POST")) == (0, 2)
    count = len(timer) + len(follow_up)
    for n in range(1, count + 1):
        arrives(n)
    run_worker()
    clock.advance(300)
    for n in range(1, len(timer) + 1):
        work_until(n)  # a timer
    for _ in follow_up:
        work_until(0)  # the other timers
    for n in range(1, len(follow_up) + 1):
        work_until(n)  # their follow-ups
    recover()

    assert emulator.replies() == ["Sorry."] * (count + 1)
    assert ledger() == sent()
    assert {state for state, number in stats().items() if number} == {"processed"}


def test_a_message_that_is_cut_off_at_any_step_sets_its_timer_once(
    rules_file, arrives, clock, work_until, recover, emulator, stats, ledger, sent
):
    rules_file.write_text(FOLLOW_UP)
    arrives(0)
    steps = work_until(0)
    for n in range(1, len(steps) + 1):
        arrives(n)
        work_until(n)
    recover()
    assert stats()["scheduled"] == len(steps) + 1
    clock.advance(300)
    recover()

    assert emulator.replies() == ["Sorry."] * (len(steps) + 1)
    assert ledger() == sent()
