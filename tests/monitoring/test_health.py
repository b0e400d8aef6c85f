"""What load balancers are told: alive while the process serves, ready while webhooks can be stored."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from app import config, create_app
from app.config import VERSION
from tests.support import postgresql_databases


@pytest.fixture
def client_of() -> Iterator[Callable[[str], FlaskClient]]:
    """A client of a new receiver with the database at an address."""
    with ExitStack() as opened:

        def open_app(database_url: str) -> FlaskClient:
            application = create_app(config.from_environment({"DATABASE_URL": database_url}))
            opened.callback(application.extensions["parley"].db.close)
            return application.test_client()

        yield open_app


def test_alive_and_ready_with_nothing_to_do(app):
    client = app.test_client()

    assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok\n")
    assert client.get("/healthz").headers["X-Parley-Version"] == VERSION
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json == {"ready": True, "database": "ok", "migrations": "ok", "oldest_due_seconds": 0.0}


def test_ready_tells_the_age_of_the_oldest_due_event(app, post_webhook, clock):
    post_webhook("onMessageAdded__sms_text")
    clock.advance(90)

    assert 90 <= app.test_client().get("/readyz").json["oldest_due_seconds"] < 100


def test_a_database_without_tables_is_not_ready_and_says_what_to_do(client_of, postgresql_server, tmp_path):
    urls = [f"sqlite:///{tmp_path}/new.db", postgresql_databases.create(postgresql_server, "not_migrated")]
    clients = [client_of(url) for url in urls]

    answers = [client.get("/readyz") for client in clients]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert {answer.json["migrations"] for answer in answers} == {"missing; run `flask db upgrade`"}
    assert [client.get("/healthz").status_code for client in clients] == [200, 200]


def test_a_database_that_is_older_than_the_code_is_not_ready(app):
    with app.extensions["parley"].db.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    answer = app.test_client().get("/readyz")

    assert (answer.status_code, answer.json["ready"]) == (503, False)


def test_the_database_of_another_program_is_not_ready_and_is_left_alone(app):
    with app.extensions["parley"].db.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = 'ae1027a6acf1'"))

    answer = app.test_client().get("/readyz")
    upgrade = app.test_cli_runner().invoke(args=["db", "upgrade"])

    why = "the database belongs to another program, whose schema is at revision 'ae1027a6acf1'"
    assert (answer.status_code, answer.json["database"]) == (503, why)
    assert (upgrade.exit_code, upgrade.output) == (1, f"Error: {why}; check DATABASE_URL\n")


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/none", "sqlite:////proc/none/parley.db"])
def test_a_database_that_is_away_is_not_ready_and_its_address_stays_secret(url, client_of):
    client = client_of(url)

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert re.fullmatch(r"the database cannot be used now \(\w+\)", answer.json["database"])
    assert client.get("/healthz").status_code == 200
