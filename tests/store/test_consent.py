"""Who wants to hear from us: for a person on every channel and in every spelling, with a ledger of each change."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, insert, select

from app.db.consent_tables import consent_ledger, consents
from app.db.tables import participants
from app.store import consent, conversations
from app.store.consent import MAY_OPT_OUT, OPTED_IN, OPTED_OUT, WROTE_AGAIN, ConsentChange, Person

NINE = datetime(2026, 11, 29, 9, tzinfo=UTC)
SMS, WHATSAPP = Person("+15550100001", "sms"), Person("whatsapp:+15550100001", "whatsapp")


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def says(db):
    """Let somebody say something, some hours after nine."""

    def say(person, change, hour=0, *, per_channel=False, **more):
        with db.write() as tx:
            told = ConsentChange(person=person, change=change, at=NINE + timedelta(hours=hour), **more)
            return consent.record(tx, told, per_channel=per_channel)

    return say


@pytest.fixture
def standing(db):
    def look(person, **more):
        with db.read() as tx:
            return consent.standing(tx, person, **more)

    return look


def ledger(db, person):
    with db.read() as tx:
        return [one.change for one in reversed(consent.history(tx, person))]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("+15550100001", "whatsapp:+15550100001"),
        ("whatsapp:+15550100001", "+15550100001"),
        ("rcs:+15550100001", "whatsapp:+15550100001"),
        ("+1 (555) 010-0001", "rcs:+15550100001"),
        ("+5215512345678", "+525512345678"),
        ("whatsapp:+5215512345678", "+525512345678"),
        ("+525512345678", "whatsapp:+5215512345678"),
        ("+5511987654321", "whatsapp:+551187654321"),
        ("whatsapp:+551187654321", "+5511987654321"),
        ("whatsapp:+5491123456789", "+541123456789"),
    ],
)
def test_a_number_is_one_person_however_it_is_written(says, standing, said, asked):
    says(Person(said), OPTED_OUT)
    assert standing(Person(asked)).opted_out

    says(Person(asked), OPTED_IN, 1)
    assert not standing(Person(said)).opted_out


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (Person("+15550100001"), Person("+15550100002")),
        (Person("+15550100001"), Person("+15550100001", "chat")),
        (Person("messenger:4711"), Person("line:4711")),
        (Person("anna", "chat"), Person("Anna", "chat")),
        (Person("+5215512345678"), Person("+5115512345678")),
        (Person("+5511987654321"), Person("+5521987654321")),
    ],
)
def test_nobody_else_is_silenced(says, standing, said, asked):
    says(said, OPTED_OUT)

    assert standing(said).opted_out
    assert not standing(asked).opted_out


def test_each_change_is_written_down_once(says, db):
    assert says(SMS, OPTED_OUT, word="STOP", message_sid="IM1", conversation_sid="CH1")
    assert not says(SMS, OPTED_OUT, 1, word="stop")
    assert says(WHATSAPP, OPTED_IN, 2, word="START")

    with db.read() as tx:
        newest, first = consent.history(tx, SMS)
    assert (first.change, first.word, first.channel, first.at) == ("opted out", "STOP", "sms", NINE)
    assert (first.actor, first.message_sid, first.conversation_sid) == ("the customer", "IM1", "CH1")
    assert (newest.change, newest.word, newest.channel) == ("opted in", "START", "whatsapp")


def test_a_stop_on_another_channel_is_written_down_too(says, db):
    assert says(SMS, OPTED_OUT)
    assert says(WHATSAPP, OPTED_OUT, 1)

    assert ledger(db, SMS) == ["opted out", "opted out"]


def test_what_was_said_earlier_changes_nothing_when_it_comes_later(says, standing):
    says(SMS, OPTED_OUT, 2)

    assert not says(WHATSAPP, OPTED_IN, 1)
    assert standing(SMS).opted_out


def test_of_two_words_at_once_silence_wins(says, standing):
    says(SMS, OPTED_IN)
    says(WHATSAPP, OPTED_OUT)

    assert standing(SMS).opted_out


def test_with_channels_kept_apart_an_opt_out_holds_on_its_own(says, standing):
    says(WHATSAPP, OPTED_OUT, per_channel=True)

    assert standing(WHATSAPP, per_channel=True).opted_out
    assert not standing(SMS, per_channel=True).opted_out
    assert standing(Person("whatsapp:+1 555 0100001", "whatsapp"), per_channel=True).opted_out


def test_with_channels_kept_apart_start_lifts_only_its_own(says, standing):
    says(WHATSAPP, OPTED_OUT, per_channel=True)
    says(SMS, OPTED_OUT, per_channel=True)
    says(SMS, OPTED_IN, 1, per_channel=True)

    assert standing(WHATSAPP, per_channel=True).opted_out
    assert not standing(SMS, per_channel=True).opted_out


def test_what_an_operator_says_holds_on_all_channels_also_where_they_are_kept_apart(says, standing):
    says(Person("+15550100001"), OPTED_OUT, actor="Jo", why="called us", per_channel=True)
    assert standing(WHATSAPP, per_channel=True).opted_out
    assert standing(SMS, per_channel=True).opted_out

    says(Person("+15550100001"), OPTED_IN, 1, actor="Jo", per_channel=True)
    assert not standing(WHATSAPP, per_channel=True).opted_out


def test_a_stop_counts_though_our_clock_is_ahead_of_twilios(says, standing):
    operator = Person("+15550100001")
    says(operator, OPTED_IN, 1, actor="Jo")

    assert says(SMS, OPTED_OUT, 1 - 30 / 3600)  # said after it, by another clock
    assert standing(WHATSAPP).opted_out
    assert not says(WHATSAPP, OPTED_IN, 1 - 20 / 3600)


def test_a_wish_waits_for_a_person_or_for_another_message(says, standing, db):
    assert says(SMS, MAY_OPT_OUT, word="stop please")
    assert standing(WHATSAPP).undecided_since == NINE
    assert not says(SMS, WROTE_AGAIN)  # the same message once more

    assert says(WHATSAPP, WROTE_AGAIN, 1)
    assert standing(SMS).undecided_since is None
    assert ledger(db, SMS) == ["may want to opt out", "wrote again"]


@pytest.mark.parametrize(("change", "opted_out"), [(OPTED_OUT, True), (OPTED_IN, False)])
def test_a_decision_ends_the_question(says, standing, change, opted_out):
    says(SMS, MAY_OPT_OUT)
    assert says(Person("+15550100001"), change, 1, actor="Jo")

    now = standing(SMS)
    assert (now.opted_out, now.undecided_since) == (opted_out, None)
    assert not says(SMS, MAY_OPT_OUT, 0)  # an old message, worked on late


def test_participants_are_marked_for_processes_of_an_earlier_version(says, db):
    rows = [
        {"participant_sid": f"MB{n}", "conversation_sid": "CH1", "address": address, "attributes": {}}
        for n, address in enumerate(["+5215512345678", "whatsapp:+525512345678", "+525512345679"])
    ]
    with db.write() as tx:
        tx.execute(insert(participants), rows)
    says(Person("+525512345678", "sms"), OPTED_OUT)

    def marked():
        with db.read() as tx:
            return tx.scalars(
                select(participants.c.participant_sid)
                .where(participants.c.opted_out_at.is_not(None))
                .order_by(participants.c.participant_sid)
            ).all()

    assert marked() == ["MB0", "MB1"]
    says(Person("whatsapp:+5215512345678", "whatsapp"), OPTED_IN, 1)
    assert marked() == []


@pytest.mark.engines("postgresql")
def test_each_look_up_is_by_an_index_also_before_anything_was_analysed(db):
    rows = [
        {"participant_sid": f"MB{n}", "conversation_sid": f"CH{n}", "address": f"+1555{n:07}", "attributes": {}}
        for n in range(5_000)
    ]
    with db.write() as tx:
        tx.execute(insert(participants), rows)
        for n in range(2):
            told = ConsentChange(person=Person(f"+1555{n:07}"), change=OPTED_OUT, at=NINE)
            consent.record(tx, told)
        persons = [{"person": f"{n}", "channel": "", "status": "out", "changed_at": NINE} for n in range(5_000)]
        tx.execute(insert(consents), persons)

    def plans():
        with db.read() as tx:
            seen = []
            event.listen(tx, "before_cursor_execute", lambda *told: seen.append(told[2:4]))
            conversations.people_of(tx, "CH7", "+15550000007")
            consent.standing(tx, Person("+15550000007"))
            told = list(seen)
            return [str(tx.exec_driver_sql(f"EXPLAIN {statement}", given).all()) for statement, given in told]

    assert len(plans()) == 2
    for plan in plans():
        assert "Seq Scan" not in plan, plan


def test_the_ledger_keeps_no_number(says, db):
    says(SMS, OPTED_OUT, word="STOP")

    with db.read() as tx:
        (row,) = tx.execute(select(consent_ledger)).all()
    assert "5550100001" not in str(row)
