"""Who has a lane next, before any worker: whoever erases a person waits for it, and gets it from the one at work."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lanes", sa.Column("next_token", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("lanes", "next_token")
