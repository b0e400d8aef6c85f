"""Opt-outs of people who were erased: a keyed hash of each spelling of their address, so that silence outlives it.

The key is made with the schema and stays in the database: neither a new auth token nor a new password lifts an opt-out.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, delete, exists, select

from app.db.database import upsert
from app.db.maintenance_tables import erased_opt_outs, installation_keys
from app.twilio_api.addresses import spellings

_KEY_NAME = "opt-outs"
_keys: WeakKeyDictionary[Engine, bytes] = WeakKeyDictionary()

_ONE_OF = erased_opt_outs.c.address_hash.in_([bindparam("as_written"), bindparam("in_plain_spelling")])
IS_KEPT: ColumnElement[bool] = exists().where(_ONE_OF)  # with the parameters of hashes()


def keep(tx: Connection, address: str, opted_out_at: datetime) -> None:
    """Let an opt-out outlive what is erased of this person."""
    for one in set(hashes(tx, address).values()):
        upsert(tx, erased_opt_outs, {"address_hash": one, "opted_out_at": opted_out_at}, update=())


def forget(tx: Connection, address: str) -> None:
    """Forget the opt-out of an address: they want to hear from us again."""
    tx.execute(delete(erased_opt_outs).where(_ONE_OF), hashes(tx, address))


def hashes(tx: Connection, address: str) -> dict[str, str]:
    """Return the parameters of IS_KEPT."""
    key, (as_written, in_plain_spelling) = _key(tx), spellings(address)
    return {"as_written": _hash(key, as_written), "in_plain_spelling": _hash(key, in_plain_spelling)}


def _hash(key: bytes, address: str) -> str:
    return hmac.digest(key, address.encode(), "sha256").hex()


def _key(tx: Connection) -> bytes:
    """Return the key of this database; read once, since it never changes."""
    if (known := _keys.get(tx.engine)) is not None:
        return known
    found = tx.execute(select(installation_keys.c.value).where(installation_keys.c.name == _KEY_NAME)).scalar_one()
    return _keys.setdefault(tx.engine, bytes(found))
