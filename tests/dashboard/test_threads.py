"""One conversation on the page: what was said, what became of it, and why the bot answered or kept silent."""

import pytest

from app.store import conversations as memory
from app.store import deliveries, messages
from tests.support import page_text

BURSTS = """
[bot]
coalesce = "2s"

[[rule]]
name = "echo"
reply = "You said: {{ text }}"
"""
FOLLOW_UP = """
[[rule]]
name = "nobody"
when = { unanswered_for = "10m" }
reply = "Sorry, we are slow today."

[[rule]]
name = "first"
reply = "A human will answer."
"""
SID = "CH" + "1" * 32
OTHERS = "CH" + "2" * 32


def notes_beside(html):
    return [one.text for one in page_text.elements(html) if one.tag == "summary" and one.kind == ""]


def ticks(html):
    return [one.text for one in page_text.elements(html) if one.kind == "ticks"]


def states(html):
    return [one.text for one in page_text.elements(html) if one.kind == "state"]


def test_a_message_and_its_reply_stand_one_below_the_other_with_ticks_and_the_reason(bot, open_thread):
    html = open_thread(bot.customer().says("hello"))

    assert page_text.bubbles(html) == ["hello", "Thanks, we will be right back."]
    assert [one.kind for one in page_text.lines(html)] == ["line customer", "line bot"]
    assert ticks(html) == ["✓✓ delivered"]
    assert '↩ rule "default" matched' in notes_beside(html)


def test_every_rule_that_was_tried_is_told_with_what_did_not_fit(bot, open_thread, page):
    message = bot.customer().says("hello")
    rows = [one.text for one in page_text.elements(open_thread(message)) if one.tag == "tr"]
    whole = page.get(f"/why/{message}").text

    assert rows[-1] == "default ✓ decided"
    assert rows[-2].startswith("order ")
    assert [row in whole for row in ("order", "✓ decided", "Thanks, we will be right back.")] == [True, True, True]


def test_an_agent_is_shown_by_name_and_the_bots_silence_is_explained(bot, open_thread):
    ada = bot.customer()
    ada.says("hello")
    bot.agent().says("Maria here, how can I help?")
    html = open_thread(ada.says("Where is my parcel?"))

    assert [one.kind for one in page_text.lines(html)] == ["line customer", "line bot", "line agent", "line customer"]
    assert page_text.lines(html)[2].text.startswith("support-agent chat")
    assert notes_beside(html)[-1].startswith("∅ paused until")
    assert any(one.id == "paused" for one in page_text.elements(html))


def test_a_failed_delivery_is_explained(bot, open_thread, emulator):
    emulator.carrier("+15550100001", error_code=30003)
    html = open_thread(bot.customer().says("hello"))

    assert ticks(html) == [
        "✗ undelivered 30003: the handset cannot be reached: off, out of coverage, or it takes no SMS; try again later"
    ]


def test_what_each_recipient_got_is_shown_by_name(notes, db, clock, page):
    sid = notes(SID, 0, author="support-agent")
    numbers = ("+15550100001", "+15550100002")
    with db.write() as tx:
        for n, (number, status) in enumerate(zip(numbers, ("read", "undelivered"), strict=True)):
            person = f"MB{n:032x}"
            memory.record_participant(tx, person, {"conversation_sid": SID, "address": f"whatsapp:{number}"})
            receipt = deliveries.Receipt(f"DY{n:032x}", sid, SID, person, "", status, 0, clock())
            deliveries.record_receipt(tx, receipt, inbox_id=n, received_at=clock())

    assert ticks(page.get(f"/c/{SID}").text) == ["✓✓ read +15550100001 ✗ undelivered +15550100002"]


def test_a_reply_that_twilio_refused_is_marked_and_can_be_sent_again(bot, open_thread, emulator):
    emulator.faults(fail_next=[{"status": 400, "code": 50513, "method": "POST"}])
    html = open_thread(bot.customer().says("hello"))

    assert states(html)[0].startswith("not sent ")
    assert page_text.link(html, "Send again").endswith("/resend/" + page_text.lines(html)[0].id.removeprefix("m-"))


def test_edited_and_removed_messages_say_so(bot, open_thread, emulator):
    ada = bot.customer()
    ada.says("hello")
    first = bot.agent().says("Your order cost 10 EUR")
    second = bot.agent().says("Oops, wrong window")
    emulator.advance(5)
    emulator.edit(first, "Your order cost 12 EUR", "support-agent")
    emulator.remove(second, "support-agent")
    bot.works()
    html = open_thread(first)

    assert page_text.bubbles(html)[-2:] == ["Your order cost 12 EUR edited", "This message was removed."]
    assert "wrong window" not in html


