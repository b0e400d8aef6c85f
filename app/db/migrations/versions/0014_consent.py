"""Who wants to hear from us and who does not, by a keyed hash of each person, and the ledger of every change of it.

Opt-outs that earlier versions stored, beside the participants or by a hash of the address, are taken over. They stay
there too, for processes of an earlier version that serve beside this one.
"""

import hmac
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from app.twilio_api.addresses import channel_of, person_of

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
KEY = "SELECT value FROM installation_keys WHERE name = 'opt-outs'"
OPTED_OUT = "SELECT address, identity, opted_out_at FROM participants WHERE opted_out_at IS NOT NULL"
ERASED = "SELECT address_hash, opted_out_at FROM erased_opt_outs"


def upgrade() -> None:
    consents = op.create_table(
        "consents",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_at", MOMENT, nullable=True),
        sa.Column("undecided_since", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("person", "channel"),
    )
    ledger = op.create_table(
        "consent_ledger",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("message_sid", sa.Text(), server_default="", nullable=False),
        sa.Column("conversation_sid", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("consent_ledger_person", "consent_ledger", ["person", "id"])
    _take_over(consents, ledger)


def _take_over(consents: sa.Table, ledger: sa.Table) -> None:
    newest: dict[tuple[str, str], Any] = {}
    for who, at in [*_beside_participants(), *_erased()]:
        newest[who] = max(newest.get(who, at), at)
    rows = [{"person": person, "channel": channel, "at": at} for (person, channel), at in sorted(newest.items())]
    if rows:
        kept = [{"person": one["person"], "channel": one["channel"], "changed_at": one["at"]} for one in rows]
        op.bulk_insert(consents, [one | {"status": "out"} for one in kept])
        op.bulk_insert(ledger, [one | {"change": "opted out", "actor": "an earlier version"} for one in rows])


def _beside_participants() -> Iterator[tuple[tuple[str, str], Any]]:
    key = bytes(op.get_bind().execute(sa.text(KEY).columns(value=sa.LargeBinary())).scalar_one())
    columns = {"opted_out_at": MOMENT, "address": sa.Text(), "identity": sa.Text()}
    for row in op.get_bind().execute(sa.text(OPTED_OUT).columns(**columns)):
        if row.address or row.identity:
            who = person_of(row.address) if row.address else f"chat:{row.identity}"
            person = hmac.digest(key, who.encode(errors="surrogatepass"), "sha256").hex()
            yield (person, channel_of(row.address, "") if row.address else "chat"), row.opted_out_at


def _erased() -> Iterator[tuple[tuple[str, str], Any]]:
    """Yield who was erased: of them only the hash of the address is known, so they are silent on every channel."""
    columns = {"opted_out_at": MOMENT, "address_hash": sa.Text()}
    for row in op.get_bind().execute(sa.text(ERASED).columns(**columns)):
        yield (row.address_hash, ""), row.opted_out_at


def downgrade() -> None:
    op.drop_table("consent_ledger")
    op.drop_table("consents")
