"""A few of the schedules of `make torture`, and proof that its verdict sees what is wrong.

`.ci/run` plays the first fifty by `make torture`. The eight here do each thing that can be done to a process.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.torture.playing import Played
from tests.torture.schedules import draw
from tests.torture.verdict import End, Reply, problems_in

ROOT = Path(__file__).parents[2]
PLAYED = (1, 3, 5, 6, 8, 10, 11, 20)  # the odd ones on PostgreSQL
pytestmark = pytest.mark.timeout(600)  # they take ten seconds on two processors that nobody else needs


@pytest.fixture(scope="module")
def report(postgresql_server: str) -> dict[str, Any]:
    """What the schedules came to, half of them on each database."""
    command = [sys.executable, "-m", "tests.torture", "--only", ",".join(map(str, PLAYED)), "--json"]
    done = subprocess.run([*command, "--postgresql", postgresql_server], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout, done.stderr
    return {**json.loads(done.stdout), "said": done.stderr}


def test_wherever_processes_end_nothing_is_lost_doubled_or_out_of_order(report: Mapping[str, Any]) -> None:
    assert report["faults"] == {}, report["said"]
    assert report["by_database"] == {"sqlite": len(PLAYED) // 2, "postgresql": len(PLAYED) // 2}


def test_processes_did_end_at_many_places(report: Mapping[str, Any]) -> None:
    assert report["ended"] >= len(PLAYED)
    assert report["ended_at"] >= len(PLAYED)


@pytest.mark.parametrize("deed", ["clock steps", "frozen", "slept", "late stores", "overwritten"])
def test_these_schedules_play_this_too(report: Mapping[str, Any], deed: str) -> None:
    assert report["deeds"].get(deed, 0) > 0


def test_what_can_double_for_a_known_reason_is_not_played_together() -> None:
    for schedule in (draw(1, number) for number in range(1, 1001)):
        ends = {end.how for life in schedule.lives for end in life.ends}
        jumps = {life.set_by for life in schedule.lives}
        is_late = any("late_next" in life.faults for life in schedule.lives)
        is_overwritten = any(life.overwrites for life in schedule.lives)
        assert not (is_late and "slept" in ends)
        assert not ((is_late or is_overwritten) and max(jumps) > 0)
        assert not (schedule.database == "postgresql" and "frozen" in ends and jumps != {0.0})


def test_a_schedule_with_the_same_number_is_the_same() -> None:
    assert draw(17, 412) == draw(17, 412)
    assert draw(17, 412) != draw(18, 412)


CH, IM, OURS = "CH" + "1" * 32, "IM" + "1" * 32, "IM" + "2" * 32


def row(**values: Any) -> SimpleNamespace:
    return SimpleNamespace(**values)


@pytest.fixture
def end() -> End:
    """A message was answered once, its reply delivered, and all is done."""
    body = f"EventType=onMessageAdded&ConversationSid={CH}&MessageSid={IM}&Index=0&Body=echo+t0x0".encode()
    event = row(
        id=1,
        event_type="onMessageAdded",
        method="POST",
        target="/",
        body=body,
        source="SMS",
        outcome="",
        state="processed",
        finished_at=1,
    )
    rows = {
        "inbox": [event],
        "lanes": [row(lane=CH, ready_at=None, lease_until=None, lease_token=None)],
        "replies": [row(message_sid=OURS, reply_to=IM, timer_seconds=0, n=0, state="sent")],
        "decisions": [row(message_sid=IM, burst_of="")],
        "deliveries": [row(delivery_receipt_sid="DY1", status="delivered")],
        "rule_actions": [],
        "responder_calls": [],
        "notifications": [],
    }
    played = Played(draw(1, 1), sids={"echo t0x0": IM}, webhooks=1)
    reply = Reply(OURS, CH, IM, 0, 0, "You said: echo t0x0")
    conversation = {"sid": CH, "state": "active", "attributes": "{}"}
    return End(played, rows, (reply,), {"DY1": "delivered"}, [conversation], {CH: 0})


def test_where_all_is_well_the_verdict_is_empty(end: End) -> None:
    assert problems_in(end) == []


def kinds(end: End) -> set[str]:
    return {problem.partition(":")[0] for problem in problems_in(end)}


WRONG = {
    "no reply": (lambda end: {"replies": ()}, {"lost", "order", "ledger"}),
    "two replies": (lambda end: {"replies": end.replies * 2}, {"doubled", "order", "ledger"}),
    "another order": (lambda end: {"replies": (replace(end.replies[0], reply_to=OURS),)}, {"order", "ledger"}),
    "a receipt that came too late": (lambda end: {"receipts": {"DY1": "read"}}, {"receipt"}),
    "two colleagues": (lambda end: {"colleagues": {CH: 2}}, {"action"}),
    "a webhook that is not stored": (lambda end: {"played": replace(end.played, webhooks=2)}, {"lost"}),
    "a fault in the log": (lambda end: {"played": replace(end.played, faults=["KeyError"])}, {"fault"}),
}


@pytest.mark.parametrize(("change", "wanted"), WRONG.values(), ids=WRONG)
def test_the_verdict_names_what_is_wrong(end: End, change: Any, wanted: set[str]) -> None:
    assert kinds(replace(end, **change(end))) == wanted


def test_the_verdict_names_a_hand_over_that_nobody_is_told_of(end: End) -> None:
    handed_over = row(message_sid=IM, conversation_sid=CH, kind="hand_over", state="done", timer_seconds=0, reason="")

    assert kinds(replace(end, rows={**end.rows, "rule_actions": [handed_over]})) == {"told"}


ROWS = {
    "an open event": ("inbox", {"state": "pending", "finished_at": None}, {"state"}),
    "a dead event": ("inbox", {"state": "dead"}, {"state"}),
    "a lane that is leased": ("lanes", {"lease_token": "x"}, {"state"}),
    "a reply not known as sent": ("replies", {"state": "sending"}, {"ledger"}),
    "a message without a decision": ("decisions", {"message_sid": OURS}, {"lost", "order"}),
}


@pytest.mark.parametrize(("table", "values", "wanted"), ROWS.values(), ids=ROWS)
def test_the_verdict_names_what_is_stored_wrongly(
    end: End, table: str, values: Mapping[str, Any], wanted: set[str]
) -> None:
    rows = {**end.rows, table: [row(**vars(end.rows[table][0]) | values)]}

    assert kinds(replace(end, rows=rows)) == wanted