def test_media_are_shown_by_name_kind_and_size(bot, open_thread):
    media = [{"content_type": "image/jpeg", "filename": "parcel.jpg", "size": 35_000}]
    html = open_thread(bot.customer().says(media=media))

    assert page_text.bubbles(html)[0] == "📎 parcel.jpg image/jpeg, 35.0 kB"


def test_messages_answered_together_say_so(bot, open_thread):
    bot.rules(BURSTS)
    ada = bot.customer()
    first, second = ada.says("hello"), ada.says("are you there?")
    bot.advance(seconds=3)
    html = open_thread(second)

    assert page_text.bubbles(html) == ["hello", "are you there?", "You said: hello are you there?"]
    assert notes_beside(html) == [
        '↩ rule "echo" matched; 1 more message was decided with it',
        "⤷ decided together with another message",
    ]
    assert page_text.link(html, "The first message of the burst") == f"/m/{first}"


def test_a_follow_up_says_after_how_long_and_why(bot, open_thread):
    bot.rules(FOLLOW_UP)
    message = bot.customer().says("hello")
    bot.advance(minutes=11)
    html = open_thread(message)

    assert page_text.bubbles(html) == ["hello", "A human will answer.", "Sorry, we are slow today."]
    assert "after 10 min without a human" in page_text.lines(html)[2].text
    assert notes_beside(html)[1] == '↩ After 10 min without a human: rule "nobody" matched'


def test_a_message_is_there_as_soon_as_it_is_stored(bot, open_thread, customer_writes):
    open_thread(bot.customer().says("hello"))
    customer_writes("one more thing")
    html = open_thread(bot._last_message)

    assert page_text.bubbles(html)[-1] == "one more thing"
    assert states(html) == ["not decided yet"]


def test_a_message_that_could_not_be_worked_on_is_not_hidden(bot, open_thread, customer_writes, db, page):
    message = bot.customer().says("hello")
    written = customer_writes("the event of this message dies")
    with db.write() as tx:
        tx.exec_driver_sql(
            "UPDATE inbox SET state = 'dead', outcome = 'it broke', finished_at = received_at"
            " WHERE state = 'pending' AND event_type = 'onMessageAdded'"
        )
    html = open_thread(message)

    assert page_text.bubbles(html)[-1] == "the event of this message dies"
    assert states(html) == ["could not be processed it broke The event"]
    assert page.get(page_text.link(html, "The event")).status_code == 200
    assert written["message_sid"] in html


def test_lines_are_sent_again_only_when_they_have_changed(notes, page, db, clock):
    message = notes(SID, 0)
    fragment = f"/fragments/c/{SID}"
    tag = {"If-None-Match": page.get(fragment).headers["ETag"]}
    notes(OTHERS, 0)
    clock.advance(3600)
    assert page.get(fragment, headers=tag).status_code == 304

    receipt = deliveries.Receipt("DY" + "1" * 32, message, SID, "MB" + "1" * 32, "", "delivered", 0, clock())
    with db.write() as tx:
        deliveries.record_receipt(tx, receipt, inbox_id=1, received_at=clock())
    assert "delivered" in page.get(fragment, headers=tag).text


def test_an_edit_in_the_middle_of_a_long_text_is_news(notes, page, db):
    before, after = "word " * 300, " word" * 300
    message = notes(SID, 0, f"{before}not{after}")
    tag = {"If-None-Match": page.get(f"/fragments/c/{SID}").headers["ETag"]}
    with db.write() as tx:
        tx.exec_driver_sql("UPDATE messages SET body = ? WHERE message_sid = ?", (f"{before}now{after}", message))

    assert "now" in page.get(f"/fragments/c/{SID}", headers=tag).text


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}"])
@pytest.mark.parametrize("where", ["text", "author", "filename", "friendly_name", "identity", "rule"])
def test_hostile_words_stay_words(notes, page, db, clock, hostile, where):
    message = notes(
        SID,
        0,
        hostile if where == "text" else "hello",
        hostile if where == "author" else "Ada",
        media=[{"filename": hostile if where == "filename" else "a.jpg", "content_type": "image/jpeg", "size": 1}],
    )
    with db.write() as tx:
        memory.record_conversation(tx, SID, {"friendly_name": hostile if where == "friendly_name" else "Ada"})
        identity = hostile if where == "identity" else "ada"
        memory.record_participant(tx, "MB1", {"conversation_sid": SID, "identity": identity})
        rule = hostile if where == "rule" else "default"
        key, reason = messages.DecisionKey(message), f"rule {rule}"
        decision = messages.NewDecision(
            key, SID, code="replied", rule=rule, reason=reason, tried=[[rule, ""]], observed=[rule]
        )
        messages.record_decision(tx, decision, clock())
    html = page.get(f"/c/{SID}").text

    assert hostile in " ".join(one.text for one in page_text.elements(html))
    assert "<script>alert" not in html
    assert "<img src=x" not in html
