"""Measures what each kind of event costs: processor time of all processes of a side, and SQL statements."""

import statistics
from collections.abc import Callable, Sequence

from sqlalchemy import text

from benchmarks import sides
from benchmarks.engines import ENGINES
from benchmarks.messages import Batch, conversation_added, inbound_sms, new_batch, receipt, signed_post, signed_posts
from benchmarks.processor import used_by
from benchmarks.scale import Scale
from benchmarks.servers import parley_environment, run_worker_drain, slow_api
from benchmarks.sides import Side
from benchmarks.statements import STATUSES, count_statements
from benchmarks.tables import Row, Table

ACK_RATE, MESSAGE_RATE = 250, 40
BARE, HUEY = "a bare Flask request", "Flask + Huey, accepted and answered"
ACK, MESSAGE, FIRST = "acknowledged", "message acknowledged and answered", "first message of a conversation"
RECEIPT, WORKED_OFF, SERVER = "receipt acknowledged and recorded", "receipt worked off", "the server's own, a message"

Costs = dict[str, list[float]]  # milliseconds of each round, by name
Statements = dict[str, dict[str, float]]
_REPLIES = text("SELECT message_sid, conversation_sid FROM replies WHERE message_sid IS NOT NULL")


def cost(scale: Scale) -> Table:
    """Return milliseconds of processor and SQL statements for each kind of event, on each engine."""
    costs: Costs = {}
    subjects: list[Callable[[int], dict[str, float]]] = [_bare, _huey]
    for engine in ENGINES:
        subjects += [_acknowledging(engine), _answering(engine)]
    for number in range(scale.cost_rounds):
        for measure in subjects if number % 2 == 0 else reversed(subjects):
            for name, milliseconds in measure(scale.cost_events).items():
                costs.setdefault(name, []).append(milliseconds)
    counted = {engine: _statements(engine) for engine in ENGINES}
    return Table(
        "What an event costs (`cost`)",
        [row for engine in ENGINES for row in _rows(engine, costs, counted[engine])] + _sums(costs),
        (
            f"Processor time, user and system, of all processes of a side, in turns; medians of {scale.cost_rounds} "
            f"rounds of {scale.cost_events} events",
            f"({ACK_RATE}/s to be acknowledged, {MESSAGE_RATE}/s to be answered; the API takes "
            f"{sides.LATENCY * 1000:.0f} ms), ratios within a round.",
            "One web process of 16 threads. SQLite: inline worker; PostgreSQL: one `flask worker`, and its server.",
            "Conversations are announced before, as Twilio does; that is not counted. A receipt worked off: `flask",
            "worker --drain` with a backlog, less one with nothing. Statements: counted at the driver, in one thread.",
        ),
    )


