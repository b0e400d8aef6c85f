"""What the page and the metrics look things up by: when somebody last wrote, who waits, what failed and when."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FAILED = "status IN ('failed', 'undelivered')"
INDEXES = {
    "conversations_newest": ("conversations", ["last_message_at"], None),
    "conversations_waiting": ("conversations", ["waiting_since"], "waiting_since IS NOT NULL"),
    "conversations_paused": ("conversations", ["paused_until"], "paused_until IS NOT NULL"),
    "messages_noted": ("messages", ["conversation_sid", "noted_at"], None),
    "replies_failed": ("replies", ["conversation_sid", "intended_at"], "state = 'failed'"),
    "replies_result": ("replies", ["rule", "state"], "state IN ('sent', 'failed', 'suppressed')"),
    "deliveries_failed": ("deliveries", ["conversation_sid", "updated_at"], FAILED),
    "deliveries_first": ("deliveries", ["first_at", "status", "error_code"], None),
    "delivery_events_failed": ("delivery_events", ["error_code"], FAILED),
    "decisions_at": ("decisions", ["decided_at", "rule", "code"], None),
    "inbox_dead": ("inbox", ["lane", "id"], "state = 'dead'"),
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")  # a long history takes its time
    op.add_column("conversations", sa.Column("last_message_at", sa.DateTime(timezone=True), nullable=True))
    for name, (table, columns, where) in INDEXES.items():
        condition = sa.text(where) if where else None
        op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
    op.create_index(
        "decisions_observed",
        "decisions",
        ["decided_at"],
        sqlite_where=sa.text("observed <> '[]'"),
        postgresql_where=sa.text("CAST(observed AS text) <> '[]'"),
    )
    op.create_table(
        "rest_calls",
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("result"),
    )
    op.execute(
        "UPDATE conversations SET last_message_at = (SELECT MAX(COALESCE(created_at, noted_at)) FROM messages"
        " WHERE messages.conversation_sid = conversations.conversation_sid)"
    )
    op.execute(
        "UPDATE conversations SET last_message_at ="
        " (SELECT MAX(sent_at) FROM replies WHERE replies.conversation_sid = conversations.conversation_sid)"
        " WHERE EXISTS (SELECT 1 FROM replies WHERE replies.conversation_sid = conversations.conversation_sid AND"
        " (conversations.last_message_at IS NULL OR replies.sent_at > conversations.last_message_at))"
    )


def downgrade() -> None:
    op.drop_table("rest_calls")
    op.drop_index("decisions_observed", table_name="decisions")
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
    with op.batch_alter_table("conversations") as table:
        table.drop_column("last_message_at")
