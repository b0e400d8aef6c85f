"""Tables of consent (opt-outs, opt-ins, their ledger), keyed by a hash of the person that outlives their erasure."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from app.db.sqlite import Moment
from app.db.tables import metadata, partial_index, row_id

consents = Table(
    "consents",
    metadata,
    Column("person", Text, primary_key=True),  # see store/consent.py
    Column("channel", Text, primary_key=True),  # on which it was said; empty: an operator's word, for all
    Column("status", Text, nullable=False, server_default=""),  # out, in; empty: neither was said
    Column("changed_at", Moment),  # when the status was said
    Column("undecided_since", Moment),  # a wish to opt out was said that nobody has decided on
    partial_index("consents_undecided", "person", where="undecided_since IS NOT NULL"),
)

consent_ledger = Table(
    "consent_ledger",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("at", Moment, nullable=False),  # when it was said or done
    Column("person", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("change", Text, nullable=False),  # opted out, opted in, may want to opt out, wrote again
    Column("word", Text, nullable=False, server_default=""),  # STOP, or 21610 where the carrier told
    Column("actor", Text, nullable=False, server_default=""),  # the customer, the carrier, or an operator's name
    Column("why", Text, nullable=False, server_default=""),  # an operator's reason
    Column("message_sid", Text, nullable=False, server_default=""),
    Column("conversation_sid", Text, nullable=False, server_default=""),
    Index("consent_ledger_person", "person", "id"),
)
