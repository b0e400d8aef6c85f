"""Twilio asks us to wait: for how long, and who."""

from datetime import datetime, timedelta

from app import gates


def test_a_gate_holds_for_its_conversation_or_for_all_and_never_opens_early(db):
    start = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
    at = {seconds: start + timedelta(seconds=seconds) for seconds in (5, 6, 10, 30, 31)}
    with db.write() as tx:
        gates.close(tx, "CH1", at[10])
        gates.close(tx, "CH1", at[5])
        assert gates.opens_at(tx, "CH1", at[6]) == at[10]
        assert gates.opens_at(tx, "CH2", at[6]) is None
        gates.close(tx, gates.ACCOUNT, at[30])
        assert gates.opens_at(tx, "CH1", at[6]) == gates.opens_at(tx, "CH2", at[6]) == at[30]
        assert gates.opens_at(tx, "CH1", at[31]) is None
