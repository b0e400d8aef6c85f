"""Leases by the boot clock, when a wait was set, how often a reply was tried, and gates that say why."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COLUMNS = {
    "lanes": (
        sa.Column("ready_set_at", MOMENT, nullable=True),
        sa.Column("lease_boot_id", sa.Text(), nullable=True),
        sa.Column("lease_boot_until", sa.Float(), nullable=True),
    ),
    "replies": (
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_again_before", MOMENT, nullable=True),
    ),
    "gate": (
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", MOMENT, nullable=True),
    ),
}


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.add_column(table, column)


def downgrade() -> None:
    for table, columns in COLUMNS.items():
        for column in columns:
            op.drop_column(table, column.name)
