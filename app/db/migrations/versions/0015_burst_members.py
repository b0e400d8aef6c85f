"""About which messages of a burst the responder was asked, whatever the clock says when its answer comes."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("responder_calls", sa.Column("members", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("responder_calls", "members")
