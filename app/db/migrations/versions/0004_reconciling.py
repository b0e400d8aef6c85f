"""What is done now and then by one process: who is at it, and how far what Twilio failed to deliver is fetched."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
SENT = sa.text("state = 'sent'")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")  # a long history takes its time
    op.create_table(
        "chores",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("begun_at", MOMENT, nullable=True),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.Column("reached_at", MOMENT, nullable=True),
        sa.Column("progress", sa.JSON(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "reconcile_cursors",
        sa.Column("conversation_sid", sa.Text(), nullable=False),
        sa.Column("looked_at", MOMENT, nullable=True),
        sa.Column("checked_index", sa.BigInteger(), nullable=True),
        sa.Column("forgotten_before", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("conversation_sid"),
    )
    op.create_table(
        "receipt_looks",
        sa.Column("message_sid", sa.Text(), nullable=False),
        sa.Column("looked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("message_sid"),
    )
    op.create_index("replies_sent", "replies", ["sent_at"], sqlite_where=SENT, postgresql_where=SENT)


def downgrade() -> None:
    op.drop_index("replies_sent", table_name="replies")
    for table in ("receipt_looks", "reconcile_cursors", "chores"):
        op.drop_table(table)
