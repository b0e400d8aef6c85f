"""Tables that only the page writes: agents' answers and failed log-ins."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from app.db.sqlite import Moment
from app.db.tables import metadata, row_id

agent_answers = Table(
    "agent_answers",
    metadata,
    Column("form", Text, primary_key=True),  # the token of the form on the page that it was written in
    Column("conversation_sid", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("state", Text, nullable=False),  # sending, uncertain, failed, sent
    Column("begun_at", Moment, nullable=False),
    Column("tried_at", Moment, nullable=False),
    Column("message_sid", Text),  # what it became
    Column("audit_id", BigInteger, nullable=False),  # its row in the audit log
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("address", Text, nullable=False),
    Index("login_failures_address", "address", "at"),
)
