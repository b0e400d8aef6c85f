"""Two versions side by side on one database: revisions only add to it, and each works on what the other stores.

fixtures/statements/ has what each release runs on PostgreSQL, by the revision of its schema: see record_statements.py.
"""

import json
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import bindparam, event, text

from app import config, create_app
from app.db.database import Database
from app.db.schema import is_migrated, migrate
from app.db.tables import inbox
from tests.support import webhook_fixtures
from tests.support.arrivals import webhook_of

STATEMENTS = Path(__file__).parents[1] / "fixtures" / "statements"
CONTRACTS = {
    "a table or column is dropped": r"\bDROP (TABLE|COLUMN)\b",
    "a constraint or default that old statements rely on is dropped": r"\bDROP (CONSTRAINT|DEFAULT)\b",
    "something is renamed": r"\bRENAME\b",
    "a column's type changes": r"ALTER COLUMN \S+ (SET DATA )?TYPE\b",
    "a column that may be empty must be filled": r"\bSET NOT NULL\b",
    "a new column must be filled and has no default": r"ADD COLUMN (?!.*\bDEFAULT\b).*\bNOT NULL\b",
    "a new index may refuse what the old version writes": r"\bCREATE UNIQUE INDEX\b",
    "a new constraint may refuse what the old version writes": r"ALTER TABLE \S+ ADD (CONSTRAINT|CHECK|UNIQUE)",
}
# Follow-ups made the number of seconds a part of two keys, before there was a release to serve beside. An old worker
# cannot write these two tables any more; its events stay in the inbox until a new worker takes them.
MADE_BEFORE_THE_FIRST_RELEASE = {"0002"}
TABLES_WITH_OTHER_KEYS = {"0001": ("INSERT INTO replies", "INSERT INTO decisions")}
BY_THE_FIRST_VERSION = """
INSERT INTO lanes (lane, ready_at) VALUES (:lane, :at);
INSERT INTO inbox (event_key, event_type, lane, source, state, method, target, headers, body, received_at)
VALUES (:key, 'onMessageAdded', :lane, 'SMS', 'pending', 'POST', '/conversations/webhook', :headers, :body, :at)
"""
only_postgresql = pytest.mark.engines("postgresql")


def contraction(statement: str) -> str:
    """Return why a version that does not know of this statement could not go on, or nothing."""
    return next((why for why, sign in CONTRACTS.items() if re.search(sign, statement, re.IGNORECASE)), "")


@pytest.fixture
def empty_postgresql(postgresql_server: str) -> Iterator[Database]:
    name = f"empty_{secrets.token_hex(6)}"
    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template1")
        url = postgresql_server.replace("/postgres?", f"/{name}?")
        database = Database(config.from_environment({"DATABASE_URL": url}).database_url)
        yield database
        database.close()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_every_revision_only_adds_to_the_schema(empty_postgresql):
    contracting: dict[str, list[str]] = {}
    since_last_revision: list[str] = []

    def note(_tx, _cursor, statement, *_more):
        since_last_revision.append(contraction(statement))
        if done := re.search(r"(?:INSERT INTO|UPDATE) alembic_version.*?'(\w+)'", statement):
            contracting[done[1]] = [why for why in since_last_revision if why]
            since_last_revision.clear()

    event.listen(empty_postgresql.engine, "before_cursor_execute", note)
    migrate(empty_postgresql)

    assert len(contracting) >= 4
    assert {revision for revision, why in contracting.items() if why} == MADE_BEFORE_THE_FIRST_RELEASE


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE gate",
        "ALTER TABLE inbox DROP COLUMN source",
        "ALTER TABLE inbox RENAME source TO origin",
        "ALTER TABLE inbox ALTER COLUMN attempts TYPE BIGINT",
        "ALTER TABLE inbox ALTER COLUMN finished_at SET NOT NULL",
        "ALTER TABLE inbox ADD COLUMN tenant TEXT NOT NULL",
        "ALTER TABLE replies DROP CONSTRAINT replies_pkey",
        "ALTER TABLE messages ADD CONSTRAINT one_index UNIQUE (conversation_sid, message_index)",
        "CREATE UNIQUE INDEX one_index ON messages (conversation_sid, message_index)",
    ],
)
def test_what_would_stop_the_old_version_is_noticed(statement):
    assert contraction(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE inbox ADD COLUMN tenant TEXT",
        "ALTER TABLE inbox ADD COLUMN tenant TEXT DEFAULT '' NOT NULL",
        "CREATE TABLE tenants (name TEXT NOT NULL, PRIMARY KEY (name), UNIQUE (name))",
        "CREATE INDEX inbox_tenant ON inbox (tenant)",
        "DROP INDEX inbox_tenant",
    ],
)
def test_what_only_adds_is_allowed(statement):
    assert contraction(statement) == ""


