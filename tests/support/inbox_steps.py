"""The inbox step by step: store, claim, finish and postpone made-up events."""

from datetime import timedelta

from sqlalchemy import select

from app.db.database import Database
from app.db.tables import inbox as inbox_table
from app.inbox import admin, queue
from app.inbox.job import Job
from app.inbox.queue import Claimed, NewEvent


def new(key: str, lane: str = "lane a", source: str = "SMS", event_type: str = "onMessageAdded") -> NewEvent:
    return NewEvent(key, event_type, lane, source, "POST", "/conversations/webhook", b"", {})


def add(db: Database, *events: NewEvent) -> list[bool]:
    with db.write() as tx:
        return queue.add_all(db, tx, events)


def claim(db: Database) -> Claimed:
    claimed = queue.claim(db)
    assert claimed is not None
    return claimed


def finish(db: Database, claimed: Claimed, state: str = "processed", outcome: str = "done") -> str:
    with db.write() as tx:
        queue.finish(tx, claimed, state, outcome, db.instant(tx))
    return key_of(db, claimed)


def postpone(db: Database, claimed: Claimed, seconds: float, *, counts_as_attempt: bool = True) -> None:
    with db.write() as tx:
        queue.postpone(
            tx, claimed, "later", timedelta(seconds=seconds), db.instant(tx), counts_as_attempt=counts_as_attempt
        )


def commit(db: Database, claimed: Claimed) -> None:
    work = Job(db, claimed)
    try:
        work.commit()
    finally:
        work.rollback()


def key_of(db: Database, claimed: Claimed) -> str:
    with db.read() as tx:
        return tx.scalar(select(inbox_table.c.event_key).where(inbox_table.c.id == claimed.id))


def work_off(db: Database) -> list[str]:
    """Finish whatever is due, one after the other; return the keys in the order worked."""
    worked = []
    while (claimed := queue.claim(db)) is not None:
        worked.append(finish(db, claimed))
    return worked


def stats(db: Database) -> dict[str, int]:
    with db.read() as tx:
        return admin.stats(tx, db.now(tx))
