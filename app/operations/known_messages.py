"""In which conversation a message is, as our own database knows it: Twilio cannot be asked without."""

from __future__ import annotations

from sqlalchemy import select, union_all

from app.db.database import Database, DatabaseUnavailable
from app.db.tables import deliveries, messages, replies
from app.operations import validation
from app.operations.validation import Refused


def conversation_of(db: Database, message_sid: str) -> str:
    """Return the ConversationSid of a message. Raises Refused when it is not known here."""
    sid = validation.sid("IM", message_sid)
    places = [
        select(table.c.conversation_sid).where(table.c.message_sid == sid) for table in (messages, deliveries, replies)
    ]
    try:
        with db.read() as tx:
            found = tx.scalar(union_all(*places).limit(1))
    except DatabaseUnavailable:
        found = None
    if not found:
        raise Refused(f"our database does not know {sid}; name its conversation too: CH... {sid}")
    return str(found)
