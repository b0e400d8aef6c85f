"""When rules were used: the newest uses of each, however many others there are; what came to nothing is no use."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from app.store import messages, replies
from app.store.messages import DecisionKey, NewDecision
from app.store.replies import Content
from app.store.rule_usage import fired

HERE, ELSEWHERE = "CH" + "3" * 32, "CH" + "4" * 32
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def minutes(*many):
    return tuple(NOON + timedelta(minutes=n) for n in many)


@pytest.fixture
def decide(db):
    """Store decisions as (rule, minute) pairs, each on a message of its own; return the SIDs."""

    def decided(*uses, code="replied", where=HERE, timer_seconds=0):
        sids = [f"IM{abs(hash((rule, minute, code, where))):032x}" for rule, minute in uses]
        with db.write() as tx:
            for sid, (rule, minute) in zip(sids, uses, strict=True):
                decision = NewDecision(DecisionKey(sid, timer_seconds), where, code=code, rule=rule, reason="")
                messages.record_decision(tx, decision, NOON + timedelta(minutes=minute))
        return sids

    return decided


@pytest.fixture
def uses(db):
    def read(*rules, most=2):
        with db.read() as tx:
            return fired(tx, HERE, rules, most=most)

    return read


def test_each_rule_has_its_newest_uses_newest_first(decide, uses):
    decide(("greeting", 1), ("greeting", 3), ("greeting", 2), ("closed", 0))

    assert uses("greeting", "closed", "never") == {"greeting": minutes(3, 2), "closed": minutes(0)}


def test_a_rule_that_is_used_all_the_time_hides_no_other(decide, uses):
    decide(("rare", 0), *(("often", n) for n in range(1, 300)))

    assert uses("rare", "often") == {"rare": minutes(0), "often": minutes(299, 298)}


@pytest.mark.parametrize(("code", "count"), [("acted", 1), ("stopped", 1), ("template failed", 0), ("paused", 0)])
def test_a_rule_is_used_when_it_spoke_or_acted_or_stopped(decide, uses, code, count):
    decide(("rule", 5), code=code)

    assert uses("rule") == ({"rule": minutes(5)} if count else {})


def test_follow_ups_are_uses_too(decide, uses):
    decide(("late", 5), timer_seconds=300)

    assert uses("late") == {"late": minutes(5)}


def test_other_conversations_and_rules_that_nobody_asks_about_do_not_count(decide, uses):
    decide(("greeting", 1), where=ELSEWHERE)
    decide(("closed", 1))

    assert uses("greeting") == {}


def test_a_reply_that_was_not_sent_after_all_was_no_use(db, decide, uses):
    decide(("greeting", 1))
    (second,) = decide(("greeting", 2))
    with db.write() as tx:
        replies.intend(tx, DecisionKey(second), HERE, "greeting", [Content("hello")], NOON)
        replies.suppress(tx, replies.open_replies(tx, DecisionKey(second))[0], "a human wrote")

    assert uses("greeting") == {"greeting": minutes(1)}


def test_a_long_history_takes_no_more_statements_than_a_short_one(db, decide, uses):
    decide(*((f"rule {n}", n) for n in range(60)))
    statements = []
    event.listen(db.engine, "before_cursor_execute", lambda *told: statements.append(told[2].split()[0]))
    found = uses(*(f"rule {n}" for n in range(1000)))

    assert len(found) == 60
    assert len(statements) - statements.count("BEGIN") == 3  # which were used, then fifty of them, then the rest
