"""A burst that no rule matches: the responder sees all of it once, and what comes later is not part of it."""

import pytest

from app.runtime.worker import make_worker
from tests.support.eventually import eventually
from tests.support.responders import NAME, responds, slow

pytestmark = pytest.mark.engines("sqlite")

__all__ = ["responds", "slow"]
RULES = '[bot]\ncoalesce = "2s"\nresponder_wait = "60s"\n'


@pytest.fixture
def environ(environ, responds):
    return environ | {"BOT_RESPONDER": NAME}


def test_a_message_that_comes_while_the_responder_thinks_about_a_burst_is_a_question_of_its_own(
    app, arrives, clock, responds, emulator, run_worker
):
    asked = []
    responds(lambda message, context: asked.append(message.texts) or f"About: {message.text}")
    arrives("one")
    arrives("two")
    clock.advance(2)
    parley = app.extensions["parley"]
    worker = make_worker(parley.settings, parley.db)
    worker.work_once()
    clock.advance(0.5)
    arrives("three")
    assert eventually(lambda: len(asked) == 1)
    run_worker()
    clock.advance(2)
    run_worker()

    assert emulator.replies() == ["About: one\ntwo", "About: three"]
    assert asked == [("one", "two"), ("three",)]


def test_a_burst_stays_what_the_responder_was_asked_about_though_the_clock_is_set_back(
    arrives, clock, responds, emulator, run_worker
):
    responds(lambda message, _context: f"About: {message.text}")
    arrives("one")
    arrives("two")
    clock.set_by(-3600)
    run_worker()
    clock.advance(2)
    run_worker()

    assert emulator.replies() == ["About: one\ntwo"]


def test_a_burst_stays_what_the_responder_was_asked_about_though_the_rules_change(
    app, arrives, clock, responds, emulator, run_worker, rules_file
):
    responds(lambda message, _context: f"About: {message.text}")
    arrives("one")
    arrives("two")
    clock.advance(2)
    parley = app.extensions["parley"]
    make_worker(parley.settings, parley.db).work_once()
    rules_file.write_text(RULES.replace('coalesce = "2s"\n', ""))
    run_worker()
    clock.advance(60)
    run_worker()

    assert len(emulator.replies()) == 1
