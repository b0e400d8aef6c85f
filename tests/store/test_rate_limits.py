"""Twilio asks us to wait, or is out of order: for how long, and who may try."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert

from app.db.tables import gate
from app.store import rate_limits
from app.store.rate_limits import ACCOUNT, FAILURES, LONGEST, ClosedGate, Passage

NOON = datetime.fromisoformat("2026-11-22T12:00:00+00:00")


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def seconds(count):
    return timedelta(seconds=count)


@pytest.fixture
def tx(db):
    with db.write() as tx:
        yield tx


def test_a_gate_holds_for_its_conversation_or_for_all_and_never_opens_early(tx):
    rate_limits.close(tx, "CH1", seconds(10), at(0))
    rate_limits.close(tx, "CH1", seconds(5), at(0))
    assert rate_limits.opens_at(tx, "CH1", at(6)) == at(10)
    assert rate_limits.opens_at(tx, "CH2", at(6)) is None
    rate_limits.close(tx, ACCOUNT, seconds(30), at(0))
    assert rate_limits.opens_at(tx, "CH1", at(6)) == rate_limits.opens_at(tx, "CH2", at(6)) == at(30)
    assert rate_limits.opens_at(tx, "CH1", at(31)) is None


def test_nobody_is_silenced_for_longer_than_fifteen_minutes(tx):
    rate_limits.close(tx, ACCOUNT, timedelta(days=365_000), NOON)

    assert rate_limits.opens_at(tx, "CH1", NOON) == NOON + LONGEST


def test_a_gate_that_an_earlier_version_closed_for_years_is_open_and_can_be_closed_anew(tx):
    tx.execute(insert(gate).values(scope=ACCOUNT, not_before=NOON.replace(year=9999)))
    assert rate_limits.opens_at(tx, "CH1", NOON) is None
    assert rate_limits.enter(tx, "CH1", NOON) == Passage()
    rate_limits.close(tx, ACCOUNT, seconds(10), NOON)

    assert rate_limits.opens_at(tx, "CH1", NOON) == at(10)


def fails(tx, second, *, probes=False):
    passage = rate_limits.enter(tx, "CH1", at(second))
    assert passage.opens_at is None
    assert passage.probes == probes
    return rate_limits.record_failure(tx, passage, "Twilio has a fault (500)", at(second)).opens_at


def test_five_failures_in_a_row_close_the_gate_of_the_account(tx):
    assert [fails(tx, second) for second in range(FAILURES - 1)] == [None] * (FAILURES - 1)
    assert fails(tx, 10) == at(15)

    passage = rate_limits.enter(tx, "CH2", at(11))
    assert passage.opens_at == at(15)
    assert passage.reason.startswith("Twilio has a fault (500), again and again: all wait")


def test_failures_that_are_far_between_close_nothing(tx):
    assert [fails(tx, 16 * 60 * n) for n in range(2 * FAILURES)] == [None] * (2 * FAILURES)


def test_a_success_in_between_forgets_the_failures(tx):
    for second in range(FAILURES - 1):
        fails(tx, second)
    rate_limits.record_success(tx, at(5))

    assert fails(tx, 6) is None


def out_of_order(tx):
    for second in range(FAILURES):
        fails(tx, second)


def test_one_request_tries_and_the_others_wait_for_it(tx):
    out_of_order(tx)
    first, second = (rate_limits.enter(tx, sid, at(20)) for sid in ("CH1", "CH2"))

    assert first.probes
    assert second.opens_at == at(40)
    assert rate_limits.enter(tx, "CH2", at(41)).probes  # the first has died


def test_who_tries_in_vain_lets_all_wait_for_longer_and_longer_up_to_a_minute(tx):
    out_of_order(tx)
    now, waits = 20, []
    for _ in range(6):
        opens = fails(tx, now, probes=True)
        waits.append((opens - at(now)).total_seconds())
        now += round(waits[-1]) + 1

    assert waits == [10, 20, 40, 60, 60, 60]


def test_requests_that_were_under_way_when_the_gate_closed_close_it_for_no_longer(tx):
    under_way = Passage(failures=3)
    out_of_order(tx)

    assert rate_limits.record_failure(tx, under_way, "", at(5)).opens_at == at(9)


def test_when_one_succeeds_all_may(tx):
    out_of_order(tx)
    assert rate_limits.enter(tx, "CH1", at(20)).probes
    rate_limits.record_success(tx, at(21))

    assert rate_limits.enter(tx, "CH2", at(21)) == Passage()


def test_while_reading_works_and_writing_does_not_one_request_tries_at_a_time(tx):
    out_of_order(tx)
    assert rate_limits.enter(tx, "CH1", at(20)).probes
    rate_limits.record_success(tx, at(21), only_read=True)
    assert rate_limits.enter(tx, "CH2", at(21)).probes
    assert rate_limits.enter(tx, "CH3", at(21)).opens_at == at(41)

    assert fails(tx, 42, probes=True) == at(52)


def test_an_outage_in_which_nobody_has_tried_for_long_is_forgotten(tx):
    out_of_order(tx)
    later = 2 * LONGEST.total_seconds()
    assert rate_limits.enter(tx, "CH1", at(later)) == Passage(failures=FAILURES)
    assert rate_limits.closed_gates(tx, at(later)) == []

    assert fails(tx, later) is None


def test_a_success_does_not_open_what_twilio_asked_to_close(tx):
    fails(tx, 0)
    rate_limits.close(tx, ACCOUNT, seconds(60), at(1))
    rate_limits.record_success(tx, at(2))

    assert rate_limits.opens_at(tx, "CH1", at(3)) == at(61)


def test_the_closed_gates_are_listed_and_one_can_be_lifted(tx):
    out_of_order(tx)
    rate_limits.close(tx, "CH1", seconds(60), NOON, "too many writes")
    rate_limits.close(tx, "CH2", seconds(1), NOON)
    account, conversation = rate_limits.closed_gates(tx, at(30))
    assert (account.scope, account.failing_since) == (ACCOUNT, NOON)
    assert conversation == ClosedGate("CH1", at(60), "Twilio asked us to wait: too many writes", None)
    assert rate_limits.lift(tx, ACCOUNT)
    assert not rate_limits.lift(tx, "CH3")

    assert [row.scope for row in rate_limits.closed_gates(tx, at(30))] == ["CH1"]
    assert rate_limits.enter(tx, "CH2", at(30)) == Passage()
