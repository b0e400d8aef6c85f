"""Upgrading keeps what earlier versions stored, and what they did not know has its neutral value."""

from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import select, text

from app import delivery_log, memory
from app.db import _alembic, migrate
from app.tables import conversations

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BY_THE_FIRST_VERSION = """
INSERT INTO conversations (conversation_sid, attributes, paused_why) VALUES ('CH1', '{}', 'an agent wrote');
INSERT INTO decisions (message_sid, conversation_sid, code, rule, reason, tried, decided_at)
VALUES ('IM1', 'CH1', 'replied', 'greeting', 'rule "greeting" matched', '[["greeting", ""]]', '2026-11-01 12:00:00');
INSERT INTO replies (reply_to, n, conversation_sid, rule, body, state, message_sid, intended_at)
VALUES ('IM1', 0, 'CH1', 'greeting', 'hello', 'sent', 'IM2', '2026-11-01 12:00:00')
"""


@pytest.fixture
def upgraded(db):
    """The database that a team of the first version has upgraded."""
    with db.write() as tx:
        command.downgrade(_alembic(tx), "0001")
        for statement in BY_THE_FIRST_VERSION.split(";"):
            tx.execute(text(statement))
    migrate(db)
    return db


def test_the_history_of_the_first_version_is_still_there(upgraded):
    with upgraded.read() as tx:
        decision, (reply,) = memory.decision(tx, "IM1"), delivery_log.replies_to(tx, "IM1")
        conversation = tx.execute(select(conversations)).one()
    assert (decision.rule, decision.tried, decision.observed, decision.burst_of) == (
        "greeting", [["greeting", ""]], [], "",
    )  # fmt: skip
    assert (reply.message_sid, reply.timer_seconds, reply.media, reply.content_variables) == ("IM2", 0, "", {})
    assert (conversation.paused_why, conversation.paused_by, conversation.waiting_since) == ("an agent wrote", "", None)


def test_the_same_message_is_not_answered_again_after_the_upgrade(upgraded):
    with upgraded.write() as tx:
        delivery_log.intend(tx, "IM1", "CH1", "greeting", [delivery_log.Content("hello again")], NOON)

    with upgraded.read() as tx:
        assert [reply.body for reply in delivery_log.replies_to(tx, "IM1")] == ["hello"]
