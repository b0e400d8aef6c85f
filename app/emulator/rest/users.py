"""REST: users with the conversations they are in, and roles."""

from typing import Any

from app.emulator import participants, strictness, validation
from app.emulator.account import Cause
from app.emulator.clock import rest_time
from app.emulator.errors import TwilioError, not_found
from app.emulator.models import Conversation, Participant, Role, User
from app.emulator.rest import serializers
from app.emulator.rest.request import Answer, RestCall, Route
from app.emulator.webhook_forms import user_form


def _show(call: RestCall, it: User) -> dict[str, Any]:
    url = f"{call.base}/Users/{it.sid}"
    return {
        "sid": it.sid,
        "account_sid": call.account_sid,
        "chat_service_sid": it.service_sid,
        "role_sid": it.role_sid,
        "identity": it.identity,
        "friendly_name": it.friendly_name,
        "attributes": it.attributes,
        "is_online": it.is_online,
        "is_notifiable": it.is_notifiable,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.updated),
        "url": url,
        "links": {"user_conversations": f"{url}/Conversations"},
    }


def _find(call: RestCall, name: str) -> User:
    found = call.account.state.user(call.service_sid, name)
    if found is None:
        raise not_found(f"/Users/{name}")
    return found


def _apply(call: RestCall, user: User) -> None:
    form = call.form
    attributes = validation.attributes(form.get("Attributes"), validation.PARTICIPANT_ATTRIBUTES)
    strictness.role(call.account, call.service_sid, form.get("RoleSid"), "service")
    user.attributes = attributes if "Attributes" in form else user.attributes
    user.friendly_name = form.get("FriendlyName") or user.friendly_name
    user.role_sid = form.get("RoleSid", user.role_sid)


def create(call: RestCall) -> Answer:
    """Create a user."""
    state, identity = call.account.state, validation.name("Identity", call.form.get("Identity"))
    if not identity:
        raise TwilioError(20001, "Identity is required")
    call.account.count_write(call.service_sid)
    strictness.role(call.account, call.service_sid, call.form.get("RoleSid"), "service")
    with state.lock:
        if state.user(call.service_sid, identity):
            raise TwilioError(50201, "User already exists", status=409)
        user = participants.ensure_user(call.account, call.service_sid, identity, Cause("API", fires=False))
        _apply(call, user)
        form = user_form("onUserAdded", user)
        call.account.fire("onUserAdded", form, call.cause, service_sid=call.service_sid)
    return 201, _show(call, user)


def list_all(call: RestCall) -> Answer:
    """List the users."""
    found = [it for it in call.account.state.users.values() if it.service_sid == call.service_sid]
    return call.page(found, "/Users", "users", 50, lambda it: _show(call, it))


def fetch(call: RestCall, name: str) -> Answer:
    """Fetch a user by SID or identity."""
    return 200, _show(call, _find(call, name))


def update(call: RestCall, name: str) -> Answer:
    """Change a user."""
    user = _find(call, name)
    form = user_form("onUserUpdate", user)
    call.account.ask("onUserUpdate", form, call.cause, service_sid=call.service_sid)
    with call.account.state.lock:
        _apply(call, user)
        user.updated = call.account.clock.now()
        form = user_form("onUserUpdated", user)
        call.account.fire("onUserUpdated", form, call.cause, service_sid=call.service_sid)
    return 200, _show(call, user)


def delete(call: RestCall, name: str) -> Answer:
    """Delete a user."""
    user = _find(call, name)
    call.account.state.users.pop(user.sid, None)
    call.account.state.identities.pop((user.service_sid, user.identity), None)
    return 204, None


def _show_conversation(call: RestCall, user: User, conversation: Conversation, member: Participant) -> dict[str, Any]:
    url = f"{call.base}/Users/{user.sid}/Conversations/{conversation.sid}"
    base = f"{call.base}/Conversations/{conversation.sid}"
    read = member.last_read_index
    unread = sum(1 for it in conversation.messages.values() if read is None or it.index > read)
    return {
        "account_sid": call.account_sid,
        "chat_service_sid": conversation.service_sid,
        "conversation_sid": conversation.sid,
        "unread_messages_count": unread,
        "last_read_message_index": read,
        "participant_sid": member.sid,
        "user_sid": user.sid,
        "friendly_name": conversation.friendly_name,
        "conversation_state": conversation.state,
        "timers": serializers.timers(conversation),
        "attributes": conversation.attributes,
        "date_created": rest_time(conversation.created),
        "date_updated": rest_time(conversation.updated),
        "created_by": conversation.created_by,
        "notification_level": member.notification_level,
        "unique_name": conversation.unique_name,
        "url": url,
        "links": {"participant": f"{base}/Participants/{member.sid}", "conversation": base},
    }


