"""What a new account needs before the first reply, as steps that say what they would do before they do it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from app.operations import (
    addresses,
    conversation_plan,
    conversations,
    create_conversation,
    message_plan,
    messages,
    webhooks,
)
from app.operations.account import Account
from app.operations.addresses import AutoCreation
from app.operations.conversation_plan import FirstMessage
from app.operations.participant_spec import make_spec
from app.operations.validation import Refused

MOST_NUMBERS, MOST_ADDRESSES, MOST_CONVERSATIONS = 1000, 200, 50
TEST_MESSAGE = "This is a test message from Parley. Answer it, and the bot answers you."
FINAL = ("delivered", "read", "failed", "undelivered")


@dataclass(frozen=True)
class Done:
    """What a step did, in a sentence; for a message where it is."""

    sentence: str
    conversation_sid: str = ""
    message_sid: str = ""


@dataclass(frozen=True)
class Step:
    """One change at Twilio: how things are, what would be done (a line each), and what does it; none: all is well."""

    now: str
    shown: tuple[str, ...] = ()
    run: Callable[[], Done] | None = None  # raises Refused, SendError


def numbers(account: Account) -> list[str]:
    """Return the phone numbers of the account. Raises SendError."""
    most = MOST_NUMBERS
    owned = account.twilio.ask(lambda client: client.incoming_phone_numbers.list(limit=most, page_size=most))
    return [str(one.phone_number) for one in owned]


def address_step(account: Account, number: str) -> Step:
    """Return what lets messages to a number begin conversations. Raises Refused, SendError."""
    kind = "whatsapp" if number.startswith("whatsapp:") else "sms"
    address = addresses.address_of(kind, number)
    known = addresses.list_addresses(account, limit=MOST_ADDRESSES)
    found = next((one for one in known if one["address"] == address), None)
    if found is None:
        form = f"Type={kind} Address={address} AutoCreation.Enabled=true"
        return Step(
            f"a message to {address} begins no conversation",
            (f"POST /v1/Configuration/Addresses  {form}", f"as `flask addresses create --address {address} --enabled`"),
            partial(_create_address, account, address),
        )
    if (found["auto_creation"] or {}).get("enabled"):
        return Step(f"a message to {address} begins a conversation ({found['sid']})")
    return Step(
        f"a message to {address} begins no conversation: {found['sid']} says so",
        (
            f"POST /v1/Configuration/Addresses/{found['sid']}  AutoCreation.Enabled=true",
            f"as `flask addresses update {address} --enabled`",
        ),
        partial(_enable_address, account, address),
    )


def webhook_step(account: Account, public_url: str) -> Step:
    """Return what lets the account's webhook call Parley with all events that it acts on. Raises Refused, SendError."""
    account = replace(account, service_sid="")
    now = webhooks.fetch(account)
    wanted = webhooks.pointed_at(now, public_url)
    if now == replace(wanted, target=wanted.target or now.target):
        return Step(f"the account's webhook is {webhooks.in_words(now)}")
    return Step(
        f"the account's webhook is {webhooks.in_words(now)}",
        (
            f"POST /v1/Configuration/Webhooks  Method={wanted.method} PostWebhookUrl={wanted.post_webhook_url} "
            f"PreWebhookUrl= Target={wanted.target}",
            f"Filters={' '.join(wanted.filters)}",
            f"as `flask webhooks point {public_url}`",
        ),
        lambda: Done(f"The account's webhook is {webhooks.in_words(webhooks.put(account, wanted))} now."),
    )


def message_step(account: Account, number: str, to: str, author: str, *, now: datetime) -> Step:
    """Return what sends one message to a phone, in the conversation that it has or in a new one.

    Raises Refused, SendError. `now` is for WhatsApp's 24 hours, which a free text must be within.
    """
    person = make_spec(
        whatsapp=to if number.startswith("whatsapp:") else "",
        sms="" if number.startswith("whatsapp:") else to,
        proxy_address=number,
    )
    sid = _open_conversation(account, person.address, person.proxy_address)
    if sid:
        draft = message_plan.Draft(body=TEST_MESSAGE, default_author=author)
        ready = message_plan.plan(account, sid, draft, db=None, now=now)
        shown = (f"POST /v1/Conversations/{sid}/Messages  Author={ready.author} Body={TEST_MESSAGE}",)
        return Step(f"{to} talks to {number} in {sid}", shown, lambda: _sent(account, ready))
    first = FirstMessage(author=author, body=TEST_MESSAGE)
    planned = conversation_plan.plan(friendly_name="Parley's test", people=[person], message=first)
    create_conversation.check_at_twilio(account, planned)
    return Step(
        f"{to} has no conversation with {number}",
        (*planned.steps(), f"Body={TEST_MESSAGE}"),
        lambda: _sent_in_a_new_one(account, planned),
    )


def delivery_of(account: Account, sent: Done, *, seconds: float, wait: Callable[[float], None] = time.sleep) -> str:
    """Return what became of a message, as soon as that is final or when time is over. Raises Refused, SendError."""
    until = time.monotonic() + seconds
    while True:
        receipts = messages.show(account, sent.conversation_sid, sent.message_sid)["delivery_receipts"]
        if (receipts and all(one["status"] in FINAL for one in receipts)) or time.monotonic() >= until:
            return _receipts_in_words(receipts)
        wait(0.5)


def _create_address(account: Account, address: str) -> Done:
    made = addresses.create(account, address, auto_creation=AutoCreation(enabled=True))
    return Done(f"Created {made['sid']}: messages to {address} begin conversations now.")


def _enable_address(account: Account, address: str) -> Done:
    changed = addresses.update(account, address, auto_creation=AutoCreation(enabled=True))
    return Done(f"Changed {changed['sid']}: messages to {address} begin conversations now.")


def _open_conversation(account: Account, address: str, number: str) -> str:
    """Return the open conversation of a pair of addresses, of which there is one at most, or ""."""
    for there in conversations.list_of_participant(account, address=address, limit=MOST_CONVERSATIONS):
        binding = there["participant_messaging_binding"] or {}
        if there["conversation_state"] != "closed" and binding.get("proxy_address") == number:
            return str(there["conversation_sid"])
    return ""


def _sent(account: Account, ready: message_plan.MessagePlan) -> Done:
    (message,) = messages.send(account, ready)
    sid = str(message["sid"])
    return Done(f"Sent {sid} in {ready.conversation_sid}.", ready.conversation_sid, sid)


def _sent_in_a_new_one(account: Account, planned: conversation_plan.ConversationPlan) -> Done:
    made = create_conversation.create(account, planned)
    if made.problem or made.message is None:
        raise Refused(made.problem or "the message was not sent")
    where, sid = str(made.conversation["sid"]), str(made.message["sid"])
    return Done(f"Sent {sid} in {where}, which is new.", where, sid)


def _receipts_in_words(receipts: list[dict[str, Any]]) -> str:
    if not receipts:
        return "Twilio tells nothing of its delivery yet; `flask deliveries list` shows it when it does."
    statuses = [f"{one['status']} {one['meaning'] or ''}".strip() for one in receipts]
    return f"Delivery: {', '.join(statuses)}."
