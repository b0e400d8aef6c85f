"""Measures whether a database that keeps many old rows is slower than an empty one, to store and to answer."""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, inspect, text

from benchmarks.engines import ENGINES, Store
from benchmarks.load import Report, run_load
from benchmarks.replying import Drain, cpu_of, drain_into, faults_of
from benchmarks.scale import ONE, Scale
from benchmarks.servers import parley
from benchmarks.tables import Row, Table, cpu_each, errors_of, interleaved, median_of, throughput

NOT_ANALYSED, ANALYSED = ", nothing analysed", ", analysed"  # on PostgreSQL: also as after a restored backup
COPIES = 500  # of each of the events that were really received and answered
EMPTY, FULL = "empty", "full"

# What tells one row from another; a copy of a row gets a suffix on each of these.
KEYS = {"event_key", "lane", "message_sid", "conversation_sid", "participant_sid", "reply_to"}
COPIED_TABLES = ("inbox", "lanes", "messages", "replies", "decisions", "conversations", "participants")


def rows_kept(scale: Scale) -> Table:
    """Return storing and answering with `kept_rows` finished events in the database against none, on each engine."""
    return Table(
        f"With {scale.kept_rows:,} events kept against an empty database (`rows`)",
        [row for engine in ENGINES for row in _rows(engine, scale)],
        (
            f"Saturated {ONE}, ack only; then `flask worker --drain` with 1 thread and REST that answers at once.",
            "On PostgreSQL before anything is analysed (as after a restored backup), then after VACUUM ANALYZE.",
            "Kept rows are copies of finished ones, in every table that a message leaves a row in.",
        ),
    )


def _rows(engine: str, scale: Scale) -> list[Row]:
    with ENGINES[engine]() as full:
        _fill(full, scale.kept_rows)
        if full.is_sqlite:
            return _compared(engine, full, scale)
        rows = _compared(f"{engine}{NOT_ANALYSED}", full, scale)
        _settle(full, "VACUUM ANALYZE")
        return [*rows, *_compared(f"{engine}{ANALYSED}", full, scale)]


def _compared(name_of_full: str, full: Store, scale: Scale) -> list[Row]:
    drains: dict[str, list[Drain]] = {EMPTY: [], FULL: []}
    for _ in range(scale.hot_rounds):
        for name, of_one in drains.items():
            of_one.append(_answer(name, full, scale.hot_messages // 2))
    reports = interleaved([EMPTY, FULL], scale.hot_rounds, lambda name: _store(name, full, scale))
    return [_store_row(name_of_full, reports), _answer_row(name_of_full, drains)]


def _fill(store: Store, wanted: int) -> None:
    """Let the database keep about so many events."""
    seed = max(1, wanted // COPIES)
    answered = drain_into(store, seed, max(1, seed // 5), threads=8, latency_seconds=0)
    if not answered.is_complete:
        raise SystemExit(f"the events to be kept were not answered as they should{faults_of([answered])}")
    engine = _engine(store)
    with engine.begin() as database:
        for table in COPIED_TABLES:
            copy_rows(database, table, COPIES - 1)
            if not store.is_sqlite:
                database.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
    engine.dispose()
    _settle(store, "PRAGMA wal_checkpoint(TRUNCATE)" if store.is_sqlite else "CHECKPOINT")


def _settle(store: Store, statement: str) -> None:
    engine = _engine(store)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as database:
        database.execute(text(statement))
    engine.dispose()


def _engine(store: Store) -> Engine:
    return create_engine(store.url.replace("postgresql://", "postgresql+psycopg://"))


def copy_rows(database: Connection, table: str, copies: int) -> None:
    """Add so many copies of every row of a table, each under keys of its own."""
    names = [column["name"] for column in inspect(database).get_columns(table) if column["name"] != "id"]
    values = [f"kept.{name} || '-' || copy.number" if name in KEYS else f"kept.{name}" for name in names]
    database.execute(
        text(
            f"WITH RECURSIVE copy(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM copy WHERE number < :copies) "
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM copy, "
            f"(SELECT * FROM {table}) AS kept"
        ),
        {"copies": copies},
    )


@contextmanager
def _database(name: str, full: Store) -> Iterator[Store]:
    if name == FULL:
        yield full
        return
    with ENGINES[full.engine]() as empty:
        yield empty


def _store(name: str, full: Store, scale: Scale) -> Report:
    with _database(name, full) as store, parley(ONE, store.directory, database_url=store.url) as server:
        seconds = scale.saturated_seconds
        watched = [server.pid, *store.server_pids]
        return run_load(server.port, count=int(6_000 * seconds), watched=watched, seconds=seconds, warm_up=320)


def _answer(name: str, full: Store, messages: int) -> Drain:
    with _database(name, full) as store:
        return drain_into(store, messages, messages, threads=1, latency_seconds=0)


def _store_row(engine: str, reports: dict[str, list[Report]]) -> Row:
    slower = median_of(reports[EMPTY], "rate") / median_of(reports[FULL], "rate")
    return Row(
        f"{engine}: time for each acknowledgement",
        throughput(reports[FULL]),
        budget="<= 1.20 x",
        yardstick=throughput(reports[EMPTY]),
        ratio=f"{slower:.2f}",
        kept=slower <= 1.2 and errors_of(reports[FULL]) == 0,
        cpu=cpu_each(reports[FULL]),
    )


def _answer_row(engine: str, drains: dict[str, list[Drain]]) -> Row:
    full = statistics.median(each.per_message_ms for each in drains[FULL])
    empty = statistics.median(each.per_message_ms for each in drains[EMPTY])
    return Row(
        f"{engine}: time for each message claimed and answered",
        f"{full:.2f} ms{faults_of(drains[FULL])}",
        budget="<= 1.20 x",
        yardstick=f"{empty:.2f} ms{faults_of(drains[EMPTY])}",
        ratio=f"{full / empty:.2f}",
        kept=full <= 1.2 * empty and all(each.is_complete for each in drains[FULL]),
        cpu=cpu_of(drains[FULL]),
    )
