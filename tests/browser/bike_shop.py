"""A day in a bicycle shop that does not exist, to show the page with: people, what they write, and the shop's rules."""

import random
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, Table, select, update
from twilio.rest import Client

from app.db.database import Database
from app.db.tables import (
    Moment,
    conversations,
    decisions,
    deliveries,
    delivery_events,
    inbox,
    messages,
    participants,
    replies,
)
from tests.browser.installation import Installation
from tests.support.webhook_receiver import sdk_client

AGENT = "Maria"
RULES = """
[bot]
timezone = "Europe/Berlin"
pause_after_agent = "30m"

[[rule]]
name = "talk to a person"
when = { keywords = ["a human", "a person", "talk to someone"] }
reply = "Of course. Somebody from our workshop writes to you here shortly."
hand_over = true

[[rule]]
name = "returns (on trial)"
when = { keywords = ["return", "scratch", "broken"] }
reply = "Please send us a photo; we find a solution."
mode = "observe"

[[rule]]
name = "damaged parts"
when = { any = [{ keywords = ["scratch", "broken", "damaged"] }, { media = true }] }
reply = "We are sorry to hear that! Thank you for the picture. The workshop looks at it and answers today."

[[rule]]
name = "order status"
when = { keywords = ["order", "where is my", "delivery"] }
reply = "Hello! Please send me your order number, then I look it up."
cooldown = "10m"

[[rule]]
name = "opening hours"
when = { keywords = ["open", "saturday", "hours"] }
reply = "We are open Monday to Friday from 9:00 to 18:00, and on Saturday from 10:00 to 14:00."

[[rule]]
name = "shipping abroad"
when = { keywords = ["ship", "shipping"] }
reply = "Yes, we ship to all of Europe. Norway takes 4 to 6 days and costs 19 euros."

[[rule]]
name = "greeting"
when = { first_contact = true }
reply = "Hello and welcome at Alder Bikes! How can we help you?"
"""
# channel, number or name, what the conversation is called, what is written: by the customer, or by "Maria: ..."
TALKS = (
    ("sms", "+15550107301", "Jonas Weber", ["STOP"]),
    (
        "sms",
        "+15550107302",
        "Priya Nair",
        [
            "Are you open on Saturday?",
            "Maria: Shall I keep the blue one for you, Priya?",
            "Yes please, see you then!",
        ],
    ),
    ("chat", "tom.eriksen", "Tom Eriksen", ["Hi, do you ship to Norway?", "Maria: Shall I send you an offer, Tom?"]),
    ("whatsapp", "+15550107304", "Amara Okafor", ["I would like to talk to a person, please"]),
    ("sms", "+15550107305", "Greta Lindqvist", ["Where is my order?"]),
    ("whatsapp", "+15550107306", "Mateo Rivera", ["There is a scratch on the frame, please look"]),
    (
        "whatsapp",
        "+15550107307",
        "Lena Hoffmann",
        [
            "Hi! I ordered a city bike last week. Where is my order?",
            "It is 48213",
            "Maria: Thank you, Lena. It leaves our workshop tomorrow morning and is with you on Thursday.",
            "Wonderful, thank you!",
        ],
    ),
)
UNREACHABLE = {"+15550107305": 30003}
PHONE = ("whatsapp", "+15550107307")
BUSY_DAY = 150
CLOSED = 0.9
FAILURES = (0,) * 24 + (30003, 30005, 30007)


def play(shop: Installation) -> str:
    """Let the day happen, the earlier part of it moved back in time; return the ConversationSid of the last talk."""
    die = random.Random(7)
    twilio = sdk_client(shop.emulator.url)
    earlier = [_passing_by(shop, f"+1555010{8000 + n}", die) for n in range(BUSY_DAY)]
    _settle(shop)
    for sid in earlier:
        if die.random() < CLOSED:
            twilio.conversations.v1.conversations(sid).update(state="closed", x_twilio_webhook_enabled="true")
    _settle(shop)
    for sid in earlier:
        _move_back(shop.db, sid, timedelta(minutes=70 + die.random() * 1300))
    sid = ""
    for n, (channel, who, title, texts) in enumerate(TALKS):
        sid = _talk(shop, twilio, channel, who, title, texts)
        _move_back(shop.db, sid, timedelta(minutes=5 * (len(TALKS) - 1 - n)))
    return sid


def _passing_by(shop: Installation, number: str, die: random.Random) -> str:
    channel = die.choice(("sms", "sms", "whatsapp"))
    if code := die.choice(FAILURES):
        shop.emulator.carrier(f"whatsapp:{number}" if channel == "whatsapp" else number, error_code=code)
    text = die.choice(("Are you open today?", "Where is my order?", "Hello!", "Do you ship to Spain?"))
    return str(shop.emulator.inbound(text, sender=number, channel=channel)["conversation_sid"])


def _talk(shop: Installation, twilio: Client, channel: str, who: str, title: str, texts: list[str]) -> str:
    if code := UNREACHABLE.get(who):
        shop.emulator.carrier(who, error_code=code)
    if channel == "whatsapp":
        shop.emulator.look(f"whatsapp:{who}")
    sid = ""
    for text in texts:
        sid = _say(shop, channel, who, text, sid)
        if channel == "whatsapp":
            shop.emulator.look(f"whatsapp:{who}")
    conversation = twilio.conversations.v1.conversations(sid)
    conversation.update(friendly_name=title, x_twilio_webhook_enabled="true")
    _settle(shop)
    return sid


def _say(shop: Installation, channel: str, who: str, text: str, sid: str) -> str:
    by, _, words = text.partition(": ")
    if by == AGENT:
        said = shop.emulator.chat(sid, AGENT, words)
    elif channel == "chat":
        said = shop.emulator.chat("", who, text)
    else:
        said = shop.emulator.inbound(text, sender=who, channel=channel)
    _settle(shop)
    return str(said["conversation_sid"])


def _settle(shop: Installation) -> None:
    """Wait until everything is told and worked off: also the receipts of what the work has sent."""
    for _ in range(2):
        assert shop.emulator.settle(60)
        assert shop.is_idle()


def _move_back(db: Database, conversation_sid: str, span: timedelta) -> None:
    """Let all that is known of a conversation have happened earlier."""
    lanes = [conversation_sid, f"{conversation_sid}:receipts"]
    with db.write() as tx:
        receipts = select(deliveries.c.delivery_receipt_sid).where(deliveries.c.conversation_sid == conversation_sid)
        for table in (conversations, participants, messages, replies, decisions, deliveries):
            _shift(tx, table, table.c.conversation_sid == conversation_sid, span)
        _shift(tx, delivery_events, delivery_events.c.delivery_receipt_sid.in_(receipts), span)
        _shift(tx, inbox, inbox.c.lane.in_(lanes), span)


def _shift(tx: Connection, table: Table, these: ColumnElement[bool], span: timedelta) -> None:
    times = [column.name for column in table.c if isinstance(column.type, Moment)]
    key = list(table.primary_key)
    for row in tx.execute(select(table).where(these)).all():
        here = [column == row._mapping[column.name] for column in key]
        earlier = {name: row._mapping[name] - span for name in times if row._mapping[name]}
        tx.execute(update(table).where(*here).values(**earlier))
