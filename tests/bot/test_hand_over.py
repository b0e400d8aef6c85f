"""When the bot leaves it to a human: handed over by a rule, paused for a time, switched off by an attribute."""

import json

import pytest

from app.store import conversations

pytestmark = pytest.mark.engines("sqlite")


@pytest.fixture
def ada(bot):
    return bot.customer()


def rule(lines, name="test"):
    return f'[[rule]]\nname = "{name}"\n{lines}\n'


def test_after_a_hand_over_the_bot_is_silent_until_somebody_resumes_it(bot, ada, db, emulator):
    bot.rules(
        rule('when = { keywords = ["human"] }\nreply = "A colleague comes."\nhand_over = true', "person")
        + rule('reply = "Thanks."', "default")
    )
    ada.says("a human, please")
    ada.says("hello?")
    assert bot.reason() == 'paused until resumed because the rule "person" handed over to a human'
    bot.advance(days=3)
    ada.says("anybody?")
    assert bot.replies() == ["A colleague comes."]
    with db.write() as tx:
        assert conversations.resume(tx, emulator.messages()[0]["conversation_sid"])
    ada.says("hello again")

    assert bot.replies() == ["A colleague comes.", "Thanks."]


def test_a_pause_ends_by_itself(bot, ada):
    bot.rules(rule('reply = "One moment."\npause = "2h"'))
    ada.says("hello")
    ada.says("hello?")
    assert bot.reason().startswith("paused until")
    bot.advance(hours=2)
    ada.says("hello?")

    assert bot.replies() == ["One moment.", "One moment."]


@pytest.mark.parametrize(
    ("wish", "said"), [("off", ["Thanks."]), ("on", ["Thanks.", "Thanks."]), ("whatever", ["Thanks.", "Thanks."])]
)
def test_an_attribute_of_the_conversation_switches_the_bot(bot, ada, post_webhook, emulator, run_worker, wish, said):
    bot.rules(rule('reply = "Thanks."'))
    ada.says("hello")
    sid = emulator.messages()[0]["conversation_sid"]
    switch(post_webhook, sid, wish)
    run_worker()
    ada.says("hello?")

    assert bot.replies() == said


def test_an_attribute_resumes_what_an_attribute_paused(bot, ada, post_webhook, emulator):
    bot.rules(rule('reply = "Thanks."'))
    ada.says("hello")
    sid = emulator.messages()[0]["conversation_sid"]
    switch(post_webhook, sid, "off", seconds=1)
    ada.says("hello?")
    assert bot.reason() == "paused until resumed because an attribute says so"
    switch(post_webhook, sid, "on", seconds=2)
    ada.says("hello??")

    assert bot.replies() == ["Thanks.", "Thanks."]


def test_an_attribute_that_says_on_as_before_does_not_end_an_agents_pause(bot, ada, post_webhook, emulator):
    bot.rules(rule('reply = "Thanks."'))
    ada.says("hello")
    sid = emulator.messages()[0]["conversation_sid"]
    switch(post_webhook, sid, "on", seconds=1)
    bot.agent().says("I am on it")
    switch(post_webhook, sid, "on", seconds=2)
    ada.says("thank you")

    assert bot.replies() == ["Thanks."]
    assert "an agent wrote" in bot.reason()


def switch(post_webhook, sid, wish, seconds=1):
    attributes = json.dumps({"parley": {"bot": wish}})
    told = {"ConversationSid": sid, "Attributes": attributes, "DateUpdated": f"2099-01-01T00:00:0{seconds}.000Z"}
    assert post_webhook("onConversationUpdated__api", told).status_code == 204


def test_a_stop_that_is_stored_but_not_worked_on_is_heard_before_the_reply(bot, customer_writes, run_worker, emulator):
    bot.rules(rule('reply = "Thanks."'))
    customer_writes("hello")
    customer_writes("STOP")
    run_worker()

    assert emulator.replies() == []


def test_a_start_behind_the_stop_ends_the_silence(bot, customer_writes, run_worker, emulator):
    bot.rules(rule('reply = "Thanks."'))
    for text in ("hello", "STOP", "START"):
        customer_writes(text)
    run_worker()

    assert emulator.replies() == ["Thanks."]
