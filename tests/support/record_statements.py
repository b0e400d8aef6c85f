"""A pytest plugin that writes down every SQL statement that the app runs on PostgreSQL.

For each release, in its checkout:

    pytest -p tests.support.record_statements --record-statements tests/fixtures/statements/REVISION.sql -k postgresql

with the revision of its schema. test_rolling_deploys.py then sees to it that this release still runs on later schemas.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

_OURS = re.compile(r"(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
# Not the app's: the catalogue, Alembic; and a second row, whose statement says no more than that with one.
_NOT_THESE = re.compile(r"pg_catalog|pg_advisory|alembic_version|information_schema|__1\)s")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-statements", type=Path, required=True, help="the file to write")


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    yield
    file: Path = session.config.getoption("--record-statements")
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(f"{statement};\n" for statement in sorted(_recorded)))


_recorded: set[str] = set()


@event.listens_for(Engine, "before_cursor_execute")
def _note(tx: Any, _cursor: Any, statement: str, *_more: Any) -> None:
    if tx.dialect.name == "postgresql" and _OURS.match(statement) and not _NOT_THESE.search(statement):
        _recorded.add(re.sub(r"\s+", " ", statement))
