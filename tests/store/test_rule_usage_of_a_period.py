"""How often rules were used, what observing ones saw, and why nothing was said: counted in the database."""

from datetime import timedelta

import pytest

from app.store import messages, rule_usage


@pytest.fixture
def decide(db, clock):
    """Store a decision on a message of its own."""
    count = iter(range(1000))

    def store(code, rule="", *, observed=(), age=timedelta()):
        with db.write() as tx:
            key = messages.DecisionKey(f"IM{next(count)}")
            decision = messages.NewDecision(key, "CH1", code=code, rule=rule, reason=code, observed=observed)
            messages.record_decision(tx, decision, clock() - age)

    return store


def test_a_rule_is_used_when_it_replies_acts_or_silences_and_all_else_is_a_silence(db, clock, decide):
    for code, rule in [
        ("replied", "a"),
        ("replied", "a"),
        ("acted", "b"),
        ("stopped", "c"),
        ("paused", ""),
        ("no rule", ""),
        ("paused", ""),
        ("template failed", "a"),
    ]:
        decide(code, rule)

    with db.read() as tx:
        found = rule_usage.uses(tx, clock() - timedelta(hours=1))
    assert (found.by_rule, found.total) == ({"a": 2, "b": 1, "c": 1}, 8)
    assert found.silences == {"paused": 2, "no rule": 1, "template failed": 1}


def test_what_is_older_than_the_period_is_not_counted(db, clock, decide):
    decide("replied", "a", observed=["o"], age=timedelta(days=2))

    with db.read() as tx:
        assert rule_usage.uses(tx, clock() - timedelta(days=1)).total == 0
        assert rule_usage.observed(tx, clock() - timedelta(days=1)) == ({}, False)
        assert rule_usage.uses(tx, clock() - timedelta(days=3)).total == 1


def test_observing_rules_are_counted_each_with_its_newest_messages(db, clock, decide):
    decide("replied", "a", observed=["o", "p"], age=timedelta(minutes=5))
    decide("replied", "a")
    for minutes in (4, 3, 2):
        decide("no rule", observed=["o"], age=timedelta(minutes=minutes))

    with db.read() as tx:
        found, is_cut = rule_usage.observed(tx, clock() - timedelta(hours=1))
    assert not is_cut
    assert {name: (one.count, one.newest) for name, one in found.items()} == {
        "o": (4, ("IM4", "IM3", "IM2")),
        "p": (1, ("IM0",)),
    }


def test_of_very_many_observed_decisions_the_newest_are_counted(db, clock, decide, monkeypatch):
    monkeypatch.setattr(rule_usage, "MOST_OBSERVED", 2)
    for minutes in (3, 2, 1):
        decide("no rule", observed=["o"], age=timedelta(minutes=minutes))

    with db.read() as tx:
        found, is_cut = rule_usage.observed(tx, clock() - timedelta(hours=1))
    assert (found["o"].count, is_cut) == (2, True)
