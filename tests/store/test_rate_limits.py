"""Twilio asks us to wait: for how long, and who."""

from datetime import datetime, timedelta

from app.store import rate_limits


def test_a_gate_holds_for_its_conversation_or_for_all_and_never_opens_early(db):
    start = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
    at = {seconds: start + timedelta(seconds=seconds) for seconds in (6, 10, 30, 31)}
    with db.write() as tx:
        rate_limits.close(tx, "CH1", timedelta(seconds=10), start)
        rate_limits.close(tx, "CH1", timedelta(seconds=5), start)
        assert rate_limits.opens_at(tx, "CH1", at[6]) == at[10]
        assert rate_limits.opens_at(tx, "CH2", at[6]) is None
        rate_limits.close(tx, rate_limits.ACCOUNT, timedelta(seconds=30), start)
        assert rate_limits.opens_at(tx, "CH1", at[6]) == rate_limits.opens_at(tx, "CH2", at[6]) == at[30]
        assert rate_limits.opens_at(tx, "CH1", at[31]) is None
