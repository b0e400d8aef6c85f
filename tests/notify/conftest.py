"""An app with a target "crm" on loopback, and what is stored of notifications."""

import pytest
from sqlalchemy import select

from app.db.notify_tables import notifications
from tests.support.notified import SECRET, crm

__all__ = ["crm"]


@pytest.fixture
def environ(environ, crm):
    return environ | {"BOT_NOTIFY": f"crm={crm.url()}", "BOT_NOTIFY_SECRET": SECRET}


@pytest.fixture
def stored(db):
    """Return the notifications as they are stored, the oldest first."""

    def read():
        with db.read() as tx:
            return tx.execute(select(notifications).order_by(notifications.c.id)).all()

    return read


@pytest.fixture
def states(stored):
    return lambda: [(row.kind, row.target, row.state) for row in stored()]
