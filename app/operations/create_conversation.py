"""Creates a conversation from a plan, step by step; reports what was made even after a failure."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from app.operations import conversations, participants
from app.operations.account import Account, document, patiently
from app.operations.conversation_plan import ConversationPlan, FirstMessage, who
from app.operations.participant_spec import ParticipantSpec
from app.operations.participants import Added
from app.operations.validation import Refused
from app.twilio_api.addresses import WHATSAPP_WINDOW
from app.twilio_api.errors import SendError, sentence
from app.twilio_api.resources import conversation_of, participant_of

# Source: conversations-classic/using-whatsapp-conversations, read 2026-11-22.
EARLIER, NEWEST, MESSAGES = 50, 10, 20  # conversations of a customer; those looked into, and how far back
SET_UP_SECONDS, POLL_SECONDS = 10.0, 0.25
Result = TypeVar("Result")
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class CreationOutcome:
    """What exists now, and what does not: `problem` is "" when everything was done, `not_done` lists the rest."""

    conversation: dict[str, Any]
    participants: list[dict[str, Any]] = field(default_factory=list)
    message: dict[str, Any] | None = None
    problem: str = ""
    not_done: list[str] = field(default_factory=list)
    go_on: list[str] = field(default_factory=list)  # commands that do the rest


def create(
    account: Account,
    planned: ConversationPlan,
    *,
    sleep: Sleep = time.sleep,
    advance: Callable[[], None] = lambda: None,
) -> CreationOutcome:
    """Make the conversation, add everybody, send the first message, and return what exists; stops at a failure.

    `advance` is called for everybody who was added. An interruption (Ctrl-C) is a failure like others.
    Raises Refused, SendError only when no conversation was made.
    """
    check_at_twilio(account, planned)
    if planned.is_group:
        return _with_message(account, planned, _create_group(account, planned, sleep), sleep)
    made = CreationOutcome(_create_alone(account, planned))
    for one in planned.people:
        try:
            added = patiently(sleep, partial(participants.add_participant, account, str(made.conversation["sid"]), one))
        except (SendError, KeyboardInterrupt) as error:
            return _stopped(account, planned, made, f"{who(one)} could not be added", error)
        made = replace(made, participants=[*made.participants, asdict(added)])
        advance()
    return _with_message(account, planned, made, sleep)


def _create_alone(account: Account, planned: ConversationPlan) -> dict[str, Any]:
    parameters = planned.parameters
    with _told_when_uncertain(planned):
        return document(account.ask(lambda v1: v1.conversations.create(**parameters)))


@contextmanager
def _told_when_uncertain(planned: ConversationPlan) -> Iterator[None]:
    """Say how to find out whether the conversation exists when no answer came."""
    try:
        yield
    except SendError as error:
        if not error.uncertain:
            raise
        name = planned.parameters.get("unique_name")
        look = f"`flask conversations show {name}`" if name else "`flask conversations list`"
        raise Refused(
            f"{sentence(error)}; the conversation may exist all the same, so look with {look} before you try again"
        ) from error


def check_at_twilio(account: Account, planned: ConversationPlan) -> None:
    """Ask Twilio, reading only, whether the plan can work. Raises Refused, SendError.

    An address with its proxy is in one open conversation only (50416). WhatsApp takes a text within 24 hours of the
    customer's last message, else a template (63016).
    """
    text_only = planned.message is not None and not planned.message.content_sid
    for one in planned.people:
        if one.kind in ("sms", "whatsapp"):
            found = conversations.list_of_participant(account, address=one.address, limit=EARLIER)
            _refuse_a_taken_pair(account, one, found)
            if one.kind == "whatsapp" and text_only and not _wrote_lately(account, one.address, found):
                raise Refused(
                    f"{one.address} has not written in the last 24 hours, so WhatsApp takes no free text; "
                    "give a template with --content-sid HX... instead of --body"
                )


def _refuse_a_taken_pair(account: Account, one: ParticipantSpec, found: Sequence[Mapping[str, Any]]) -> None:
    for there in found:
        binding = there["participant_messaging_binding"] or {}
        if there["conversation_state"] != "closed" and binding.get("proxy_address") == one.proxy_address:
            sid = there["conversation_sid"]
            raise Refused(
                f"{one.address} already talks to {one.proxy_address} in {sid} "
                f"({there['conversation_state']}); use that one, or close it first: "
                f"`flask conversations close {sid}{_in_service(account)}`"
            )


def _wrote_lately(account: Account, address: str, found: Sequence[Mapping[str, Any]]) -> bool:
    since = datetime.now(UTC) - WHATSAPP_WINDOW
    by_age = sorted(found, key=lambda there: str(there["conversation_date_created"]), reverse=True)
    for there in by_age[:NEWEST]:
        sid = str(there["conversation_sid"])
        if any(message.author == address and message.date_created >= since for message in _newest(account, sid)):
            return True
    return False


def _newest(account: Account, sid: str) -> list[Any]:
    most = MESSAGES
    return account.ask(lambda v1: list(v1.conversations(sid).messages.list(order="desc", limit=most, page_size=most)))


def _create_group(account: Account, planned: ConversationPlan, sleep: Sleep) -> CreationOutcome:
    """Make a group with its members in one request and wait until Twilio has set it up.

    Member by member would pass through groups that may exist already. Source:
    conversations-classic/api/conversation-with-participants-resource, read 2026-11-22.
    """
    parameters = {**planned.parameters, "participant": [_as_json(one) for one in planned.people]}
    with _told_when_uncertain(planned):
        made = account.ask(lambda v1: v1.conversation_with_participants.create(**parameters))
    waited, found = 0.0, document(made)
    while found["state"] == "initializing" and waited < SET_UP_SECONDS:
        found = conversations.fetch(account, str(made.sid))
        if found["state"] == "initializing":
            sleep(POLL_SECONDS)
            waited += POLL_SECONDS
    account.twilio.record_change(conversation_of(found))  # the answer to the request knew neither its state nor members
    if found["state"] == "closed":
        why = "Twilio could not add everybody and closed it (50427); check the numbers, then create it again"
        undone = [f"add {who(one)}" for one in planned.people]
        return CreationOutcome(found, problem=why, not_done=undone + ["send the first message"] * bool(planned.message))
    if found["state"] == "initializing":
        look = f"flask conversations show {made.sid}{_in_service(account)}"
        undone = ["send the first message"] * bool(planned.message)
        return CreationOutcome(
            found, problem="Twilio is still setting it up; look again in a minute", not_done=undone, go_on=[look]
        )
    members = participants.list_participants(account, str(made.sid))
    for member in members:
        account.twilio.record_change(participant_of(member))
    return CreationOutcome(found, [asdict(_added(member)) for member in members])


def _added(member: Mapping[str, Any]) -> Added:
    shown = dict(member)
    return Added(str(shown["sid"]), participants.kind_of(shown), participants.names_of(shown)[0])


def _as_json(one: ParticipantSpec) -> str:
    parts = {"address": one.address, "proxy_address": one.proxy_address, "projected_address": one.projected_address}
    binding = {name: value for name, value in parts.items() if value}
    shown = {"identity": one.identity, "messaging_binding": binding, "attributes": one.attributes}
    return json.dumps({name: value for name, value in shown.items() if value})


def _with_message(account: Account, planned: ConversationPlan, made: CreationOutcome, sleep: Sleep) -> CreationOutcome:
    if planned.message is None or made.problem:
        return made
    sid, parameters = str(made.conversation["sid"]), planned.message.parameters()
    try:
        sent = patiently(sleep, lambda: account.ask(lambda v1: v1.conversations(sid).messages.create(**parameters)))
    except (SendError, KeyboardInterrupt) as error:
        return _stopped(account, planned, made, "the first message was not sent", error)
    return replace(made, message=document(sent))


def _stopped(
    account: Account,
    planned: ConversationPlan,
    made: CreationOutcome,
    problem: str,
    error: SendError | KeyboardInterrupt,
) -> CreationOutcome:
    """Return what exists after a failure, what does not, and the commands that do the rest."""
    sid, rest = str(made.conversation["sid"]), planned.people[len(made.participants) :]
    undone = [f"add {who(one)}" for one in rest]
    commands = [_add_command(sid, one) for one in rest]
    if planned.message:
        undone.append("send the first message")
        commands.append(_send_command(sid, planned.message))
    why = sentence(error) if isinstance(error, SendError) else "interrupted"
    if not isinstance(error, SendError) or error.uncertain:
        undone[0] += " (no answer came: it may have been done all the same)"
        commands.insert(0, f"flask conversations show {sid}")
    return replace(
        made,
        problem=f"{problem}: {why}",
        not_done=undone,
        go_on=[command + _in_service(account) for command in commands],
    )


def _in_service(account: Account) -> str:
    return f" --service {account.service_sid}" if account.service_sid else ""


def _add_command(sid: str, one: ParticipantSpec) -> str:
    words = ["flask", "participants", "add", sid]
    words += ["--identity", one.identity] if one.kind == "chat" else [f"--{one.kind}", one.address]
    words += ["--proxy-address", one.proxy_address] if one.proxy_address else []
    return shlex.join(words)


def _send_command(sid: str, message: FirstMessage) -> str:
    words = ["flask", "messages", "send", sid]
    for name, value in message.parameters().items():
        words += [f"--{name.replace('_', '-')}", value]
    return shlex.join(words)
