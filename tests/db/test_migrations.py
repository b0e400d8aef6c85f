"""Upgrading a database that has rows: nothing is lost, and what is new is filled in from what is there."""

import hmac
from datetime import UTC, datetime

import pytest
from sqlalchemy import MetaData, Table, insert, select, text

from app import config
from app.db import schema
from app.db.database import Database
from app.db.maintenance_tables import installation_keys
from app.db.tables import conversations, decisions, messages, metadata, participants, replies
from app.store import consent
from app.store import messages as stored_messages
from app.store import replies as delivery_log
from app.store.consent import OPTED_IN, ConsentChange, Person

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TEN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ELEVEN = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
BOTH_OLD = ["0001", "0002"]


@pytest.fixture
def empty_database(database_url):
    """A database without any table."""
    database = Database(config.from_environment({"DATABASE_URL": database_url}).database_url)
    with database.write() as tx:
        metadata.drop_all(tx)
        tx.execute(text("DROP TABLE alembic_version"))
    yield database
    database.close()


def upgrade(database, revision):
    with database.write() as tx:
        schema.upgrade(tx, revision)


def store(database, table, *rows):
    """Store rows as an older version did: its tables have fewer columns and other keys."""
    with database.write() as tx:
        tx.execute(insert(Table(table.name, MetaData(), autoload_with=tx)), rows)


def conversation(sid):
    return {"conversation_sid": sid, "attributes": {}, "state": "active"}


def message(sid, conversation_sid, noted_at, created_at=None):
    return {
        "message_sid": sid,
        "conversation_sid": conversation_sid,
        "body": "hello",
        "attributes": {},
        "media": [],
        "noted_at": noted_at,
        "created_at": created_at,
    }


def reply(to, conversation_sid, sent_at):
    return {
        "reply_to": to,
        "n": 0,
        "conversation_sid": conversation_sid,
        "rule": "default",
        "body": "Thanks",
        "state": "sent",
        "message_sid": f"{to}-reply",
        "intended_at": sent_at,
        "sent_at": sent_at,
    }


@pytest.mark.parametrize("revision", BOTH_OLD)
def test_an_upgrade_finds_out_when_each_conversation_was_last_written_in(empty_database, revision):
    upgrade(empty_database, revision)
    store(empty_database, conversations, conversation("CH1"), conversation("CH2"), conversation("CH3"))
    store(
        empty_database,
        messages,
        message("IM1", "CH1", TEN, NINE),
        message("IM2", "CH2", NINE),
        message("IM3", "CH2", TEN),
    )
    store(empty_database, replies, reply("IM1", "CH1", ELEVEN), reply("IM2", "CH2", NINE))
    schema.migrate(empty_database)

    with empty_database.read() as tx:
        last = dict(tx.execute(select(conversations.c.conversation_sid, conversations.c.last_message_at)).all())
    assert last == {"CH1": ELEVEN, "CH2": TEN, "CH3": None}


@pytest.mark.parametrize("revision", BOTH_OLD)
def test_an_upgrade_keeps_what_was_decided_and_sent(empty_database, revision):
    upgrade(empty_database, revision)
    decided = {
        "message_sid": "IM1",
        "conversation_sid": "CH1",
        "code": "replied",
        "rule": "default",
        "reason": "matched",
        "tried": [["default", ""]],
        "decided_at": NINE,
    }
    store(empty_database, decisions, decided)
    store(empty_database, replies, reply("IM1", "CH1", NINE))
    schema.migrate(empty_database)

    with empty_database.read() as tx:
        assert stored_messages.decision(tx, stored_messages.DecisionKey("IM1")).reason == "matched"
        assert [row.message_sid for row in delivery_log.replies_to(tx, "IM1")] == ["IM1-reply"]


def test_opt_outs_of_earlier_versions_hold_on_every_channel(empty_database):
    upgrade(empty_database, "0013")
    with empty_database.write() as tx:
        key = bytes(tx.scalar(select(installation_keys.c.value)))
    erased = [hmac.digest(key, one.encode(), "sha256").hex() for one in ("whatsapp:+5215512345678", "+15550100003")]
    here = {"conversation_sid": "CH1", "attributes": {}, "identity": "", "opted_out_at": NINE}
    store(
        empty_database,
        participants,
        here | {"participant_sid": "MB1", "address": "whatsapp:+15550100001"},
        here | {"participant_sid": "MB2", "address": "+15550100001", "opted_out_at": TEN},
        here | {"participant_sid": "MB3", "identity": "anna", "address": ""},
        here | {"participant_sid": "MB4", "address": "+15550100002", "opted_out_at": None},
        here | {"participant_sid": "MB5", "address": ""},
    )
    rows = metadata.tables["erased_opt_outs"]
    store(empty_database, rows, *({"address_hash": one, "opted_out_at": NINE} for one in erased))
    schema.migrate(empty_database)

    silent = ("rcs:+15550100001", "+525512345678", "whatsapp:+15550100003")
    with empty_database.write() as tx:
        assert all(consent.standing(tx, Person(one)).opted_out for one in silent)
        assert consent.standing(tx, Person("anna", "chat")).opted_out
        assert not consent.standing(tx, Person("+15550100002")).opted_out
        assert [one.at for one in consent.history(tx, Person("+15550100001"))] == [TEN, NINE]
        back = ConsentChange(person=Person("+525512345678", "sms"), change=OPTED_IN, at=TEN)
        assert consent.record(tx, back)
        assert not consent.standing(tx, Person("whatsapp:+5215512345678")).opted_out
