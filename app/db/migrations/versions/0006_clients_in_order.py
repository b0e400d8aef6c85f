"""The index of what waits from chat clients, in the order it came: without the order SQLite reads the whole lane."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WAITING = sa.text("finished_at IS NULL AND source IN ('SDK', 'API')")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")  # a long history takes its time
    op.create_index("inbox_from_clients", "inbox", ["lane", "id"], sqlite_where=WAITING, postgresql_where=WAITING)
    op.drop_index("inbox_clients", table_name="inbox")  # at the end: from here on nobody reads until the commit


def downgrade() -> None:
    op.create_index("inbox_clients", "inbox", ["lane"], sqlite_where=WAITING, postgresql_where=WAITING)
    op.drop_index("inbox_from_clients", table_name="inbox")
