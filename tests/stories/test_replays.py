"""An old webhook, rightly signed, that comes again after its event was deleted: nobody is answered a second time."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.db.maintenance_tables import purged_keys
from app.privacy import retention
from app.twilio_api.form import webhook_date

THANKS = "Thanks, we will be right back."
SMS = "onMessageAdded__sms_text"
DAY = 24 * 3600.0
CUSTOMER = "+15550100001"


@pytest.fixture
def environ(environ):
    """Messages are answered however old they are, so that their age alone protects nobody."""
    return {**environ, "BOT_MAX_REPLY_AGE_SECONDS": "0"}


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def purge(app, db):
    """Delete what is older than BOT_RETENTION_DAYS, as the worker does once a day."""

    def run() -> dict[str, int]:
        with db.read() as tx:
            before = db.now(tx) - timedelta(days=app.extensions["parley"].settings.retention_days)
        return retention.purge(db, before, wait=lambda _seconds: False)

    return run


@pytest.fixture
def arrives(post_webhook, run_worker):
    """Let a webhook arrive and be worked on."""

    def run(**changes: str | None) -> None:
        assert post_webhook(SMS, {"Author": CUSTOMER, **changes}).status_code == 204
        run_worker()

    return run


@pytest.mark.parametrize("undated", [True, False], ids=["without a date", "with its date"])
def test_after_retention_it_is_known_still(arrives, purge, clock, emulator, flask_command, undated):
    sent = {"DateCreated": None if undated else webhook_date(clock())}
    arrives(**sent)
    clock.advance(31 * DAY)
    assert purge()["inbox"] == 1
    arrives(**sent)

    assert emulator.replies() == [THANKS]
    assert "dealt with before; its event was deleted" in flask_command("inbox", "list")


def test_after_a_purge_by_hand_it_is_known_still(arrives, clock, emulator, flask_command):
    sent = {"DateCreated": webhook_date(clock())}
    arrives(**sent)
    clock.advance(2 * DAY)
    flask_command("inbox", "purge", "--older-than", "1", "--yes")
    arrives(**sent)

    assert emulator.replies() == [THANKS]


def test_it_lifts_no_opt_out_either(arrives, purge, clock, emulator):
    started = {"DateCreated": None, "MessageSid": "IM" + "a" * 32, "Body": "START"}
    arrives(**started)
    clock.advance(31 * DAY)
    purge()
    arrives(MessageSid="IM" + "b" * 32, Body="STOP")
    arrives(**started)
    arrives(MessageSid="IM" + "c" * 32, Body="hello")

    assert emulator.replies() == []


def test_a_message_older_than_what_is_kept_is_never_answered_though_nobody_knows_of_it(
    arrives, clock, emulator, flask_command
):
    sid = "IM" + "d" * 32
    arrives(MessageSid=sid, DateCreated=webhook_date(clock() - timedelta(days=30, minutes=1)))

    assert emulator.replies() == []
    assert "older than BOT_RETENTION_DAYS (30 d)" in flask_command("rules", "explain", sid)


def test_of_messages_older_than_what_is_kept_a_stop_counts_and_a_start_does_not(arrives, clock, emulator):
    old = webhook_date(clock() - timedelta(days=31))
    arrives(MessageSid="IM" + "a" * 32, Body="STOP", DateCreated=old)
    arrives(MessageSid="IM" + "b" * 32, Body="START", DateCreated=old)
    arrives(MessageSid="IM" + "c" * 32, Body="hello")

    assert emulator.replies() == []


def test_a_message_younger_than_what_is_kept_is_answered(arrives, clock, emulator):
    arrives(DateCreated=webhook_date(clock() - timedelta(days=29)))

    assert emulator.replies() == [THANKS]


def test_what_is_left_of_a_key_goes_after_400_days_and_only_messages_leave_one(
    arrives, post_webhook, run_worker, purge, clock, db
):
    arrives()
    post_webhook("onConversationAdded__whatsapp")
    run_worker()
    clock.advance(31 * DAY)
    purge()
    with db.read() as tx:
        left = tx.execute(select(purged_keys)).all()
    clock.advance(401 * DAY)
    purge()

    assert ([len(row.key_hash) for row in left], "IM" in left[0].key_hash) == ([64], False)
    with db.read() as tx:
        assert tx.scalar(select(func.count()).select_from(purged_keys)) == 0
