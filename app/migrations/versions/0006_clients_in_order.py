"""The index of what waits from chat clients, in the order it came: without the order SQLite reads the whole lane."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WAITING = sa.text("finished_at IS NULL AND source IN ('SDK', 'API')")


def upgrade() -> None:
    _index("lane", "id")


def downgrade() -> None:
    _index("lane")


def _index(*columns: str) -> None:
    op.drop_index("inbox_clients", table_name="inbox")
    op.create_index("inbox_clients", "inbox", columns, sqlite_where=WAITING, postgresql_where=WAITING)
