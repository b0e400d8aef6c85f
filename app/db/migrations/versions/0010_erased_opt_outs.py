"""The opt-outs of people who were erased, by a keyed hash of their address, and the key, which is made here."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erased_opt_outs",
        sa.Column("address_hash", sa.Text(), nullable=False),
        sa.Column("opted_out_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("address_hash"),
    )
    keys = op.create_table(
        "installation_keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.bulk_insert(keys, [{"name": "opt-outs", "value": secrets.token_bytes(32)}])


def downgrade() -> None:
    op.drop_table("installation_keys")
    op.drop_table("erased_opt_outs")
