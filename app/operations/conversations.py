"""Existing conversations: list, show, update, close, reopen, delete. create_conversation.py makes new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.common.quoting import quoted
from app.operations import validation
from app.operations.account import Account, document, must_exist
from app.operations.validation import Refused
from app.twilio_api.errors import SendError

# Source: api/conversation-resource and api/participant-conversation-resource, the largest PageSize; Twilio's OpenAPI
# description of 2026-04-14.
PAGE, PAGE_OF_PARTICIPANT = 100, 50
STATES = ("active", "inactive", "closed")
MOST_PARTICIPANTS_SHOWN = 50
CLOSED = 50377
Document = dict[str, Any]


def list_conversations(
    account: Account, *, state: str = "", start_date: str = "", end_date: str = "", limit: int = 20
) -> list[Document]:
    """Return conversations by state and day of creation (YYYY-MM-DD, UTC). Raises Refused, SendError.

    Twilio takes the first and the last second of a day. Source: api/conversation-resource, read 2026-11-22.
    """
    wanted = {"state": _known_state(state)} if state else {}
    if start_date and end_date and validation.day(start_date) > validation.day(end_date):
        raise Refused(f"--start-date {start_date} is after --end-date {end_date}; exchange them")
    wanted |= {"start_date": f"{validation.day(start_date)}T00:00:00Z"} if start_date else {}
    wanted |= {"end_date": f"{validation.day(end_date)}T23:59:59Z"} if end_date else {}
    size = min(limit, PAGE)
    return account.ask(
        lambda v1: [document(found) for found in v1.conversations.list(limit=limit, page_size=size, **wanted)]
    )


def list_of_participant(
    account: Account, *, address: str = "", identity: str = "", state: str = "", limit: int = 20
) -> list[Document]:
    """Return the conversations an address or an identity takes part in. Raises Refused, SendError.

    Twilio takes one of the two (50451). A number without `whatsapp:` is looked for on SMS only.
    """
    if bool(address) == bool(identity):
        raise Refused("give either --address or --identity, not both")
    who = {"address": validation.address(address)} if address else {"identity": validation.identity(identity)}
    _known_state(state)

    def look(v1: Any) -> list[Document]:
        found: list[Document] = []
        for one in v1.participant_conversations.stream(page_size=PAGE_OF_PARTICIPANT, **who):
            if state in ("", one.conversation_state):
                found.append(document(one))
            if len(found) == limit:
                break
        return found

    return account.ask(look)


def fetch(account: Account, conversation: str) -> Document:
    """Return one conversation by SID or unique name. Raises Refused, SendError."""
    name = validation.conversation(conversation)
    with must_exist(f"conversation {name}", _next_step(account)):
        return document(account.ask(lambda v1: v1.conversations(name).fetch()))


def show(account: Account, conversation: str) -> Document:
    """Return one conversation with `participants` (at most 51) and `last_message`. Raises Refused, SendError."""
    shown, most = fetch(account, conversation), MOST_PARTICIPANTS_SHOWN + 1
    here = str(shown["sid"])
    people = account.ask(lambda v1: v1.conversations(here).participants.list(limit=most, page_size=most))
    newest = account.ask(lambda v1: v1.conversations(here).messages.list(order="desc", limit=1, page_size=1))
    last = document(newest[0]) if newest else None
    return shown | {"participants": [document(one) for one in people], "last_message": last}


def update(
    account: Account,
    conversation: str,
    *,
    friendly_name: str = "",
    unique_name: str = "",
    timers_inactive: str = "",
    timers_closed: str = "",
    messaging_service_sid: str = "",
) -> Document:
    """Change names, timers or messaging service and return the conversation. Raises Refused, SendError."""
    changes = settings(
        friendly_name=friendly_name,
        unique_name=unique_name,
        timers_inactive=timers_inactive,
        timers_closed=timers_closed,
        messaging_service_sid=messaging_service_sid,
    )
    if not changes:
        raise Refused(
            "nothing to change; give --friendly-name, --unique-name, --timers-inactive, --timers-closed "
            "or --messaging-service-sid"
        )
    return change(account, conversation, changes)


def settings(
    *,
    friendly_name: str = "",
    unique_name: str = "",
    timers_inactive: str = "",
    timers_closed: str = "",
    messaging_service_sid: str = "",
) -> dict[str, str]:
    """Return the SDK's parameters for what is given, checked. Raises Refused."""
    found = {
        "friendly_name": friendly_name and validation.name(friendly_name, "the friendly name"),
        "unique_name": unique_name and validation.unique_name(unique_name),
        "timers_inactive": timers_inactive and validation.timer(timers_inactive, "the inactive timer", 1),
        "timers_closed": timers_closed and validation.timer(timers_closed, "the closed timer", 10),
        "messaging_service_sid": messaging_service_sid and validation.sid("MG", messaging_service_sid),
    }
    return {name: value for name, value in found.items() if value}


def close(account: Account, conversation: str) -> Document:
    """Close a conversation for good and return it; one that is closed stays as it is. Raises Refused, SendError."""
    try:
        return change(account, conversation, {"state": "closed"})
    except SendError as error:
        if error.code != CLOSED:
            raise
        return fetch(account, conversation)


def reopen(account: Account, conversation: str) -> Document:
    """Make an inactive conversation active again and return it. Raises Refused for a closed one; SendError.

    Source: conversations-classic/states-timers, read 2026-11-22: closed is final, initializing cannot be changed.
    """
    before = fetch(account, conversation)
    if before["state"] == "closed":
        raise Refused(
            f"{conversation} is closed, and closed is final; make a new one with `flask conversations create`"
        )
    if before["state"] == "initializing":
        raise Refused(f"{conversation} is still being set up by Twilio; try again in a few seconds")
    return before if before["state"] == "active" else change(account, conversation, {"state": "active"})


def delete(account: Account, conversation: str) -> None:
    """Delete a conversation with all its messages. Raises Refused, SendError."""
    name = validation.conversation(conversation)
    with must_exist(f"conversation {name}", _next_step(account)):
        account.ask(lambda v1: v1.conversations(name).delete())


def change(account: Account, conversation: str, changes: Mapping[str, str]) -> Document:
    """Send changes that are checked already and return the conversation. Raises Refused, SendError."""
    name = validation.conversation(conversation)
    with must_exist(f"conversation {name}", _next_step(account)):
        return document(account.ask(lambda v1: v1.conversations(name).update(**changes)))


def _known_state(state: str) -> str:
    if state and state not in STATES:
        raise Refused(f"{quoted(state, 40)} is no state to look for; use one of {', '.join(STATES)}")
    return state


def _next_step(account: Account) -> str:
    where = f"in the service {account.service_sid}" if account.service_sid else "in the default service"
    return f"it was looked for {where}; `--service IS...` says where else to look"
