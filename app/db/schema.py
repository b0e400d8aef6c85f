"""Schema migrations with Alembic: brings the database up to date and says whether it is."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from app.common import private_files
from app.common.quoting import quoted
from app.db.database import Database, DatabaseUnavailable
from app.db.writer_lock import time_limit

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(db: Database) -> None:
    """Bring the schema to this version's; safe to call twice and from two processes.

    A later version's schema is left as it is: going back to an earlier version must be possible.
    Raises DatabaseUnavailable, also for the database of another program.
    """
    if db.is_sqlite:
        private_files.make_folder(Path(db.url.database or "").parent)
    with time_limit(math.inf), db.write() as tx:  # a revision may take its time
        if not db.is_sqlite:
            tx.execute(text("SELECT pg_advisory_xact_lock(7237527)"))  # one migration at a time
        if not is_migrated(tx):
            upgrade(tx)


def is_migrated(tx: Connection) -> bool:
    """Return whether the schema is the one that this version was made for, or one of a later version.

    Revisions only add to the schema, so that two versions can serve side by side while one replaces the other.
    Raises DatabaseUnavailable for the database of another program.
    """
    if not inspect(tx).has_table("alembic_version"):
        return False
    revision = tx.scalar(text("SELECT version_num FROM alembic_version"))
    if revision and not re.fullmatch(r"\d{4}", revision):
        raise DatabaseUnavailable(
            f"the database belongs to another program, whose schema is at revision {quoted(revision)}"
        )
    return bool(revision) and revision >= newest_revision()


@cache
def newest_revision() -> str:
    """Return what Alembic calls "head", from the names of the files: Alembic itself would take 10 MB to tell."""
    return max(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def upgrade(tx: Connection, revision: str = "head") -> None:
    """Run the revisions up to this one, in this transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = tx
    command.upgrade(config, revision)
