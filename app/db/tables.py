"""Table definitions: columns, keys, partial indexes. Times are aware UTC; nothing here reads or writes."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
)

from app.db.sqlite import Moment

CLIENTS = "source IN ('SDK', 'API')"  # events that no carrier brought: people at chat clients, and programs
FIRED = "code IN ('replied', 'acted', 'stopped')"  # decisions in which a rule was used: for cool-downs and quotas
FAILED = "status IN ('failed', 'undelivered')"  # deliveries that did not reach whom they were for
DEAD = "state = 'dead'"  # events that were given up
SETTLED = "state IN ('sent', 'failed', 'suppressed')"  # replies of which the end is known
metadata = MetaData()
row_id = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER counts up by itself on SQLite


def partial_index(name: str, *columns: str, where: str) -> Index:
    """Return an index of some rows. The revisions make it; here the condition is said in words that need no dialect:
    SQLAlchemy's own would load PostgreSQL's, 30 ms and 2 MB, wherever there is only SQLite.
    """
    return Index(name, *columns, info={"where": where})


inbox = Table(
    "inbox",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("event_key", Text, nullable=False, unique=True),
    Column("event_type", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("state", Text, nullable=False),  # pending, processing, processed, ignored, dead
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("outcome", Text, nullable=False, server_default=""),
    Column("method", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("finished_at", Moment),
    partial_index("inbox_unfinished", "lane", "id", where="finished_at IS NULL"),
    partial_index("inbox_from_clients", "lane", "id", where=f"finished_at IS NULL AND {CLIENTS}"),
    partial_index("inbox_dead", "lane", "id", where=DEAD),
    Index("inbox_state", "state", "id"),
)

lanes = Table(
    "lanes",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("ready_at", Moment),  # null: nothing to do; in the future: later
    Column("ready_set_at", Moment),  # when that was written; null: by a version that did not say
    Column("lease_until", Moment),
    Column("lease_token", Text),
    Column("lease_boot_id", Text),  # on SQLite, together with the next: which start of the machine
    Column("lease_boot_until", Float),  # by its boot clock; counts for tokens that begin with leases.BOOT
    Column("next_token", Text),  # whoever has it next, before any worker; see reservations.py
    partial_index("lanes_ready", "ready_at", where="ready_at IS NOT NULL"),
)

gate = Table(
    "gate",
    metadata,
    Column("scope", Text, primary_key=True),  # a ConversationSid, or "account"
    Column("not_before", Moment, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default="0"),  # of Twilio's, one after the other
    Column("failing_since", Moment),  # the first of those
    Column("set_at", Moment),  # when `not_before` was written; null: by a version that did not say
)

messages = Table(
    "messages",
    metadata,
    Column("message_sid", Text, primary_key=True),
    Column("conversation_sid", Text, nullable=False),
    Column("message_index", BigInteger),
    Column("author", Text, nullable=False, server_default=""),
    Column("participant_sid", Text, nullable=False, server_default=""),
    Column("body", Text, nullable=False, server_default=""),
    Column("attributes", JSON, nullable=False),
    Column("media", JSON, nullable=False),
    Column("source", Text, nullable=False, server_default=""),
    Column("created_at", Moment),
    Column("updated_at", Moment),
    Column("removed_at", Moment),
    Column("noted_at", Moment, nullable=False),
    Index("messages_conversation", "conversation_sid", "message_index"),
    Index("messages_noted", "conversation_sid", "noted_at"),
)

replies = Table(
    "replies",
    metadata,
    Column("reply_to", Text, primary_key=True),  # the inbound MessageSid
    Column("timer_seconds", Integer, primary_key=True, autoincrement=False, server_default="0"),  # see decisions
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("conversation_sid", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("media", Text, nullable=False, server_default=""),  # a file's name; its media SID once it is uploaded
    Column("content_sid", Text, nullable=False, server_default=""),  # a template, sent instead of the body
    Column("content_variables", JSON, nullable=False, server_default="{}"),
    Column("state", Text, nullable=False),  # intended, sending, sent, failed, suppressed
    Column("reason", Text, nullable=False, server_default=""),
    Column("message_sid", Text, unique=True),
    Column("author", Text),  # under which it was tried; null: nobody said
    Column("first_tried_at", Moment),
    Column("intended_at", Moment, nullable=False),
    Column("tried_at", Moment),
    Column("tries", Integer, nullable=False, server_default="0"),  # of which no answer is known
    Column("not_again_before", Moment),  # Twilio may still store what was tried; null: it cannot, or nobody said
    Column("sent_at", Moment),
    Index("replies_conversation", "conversation_sid", "intended_at"),
    partial_index("replies_sent", "sent_at", where="state = 'sent'"),
    partial_index("replies_failed", "conversation_sid", "intended_at", where="state = 'failed'"),
    partial_index("replies_result", "rule", "state", where=SETTLED),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_receipt_sid", Text, primary_key=True),
    Column("message_sid", Text, nullable=False),
    Column("conversation_sid", Text, nullable=False),
    Column("participant_sid", Text, nullable=False),
    Column("channel_message_sid", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False),
    Column("error_code", Integer, nullable=False, server_default="0"),
    Column("detail", Text, nullable=False, server_default=""),  # what REST said of a failure
    Column("first_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("deliveries_message", "message_sid"),
    Index("deliveries_first", "first_at", "status", "error_code"),
    partial_index("deliveries_failed", "conversation_sid", "updated_at", where=FAILED),
)

delivery_events = Table(
    "delivery_events",
    metadata,
    Column("inbox_id", row_id, primary_key=True, autoincrement=False),
    Column("delivery_receipt_sid", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error_code", Integer, nullable=False),
    Column("dated", Moment),
    Column("received_at", Moment, nullable=False),
    Index("delivery_events_receipt", "delivery_receipt_sid"),
    partial_index("delivery_events_failed", "error_code", where=FAILED),
)

conversations = Table(
    "conversations",
    metadata,
    Column("conversation_sid", Text, primary_key=True),
    Column("chat_service_sid", Text, nullable=False, server_default=""),
    Column("messaging_service_sid", Text, nullable=False, server_default=""),
    Column("friendly_name", Text, nullable=False, server_default=""),
    Column("unique_name", Text, nullable=False, server_default=""),
    Column("attributes", JSON, nullable=False),
    Column("state", Text, nullable=False, server_default=""),
    Column("state_at", Moment),
    Column("dated", Moment),  # DateUpdated of the newest event that described it; whole seconds: REST did
    Column("fetch_due", Boolean, nullable=False, server_default=false()),  # to be asked for before a decision
    Column("removed_at", Moment),
    Column("paused_until", Moment),
    Column("paused_why", Text, nullable=False, server_default=""),
    Column("paused_by", Text, nullable=False, server_default=""),  # agent, rule, operator, attribute
    Column("waiting_since", Moment),  # the first message of a customer that no human has answered yet
    Column("last_inbound_at", Moment),
    Column("last_agent_at", Moment),
    Column("last_message_at", Moment),  # of anybody, ours too: what the page sorts by
    Index("conversations_newest", "last_message_at"),
    partial_index("conversations_waiting", "waiting_since", where="waiting_since IS NOT NULL"),
    partial_index("conversations_paused", "paused_until", where="paused_until IS NOT NULL"),
)

participants = Table(
    "participants",
    metadata,
    Column("participant_sid", Text, primary_key=True),
    Column("conversation_sid", Text, nullable=False),
    Column("identity", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False, server_default=""),
    Column("proxy_address", Text, nullable=False, server_default=""),
    Column("type", Text, nullable=False, server_default=""),
    Column("role_sid", Text, nullable=False, server_default=""),
    Column("attributes", JSON, nullable=False),
    Column("last_read_index", BigInteger),
    Column("dated", Moment),
    Column("fetch_due", Boolean, nullable=False, server_default=false()),
    Column("removed_at", Moment),
    Column("last_inbound_at", Moment),
    Column("opted_out_at", Moment),
    Index("participants_conversation", "conversation_sid"),
    Index("participants_address", "address"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("message_sid", Text, primary_key=True),
    # 0: decided when the message arrived; else: after so many seconds without a human
    Column("timer_seconds", Integer, primary_key=True, autoincrement=False, server_default="0"),
    Column("conversation_sid", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("rule", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False),
    Column("tried", JSON, nullable=False),  # [[rule or guard, first condition that failed], ...]
    Column("observed", JSON, nullable=False, server_default="[]"),  # rules with mode "observe" that would have answered
    Column("burst_of", Text, nullable=False, server_default=""),  # the MessageSid under which a burst was decided
    Column("decided_at", Moment, nullable=False),
    Index("decisions_conversation", "conversation_sid", "decided_at"),
    Index("decisions_at", "decided_at", "rule", "code"),
    partial_index("decisions_observed", "decided_at", where="observed <> '[]'"),
    partial_index("decisions_fired", "conversation_sid", "rule", "decided_at", where=FIRED),
)

rule_actions = Table(
    "rule_actions",
    metadata,
    Column("message_sid", Text, primary_key=True),
    Column("timer_seconds", Integer, primary_key=True, autoincrement=False, server_default="0"),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("conversation_sid", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("kind", Text, nullable=False),  # set_attributes, add_participant, pause, close
    Column("arguments", JSON, nullable=False),
    Column("state", Text, nullable=False),  # intended, done, failed, skipped
    Column("reason", Text, nullable=False, server_default=""),
    Column("intended_at", Moment, nullable=False),
    Column("done_at", Moment),
    Index("rule_actions_conversation", "conversation_sid", "intended_at"),
)

responder_calls = Table(
    "responder_calls",
    metadata,
    Column("message_sid", Text, primary_key=True),
    Column("lane", Text, nullable=False),
    Column("asked_at", Moment, nullable=False),
    Column("members", JSON(none_as_null=True)),  # MessageSids of the later messages of its burst; null: nobody said
    Column("answer", JSON(none_as_null=True)),
    Column("answered_at", Moment),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("conversation_sid", Text, nullable=False, server_default=""),
    Column("subject", Text, nullable=False, server_default=""),  # a MessageSid, an event's id, ...
    Column("detail", JSON, nullable=False, server_default="{}"),
    Index("audit_log_conversation", "conversation_sid", "at"),
    Index("audit_log_at", "at"),
)

rest_calls = Table(
    "rest_calls",
    metadata,
    Column("result", Text, primary_key=True),
    Column("calls", BigInteger, nullable=False, server_default="0"),  # added to by every process that makes them
)
