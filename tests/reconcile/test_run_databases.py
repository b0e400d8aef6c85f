"""Reconciliation on both databases: messages, then the receipts of what was answered, and nothing twice."""

import json


def test_messages_and_receipts_are_found_once(webhooks_arrive, emulator, clock, run_worker, flask_command):
    def reconcile_after(seconds: float):
        emulator.faults()
        clock.advance(seconds)
        emulator.advance(seconds)
        return json.loads(flask_command("reconcile", "--since", "1d", "--json", "--per-second", "100"))

    emulator.faults(drop=1.0)
    emulator.inbound("order", media=[{"content_type": "image/png", "filename": "p.png"}])
    emulator.inbound("something else")
    first = reconcile_after(120)
    emulator.faults(drop=1.0)
    run_worker()
    assert emulator.settle()
    second = reconcile_after(900)
    run_worker()
    third = reconcile_after(7200)

    assert emulator.replies() == ["Please send your order number.", "Thanks, we will be right back."]
    assert [(one["messages"], one["receipts"]) for one in (first, second, third)] == [(2, 0), (0, 2), (0, 0)]
    assert json.loads(flask_command("inbox", "stats", "--json"))["dead"] == 0
