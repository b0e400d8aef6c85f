"""The table of outgoing notifications: who is to be told what, and what became of it."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, Text

from app.db.sqlite import Moment
from app.db.tables import metadata, partial_index, row_id

# Notifications that somebody still has to do something about.
OPEN = "state IN ('unrouted', 'waiting', 'sending')"
LOST = "state IN ('failed', 'uncertain')"

notifications = Table(
    "notifications",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("webhook_id", Text, nullable=False, unique=True),  # of its cause and target: the same at every attempt
    Column("target", Text, nullable=False),  # its name in BOT_NOTIFY; empty: whoever sends looks up whom to tell
    Column("kind", Text, nullable=False),  # hand_over, unanswered, rule, dead_events, ...
    Column("conversation_sid", Text, nullable=False, server_default=""),
    Column("payload", JSON, nullable=False),  # what is told
    Column("state", Text, nullable=False),  # unrouted, waiting, sending, sent, failed, uncertain, gathered
    Column("reason", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),  # when it is tried next; while it is sent: when that attempt has died
    Column("token", Text),  # of who sends it
    Column("tried_at", Moment),
    Column("ended_at", Moment),
    Column("gathered_into", BigInteger),  # the id of the one in which it was told
    partial_index("notifications_open", "target", "due_at", where=OPEN),
    partial_index("notifications_lost", "target", "id", where=LOST),
    Index("notifications_tried", "target", "tried_at"),
    Index("notifications_conversation", "conversation_sid"),
)
