"""Who may want to opt out and waits for a decision is found at once, however many people have said something."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

WAITS = sa.text("undecided_since IS NOT NULL")


def upgrade() -> None:
    op.create_index("consents_undecided", "consents", ["person"], sqlite_where=WAITS, postgresql_where=WAITS)


def downgrade() -> None:
    op.drop_index("consents_undecided", "consents")
