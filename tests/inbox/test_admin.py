"""What an operator does with the inbox: counts it, takes dead events back, purges it."""

import json
from datetime import timedelta

from sqlalchemy import select

from app.db.tables import lanes as lanes_table
from app.inbox import admin, queue
from tests.support.inbox_steps import add, claim, finish, new, postpone, stats, work_off


def test_every_event_is_counted_in_exactly_one_state(db):
    add(db, *(new(f"k{number}", f"lane {number}") for number in range(6)), new("behind", "lane 3"))
    finish(db, claim(db), "processed")
    finish(db, claim(db), "ignored")
    finish(db, claim(db), "dead")
    postpone(db, claim(db), 60)
    claim(db)

    counts = {"pending": 1, "scheduled": 2, "processing": 1, "processed": 1, "ignored": 1, "dead": 1}
    assert stats(db) == counts


def test_a_dead_event_lets_the_next_go_on_and_comes_back_by_command_only(db, clock, app, flask_command):
    add(db, new("k1"), new("k2"))
    dead = claim(db)
    finish(db, dead, "dead", "the reason")
    assert work_off(db) == ["k2"]
    clock.advance(86_400)
    assert queue.claim(db) is None
    assert json.loads(flask_command("inbox", "retry", str(dead.id), "--json"))["retried"] == [dead.id]

    revived = claim(db)
    assert (revived.id, revived.attempts) == (dead.id, 1)


def test_purging_deletes_old_finished_events_and_idle_lanes_but_nothing_dead_or_open(db, clock):
    add(db, *(new(f"k{number}", f"lane {number}") for number in range(4)))
    finish(db, claim(db), "processed")
    finish(db, claim(db), "dead")
    postpone(db, claim(db), 86_400 * 90)
    clock.advance(86_400)
    finish(db, claim(db), "processed")
    with db.write() as tx:
        counts = [admin.purge(tx, db.now(tx) - timedelta(hours=1), db.now(tx)) for _ in range(2)]
    with db.read() as tx:
        lanes = list(tx.scalars(select(lanes_table.c.lane).order_by(lanes_table.c.lane)))

    assert counts == [1, 0]
    assert lanes == ["lane 1", "lane 2", "lane 3"]
    assert stats(db) | {"dead": 1, "scheduled": 1, "processed": 1} == stats(db)
