"""REST of push notifications: Credentials, Bindings and Notifications are kept and shown; nothing is ever pushed."""

import logging
from typing import Any

from flask import request

from app.emulator.clock import rest_time
from app.emulator.errors import TwilioError, not_found
from app.emulator.models import Binding, Credential
from app.emulator.rest.request import Answer, RestCall, Route
from app.emulator.rest.serializers import V1

_log = logging.getLogger(__name__)
PUSH_TYPES = ("apn", "gcm", "fcm")
# The message types that a chat client hears of. Source: chat/rest/binding-resource, read 2026-11-29.
MESSAGE_TYPES = ("removed_from_channel", "new_message", "added_to_channel", "invited_to_channel")
# What notifications can be sent for: the settings of each, by Twilio's parameter names.
_SETTINGS = {
    "new_message": ("NewMessage", ("Enabled", "Template", "Sound", "BadgeCountEnabled")),
    "added_to_conversation": ("AddedToConversation", ("Enabled", "Template", "Sound")),
    "removed_from_conversation": ("RemovedFromConversation", ("Enabled", "Template", "Sound")),
}


def _show_credential(call: RestCall, it: Credential) -> dict[str, Any]:
    return {
        "sid": it.sid,
        "account_sid": call.account_sid,
        "friendly_name": it.friendly_name,
        "type": it.type,
        "sandbox": it.sandbox,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.updated),
        "url": f"{V1}/Credentials/{it.sid}",
    }


def _push_type(text: str | None) -> str:
    if text not in PUSH_TYPES:
        raise TwilioError(20001, f"Type must be one of {', '.join(PUSH_TYPES)}")
    return text


def create_credential(call: RestCall) -> Answer:
    """Keep a credential without its secrets."""
    state, form = call.account.state, call.form
    kind = _push_type(form.get("Type"))
    with state.lock:
        now = state.clock.now()
        it = Credential(state.sid("CR"), state.serial(), form.get("FriendlyName"), kind, form.get("Sandbox"), now, now)
        state.credentials[it.sid] = it
    _log.warning('emulator.never_pushes kept="a credential without its secrets"')
    return 201, _show_credential(call, it)


def list_credentials(call: RestCall) -> Answer:
    """List the credentials."""
    found = list(call.account.state.credentials.values())
    return call.page(found, "/Credentials", "credentials", 50, lambda it: _show_credential(call, it))


def _find_credential(call: RestCall, sid: str) -> Credential:
    if sid not in call.account.state.credentials:
        raise not_found(f"/Credentials/{sid}")
    return call.account.state.credentials[sid]


def fetch_credential(call: RestCall, sid: str) -> Answer:
    """Fetch a credential."""
    return 200, _show_credential(call, _find_credential(call, sid))


def update_credential(call: RestCall, sid: str) -> Answer:
    """Change a credential."""
    it, form = _find_credential(call, sid), call.form
    it.type = _push_type(form.get("Type", it.type))
    it.friendly_name = form.get("FriendlyName") or it.friendly_name
    it.sandbox = form.get("Sandbox", it.sandbox)
    it.updated = call.account.clock.now()
    return 200, _show_credential(call, it)


def delete_credential(call: RestCall, sid: str) -> Answer:
    """Delete a credential."""
    del call.account.state.credentials[_find_credential(call, sid).sid]
    return 204, None


def _show_binding(call: RestCall, it: Binding) -> dict[str, Any]:
    return {
        "sid": it.sid,
        "account_sid": call.account_sid,
        "chat_service_sid": it.service_sid,
        "credential_sid": None,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.created),
        "endpoint": f"twilsock:{it.identity}:{it.sid}",
        "identity": it.identity,
        "binding_type": "twilsock",
        "message_types": list(MESSAGE_TYPES),
        "url": f"{call.base}/Bindings/{it.sid}",
    }


def list_bindings(call: RestCall) -> Answer:
    """List the chat clients that have written, by identity and kind of binding if wanted."""
    identities, kinds = request.args.getlist("Identity"), request.args.getlist("BindingType")
    found = [
        it
        for it in call.account.state.bindings.values()
        if it.service_sid == call.service_sid
        and (not identities or it.identity in identities)
        and (not kinds or "twilsock" in kinds)
    ]
    return call.page(found, "/Bindings", "bindings", 100, lambda it: _show_binding(call, it))


def _find_binding(call: RestCall, sid: str) -> Binding:
    found = call.account.state.bindings.get(sid)
    if found is None or found.service_sid != call.service_sid:
        raise not_found(f"/Bindings/{sid}")
    return found


def fetch_binding(call: RestCall, sid: str) -> Answer:
    """Fetch a chat client's binding."""
    return 200, _show_binding(call, _find_binding(call, sid))


def delete_binding(call: RestCall, sid: str) -> Answer:
    """Delete a chat client's binding; it comes again when the client writes."""
    del call.account.state.bindings[_find_binding(call, sid).sid]
    return 204, None


def fetch_notifications(call: RestCall) -> Answer:
    """Fetch what a service would send notifications for."""
    it = call.account.state.service(call.service_sid)
    shown = {group: _shown_settings(it.notifications, *names) for group, names in _SETTINGS.items()}
    media = {name: it.notifications.get(f"NewMessage.WithMedia.{name}") for name in ("Enabled", "Template")}
    shown["new_message"]["with_media"] = {"enabled": media["Enabled"] == "true", "template": media["Template"] or ""}
    return 200, shown | {
        "account_sid": call.account_sid,
        "chat_service_sid": it.sid,
        "log_enabled": it.notifications.get("LogEnabled") == "true",
        "url": f"{call.base}/Configuration/Notifications",
    }


def _shown_settings(given: dict[str, str], prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
    texts = {name: given.get(f"{prefix}.{name}", "") for name in names}
    words = {"BadgeCountEnabled": "badge_count_enabled"}
    return {
        words.get(name, name.lower()): text == "true" if name.endswith("Enabled") else text
        for name, text in texts.items()
    }


def update_notifications(call: RestCall) -> Answer:
    """Keep what a service shall send notifications for."""
    _log.warning('emulator.never_pushes kept="notification settings"')
    it = call.account.state.service(call.service_sid)
    it.notifications |= {name: text.lower() if name.endswith("Enabled") else text for name, text in call.form.items()}
    return fetch_notifications(call)


ROUTES = (
    Route("/Credentials", {"POST": create_credential, "GET": list_credentials}, scoped=False),
    Route(
        "/Credentials/<sid>",
        {"GET": fetch_credential, "POST": update_credential, "DELETE": delete_credential},
        scoped=False,
    ),
    Route("/Bindings", {"GET": list_bindings}, unscoped=False),
    Route("/Bindings/<sid>", {"GET": fetch_binding, "DELETE": delete_binding}, unscoped=False),
    Route(
        "/Configuration/Notifications",
        {"GET": fetch_notifications, "POST": update_notifications},
        unscoped=False,
    ),
)
