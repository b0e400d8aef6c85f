"""The cases of docs/operations.md that heal by themselves: what one looks at then, and what one does about the rest."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from tests.support.eventually import eventually
from tests.support.runbook import folder, follow, sqlite_url, time_passes

__all__ = ["folder", "follow", "sqlite_url", "time_passes"]
THANKS = "Thanks, we will be right back."


def is_ready(app) -> bool:
    return app.test_client().get("/readyz").json["ready"]


@pytest.mark.engines("sqlite")
class TestReadiness:
    @pytest.fixture
    def environ(self, environ):
        return environ | {"PUBLIC_URL": "http://127.0.0.1:8000"}

    def test_why_webhooks_are_not_stored_is_said_by_readyz_and_counted(
        self, follow, app, folder, webhooks_arrive, emulator, run_worker, time_passes
    ):
        with closing(sqlite3.connect(folder / "instance" / "parley.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            emulator.inbound("hello")
            assert emulator.settle()
            steps = follow("/readyz is green and webhooks get 503")
            assert "the database is locked by another program" in steps.run("curl")
            other.execute("ROLLBACK")

        assert [post["status"] for post in emulator.webhooks("onMessageAdded")] == [503]
        assert 'parley_not_stored_total{reason="locked"} 3.0' in steps.run("curl")
        assert eventually(lambda: is_ready(app))
        time_passes(120)
        steps.run("flask reconcile --since 2h")
        run_worker()
        assert emulator.replies() == [THANKS]


@pytest.mark.engines("postgresql")
def test_after_a_failover_it_stores_again_and_what_was_refused_is_fetched(
    follow, app, webhooks_arrive, emulator, run_worker, time_passes, postgresql_server
):
    with read_only(app, postgresql_server):
        emulator.inbound("hello")
        assert emulator.settle()
    assert [post["status"] for post in emulator.webhooks("onMessageAdded")] == [503]
    assert eventually(lambda: is_ready(app))
    steps = follow("After a failover")

    assert '"ready":true' in steps.run("curl")
    steps.run("flask inbox stats")
    time_passes(120)
    steps.run("flask reconcile --since 2h")
    run_worker()
    assert emulator.replies() == [THANKS]


@contextmanager
def read_only(app, server: str) -> Iterator[None]:
    """Let the database be a standby's, also for who is connected."""
    name = app.extensions["parley"].db.url.database
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")


@pytest.mark.engines("sqlite")
def test_what_a_clock_that_was_ahead_has_left_is_found_and_what_waits_goes_on(
    follow, customer_writes, emulator, clock, run_worker, time_passes
):
    customer_writes("hello")
    emulator.faults(fail_next=[{"status": 429, "code": 20429, "retry_after": 5, "method": "POST"}])
    clock.set_by(1800)
    run_worker()  # it is to be tried again, at a time half an hour away
    clock.set_by(7200)
    customer_writes("too old, by this clock", sender="+15550100002")
    run_worker()
    clock.set_by(-9000)
    steps = follow("The clock was wrong")

    assert "clock" in steps.run("flask doctor", status=1)
    assert "older than" in steps.run("flask inbox list --event-type onMessageAdded")
    time_passes(60)
    run_worker()
    steps.run("flask reconcile --since 1d")
    run_worker()
    assert emulator.replies() == [THANKS]


def test_an_outage_of_twilio_is_seen_kills_nothing_and_need_not_be_waited_for(
    follow, customer_writes, emulator, attempts_go_by
):
    emulator.faults(fail="503:1", reads=True)
    for number in range(8):
        customer_writes("hello", sender=f"+1555010000{number}")
    attempts_go_by(1, 0)
    steps = follow("Twilio is out of order")

    assert "again and again: all wait" in steps.run("flask doctor", status=1)
    assert "account" in steps.run("flask inbox gates")
    assert re.search(r"dead +0\n", steps.run("flask inbox stats"))
    emulator.faults()
    assert "account may send again" in steps.run("flask inbox gates --lift account")
    assert steps.run("flask inbox retry") == "No such dead event.\n"
    assert steps.run("flask inbox retry") == "0 put back to work.\n"
    attempts_go_by(4, 31)
    assert emulator.replies() == [THANKS] * 8
