"""What the rules can do: follow-ups, actions, media and templates, bursts, pauses with an owner; and the page's log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
FIRED = sa.text("code IN ('replied', 'acted', 'stopped')")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")  # a long history takes its time
    with op.batch_alter_table("conversations") as table:
        table.add_column(sa.Column("paused_by", sa.Text(), server_default="", nullable=False))
        table.add_column(sa.Column("waiting_since", MOMENT, nullable=True))
    _widen_decisions()
    _widen_replies()
    _create_tables()


def _widen_decisions() -> None:
    op.drop_index("decisions_conversation", table_name="decisions")
    with op.batch_alter_table("decisions", naming_convention={"pk": "%(table_name)s_pkey"}) as table:
        table.add_column(sa.Column("timer_seconds", sa.Integer(), server_default="0", nullable=False))
        table.add_column(sa.Column("observed", sa.JSON(), server_default="[]", nullable=False))
        table.add_column(sa.Column("burst_of", sa.Text(), server_default="", nullable=False))
        table.drop_constraint("decisions_pkey", type_="primary")
        table.create_primary_key("decisions_pkey", ["message_sid", "timer_seconds"])
    op.create_index("decisions_conversation", "decisions", ["conversation_sid", "decided_at"])
    op.create_index(
        "decisions_fired",
        "decisions",
        ["conversation_sid", "rule", "decided_at"],
        sqlite_where=FIRED,
        postgresql_where=FIRED,
    )


def _widen_replies() -> None:
    with op.batch_alter_table("replies", naming_convention={"pk": "%(table_name)s_pkey"}) as table:
        table.add_column(sa.Column("timer_seconds", sa.Integer(), server_default="0", nullable=False))
        table.add_column(sa.Column("media", sa.Text(), server_default="", nullable=False))
        table.add_column(sa.Column("content_sid", sa.Text(), server_default="", nullable=False))
        table.add_column(sa.Column("content_variables", sa.JSON(), server_default="{}", nullable=False))
        table.drop_constraint("replies_pkey", type_="primary")
        table.create_primary_key("replies_pkey", ["reply_to", "timer_seconds", "n"])


def _create_tables() -> None:
    op.create_table(
        "rule_actions",
        sa.Column("message_sid", sa.Text(), nullable=False),
        sa.Column("timer_seconds", sa.Integer(), server_default="0", autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("conversation_sid", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("intended_at", MOMENT, nullable=False),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("message_sid", "timer_seconds", "n"),
    )
    op.create_index("rule_actions_conversation", "rule_actions", ["conversation_sid", "intended_at"])
    op.create_table(
        "responder_calls",
        sa.Column("message_sid", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("answered_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("message_sid"),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("conversation_sid", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.JSON(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_log_conversation", "audit_log", ["conversation_sid", "at"])
    op.create_index("audit_log_at", "audit_log", ["at"])
    op.create_table(
        "login_failures",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("login_failures_address", "login_failures", ["address", "at"])


def downgrade() -> None:
    for name in ("login_failures", "audit_log", "responder_calls", "rule_actions"):
        op.drop_table(name)
    op.execute("DELETE FROM replies WHERE timer_seconds <> 0")
    op.execute("DELETE FROM decisions WHERE timer_seconds <> 0")
    with op.batch_alter_table("replies", naming_convention={"pk": "%(table_name)s_pkey"}) as table:
        table.drop_constraint("replies_pkey", type_="primary")
        table.create_primary_key("replies_pkey", ["reply_to", "n"])
        for column in ("content_variables", "content_sid", "media", "timer_seconds"):
            table.drop_column(column)
    op.drop_index("decisions_fired", table_name="decisions")
    op.drop_index("decisions_conversation", table_name="decisions")
    with op.batch_alter_table("decisions", naming_convention={"pk": "%(table_name)s_pkey"}) as table:
        table.drop_constraint("decisions_pkey", type_="primary")
        table.create_primary_key("decisions_pkey", ["message_sid"])
        for column in ("burst_of", "observed", "timer_seconds"):
            table.drop_column(column)
    op.create_index("decisions_conversation", "decisions", ["conversation_sid"])
    with op.batch_alter_table("conversations") as table:
        table.drop_column("waiting_since")
        table.drop_column("paused_by")
