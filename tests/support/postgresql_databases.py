"""Empty, migrated PostgreSQL databases for tests: one is emptied and lent again, far quicker than a new one each."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

TEMPLATE = "parley_template"
SMALL = 256 * 1024  # bytes of a table that are sooner deleted than truncated

# All that a test may have left in a database beside rows; whoever changed any of it gets the database thrown away.
SHAPE = """
SELECT md5(string_agg(part, ';' ORDER BY part)) FROM (
    SELECT concat_ws(':', relname, relkind, reltablespace, attname, atttypid, attnotnull) AS part
    FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(':', conname, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT array_to_string(setconfig, ',') FROM pg_db_role_setting
    JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database()
    UNION ALL SELECT version_num FROM alembic_version
) AS parts
"""
END_SESSIONS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
USED_TABLES = """
SELECT relname, pg_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
AND pg_relation_size(oid) > 0
"""
FIRST_NUMBERS = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"


class Databases:
    """The databases of a server that has a migrated template."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._spare: list[str] = []
        with psycopg.connect(address(server, TEMPLATE)) as connection:
            self._shape = connection.execute(SHAPE).fetchone()
            used = connection.execute(USED_TABLES).fetchall()
            self._first_rows = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table, _ in used}

    @contextmanager
    def lent(self) -> Iterator[str]:
        """Give the address of an empty database, as new as one can see, for as long as the block lasts."""
        name = self._spare.pop() if self._spare else self._create()
        try:
            yield address(self._server, name)
        finally:
            if self._is_as_new(name):
                self._spare.append(name)
            else:
                run(self._server, f"DROP DATABASE {name} WITH (FORCE)")

    def _create(self) -> str:
        name = f"t_{secrets.token_hex(6)}"
        create(self._server, name, template=TEMPLATE)
        return name

    def _is_as_new(self, name: str) -> bool:
        try:
            with psycopg.connect(address(self._server, name), autocommit=True) as connection:
                connection.execute(END_SESSIONS)
                if connection.execute(SHAPE).fetchone() != self._shape:
                    return False
                self._empty(connection)
        except psycopg.Error:
            return False
        return True

    def _empty(self, connection: psycopg.Connection) -> None:
        for table, size in connection.execute(USED_TABLES).fetchall():
            connection.execute(f"DELETE FROM {table}" if size < SMALL else f"TRUNCATE {table}")
        for table, rows in self._first_rows.items():
            for row in rows:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", row)
        connection.execute(FIRST_NUMBERS)


def create(server: str, name: str, template: str = "template1") -> str:
    """Create a database and return its address."""
    run(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return address(server, name)


def address(server: str, name: str) -> str:
    """Return the address of a database of a server."""
    return server.replace("/postgres?", f"/{name}?")


def run(server: str, statement: str) -> None:
    """Execute a statement outside a transaction."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
