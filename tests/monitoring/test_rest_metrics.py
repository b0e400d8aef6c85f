"""Requests to Twilio are counted by result; what all processes counted is added up in the database."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.db.database import Database, DatabaseUnavailable
from app.monitoring.rest_metrics import store, totals
from app.twilio_api.client import CallCounts, Conversations
from app.twilio_api.errors import SendError
from tests.conftest import TOKEN


def stored(db):
    with db.read() as tx:
        return totals(tx)


def test_what_several_processes_count_at_once_is_added_up(db):
    processes = [CallCounts() for _ in range(4)]
    for process in processes:
        process.record("ok")
        process.record("429")
        process.record("ok")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda process: store(process, db), processes))

    assert stored(db) == {"ok": 8, "429": 4}


def test_nothing_is_counted_twice(db):
    calls = CallCounts()
    calls.record("ok")
    store(calls, db)
    store(calls, db)
    calls.record("ok")
    store(calls, db)

    assert stored(db) == {"ok": 2}


def test_what_cannot_be_stored_now_is_stored_later(db):
    calls, away = CallCounts(), Database("postgresql+psycopg://nobody@127.0.0.1:9/nothing")
    calls.record("no answer")
    with pytest.raises(DatabaseUnavailable):
        store(calls, away)
    away.close()

    store(calls, db)

    assert stored(db) == {"no answer": 1}


@pytest.mark.parametrize(
    ("faults", "result"),
    [
        ({}, "ok"),
        ({"fail_next": [{"status": 429}]}, "429"),
        ({"fail_next": [{"status": 503}]}, "503"),
        ({"cut_next": 1}, "no answer"),
    ],
    ids=["done", "a limit", "a fault", "cut off"],
)
def test_each_request_is_counted_by_how_it_ended(faults, result, emulator):
    conversation = emulator.inbound("hello")["conversation_sid"]
    emulator.faults(**faults)

    assert results_of_sending(emulator.url, conversation) == [result]


def test_a_server_that_is_not_there_is_not_connected(free_port):
    assert results_of_sending(f"http://127.0.0.1:{free_port()}", "CH" + "1" * 32) == ["not connected"]


def results_of_sending(url, conversation):
    results = []
    twilio = Conversations(account_sid="AC" + "1".zfill(32), auth_token=TOKEN, base_url=url, record_call=results.append)
    with contextlib.suppress(SendError):
        twilio.send_message(conversation, "", author="support-bot", marker={"reply_to": "IM", "n": 0}, body="hello")
    return results
