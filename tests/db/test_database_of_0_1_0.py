"""A database that 0.1.0 wrote is taken over as it is: every row stays, and its work goes on.

tests/fixtures/database_of_0_1_0.sql was written by that version's `flask dev --story` (commit 405b213), and has two
follow-ups that were not due when it was written.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app import config, create_app

DUMP = Path(__file__).parents[1] / "fixtures" / "database_of_0_1_0.sql"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file as 0.1.0 left it."""
    path = tmp_path / "parley.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text(encoding="utf-8"))
    return path


@pytest.fixture
def run(file: Path):
    """Run a command of ours on it, once it is upgraded as each start of a server or worker does."""
    app = create_app(config.from_environment({"DATABASE_URL": f"sqlite:///{file}"}))

    def invoke(*args: str):
        assert app.test_cli_runner().invoke(args=["db", "upgrade"]).exit_code == 0
        return app.test_cli_runner().invoke(args=args)

    return invoke


def rows(file: Path) -> dict[str, list[dict[str, object]]]:
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY 1")] for name in tables}


def test_every_row_stays_as_it_was(file, run):
    before = rows(file)
    assert run("inbox", "list").exit_code == 0
    after = rows(file)

    assert len(before["inbox"]) == 21
    for table in sorted(before.keys() - {"alembic_version"}):
        assert len(after[table]) == len(before[table]), table
        for old, new in zip(before[table], after[table], strict=True):
            assert {name: new[name] for name in old if name in new} == {name: old[name] for name in old if name in new}


def test_what_it_sent_and_what_it_still_has_to_do_are_shown(run):
    assert "order status" in run("deliveries", "list").output
    assert run("inbox", "list", "--event-type", "parley.timer").output.count("parley.timer") == 2
