"""Says how much each case does: as promised (FULL), or just enough to see that it works (QUICK)."""

from dataclasses import dataclass

from benchmarks.servers import Layout

ONE = Layout(1, 16)
TWO = Layout(2, 16)  # as deployed


@dataclass(frozen=True)
class Scale:
    """Counts and seconds of every case."""

    layouts: tuple[Layout, ...]
    rounds: int
    saturated_seconds: float
    offered_seconds: float
    offered_rounds: int
    sustained_rate: float
    sustained_seconds: float
    held_rate: float
    held_seconds: float
    naive_seconds: float
    latency_messages: int
    hot_messages: int
    hot_rounds: int
    backlog_messages: int
    backlog_conversations: int
    kept_rows: int
    decisions: int
    shown_messages: int
    shown_conversations: int
    page_requests: int
    cost_events: int
    cost_rounds: int
    workers: tuple[int, ...]
    workers_messages: int
    idle_seconds: float


FULL = Scale(
    layouts=(ONE, TWO),
    rounds=5,
    saturated_seconds=5,
    offered_seconds=20,
    offered_rounds=2,
    sustained_rate=500,
    sustained_seconds=600,
    held_rate=150,
    held_seconds=120,
    naive_seconds=5,
    latency_messages=200,
    hot_messages=3_000,
    hot_rounds=2,
    backlog_messages=10_000,
    backlog_conversations=2_000,
    kept_rows=1_000_000,
    decisions=500,
    shown_messages=100_000,
    shown_conversations=10_000,
    page_requests=200,
    cost_events=400,
    cost_rounds=3,
    workers=(1, 4, 8),
    workers_messages=1_000,
    idle_seconds=10,
)

QUICK = Scale(
    layouts=(TWO,),
    rounds=1,
    saturated_seconds=1,
    offered_seconds=2,
    offered_rounds=1,
    sustained_rate=200,
    sustained_seconds=10,
    held_rate=50,
    held_seconds=5,
    naive_seconds=1.5,
    latency_messages=60,
    hot_messages=200,
    hot_rounds=1,
    backlog_messages=1_000,
    backlog_conversations=200,
    kept_rows=50_000,
    decisions=50,
    shown_messages=10_000,
    shown_conversations=1_000,
    page_requests=30,
    cost_events=100,
    cost_rounds=1,
    workers=(1, 4),
    workers_messages=200,
    idle_seconds=10,
)
