"""Replies that are more than a short text: a file, a template, a text that is too long for one message."""

import json

import pytest
from sqlalchemy import select

from app.db.tables import replies
from app.twilio_api.client import Conversations

pytestmark = pytest.mark.engines("sqlite")

CONTENT = "HX" + "a" * 32
LONG = "A sentence of some length that is said again and again. " * 60


@pytest.fixture
def ada(bot):
    return bot.customer()


def rule(lines, name="test"):
    return f'[[rule]]\nname = "{name}"\n{lines}\n'


def test_a_file_goes_with_the_reply(bot, ada, tmp_path, emulator):
    (tmp_path / "menu.pdf").write_bytes(b"%PDF-1.7 our menu")
    bot.rules(rule('media = "menu.pdf"\nreply = "Our menu."'))
    ada.says("menu")

    sent = emulator.messages()[-1]
    (media,) = sent["media"]
    assert (sent["body"], sent["author"]) == ("Our menu.", "support-bot")
    assert (media["filename"], media["content_type"], media["size"]) == ("menu.pdf", "application/pdf", 17)


def test_a_file_may_go_without_words(bot, ada, tmp_path, emulator):
    (tmp_path / "wave.gif").write_bytes(b"GIF89a")
    bot.rules(rule('media = "wave.gif"'))
    ada.says("hello")

    assert [one["filename"] for one in emulator.messages()[-1]["media"]] == ["wave.gif"]


def test_a_file_is_uploaded_once_however_often_its_message_is_tried(bot, ada, tmp_path, emulator):
    (tmp_path / "menu.pdf").write_bytes(b"%PDF-1.7 our menu")
    bot.rules(rule('media = "menu.pdf"\nreply = "Our menu."'))
    emulator.faults(fail_next=[{"status": 503, "method": "POST", "path_contains": "/Messages"}])
    ada.says("menu")
    bot.advance(minutes=5)

    uploads = [one for one in emulator.requests() if one["method"] == "POST" and one["path"].endswith("/Media")]
    assert len(uploads) == 1
    assert bot.replies() == ["Our menu."]


def test_a_file_that_is_missing_is_a_dead_event_with_the_reason(bot, ada, flask_command):
    bot.rules(rule('media = "menu.pdf"\nreply = "Our menu."'))
    ada.says("menu")

    (event,) = json.loads(flask_command("inbox", "list", "--state", "dead", "--json"))
    assert event["outcome"] == "the file menu.pdf cannot be read (No such file or directory)"


def test_outside_whatsapps_window_the_template_is_sent(bot, ada, emulator):
    template = f'{{ content_sid = "{CONTENT}", variables = {{ "1" = "{{{{ author }}}}" }} }}'
    bot.rules(rule(f'when = {{ unanswered_for = "25h" }}\nreply = "Sorry."\ntemplate = {template}'))
    ada.says("hello", channel="whatsapp")
    bot.advance(hours=25)

    sent = [one for one in emulator.messages() if one["author"] == "support-bot"]
    assert [one["content_sid"] for one in sent] == [CONTENT]


def test_the_variables_of_a_template_are_filled_in(bot, ada, emulator, db):
    template = f'{{ content_sid = "{CONTENT}", variables = {{ "1" = "{{{{ text }}}}" }} }}'
    bot.rules(rule(f'when = {{ unanswered_for = "25h" }}\ntemplate = {template}'))
    ada.says("my order", channel="whatsapp")
    bot.advance(hours=25)

    with db.read() as tx:
        sent = tx.execute(select(replies)).one()
    assert (sent.content_sid, sent.content_variables, sent.state) == (CONTENT, {"1": "my order"}, "sent")


LONG = "A sentence of some length that is said again and again. " * 60


def test_a_text_that_is_too_long_for_phones_arrives_in_parts_in_order(bot, ada):
    bot.rules(rule(f'reply = "{LONG}"'))
    ada.says("hello")

    assert len(bot.replies()) == 3
    assert " ".join(bot.replies()) == LONG.strip()
    assert max(map(len, bot.replies())) <= 1600


def test_the_parts_of_a_long_text_count_as_one_reply(bot, ada):
    bot.rules('[bot]\nreply_budget = { count = 2, per = "10m" }\n' + rule(f'reply = "{LONG}"'))
    ada.says("one")
    ada.says("two")
    ada.says("three")

    assert len(bot.replies()) == 6
    assert bot.reason().startswith("2 automatic replies within")


def test_in_chat_alone_a_long_text_stays_whole(bot, emulator, environ, webhooks_arrive):
    bot.rules(rule(f'reply = "{LONG}"'))
    twilio = Conversations(
        account_sid=environ["TWILIO_ACCOUNT_SID"], auth_token=environ["TWILIO_AUTH_TOKEN"], base_url=emulator.url
    )
    sid = twilio.ask(lambda client: client.conversations.v1.conversations.create(friendly_name="web").sid)
    emulator.chat(sid, "visitor", "hello")
    bot.works()

    assert bot.replies() == [LONG.strip()]
