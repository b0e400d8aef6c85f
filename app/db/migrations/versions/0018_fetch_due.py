"""Which conversations and participants are asked for at Twilio before the next decision about them."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("conversations", "participants"):
        op.add_column(table, sa.Column("fetch_due", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for table in ("conversations", "participants"):
        op.drop_column(table, "fetch_due")