@only_postgresql
@pytest.mark.parametrize("file", sorted(STATEMENTS.glob("*.sql")), ids=lambda file: file.stem)
def test_every_statement_of_an_earlier_release_runs_on_the_schema_of_today(file, database_url):
    statements = file.read_text().removesuffix(";\n").split(";\n")
    known = TABLES_WITH_OTHER_KEYS.get(file.stem, ())
    with psycopg.connect(database_url, autocommit=True) as admin:
        refused = {one: why for one in statements if (why := refusal(admin, one)) and not one.startswith(known)}

    assert len(statements) > 50
    assert refused == {}


def refusal(admin: psycopg.Connection, statement: str) -> str:
    """Return why PostgreSQL cannot plan a statement, whatever its parameters are, or nothing."""
    names: dict[str, int] = {}
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.setdefault(found[1], len(names) + 1)}", statement)
    try:
        admin.execute(f"EXPLAIN (GENERIC_PLAN) {numbered.replace('%%', '%')}")
    except psycopg.Error as fault:
        return str(fault)
    return ""


def test_what_a_web_process_of_the_first_version_stores_is_answered_by_a_worker_of_today(app, emulator, run_worker):
    fields = webhook_of(emulator.inbound("hello"), "hello")
    now = datetime.now(UTC)
    fields["DateCreated"] = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    request = webhook_fixtures.with_fields(webhook_fixtures.load("onMessageAdded__sms_text"), fields)
    values = {
        "lane": fields["ConversationSid"],
        "key": "onMessageAdded:1",
        "headers": json.dumps({}),
        "body": request.body,
        "at": now,
    }
    with app.extensions["parley"].db.write() as tx:
        for statement in BY_THE_FIRST_VERSION.split(";"):
            names = re.findall(r":(\w+)", statement)
            typed = [bindparam("at", type_=inbox.c.received_at.type)] if "at" in names else []
            tx.execute(text(statement).bindparams(*typed), {name: values[name] for name in names})
    run_worker()

    assert emulator.replies() == ["Thanks, we will be right back."]


@pytest.fixture
def later(db: Database) -> Database:
    """A database that a later version has brought up to date."""
    with db.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        tx.execute(text("ALTER TABLE inbox ADD COLUMN of_a_later_version TEXT DEFAULT '' NOT NULL"))
    return db


def test_a_web_process_of_an_earlier_version_stays_ready_and_stores(later, database_url, environ):
    app = create_app(config.from_environment(environ))
    request = webhook_fixtures.load("onMessageAdded__sms_text")
    headers = webhook_fixtures.sign(request, environ["PUBLIC_URL"], environ["TWILIO_AUTH_TOKEN"])
    client = app.test_client()

    assert client.get("/readyz").status_code == 200
    assert client.post(request.target, headers=headers, data=request.body).status_code == 204
    app.extensions["parley"].db.close()


def test_the_release_command_of_an_earlier_version_leaves_a_later_schema_alone(later):
    migrate(later)

    with later.read() as tx:
        assert tx.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
        assert is_migrated(tx)
