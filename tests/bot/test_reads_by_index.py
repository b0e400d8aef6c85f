"""A message is answered by look-ups in indexes on PostgreSQL, also before anything was analysed, as after a restore."""

import re

import pytest
from sqlalchemy import Engine, event, text

from app.runtime.worker import make_worker
from tests.support.arrivals import arrive

pytestmark = pytest.mark.engines("postgresql")

MANY = 20_000
FILLED = {
    "participants": (
        "participant_sid, conversation_sid, address, attributes",
        "'MB' || n, 'CH' || n / 2, '+1555' || n, '{}'",
    ),
    "conversations": ("conversation_sid, attributes", "'CH' || n, '{}'"),
    "consents": ("person, channel, status", "'someone' || n, 'sms', 'in'"),
}


@pytest.fixture
def many_people(app):
    """Rows that nobody has analysed."""
    for table, (columns, values) in FILLED.items():
        with app.extensions["parley"].db.write() as tx:
            tx.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
            rows = f"SELECT {values} FROM generate_series(1, {MANY}) AS n"
            tx.execute(text(f"INSERT INTO {table} ({columns}) {rows}"))


@pytest.fixture
def statements():
    """What is run, with its values."""
    run = []

    def note(_tx, _cursor, statement, parameters, *_more):
        run.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    yield run
    event.remove(Engine, "before_cursor_execute", note)


def plan_of(tx, statement, parameters):
    return "\n".join(row[0] for row in tx.exec_driver_sql(f"EXPLAIN {statement}", parameters))


def test_no_table_of_people_is_read_as_a_whole(app, emulator, post_webhook, many_people, statements):
    runtime = app.extensions["parley"]
    arrive(emulator, post_webhook, "order")
    worker = make_worker(runtime.settings, runtime.db)
    statements.clear()
    while worker.work_once():
        pass
    run = [one for one in statements if any(table in one[0] for table in FILLED)]

    assert any(re.search(r"FROM participants.*UNION ALL", one[0], re.DOTALL) for one in run)
    with runtime.db.read() as tx:
        plans = [plan_of(tx, *one) for one in run if isinstance(one[1], dict | tuple)]
    assert [plan for plan in plans if re.search(f"Seq Scan on ({'|'.join(FILLED)})", plan)] == []
