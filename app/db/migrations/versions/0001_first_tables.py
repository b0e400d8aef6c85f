"""The first tables: inbox, lanes, replies, deliveries, and what the bot knows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("conversation_sid", sa.Text(), nullable=False),
        sa.Column("chat_service_sid", sa.Text(), server_default="", nullable=False),
        sa.Column("messaging_service_sid", sa.Text(), server_default="", nullable=False),
        sa.Column("friendly_name", sa.Text(), server_default="", nullable=False),
        sa.Column("unique_name", sa.Text(), server_default="", nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dated", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_why", sa.Text(), server_default="", nullable=False),
        sa.Column("last_inbound_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_agent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("conversation_sid"),
    )
    op.create_table(
        "decisions",
        sa.Column("message_sid", sa.Text(), nullable=False),
        sa.Column("conversation_sid", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("tried", sa.JSON(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_sid"),
    )
    op.create_index("decisions_conversation", "decisions", ["conversation_sid"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("delivery_receipt_sid", sa.Text(), nullable=False),
        sa.Column("message_sid", sa.Text(), nullable=False),
        sa.Column("conversation_sid", sa.Text(), nullable=False),
        sa.Column("participant_sid", sa.Text(), nullable=False),
        sa.Column("channel_message_sid", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Integer(), server_default="0", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("delivery_receipt_sid"),
    )
    op.create_index("deliveries_message", "deliveries", ["message_sid"], unique=False)
    op.create_table(
        "delivery_events",
        sa.Column(
            "inbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("delivery_receipt_sid", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Integer(), nullable=False),
        sa.Column("dated", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("inbox_id"),
    )
    op.create_index("delivery_events_receipt", "delivery_events", ["delivery_receipt_sid"], unique=False)
    op.create_table(
        "gate",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope"),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_key"),
    )
    op.create_index(
        "inbox_clients",
        "inbox",
        ["lane"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NULL AND source IN ('SDK', 'API')"),
        postgresql_where=sa.text("finished_at IS NULL AND source IN ('SDK', 'API')"),
    )
    op.create_index("inbox_state", "inbox", ["state", "id"], unique=False)
    op.create_index(
        "inbox_unfinished",
        "inbox",
        ["lane", "id"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "lanes",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("lane"),
    )
    op.create_index(
        "lanes_ready",
        "lanes",
        ["ready_at"],
        unique=False,
        sqlite_where=sa.text("ready_at IS NOT NULL"),
        postgresql_where=sa.text("ready_at IS NOT NULL"),
    )
    op.create_table(
        "messages",
        sa.Column("message_sid", sa.Text(), nullable=False),
        sa.Column("conversation_sid", sa.Text(), nullable=False),
        sa.Column("message_index", sa.BigInteger(), nullable=True),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("participant_sid", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("media", sa.JSON(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_sid"),
    )
    op.create_index("messages_conversation", "messages", ["conversation_sid", "message_index"], unique=False)
    op.create_table(
        "participants",
        sa.Column("participant_sid", sa.Text(), nullable=False),
        sa.Column("conversation_sid", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("proxy_address", sa.Text(), server_default="", nullable=False),
        sa.Column("type", sa.Text(), server_default="", nullable=False),
        sa.Column("role_sid", sa.Text(), server_default="", nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("last_read_index", sa.BigInteger(), nullable=True),
        sa.Column("dated", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_inbound_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opted_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("participant_sid"),
    )
    op.create_index("participants_address", "participants", ["address"], unique=False)
    op.create_index("participants_conversation", "participants", ["conversation_sid"], unique=False)
    op.create_table(
        "replies",
        sa.Column("reply_to", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("conversation_sid", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("message_sid", sa.Text(), nullable=True),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("reply_to", "n"),
        sa.UniqueConstraint("message_sid"),
    )
    op.create_index("replies_conversation", "replies", ["conversation_sid", "intended_at"], unique=False)


def downgrade() -> None:
    op.drop_index("replies_conversation", table_name="replies")
    op.drop_table("replies")
    op.drop_index("participants_conversation", table_name="participants")
    op.drop_index("participants_address", table_name="participants")
    op.drop_table("participants")
    op.drop_index("messages_conversation", table_name="messages")
    op.drop_table("messages")
    op.drop_index(
        "lanes_ready",
        table_name="lanes",
        sqlite_where=sa.text("ready_at IS NOT NULL"),
        postgresql_where=sa.text("ready_at IS NOT NULL"),
    )
    op.drop_table("lanes")
    op.drop_index(
        "inbox_unfinished",
        table_name="inbox",
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.drop_index("inbox_state", table_name="inbox")
    op.drop_index(
        "inbox_clients",
        table_name="inbox",
        sqlite_where=sa.text("finished_at IS NULL AND source IN ('SDK', 'API')"),
        postgresql_where=sa.text("finished_at IS NULL AND source IN ('SDK', 'API')"),
    )
    op.drop_table("inbox")
    op.drop_table("gate")
    op.drop_index("delivery_events_receipt", table_name="delivery_events")
    op.drop_table("delivery_events")
    op.drop_index("deliveries_message", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_index("decisions_conversation", table_name="decisions")
    op.drop_table("decisions")
    op.drop_table("conversations")
