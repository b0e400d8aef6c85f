"""Under which name and since when a reply was tried, so that it is known again at Twilio without its marker."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("replies", sa.Column("author", sa.Text(), nullable=True))
    op.add_column("replies", sa.Column("first_tried_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("replies", "first_tried_at")
    op.drop_column("replies", "author")
