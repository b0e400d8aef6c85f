"""What human agents sent from the page, by the form it was written in: each is sent once, however often posted."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "agent_answers",
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("conversation_sid", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("tried_at", MOMENT, nullable=False),
        sa.Column("message_sid", sa.Text(), nullable=True),
        sa.Column("audit_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("form"),
    )


def downgrade() -> None:
    op.drop_table("agent_answers")
