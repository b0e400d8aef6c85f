"""Measures whether a database that keeps many old rows is slower than an empty one, to store and to answer."""

import sqlite3
import statistics
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.load import Report, run_load
from benchmarks.replying import Drain, drain_into, faults_of
from benchmarks.scale import ONE, Scale
from benchmarks.servers import parley, workplace
from benchmarks.tables import Row, Table, errors_of, interleaved, median_of, throughput

COPIES = 500  # of each of the events that were really received and answered
EMPTY, FULL = "empty", "full"

# What tells one row from another; a copy of a row gets a suffix on each of these.
KEYS = {"event_key", "lane", "message_sid", "conversation_sid", "participant_sid", "reply_to"}
COPIED_TABLES = ("inbox", "lanes", "messages", "replies", "decisions", "conversations", "participants")


def rows_kept(scale: Scale) -> Table:
    """Return storing and answering with `kept_rows` finished events in the database against none."""
    with workplace() as full:
        events = _fill(full, scale.kept_rows)
        drains: dict[str, list[Drain]] = {EMPTY: [], FULL: []}
        for _ in range(scale.hot_rounds):
            for name, of_one in drains.items():
                of_one.append(_answer(name, full, scale.hot_messages // 2))
        reports = interleaved([EMPTY, FULL], scale.hot_rounds, lambda name: _store(name, full, scale))
    return Table(
        f"With {events:,} events kept against an empty database (`rows`)",
        [_store_row(reports), _answer_row(drains)],
        (
            f"Saturated {ONE}, ack only; then `flask worker --drain` with 1 thread and REST that answers at once.",
            "Kept rows are copies of finished ones, in every table that a message leaves a row in.",
        ),
    )


def _fill(directory: Path, wanted: int) -> int:
    """Return how many events the database in `directory` keeps, after filling it with at least `wanted`."""
    seed = wanted // COPIES
    answered = drain_into(directory, seed, max(1, seed // 5), threads=8, latency_seconds=0)
    if not answered.is_complete:
        raise SystemExit(f"the events to be kept were not answered as they should{faults_of([answered])}")
    with closing(sqlite3.connect(directory / "parley.db")) as database:
        for table in COPIED_TABLES:
            copy_rows(database, table, COPIES - 1)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(database.execute("SELECT count(*) FROM inbox").fetchone()[0])


def copy_rows(database: sqlite3.Connection, table: str, copies: int) -> None:
    """Add so many copies of every row of a table, each under keys of its own."""
    described = database.execute(f"PRAGMA table_info({table})").fetchall()
    names = [column[1] for column in described if column[1] != "id"]
    values = [f"{name} || '-' || copy.number" if name in KEYS else name for name in names]
    with database:
        database.execute(
            f"WITH RECURSIVE copy(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM copy WHERE number < ?) "
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM copy, "
            f"(SELECT * FROM {table})",
            (copies,),
        )


@contextmanager
def _database(name: str, full: Path) -> Iterator[Path]:
    if name == FULL:
        yield full
        return
    with workplace() as directory:
        yield directory


def _store(name: str, full: Path, scale: Scale) -> Report:
    with _database(name, full) as directory, parley(ONE, directory) as server:
        seconds = scale.saturated_seconds
        return run_load(server.port, count=int(6_000 * seconds), seconds=seconds, warm_up=320)


def _answer(name: str, full: Path, messages: int) -> Drain:
    with _database(name, full) as directory:
        return drain_into(directory, messages, messages, threads=1, latency_seconds=0)


def _store_row(reports: dict[str, list[Report]]) -> Row:
    slower = median_of(reports[EMPTY], "rate") / median_of(reports[FULL], "rate")
    return Row(
        "time for each acknowledgement",
        throughput(reports[FULL]),
        budget="<= 1.50 x",
        yardstick=throughput(reports[EMPTY]),
        ratio=f"{slower:.2f}",
        kept=slower <= 1.5 and errors_of(reports[FULL]) == 0,
    )


def _answer_row(drains: dict[str, list[Drain]]) -> Row:
    full = statistics.median(each.per_message_ms for each in drains[FULL])
    empty = statistics.median(each.per_message_ms for each in drains[EMPTY])
    return Row(
        "time for each message claimed and answered",
        f"{full:.2f} ms{faults_of(drains[FULL])}",
        budget="<= 1.50 x",
        yardstick=f"{empty:.2f} ms{faults_of(drains[EMPTY])}",
        ratio=f"{full / empty:.2f}",
        kept=full <= 1.5 * empty and all(each.is_complete for each in drains[FULL]),
    )
