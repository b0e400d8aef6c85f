"""Fills a database with a history as months of answering leave it: messages, replies, ticks, reasons."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from app.db.database import Database
from app.db.schema import migrate
from app.db.tables import conversations, decisions, deliveries, messages, participants, replies

NEWEST = timedelta(minutes=1)  # before now
APART = timedelta(seconds=20)
LONGEST = 3_000  # lines of the longest conversation
TEXT = "Hello, where is the parcel that I have ordered from you last Monday? It was number {n}, in the blue box."
ANSWER = "Hi, thank you for writing. An agent looks number {n} up for you now and will answer within the hour."
TRIED = [[name, "the keywords do not occur"] for name in ("order status", "opening hours", "returns", "invoice")]
_BATCH = 2_000


def fill(directory: Path, messages_wanted: int, conversations_wanted: int) -> list[str]:
    """Make the database of a Parley that has answered so many messages; return the conversations, longest first.

    One of them is long, the others have as many messages each. One delivery in fifty has failed, one conversation
    in seven waits for a human.
    """
    db = Database(f"sqlite:///{directory / 'parley.db'}")
    migrate(db)
    sids = [f"CH{n:032x}" for n in range(conversations_wanted)]
    written_at: dict[str, datetime] = {}
    for rows in _in_batches(_said(sids, messages_wanted)):
        written_at |= {one["message"]["conversation_sid"]: one["message"]["noted_at"] for one in rows}
        with db.write() as tx:
            tx.execute(insert(messages), [one["message"] for one in rows])
            tx.execute(insert(decisions), [one["decision"] for one in rows])
            tx.execute(insert(replies), [one["reply"] for one in rows])
            tx.execute(insert(deliveries), [one["delivery"] for one in rows])
    with db.write() as tx:
        tx.execute(insert(conversations), [_conversation(n, sid, written_at[sid]) for n, sid in enumerate(sids)])
        tx.execute(insert(participants), [_participant(n, sid) for n, sid in enumerate(sids)])
    db.close()
    return sids


def _in_batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _said(sids: list[str], wanted: int) -> Iterator[dict[str, dict[str, Any]]]:
    start = datetime.now(UTC) - NEWEST - APART * wanted
    long = min(LONGEST, wanted // 3)
    for n in range(wanted):
        sid = sids[0] if n % 3 == 0 and n // 3 < long else sids[1 + n % (len(sids) - 1)]
        yield _one(n, sid, start + APART * n)


def _one(n: int, sid: str, at: datetime) -> dict[str, dict[str, Any]]:
    message_sid, reply_sid = f"IM{n:032x}", f"IM{n:031x}f"
    failed = n % 50 == 49
    return {
        "message": {
            "message_sid": message_sid,
            "conversation_sid": sid,
            "message_index": 2 * n,
            "author": _number(sid),
            "body": TEXT.format(n=n),
            "attributes": {},
            "media": [],
            "source": "SMS",
            "created_at": at,
            "updated_at": at,
            "noted_at": at,
        },
        "decision": {
            "message_sid": message_sid,
            "conversation_sid": sid,
            "code": "replied",
            "rule": "default",
            "reason": 'rule "default" matched',
            "tried": [*TRIED, ["default", ""]],
            "observed": [],
            "decided_at": at,
        },
        "reply": {
            "reply_to": message_sid,
            "n": 0,
            "conversation_sid": sid,
            "rule": "default",
            "body": ANSWER.format(n=n),
            "content_variables": {},
            "state": "sent",
            "message_sid": reply_sid,
            "intended_at": at,
            "tried_at": at,
            "sent_at": at,
        },
        "delivery": {
            "delivery_receipt_sid": f"DY{n:032x}",
            "message_sid": reply_sid,
            "conversation_sid": sid,
            "participant_sid": f"MB{sid[2:]}",
            "status": "undelivered" if failed else "delivered",
            "error_code": 30003 if failed else 0,
            "first_at": at,
            "updated_at": at,
        },
    }


def _conversation(n: int, sid: str, at: datetime) -> dict[str, Any]:
    return {
        "conversation_sid": sid,
        "attributes": {},
        "state": "active",
        "last_message_at": at,
        "waiting_since": at if n % 7 == 0 else None,
        "last_inbound_at": at,
    }


def _participant(n: int, sid: str) -> dict[str, Any]:
    return {
        "participant_sid": f"MB{sid[2:]}",
        "conversation_sid": sid,
        "address": _number(sid),
        "attributes": {},
        "type": "sms",
    }


def _number(sid: str) -> str:
    return f"+1555{int(sid[2:], 16):07}"
