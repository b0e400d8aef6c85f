"""Whom no webhook has described is asked for at Twilio before the first decision: once, for 2 s at most."""

import pytest
from sqlalchemy import select

from app.bot import unknown
from app.db.tables import conversations, participants
from app.runtime.from_settings import make_conversations

RULES = """
[[rule]]
name = "gold"
when = { attributes = { tier = "gold" } }
reply = "Welcome back, gold customer."

[[rule]]
name = "default"
reply = "Thanks."
"""
PHONE = {"messaging_binding_address": "+15550100001", "messaging_binding_proxy_address": "+15550100099"}


@pytest.fixture
def time_to_answer(monkeypatch):
    """Twilio is asked for as long as it takes: a busy machine may need more than two seconds."""
    monkeypatch.setattr(unknown, "SECONDS", 60.0)


@pytest.fixture
def desk(app):
    """A program of others that writes through REST: nobody tells us."""
    return make_conversations(app.extensions["parley"].settings, None).ask(lambda client: client).conversations.v1


@pytest.fixture
def ada(bot):
    bot.rules(RULES)
    return bot.customer()


@pytest.fixture
def asked(emulator):
    """Return what was asked for at Twilio: "conversation" or "participant", in order."""

    def read():
        paths = [one["path"] for one in emulator.requests() if one["method"] == "GET"]
        return [
            "participant" if "/Participants/MB" in path else "conversation" for path in paths if "/Messages" not in path
        ]

    return read


@pytest.fixture
def gold(desk, emulator, time_to_answer):
    """A conversation of a gold customer that a desk has made."""
    made = desk.conversations.create(friendly_name="web", attributes='{"tier": "gold"}')
    made.participants.create(**PHONE)
    return made.sid


def test_attributes_that_a_desk_wrote_through_rest_are_seen_at_the_first_message(bot, ada, gold, asked):
    ada.says("hello")

    assert bot.replies() == ["Welcome back, gold customer."]
    assert asked() == ["conversation", "participant"]


def test_twilio_is_asked_once(bot, ada, gold, asked):
    ada.says("hello")
    ada.says("hello again")

    assert len(bot.replies()) == 2
    assert asked() == ["conversation", "participant"]


def test_nothing_is_asked_of_a_conversation_that_began_with_the_message(bot, ada, asked):
    ada.says("hello")
    ada.says("hello again")

    assert bot.replies() == ["Thanks.", "Thanks."]
    assert asked() == []


def test_nothing_is_asked_of_one_whose_added_event_is_stored_behind_the_message(
    bot, ada, emulator, app, post_webhook, asked
):
    message = {"ConversationSid": "CH" + "7" * 32, "MessageSid": "IM" + "7" * 32, "Author": "+15550100001"}
    message["ParticipantSid"] = "MB" + "7" * 32
    post_webhook("onMessageAdded__sms_text", message)
    binding = {"MessagingBinding.Address": "+15550100001"}
    post_webhook("onConversationAdded__whatsapp", {"ConversationSid": message["ConversationSid"], **binding})
    bot.works()

    assert asked() == []


def test_an_agent_whom_a_desk_added_through_rest_is_not_answered(bot, ada, desk, emulator):
    made = desk.conversations.create(friendly_name="web")
    made.participants.create(identity="agent-1", attributes='{"role": "agent"}')
    written = emulator.chat(made.sid, "agent-1", "good morning")
    bot.works()

    assert bot.replies() == []
    assert bot.reason(written["message_sid"]) == "a human agent wrote"


def test_a_pause_that_a_desk_wrote_through_rest_holds_at_the_first_message(bot, ada, gold, desk):
    desk.conversations(gold).update(attributes='{"parley": {"bot": "off"}}')
    ada.says("hello")

    assert bot.replies() == []
    assert "an attribute says so" in bot.reason()


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 404, "code": 20404}, {"status": 429, "retry_after": 1}])
def test_when_twilio_does_not_tell_the_webhook_counts_and_the_next_message_asks_again(
    fault, bot, ada, gold, emulator, passes
):
    emulator.faults(fail_next=[{"method": "GET", "path_contains": f"Conversations/{gold}", **fault}])
    ada.says("hello")
    passes(5)
    bot.works()
    ada.says("hello again")

    assert bot.replies() == ["Thanks.", "Welcome back, gold customer."]


def test_a_twilio_that_does_not_answer_holds_nobody_up_for_longer_than_two_seconds(
    bot, ada, gold, emulator, app, monkeypatch
):
    monkeypatch.setattr(unknown, "SECONDS", 2.0)
    emulator.faults(latency=4.0)
    ada.says("hello")

    assert bot.replies() == ["Thanks."]
    with app.extensions["parley"].db.read() as tx:
        assert tx.scalar(select(conversations.c.fetch_due)) is True
        assert tx.scalar(select(participants.c.fetch_due)) is True


def test_a_webhook_of_the_same_second_is_settled_by_asking(bot, ada, emulator, desk, app, post_webhook, asked):
    ada.says("hello")
    sid = emulator.messages()[0]["conversation_sid"]
    ours = make_conversations(app.extensions["parley"].settings, app.extensions["parley"].db)
    shown = ours.ask(lambda client: client.conversations.v1.conversations(sid).update(attributes='{"tier": "gold"}'))
    late = f"{shown.date_updated:%Y-%m-%dT%H:%M:%S}.500Z"
    told = {"ConversationSid": sid, "DateUpdated": late, "Attributes": '{"tier": "silver"}', "State": "active"}
    post_webhook("onConversationUpdated__api", told)
    bot.works()
    assert asked() == []
    ada.says("hello again")

    assert bot.replies() == ["Thanks.", "Welcome back, gold customer."]
    assert asked() == ["conversation"]


def test_an_acknowledgement_asks_nothing(ada, gold, emulator, customer_writes, asked):
    customer_writes("hello")

    assert asked() == []
