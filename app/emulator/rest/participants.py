"""REST: Participants of a conversation, and the conversations an address or identity is in."""

from typing import Any

from app.emulator import participants, strictness, validation
from app.emulator.clock import read_time
from app.emulator.errors import TwilioError
from app.emulator.models import Conversation, Participant
from app.emulator.participants import ParticipantDraft
from app.emulator.rest import serializers
from app.emulator.rest.request import Answer, RestCall, Route


def _show(call: RestCall, participant: Participant) -> dict[str, Any]:
    return call.with_service(serializers.participant(call.account_sid, call.base, participant))


def _find(call: RestCall, name: str, who: str) -> tuple[Conversation, Participant]:
    conversation = call.account.state.conversation(call.service_sid, name)
    return conversation, call.account.state.participant(conversation, who)


def create(call: RestCall, name: str) -> Answer:
    """Let somebody join."""
    form = call.form
    conversation = call.account.state.conversation(call.service_sid, name)
    strictness.role(call.account, call.service_sid, form.get("RoleSid"), "conversation")
    draft = ParticipantDraft(
        identity=validation.name("Identity", form.get("Identity")),
        address=form.get("MessagingBinding.Address") or None,
        proxy_address=form.get("MessagingBinding.ProxyAddress") or None,
        projected_address=form.get("MessagingBinding.ProjectedAddress") or None,
        attributes=validation.attributes(form.get("Attributes"), validation.PARTICIPANT_ATTRIBUTES),
        role_sid=form.get("RoleSid"),
        created=read_time(form.get("DateCreated", "")),
        updated=read_time(form.get("DateUpdated", "")),
    )
    return 201, _show(call, participants.add(call.account, conversation, draft, call.cause))


def list_all(call: RestCall, name: str) -> Answer:
    """List the participants."""
    conversation = call.account.state.conversation(call.service_sid, name)
    path = f"/Conversations/{conversation.sid}/Participants"
    found = list(conversation.participants.values())
    return call.page(found, path, "participants", 100, lambda it: _show(call, it))


def fetch(call: RestCall, name: str, who: str) -> Answer:
    """Fetch a participant by SID or identity."""
    return 200, _show(call, _find(call, name, who)[1])


def update(call: RestCall, name: str, who: str) -> Answer:
    """Change a participant."""
    conversation, participant = _find(call, name, who)
    participants.change(call.account, conversation, participant, _changes(call), call.cause)
    return 200, _show(call, participant)


def _changes(call: RestCall) -> dict[str, Any]:
    form = call.form
    fields = {
        "Identity": "identity",
        "RoleSid": "role_sid",
        "MessagingBinding.ProxyAddress": "proxy_address",
        "MessagingBinding.ProjectedAddress": "projected_address",
        "LastReadTimestamp": "last_read_at",
    }
    strictness.role(call.account, call.service_sid, form.get("RoleSid"), "conversation")
    changes: dict[str, Any] = {field: form[name] for name, field in fields.items() if name in form}
    if "Attributes" in form:
        changes["attributes"] = validation.attributes(form["Attributes"], validation.PARTICIPANT_ATTRIBUTES)
    if "LastReadMessageIndex" in form:
        changes["last_read_index"] = _index(form["LastReadMessageIndex"])
    return changes


def _index(text: str) -> int | None:
    return None if text in ("", "null") else validation.whole_number("LastReadMessageIndex", text)


def delete(call: RestCall, name: str, who: str) -> Answer:
    """Take somebody out of a conversation."""
    conversation, participant = _find(call, name, who)
    participants.remove(call.account, conversation, participant, call.cause)
    return 204, None


def list_conversations_of(call: RestCall) -> Answer:
    """List the conversations that an address or an identity takes part in."""
    address, identity = call.args.get("Address"), call.args.get("Identity")
    if bool(address) == bool(identity):
        raise TwilioError(50451, "Exactly one of Address and Identity is required")
    state = call.account.state

    def show(it: Participant) -> dict[str, Any]:
        conversation = state.conversations[it.conversation_sid]
        user = state.user(conversation.service_sid, it.identity) if it.identity else None
        return serializers.participant_conversation(call.account_sid, call.base, conversation, it, user)

    found = [
        it
        for it in state.named.get(str(address or identity), {}).values()
        if state.conversations[it.conversation_sid].service_sid == call.service_sid
        and (it.identity == identity if identity else address in (it.address, it.projected_address))
    ]
    return call.page(found, "/ParticipantConversations", "conversations", 50, show)


ROUTES = (
    Route("/Conversations/<name>/Participants", {"POST": create, "GET": list_all}),
    Route("/Conversations/<name>/Participants/<who>", {"GET": fetch, "POST": update, "DELETE": delete}),
    Route("/ParticipantConversations", {"GET": list_conversations_of}),
)
