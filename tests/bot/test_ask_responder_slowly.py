"""While the responder takes its time nobody else waits, and what happens meanwhile counts."""

import threading

import pytest

from app.bot.responder_pool import MOST_WAITING, THREADS
from app.runtime.worker import make_worker
from tests.support.eventually import eventually
from tests.support.responders import FALLBACK, decision, environ, responds, rules_file, said, slow

pytestmark = pytest.mark.engines("sqlite")

__all__ = ["decision", "environ", "responds", "rules_file", "said", "slow"]


@pytest.fixture
def running(app, slow):
    """A worker that runs, as in a web process, with a responder that takes its time."""
    worker = app.extensions["parley"].start_worker()
    yield worker
    slow.may_answer.set()
    assert worker.stop()


def test_when_it_takes_too_long_the_fallback_is_sent_and_the_late_answer_dropped(
    arrives, responds, run_worker, emulator, decision, clock, said
):
    may_answer = threading.Event()

    def take_too_long(message, context):
        clock.advance(10)
        assert may_answer.wait(60)
        return "At last."

    responds(take_too_long)
    message = arrives("hello")
    run_worker()
    assert emulator.replies() == [FALLBACK]
    may_answer.set()
    assert eventually(lambda: ("responder.too_late", "") in said())
    run_worker()

    assert emulator.replies() == [FALLBACK]
    assert decision(message).code == "responder too slow"
    assert decision(message).reason == "BOT_RESPONDER took longer than 8 s"


def test_slow_calls_block_neither_the_rules_nor_each_other(arrives, running, slow, emulator):
    senders = [f"+1555010{1000 + number}" for number in range(5)]  # more than the worker has threads
    for sender in senders:
        arrives(f"I am {sender}", sender=sender)
    assert eventually(lambda: len(slow.asked) == 5)
    arrives("my order", sender="+15550102000")
    assert eventually(emulator.replies)
    assert emulator.replies() == ["Please send your order number."]
    slow.may_answer.set()

    assert eventually(lambda: len(emulator.replies()) == 6)
    assert sorted(emulator.replies()[1:]) == [f"You wrote: I am {sender}" for sender in senders]


def test_the_conversation_itself_stays_in_order(arrives, running, slow, emulator):
    arrives("hello")
    arrives("my order")
    assert eventually(lambda: slow.asked)
    slow.may_answer.set()

    assert eventually(lambda: len(emulator.replies()) == 2)
    assert emulator.replies() == ["You wrote: hello", "Please send your order number."]


@pytest.fixture
def responder_has_a_minute(rules_file):
    """Rules by which nobody who waits has waited too long by the end of a test, however busy the machine is."""
    rules_file.write_text(rules_file.read_text().replace('"8s"', '"60s"'))


def test_who_finds_no_place_in_the_queue_gets_the_fallback_at_once(
    responder_has_a_minute, arrives, app, slow, emulator, decision, clock
):
    parley = app.extensions["parley"]
    worker = make_worker(parley.settings, parley.db)
    with clock.standing_still():  # else those who wait longest have waited too long by the end
        for number in range(THREADS + MOST_WAITING):
            arrives(sender=f"+1555010{1000 + number}")
            assert worker.work_once()
            assert eventually(lambda: len(slow.asked) >= min(THREADS, number + 1))  # noqa: B023
        last = arrives(sender="+15550103000")
        worker.work_once()

    assert emulator.replies() == [FALLBACK]
    assert decision(last).code == "responder busy"


def test_an_agent_who_answers_meanwhile_has_the_word(customer_writes, running, slow, emulator, decision):
    message = customer_writes("hello")
    assert eventually(lambda: slow.asked)
    emulator.chat(message["conversation_sid"], "support-agent", "Hi, this is Ann.")
    assert emulator.settle()
    slow.may_answer.set()

    assert eventually(lambda: decision(message))
    assert running.stop()
    assert emulator.replies() == []


def test_who_opts_out_meanwhile_is_left_alone(arrives, running, slow, emulator, decision):
    message = arrives("hello")
    assert eventually(lambda: slow.asked)
    stop = arrives("STOP")
    slow.may_answer.set()

    assert eventually(lambda: decision(message) and decision(stop))
    assert emulator.replies() == []


def test_an_answer_that_comes_while_the_worker_stops_is_sent_by_the_next(arrives, app, slow, emulator, run_worker):
    worker = app.extensions["parley"].start_worker()
    arrives("hello")
    assert eventually(lambda: slow.asked)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    slow.may_answer.set()
    stopping.join()
    run_worker()

    assert (emulator.replies(), slow.asked) == (["You wrote: hello"], ["hello"])
