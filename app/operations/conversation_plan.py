"""Plans a new conversation: settings, participants, first message; validated in full, nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.common.quoting import quoted
from app.operations import channel_limits, conversations, validation
from app.operations.participant_spec import ParticipantSpec, make_spec
from app.operations.validation import CONVERSATION_ATTRIBUTES, Refused

# Source: conversations-classic/conversations-limits and /api/conversation-with-participants-resource, read 2026-11-22.
MOST_PARTICIPANTS, MOST_PHONES, GROUP_SIZES = 1000, 50, range(3, 11)


@dataclass(frozen=True)
class FirstMessage:
    """What is said first: a text, or a template with its variables."""

    author: str
    body: str = ""
    content_sid: str = ""
    content_variables: str = ""

    def parameters(self) -> dict[str, str]:
        """Return the SDK's parameters, without those that are not set."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class ConversationPlan:
    """A conversation as it shall be; everything in it was checked."""

    parameters: Mapping[str, str]
    people: tuple[ParticipantSpec, ...] = ()
    message: FirstMessage | None = None

    @property
    def is_group(self) -> bool:
        """Whether this is a group MMS, which Twilio makes with all its participants in one request."""
        return any(one.kind == "group" for one in self.people)

    def steps(self) -> list[str]:
        """Return what will be done, one sentence each."""
        named = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        steps = [f"create a conversation{f' with {named}' if named else ''}"]
        steps += [f"add {who(one)}" for one in self.people]
        return steps + ([f"send the first message as {self.message.author}"] if self.message else [])


def who(one: ParticipantSpec) -> str:
    """Return how a participant is called in a sentence."""
    ways = {"sms": "by SMS", "whatsapp": "by WhatsApp", "chat": "in the chat", "group": "in the group"}
    through = f" through {one.proxy_address}" if one.proxy_address else ""
    own = f" with our number {one.projected_address}" if one.projected_address and one.identity else ""
    return f"{one.name} {ways[one.kind]}{through}{own}"


def plan(
    *,
    friendly_name: str = "",
    unique_name: str = "",
    attributes: str | Mapping[str, Any] | None = None,
    state: str = "",
    timers_inactive: str = "",
    timers_closed: str = "",
    messaging_service_sid: str = "",
    people: Sequence[ParticipantSpec] = (),
    message: FirstMessage | None = None,
) -> ConversationPlan:
    """Return a plan in which everything is checked; nothing is sent. Raises Refused.

    Timers need a state (50382), so they make it active where none is given.
    """
    parameters = conversations.settings(
        friendly_name=friendly_name,
        unique_name=unique_name,
        timers_inactive=timers_inactive,
        timers_closed=timers_closed,
        messaging_service_sid=messaging_service_sid,
    )
    if attributes:
        found = validation.attributes(attributes, CONVERSATION_ATTRIBUTES)
        parameters["attributes"] = validation.as_json(found, CONVERSATION_ATTRIBUTES)
    if state not in ("", "active", "inactive"):
        raise Refused(f"a conversation cannot be created {quoted(state, 20)}; use active or inactive")
    if state or timers_inactive or timers_closed:
        parameters["state"] = state or "active"
    _check_people(people)
    made = ConversationPlan(parameters, tuple(people), message)
    if message:
        _check_message(made, message)
    return made


def invited(
    *,
    sms: Sequence[str] = (),
    whatsapp: Sequence[str] = (),
    identities: Sequence[str] = (),
    group: Sequence[str] = (),
    proxy_address: str = "",
    projected_address: str = "",
) -> list[ParticipantSpec]:
    """Return who shall join, in the order given by channel. Raises Refused.

    A projected address makes a group MMS: it is our number, and that of the first identity where there is one.
    """
    proxy = proxy_address.removeprefix("whatsapp:")
    if proxy and not (sms or whatsapp):
        raise Refused("--proxy-address goes with --sms or --whatsapp; leave it out")
    if group and not projected_address:
        raise Refused("a group MMS needs your own number; give it with --projected-address +1...")
    if projected_address and not group:
        raise Refused("--projected-address is your own number in a group MMS; name the others with --group +1...")
    people = [make_spec(sms=number, proxy_address=proxy) for number in sms]
    people += [make_spec(whatsapp=number, proxy_address=proxy) for number in whatsapp]
    people += [make_spec(group=number) for number in group]
    ours, others = (identities[:1] or [""], identities[1:]) if projected_address else ([], identities)
    people += [make_spec(identity=identity, projected_address=projected_address) for identity in ours]
    return people + [make_spec(identity=identity) for identity in others]


def _check_people(people: Sequence[ParticipantSpec]) -> None:
    keys = [one.key for one in people]
    twice = [one.name for one in people if keys.count(one.key) > 1]
    if twice:
        raise Refused(f"{twice[0]} is named twice; name everybody once")
    if any(one.kind == "group" for one in people):
        if not all(one.kind == "group" for one in people):
            raise Refused("a group MMS has --group numbers, your --projected-address and at most one --identity only")
        if len(people) not in GROUP_SIZES:
            raise Refused(f"a group MMS has 3 to 10 participants with your own number, not {len(people)}")
    phones = sum(1 for one in people if one.address)
    if phones > MOST_PHONES or len(people) > MOST_PARTICIPANTS:
        raise Refused(
            f"{len(people)} participants, {phones} of them by SMS or WhatsApp; a conversation has at most "
            "1,000, of them 50 by SMS or WhatsApp"
        )


def _check_message(planned: ConversationPlan, message: FirstMessage) -> None:
    if bool(message.body) == bool(message.content_sid):
        raise Refused("the first message is a text (--body) or a template (--content-sid), one of them")
    if message.content_sid:
        validation.sid("HX", message.content_sid)
    validation.content_variables(message.content_variables, message.content_sid)
    validation.name(message.author, "the author")
    reached = channel_limits.channels_of([_as_document(one) for one in planned.people], message.author)
    channel_limits.check_author(reached, message.author)
    channel_limits.check_text(reached, message.body)


def _as_document(one: ParticipantSpec) -> dict[str, Any]:
    """Return how Twilio will show a participant, as far as it decides what a message may be."""
    binding = {
        "type": "whatsapp" if one.kind == "whatsapp" else "sms",
        "address": one.address,
        "projected_address": one.projected_address,
    }
    return {"identity": one.identity, "messaging_binding": None if one.kind == "chat" else binding}
