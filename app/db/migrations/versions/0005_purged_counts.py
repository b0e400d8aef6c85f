"""What was counted in rows that are deleted for their age, so that the counters of /metrics never fall."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "purged_counts",
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("metric", "label"),
    )


def downgrade() -> None:
    op.drop_table("purged_counts")