def list_conversations(call: RestCall, name: str) -> Answer:
    """List the conversations a user is in."""
    user, state = _find(call, name), call.account.state

    def show(it: Participant) -> dict[str, Any]:
        return _show_conversation(call, user, state.conversations[it.conversation_sid], it)

    members = [
        it
        for it in state.named.get(user.identity, {}).values()
        if it.identity == user.identity and state.conversations[it.conversation_sid].service_sid == user.service_sid
    ]
    return call.page(members, f"/Users/{user.sid}/Conversations", "conversations", 50, show)


def _find_conversation(call: RestCall, name: str, where: str) -> tuple[User, Conversation, Participant]:
    user = _find(call, name)
    conversation = call.account.state.conversation(call.service_sid, where, code=20404)
    return user, conversation, call.account.state.participant(conversation, user.identity)


def fetch_conversation(call: RestCall, name: str, where: str) -> Answer:
    """Fetch one of the conversations a user is in."""
    return 200, _show_conversation(call, *_find_conversation(call, name, where))


def update_conversation(call: RestCall, name: str, where: str) -> Answer:
    """Set how far a user has read, and whether he wants to be notified."""
    user, conversation, member = _find_conversation(call, name, where)
    member.notification_level = call.form.get("NotificationLevel", member.notification_level)
    index = call.form.get("LastReadMessageIndex", "")
    if index.isdigit():
        participants.read_up_to(call.account, conversation, member, int(index), call.cause)
    return 200, _show_conversation(call, user, conversation, member)


def leave_conversation(call: RestCall, name: str, where: str) -> Answer:
    """Take a user out of a conversation."""
    _, conversation, member = _find_conversation(call, name, where)
    participants.remove(call.account, conversation, member, call.cause)
    return 204, None


def _show_role(call: RestCall, it: Role) -> dict[str, Any]:
    return {
        "sid": it.sid,
        "account_sid": call.account_sid,
        "chat_service_sid": it.service_sid,
        "friendly_name": it.friendly_name,
        "type": it.type,
        "permissions": list(it.permissions),
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.updated),
        "url": f"{call.base}/Roles/{it.sid}",
    }


def create_role(call: RestCall) -> Answer:
    """Create a role."""
    form, permissions = call.form, call.form.getlist("Permission")
    if not form.get("FriendlyName") or not permissions:
        raise TwilioError(20001, "FriendlyName and Permission are required")
    if form.get("Type") not in ("conversation", "service"):
        raise TwilioError(50105, "Type must be conversation or service")
    strictness.permissions(call.account, form["Type"], permissions)
    call.account.count_write(call.service_sid)
    with call.account.state.lock:
        role = call.account.state.add_role(call.service_sid, form["FriendlyName"], form["Type"], permissions)
    return 201, _show_role(call, role)


def list_roles(call: RestCall) -> Answer:
    """List the roles."""
    found = [it for it in call.account.state.roles.values() if it.service_sid == call.service_sid]
    return call.page(found, "/Roles", "roles", 50, lambda it: _show_role(call, it))


def _find_role(call: RestCall, sid: str) -> Role:
    found = call.account.state.roles.get(sid)
    if found is None or found.service_sid != call.service_sid:
        raise not_found(f"/Roles/{sid}")
    return found


def fetch_role(call: RestCall, sid: str) -> Answer:
    """Fetch a role."""
    return 200, _show_role(call, _find_role(call, sid))


def update_role(call: RestCall, sid: str) -> Answer:
    """Replace a role's permissions."""
    role = _find_role(call, sid)
    strictness.permissions(call.account, role.type, call.form.getlist("Permission"))
    role.permissions = tuple(call.form.getlist("Permission"))
    role.updated = call.account.clock.now()
    return 200, _show_role(call, role)


def delete_role(call: RestCall, sid: str) -> Answer:
    """Delete a role."""
    call.account.state.roles.pop(_find_role(call, sid).sid, None)
    return 204, None


_ONE = "/Users/<name>/Conversations/<where>"
ROUTES = (
    Route("/Users", {"POST": create, "GET": list_all}),
    Route("/Users/<name>", {"GET": fetch, "POST": update, "DELETE": delete}),
    Route("/Users/<name>/Conversations", {"GET": list_conversations}),
    Route(_ONE, {"GET": fetch_conversation, "POST": update_conversation, "DELETE": leave_conversation}),
    Route("/Roles", {"POST": create_role, "GET": list_roles}),
    Route("/Roles/<sid>", {"GET": fetch_role, "POST": update_role, "DELETE": delete_role}),
)