def _bare(events: int) -> dict[str, float]:
    with sides.bare() as side:
        side.play(_new_messages(events // 4), ACK_RATE)
        return {BARE: side.cost_ms(_new_messages(events), ACK_RATE)}


def _huey(events: int) -> dict[str, float]:
    with sides.huey() as side:
        side.play(_new_messages(events // 4), MESSAGE_RATE)
        return {HUEY: side.cost_ms(_new_messages(events), MESSAGE_RATE)}


def _new_messages(count: int) -> list[bytes]:
    return signed_posts(new_batch(count), count)


def _acknowledging(engine: str) -> Callable[[int], dict[str, float]]:
    """Measure acknowledging messages, and working off receipts that wait."""

    def measure(events: int) -> dict[str, float]:
        with sides.acknowledging(engine) as side:
            idle = _drain_seconds(side)
            receipts = _receipts([(f"IM{n:032x}", f"CH{n:032x}") for n in range(events)])
            side.play(receipts)
            drained = _drain_seconds(side)
            acknowledged = side.cost_ms(_new_messages(events), ACK_RATE)
        worked_off = (drained - idle) / len(receipts) * 1000
        return {f"{engine}: {ACK}": acknowledged, f"{engine}: {WORKED_OFF}": worked_off}

    return measure


def _drain_seconds(side: Side) -> float:
    """Return what `flask worker --drain` uses, with the database server's share."""
    assert side.store
    environment = parley_environment(side.store.directory, "http://127.0.0.1:9", database_url=side.store.url)
    with used_by(side.store.server_pids, commands=True) as used:
        run_worker_drain(environment, seconds=300)
    return used.seconds


def _receipts(replies: Sequence[tuple[str, str]]) -> list[bytes]:
    return [
        signed_post(receipt(message_sid, conversation_sid, status))
        for status in STATUSES
        for message_sid, conversation_sid in replies
    ]


def _answering(engine: str) -> Callable[[int], dict[str, float]]:
    def measure(events: int) -> dict[str, float]:
        with sides.answering(engine) as side:
            _announced(side, events // 4, events // 4)  # warms up
            batch = new_batch(events)
            side.play(_announcements(batch))
            first = side.cost_ms(_messages(batch, 0, events), MESSAGE_RATE)
            with used_by(side.store.server_pids if side.store else ()) as server:
                later = side.cost_ms(_messages(batch, events, 2 * events), MESSAGE_RATE)
            receipts = side.cost_ms(_receipts(_replies(side)[:events]), ACK_RATE)
        found = {FIRST: first, MESSAGE: later, RECEIPT: receipts}
        if side.store and side.store.server_pids:
            found[SERVER] = server.each_ms(events)
        return {f"{engine}: {name}": value for name, value in found.items()}

    return measure


def _announced(side: Side, conversations: int, messages: int) -> None:
    batch = new_batch(conversations)
    side.play(_announcements(batch))
    side.play(_messages(batch, 0, messages), MESSAGE_RATE)


def _announcements(batch: Batch) -> list[bytes]:
    return [signed_post(conversation_added(batch, number)) for number in range(batch.conversations)]


def _messages(batch: Batch, first: int, behind_last: int) -> list[bytes]:
    return [signed_post(inbound_sms(batch, number)) for number in range(first, behind_last)]


def _replies(side: Side) -> list[tuple[str, str]]:
    assert side.store
    with side.store.connection() as database:
        return [(row[0], row[1]) for row in database.execute(_REPLIES)]


def _statements(engine: str) -> dict[str, float]:
    with ENGINES[engine]() as store, slow_api(0) as api:
        counted = count_statements(parley_environment(store.directory, api.url, database_url=store.url))
    whole = {name: counted[f"{name} acknowledged"] + counted[f"{name} worked off"] for name in ("message", "receipt")}
    first = counted["first message acknowledged"] + counted["first message worked off"]
    return {
        ACK: counted["message acknowledged"],
        MESSAGE: whole["message"],
        FIRST: first,
        RECEIPT: whole["receipt"],
        WORKED_OFF: counted["receipt worked off"],
    }


_BUDGETS: dict[str, tuple[str, str, float]] = {  # against what, in words, at most
    ACK: (BARE, "<= 2.0 x bare Flask", 2.0),
    WORKED_OFF: (BARE, "<= 0.3 x bare Flask", 0.3),
}


def _rows(engine: str, costs: Costs, statements: dict[str, float]) -> list[Row]:
    rows = [_row(f"{engine}: {name}", name, costs, statements[name]) for name in (ACK, RECEIPT, WORKED_OFF, FIRST)]
    ours = costs[f"{engine}: {MESSAGE}"]
    against = {yardstick: _ratio(ours, costs[yardstick]) for yardstick in (HUEY, BARE)}
    answered = Row(
        f"{engine}: {MESSAGE}",
        _said(ours, statements[MESSAGE]),
        budget="<= 1.0 x Huey, <= 5 x bare",
        yardstick=f"Huey {_median(costs[HUEY]):.2f} ms, bare {_median(costs[BARE]):.2f} ms",
        ratio=", ".join(f"{ratio:.2f}" for ratio in against.values()),
        kept=against[HUEY] <= 1.0 and against[BARE] <= 5,
    )
    return [*rows, answered]


def _row(case: str, name: str, costs: Costs, statements: float) -> Row:
    ratio = _ratio(costs[case], costs[BARE])
    _, budget, most = _BUDGETS.get(name, ("", "-", 0.0))
    return Row(
        case,
        _said(costs[case], statements),
        budget=budget,
        yardstick=f"bare {_median(costs[BARE]):.2f} ms",
        ratio=f"{ratio:.2f}",
        kept=ratio <= most if most else None,
    )


def _sums(costs: Costs) -> list[Row]:
    """Return PostgreSQL against SQLite: a message with its three receipts; and the server's own share."""
    sqlite, postgresql = (
        [a + len(STATUSES) * b for a, b in zip(costs[f"{e}: {MESSAGE}"], costs[f"{e}: {RECEIPT}"], strict=True)]
        for e in ENGINES
    )
    ratio, server = _ratio(postgresql, sqlite), costs[f"PostgreSQL: {SERVER}"]
    return [
        Row(
            "PostgreSQL: a message and its three receipts",
            f"{_median(postgresql):.2f} ms",
            budget="<= 2.5 x SQLite",
            yardstick=f"SQLite {_median(sqlite):.2f} ms",
            ratio=f"{ratio:.2f}",
            kept=ratio <= 2.5,
        ),
        Row(
            f"PostgreSQL: {SERVER}",
            f"{_median(server):.2f} ms",
            budget="<= 1.0 ms",
            kept=_median(server) <= 1.0,
        ),
    ]


def _said(milliseconds: Sequence[float], statements: float) -> str:
    return f"{_median(milliseconds):.2f} ms, {statements:.1f} statements"


def _median(milliseconds: Sequence[float]) -> float:
    return statistics.median(milliseconds)


def _ratio(ours: Sequence[float], yardsticks: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, yardsticks, strict=True))
