"""Webhooks that look like a customer's and are nobody's, somebody else's, or old news: what the bot makes of them."""

import pytest
from sqlalchemy import func, select

from app.db.tables import deliveries, delivery_events, inbox
from app.store import messages

SMS, RECEIPT, IM = "onMessageAdded__sms_text", "onDeliveryUpdated__sent", "IM" + "0" * 31 + "4"


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def decided(db, run_worker):
    """Return the code of the decision on the posted message, when the worker has done its work."""

    def code():
        run_worker()
        with db.read() as tx:
            return messages.decision(tx, messages.DecisionKey(IM)).code

    return code


@pytest.mark.parametrize("author", [None, ""], ids=["missing", "empty"])
def test_a_message_without_an_author_is_stored_and_not_answered(post_webhook, decided, emulator, author):
    assert post_webhook(SMS, Author=author).status_code == 204

    assert (decided(), emulator.replies()) == ("no author", [])


def test_a_message_of_another_account_is_stored_and_nothing_is_sent_with_our_credentials(
    post_webhook, decided, emulator, rules_file, clock, run_worker
):
    rules_file.write_text('[[rule]]\nname = "late"\nwhen = { unanswered_for = "5m" }\nreply = "Sorry."\n')
    assert post_webhook(SMS, AccountSid="AC" + "b" * 32).status_code == 204

    assert decided() == "another account"
    clock.advance(600)
    run_worker()
    assert emulator.replies() == []


def test_a_failed_receipt_of_another_account_is_stored_and_twilio_is_not_asked(post_webhook, run_worker, emulator, db):
    post_webhook("onDeliveryUpdated__failed", AccountSid="AC" + "b" * 32)
    before = len(emulator.requests())
    run_worker()

    assert len(emulator.requests()) == before
    with db.read() as tx:
        assert tx.scalar(select(deliveries.c.status)) == "failed"


@pytest.mark.parametrize("status", [None, ""], ids=["missing", "empty"])
def test_a_receipt_without_a_status_changes_nothing(post_webhook, run_worker, db, status):
    post_webhook(RECEIPT, Status="delivered")
    post_webhook(RECEIPT, Status=status, ErrorCode="30003", DateUpdated="2026-11-29T00:00:00.000Z")
    run_worker()

    with db.read() as tx:
        (delivery,) = tx.execute(select(deliveries)).all()
        assert tx.scalar(select(func.count()).select_from(delivery_events)) == 1
        outcomes = tx.scalars(select(inbox.c.outcome).order_by(inbox.c.id)).all()
    assert (delivery.status, delivery.error_code) == ("delivered", 0)
    assert outcomes[-1] == "names no status, so nothing was changed"


def test_an_sms_that_a_new_webhook_is_told_of_later_is_a_customers(post_webhook, decided, emulator):
    """A conversation's own webhook, made with ReplayAfter, gets messages from before with Source=API."""
    post_webhook(SMS, Source="API")

    assert (decided(), len(emulator.replies())) == ("replied", 1)


def test_told_of_it_again_the_bot_answers_once_and_goes_on_with_that_customer(post_webhook, decided, emulator, clock):
    post_webhook(SMS)
    assert decided() == "replied"
    post_webhook(SMS, Source="API")
    clock.advance(7200)
    post_webhook(SMS, MessageSid="IM" + "7" * 32, Body="And now?", Index="9")

    assert (decided(), len(emulator.replies())) == ("replied", 2)


def test_what_a_program_wrote_in_a_chat_is_not_answered(post_webhook, decided, emulator):
    post_webhook("onMessageAdded__chat_sdk", Source="API", MessageSid=IM)

    assert (decided(), emulator.replies()) == ("api", [])
