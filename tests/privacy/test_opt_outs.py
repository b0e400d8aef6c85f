"""Who wanted silence has it after being forgotten too: a keyed hash of the address outlives the erasure."""

import hashlib

import pytest
from sqlalchemy import select

from app.db.consent_tables import consent_ledger, consents
from app.db.maintenance_tables import installation_keys
from app.store import consent
from app.store.consent import OPTED_OUT, ConsentChange, Person
from tests.support.one_person import texts

NUMBER = "+15550100001"
WHATSAPP = f"whatsapp:{NUMBER}"


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def erase(flask_command):
    return lambda person=NUMBER: flask_command("privacy", "erase", person, "--yes", "--no-rewrite")


@pytest.fixture
def writes(customer_writes, run_worker, flask_command):
    """Let the person write, by default by WhatsApp, each time in a new conversation, and work it off."""
    earlier: list[str] = []

    def write(text: str, *, worked_off: bool = True, **more: str) -> None:
        for sid in earlier:
            flask_command("conversations", "close", sid, "--yes")
        earlier[:] = [customer_writes(text, **({"channel": "whatsapp"} | more))["conversation_sid"]]
        if worked_off:
            run_worker()

    return write


def test_a_new_conversation_is_not_answered_after_stop_and_erasure(writes, erase, emulator):
    writes("STOP")
    said = erase()
    writes("hello")

    assert emulator.replies() == []
    assert "1 opt-out stays" in said


def test_it_is_still_known_after_a_second_erasure(writes, erase, emulator):
    writes("STOP")
    erase()
    writes("hello")
    erase()
    writes("hello again")

    assert emulator.replies() == []


def test_start_ends_it(writes, erase, emulator):
    writes("STOP")
    erase()
    writes("START")
    writes("hello")

    assert len(emulator.replies()) == 1


def test_who_had_not_opted_out_is_answered_after_an_erasure(writes, erase, emulator):
    writes("hello")
    said = erase()
    writes("hello again")

    assert len(emulator.replies()) == 2
    assert "opt-out" not in said


def test_it_holds_on_every_channel_after_an_erasure_too(writes, erase, emulator):
    writes("STOP")
    erase()
    writes("hello", channel="sms", sender=NUMBER)

    assert emulator.replies() == []


def test_a_stop_that_waited_to_be_worked_on_when_its_writer_was_erased_counts(writes, erase, emulator):
    writes("STOP", worked_off=False)
    erase()
    writes("hello")

    assert emulator.replies() == []


def test_a_start_that_waited_counts_as_well(writes, erase, emulator):
    writes("STOP")
    writes("START", worked_off=False)
    erase()
    writes("hello")

    assert len(emulator.replies()) == 1


def test_the_words_of_the_rules_are_those_that_count(writes, erase, emulator, rules_file):
    rules_file.write_text(f'bot.opt_out_words = ["genug"]\n{rules_file.read_text()}')
    writes("Genug", worked_off=False)
    erase()
    writes("hello")

    assert emulator.replies() == []


@pytest.mark.parametrize(
    "asked",
    [
        NUMBER,
        WHATSAPP,
        "WhatsApp:+15550100001",
        "whatsapp:+1 555 010-0001",
        "whatsapp: +15550100001",
        "rcs:+15550100001",
    ],
)
def test_whichever_way_the_address_is_spelled(db, asked):
    with db.write() as tx:
        consent.record(tx, ConsentChange(person=Person("whatsapp:+1 (555) 0100001"), change=OPTED_OUT, at=db.now(tx)))

    with db.read() as tx:
        assert consent.standing(tx, Person(asked)).opted_out
        assert not consent.standing(tx, Person("+15550100002")).opted_out


def test_what_is_kept_tells_nobody_the_number(writes, erase, db):
    writes("STOP")
    erase()

    with db.read() as tx:
        kept = set(tx.scalars(select(consents.c.person)))
        ledger = tx.execute(select(consent_ledger)).one()
        key = tx.scalar(select(installation_keys.c.value))
    plain = {hashlib.sha256(one.encode()).hexdigest() for one in (NUMBER, WHATSAPP)}
    assert "5550100001" not in texts(db)
    assert (len(key), kept & plain, len(kept)) == (32, set(), 1)
    assert (ledger.person, ledger.change, ledger.word, ledger.channel) == (kept.pop(), "opted out", "STOP", "whatsapp")
    assert (ledger.actor, ledger.why, ledger.message_sid, ledger.conversation_sid) == ("", "", "", "")
