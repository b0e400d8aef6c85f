"""Outgoing notifications: who is to be told what, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OPEN = sa.text("state IN ('unrouted', 'waiting', 'sending')")
LOST = sa.text("state IN ('failed', 'uncertain')")


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("webhook_id", sa.Text(), nullable=False, unique=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("conversation_sid", sa.Text(), nullable=False, server_default=""),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("token", sa.Text()),
        sa.Column("tried_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("gathered_into", sa.BigInteger()),
    )
    partly = {"notifications_open": (["target", "due_at"], OPEN), "notifications_lost": (["target", "id"], LOST)}
    for name, (columns, where) in partly.items():
        op.create_index(name, "notifications", columns, postgresql_where=where, sqlite_where=where)
    op.create_index("notifications_tried", "notifications", ["target", "tried_at"])
    op.create_index("notifications_conversation", "notifications", ["conversation_sid"])


def downgrade() -> None:
    op.drop_table("notifications")
