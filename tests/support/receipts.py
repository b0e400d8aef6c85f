"""Delivery receipts as they are stored, for tests that count them."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import insert

from app.db.database import Database
from app.db.tables import deliveries, delivery_events, participants


def receipts_in(db: Database, clock: Callable[[], datetime]) -> Callable[..., None]:
    """Return a function that stores a delivery: its states with the seconds since it began, `age` ago."""
    count = iter(range(10_000))

    def store(
        *history: tuple[str, int], age: timedelta = timedelta(), error_code: int = 0, address: str = "+15550100001"
    ) -> None:
        n, began = next(count), clock() - age
        sid, person = f"DY{n:032}", f"MB{n:032}"
        whose = {"participant_sid": person, "conversation_sid": "CH1"}
        row = {
            "delivery_receipt_sid": sid,
            "message_sid": f"IM{n:032}",
            "status": history[-1][0],
            "first_at": began,
            "updated_at": began,
            "error_code": error_code,
        }
        events = [
            {
                "inbox_id": n * 10 + step,
                "delivery_receipt_sid": sid,
                "status": status,
                "error_code": error_code,
                "dated": began + timedelta(seconds=seconds),
                "received_at": began,
            }
            for step, (status, seconds) in enumerate(history)
        ]
        with db.write() as tx:
            tx.execute(insert(participants).values(**whose, attributes={}, address=address))
            tx.execute(insert(deliveries).values(**whose, **row))
            tx.execute(insert(delivery_events), events)

    return store
