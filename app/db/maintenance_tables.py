"""Tables of periodic tasks (leases, progress) and of what purging leaves behind (counts, key hashes)."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, LargeBinary, Table, Text

from app.db.sqlite import Moment
from app.db.tables import metadata

chores = Table(
    "chores",
    metadata,
    Column("name", Text, primary_key=True),  # reconcile, retention
    Column("lease_until", Moment),
    Column("lease_token", Text),
    Column("begun_at", Moment),  # of the run that goes on, or of the last one
    Column("done_at", Moment),
    Column("reached_at", Moment),  # all that happened before has been dealt with
    Column("asked_at", Moment),  # when a process started, which wants it done soon
    Column("begins_at", Moment),  # what happened before concerns others: this database was not in use yet
    Column("progress", JSON, nullable=False, server_default="{}"),  # of a run that did not come to its end
)

reconcile_cursors = Table(
    "reconcile_cursors",
    metadata,
    Column("conversation_sid", Text, primary_key=True),
    Column("looked_at", Moment),
    Column("checked_index", BigInteger),  # of the newest message up to which nothing is missing
    Column("forgotten_before", Moment),  # older messages were erased here and must not come back
)

receipt_looks = Table(
    "receipt_looks",
    metadata,
    Column("message_sid", Text, primary_key=True),
    Column("looked_at", Moment, nullable=False),
)

purged_counts = Table(
    "purged_counts",
    metadata,
    Column("metric", Text, primary_key=True),  # replies, deliveries, failures
    Column("label", Text, primary_key=True),  # a rule, a status, an error code
    Column("number", BigInteger, nullable=False, server_default="0"),  # of rows that were deleted for their age
)

purged_keys = Table(
    "purged_keys",
    metadata,
    Column("key_hash", Text, primary_key=True),  # of the event of a message that was purged: should it come again
    Column("purged_at", Moment, nullable=False),
)

Table(  # what revision 0014 has taken over into consents; an older version that serves beside this one reads it
    "erased_opt_outs",
    metadata,
    Column("address_hash", Text, primary_key=True),
    Column("opted_out_at", Moment, nullable=False),
)

installation_keys = Table(
    "installation_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
