"""When a process started, so that what was missed meanwhile is fetched; and since when this database is in use."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("chores", sa.Column("asked_at", MOMENT, nullable=True))
    op.add_column("chores", sa.Column("begins_at", MOMENT, nullable=True))


def downgrade() -> None:
    op.drop_column("chores", "begins_at")
    op.drop_column("chores", "asked_at")
