"""The participants of a conversation, one by one: add, list, find, remove, update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.common.quoting import quoted
from app.operations import validation
from app.operations.account import Account, document, must_exist
from app.operations.participant_spec import Kind, ParticipantSpec, make_spec
from app.operations.validation import Refused
from app.twilio_api.addresses import without_marks
from app.twilio_api.errors import SendError, named

# Source: api/errors/<code>, read 2026-11-22: the identity, or the member of a group, is there already.
THERE_ALREADY = (50433, 50437)
PAIR_IN_USE = 50416
PAGE = 100  # Source: Twilio's OpenAPI description: the most participants of one page
LIST = "`flask conversations list` shows what there is"
Shown = dict[str, Any]


@dataclass(frozen=True)
class Added:
    """Who is in the conversation now; `address` is the number, WhatsApp address or identity, `already`: was before."""

    sid: str
    kind: Kind
    address: str
    already: bool = False


def add(
    account: Account,
    conversation: str,
    *,
    sms: str = "",
    whatsapp: str = "",
    group: str = "",
    identity: str = "",
    proxy_address: str = "",
    projected_address: str = "",
    attributes: Mapping[str, Any] | str | None = None,
) -> Added:
    """Add one participant and return it; one who is there already is returned as it is. Raises Refused, SendError."""
    one = make_spec(
        sms=sms,
        whatsapp=whatsapp,
        group=group,
        identity=identity,
        proxy_address=proxy_address,
        projected_address=projected_address,
        attributes=attributes,
    )
    with must_exist(f"conversation {conversation}", LIST):
        return add_participant(account, conversation, one)


def add_participant(account: Account, conversation: str, one: ParticipantSpec) -> Added:
    """Add somebody who was checked before; may be asked again after an answer that never came. Raises SendError."""
    name = validation.conversation(conversation)
    try:
        created = account.ask(lambda v1: v1.conversations(name).participants.create(**one.parameters()))
    except SendError as error:
        if error.code not in (*THERE_ALREADY, PAIR_IN_USE):
            raise
        for found in list_participants(account, name):
            if key_of(found) == one.key:
                return Added(found["sid"], one.kind, one.name, already=True)
        raise
    return Added(named("MB", created.sid), one.kind, one.name)


def list_participants(account: Account, conversation: str, *, limit: int | None = None) -> list[Shown]:
    """Return the participants with Twilio's field names, the oldest first. Raises Refused, SendError."""
    name = validation.conversation(conversation)
    size = min(PAGE, limit or PAGE)
    with must_exist(f"conversation {name}", LIST):
        listed = account.ask(lambda v1: v1.conversations(name).participants.list(limit=limit, page_size=size))
    return [document(participant) for participant in listed]


def find(account: Account, conversation: str, names: Iterable[str]) -> list[Shown]:
    """Return the participants of these SIDs, addresses or identities, each once. Raises Refused, SendError.

    They are looked for in the list: an identity may have characters that no URL can carry as they are.
    """
    wanted = [_as_listed(name) for name in names]
    everybody = list_participants(account, conversation) if wanted else []
    found = [_the_one(everybody, name, conversation) for name in wanted]
    return list({participant["sid"]: participant for participant in found}.values())


def remove(account: Account, conversation: str, participant_sid: str) -> None:
    """Take one participant out of a conversation. Raises Refused, SendError."""
    name, sid = validation.conversation(conversation), validation.sid("MB", participant_sid)
    account.ask(lambda v1: v1.conversations(name).participants(sid).delete())


def update(account: Account, conversation: str, who: str, *, role_sid: str = "", proxy_address: str = "") -> Shown:
    """Change a participant's role or our number towards it, and return it. Raises Refused, SendError."""
    changes = {"role_sid": validation.sid("RL", role_sid)} if role_sid else {}
    if proxy_address:
        validation.phone_number(proxy_address.removeprefix("whatsapp:"))
    if not changes and not proxy_address:
        raise Refused("nothing to change; give --role-sid RL... or --proxy-address +1...")
    (participant,) = find(account, conversation, [who])
    if proxy_address:
        changes["messaging_binding_proxy_address"] = _proxy_for(participant, proxy_address)
    return change(account, conversation, participant, changes)


def change(account: Account, conversation: str, participant: Shown, changes: Mapping[str, Any]) -> Shown:
    """Set the SDK's parameters `changes` of a participant that was found, and return it. Raises SendError."""
    name, sid = validation.conversation(conversation), participant["sid"]
    return document(account.ask(lambda v1: v1.conversations(name).participants(sid).update(**changes)))


def key_of(participant: Shown) -> tuple[str, str]:
    """Return what a conversation holds once only, as ParticipantSpec.key gives it."""
    binding = participant["messaging_binding"] or {}
    if binding.get("address"):
        return binding["address"], binding.get("proxy_address") or ""
    if participant["identity"]:
        return "identity", participant["identity"]
    return "projected", binding.get("projected_address") or ""


def kind_of(participant: Shown) -> Kind:
    """Return how a participant takes part: sms, whatsapp, chat or group."""
    binding = participant["messaging_binding"] or {}
    if not binding:
        return "chat"
    if not binding.get("proxy_address"):
        return "group"
    return "whatsapp" if str(binding.get("address")).startswith("whatsapp:") else "sms"


def names_of(participant: Shown) -> list[str]:
    """Return the address, identity and projected address that a participant has, the best known first."""
    binding = participant["messaging_binding"] or {}
    names = (binding.get("address"), participant["identity"], binding.get("projected_address"))
    return [name for name in names if name]


def _the_one(everybody: list[Shown], name: str, conversation: str) -> Shown:
    found = [it for it in everybody if it["sid"] == name or name in names_of(it)]
    if not found:
        raise Refused(
            f"nobody in {conversation} is {quoted(name, 40)}; `flask participants list {conversation}` shows who"
        )
    if len(found) > 1:
        which = ", ".join(f"{it['sid']} ({kind_of(it)}, by {_proxy(it)})" for it in found)
        raise Refused(f"{quoted(name, 40)} is {len(found)} participants: {which}; give the SID of one")
    return found[0]


def _as_listed(name: str) -> str:
    """Return an address as Twilio writes it, however a person wrote it; an identity as it is. Raises Refused."""
    plain = without_marks(name)
    if plain.startswith("+") or validation.is_address(plain):
        return validation.address(plain)
    return validation.identity(plain)


def _proxy(participant: Shown) -> str:
    binding = participant["messaging_binding"] or {}
    return str(binding.get("proxy_address") or binding.get("projected_address") or "no number")


def _proxy_for(participant: Shown, proxy_address: str) -> str:
    kind = kind_of(participant)
    if kind == "whatsapp":
        return validation.whatsapp_address(proxy_address)
    if kind != "sms":
        raise Refused(f"{_name(participant)} has no proxy address (it is {kind}); only SMS and WhatsApp have one")
    if proxy_address.startswith("whatsapp:"):
        raise Refused(f"{_name(participant)} takes part by SMS; give a proxy address without whatsapp:")
    return validation.phone_number(proxy_address)


def _name(participant: Shown) -> str:
    return (names_of(participant) or [participant["sid"]])[0]
