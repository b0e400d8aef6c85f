"""REST: services, and the configurations and webhooks of account and service."""

from typing import Any

from app.emulator import strictness, validation
from app.emulator.clock import rest_time
from app.emulator.errors import TwilioError
from app.emulator.models import Hooks, Service
from app.emulator.rest.request import Answer, RestCall, Route
from app.emulator.rest.serializers import V1
from app.emulator.state import GLOBAL_EVENTS

SERVICE_EVENTS = tuple(name for name in GLOBAL_EVENTS if not name.startswith("onUser"))


def show_service(call: RestCall, it: Service) -> dict[str, Any]:
    """Return a Service."""
    url = f"{V1}/Services/{it.sid}"
    names = ("conversations", "users", "roles", "bindings", "configuration", "participant_conversations")
    words = {name: "".join(part.capitalize() for part in name.split("_")) for name in names}
    return {
        "sid": it.sid,
        "account_sid": call.account_sid,
        "friendly_name": it.friendly_name,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.updated),
        "url": url,
        "links": {name: f"{url}/{word}" for name, word in words.items()},
    }


def create_service(call: RestCall) -> Answer:
    """Create a service."""
    friendly_name = validation.name("FriendlyName", call.form.get("FriendlyName"))
    if not friendly_name:
        raise TwilioError(20001, "FriendlyName is required")
    with call.account.state.lock:
        return 201, show_service(call, call.account.state.add_service(friendly_name))


def list_services(call: RestCall) -> Answer:
    """List the services."""
    found = list(call.account.state.services.values())
    return call.page(found, "/Services", "services", 100, lambda it: show_service(call, it))


def fetch_service(call: RestCall, sid: str) -> Answer:
    """Fetch a service."""
    return 200, show_service(call, call.account.state.service(sid))


def delete_service(call: RestCall, sid: str) -> Answer:
    """Delete a service with everything in it."""
    state = call.account.state
    with state.lock:
        state.service(sid)
        if sid == state.configuration.chat_service_sid:
            raise TwilioError(20001, "The default service cannot be deleted")
        del state.services[sid]
        for conversation in [it for it in state.conversations.values() if it.service_sid == sid]:
            state.drop(conversation)
    return 204, None


def fetch_account(call: RestCall) -> Answer:
    """Fetch the account's configuration."""
    it = call.account.state.configuration
    return 200, {
        "account_sid": call.account_sid,
        "default_chat_service_sid": it.chat_service_sid,
        "default_messaging_service_sid": it.messaging_service_sid,
        "default_inactive_timer": it.inactive_timer,
        "default_closed_timer": it.closed_timer,
        "url": f"{V1}/Configuration",
        "links": {
            "service": f"{V1}/Services/{it.chat_service_sid}/Configuration",
            "webhooks": f"{V1}/Configuration/Webhooks",
        },
    }


def update_account(call: RestCall) -> Answer:
    """Change the account's configuration."""
    state, form = call.account.state, call.form
    validation.inactive_timer(form.get("DefaultInactiveTimer"))
    validation.closed_timer(form.get("DefaultClosedTimer"))
    strictness.messaging_service(call.account, form.get("DefaultMessagingServiceSid"))
    with state.lock:
        it = state.configuration
        if "DefaultChatServiceSid" in form:
            it.chat_service_sid = state.service(form["DefaultChatServiceSid"]).sid
        it.messaging_service_sid = form.get("DefaultMessagingServiceSid", it.messaging_service_sid)
        it.inactive_timer = form.get("DefaultInactiveTimer", it.inactive_timer or "") or None
        it.closed_timer = form.get("DefaultClosedTimer", it.closed_timer or "") or None
    return fetch_account(call)


def fetch_service_configuration(call: RestCall) -> Answer:
    """Fetch a service's configuration."""
    it = call.account.state.service(call.service_sid)
    url = f"{V1}/Services/{it.sid}/Configuration"
    return 200, {
        "chat_service_sid": it.sid,
        "default_conversation_creator_role_sid": it.roles["channel admin"],
        "default_conversation_role_sid": it.roles["channel user"],
        "default_chat_service_role_sid": it.roles["service user"],
        "reachability_enabled": it.reachability_enabled,
        "url": url,
        "links": {"notifications": f"{url}/Notifications", "webhooks": f"{url}/Webhooks"},
    }


def update_service_configuration(call: RestCall) -> Answer:
    """Change a service's default roles and reachability."""
    it = call.account.state.service(call.service_sid)
    names = {
        "DefaultConversationCreatorRoleSid": ("channel admin", "conversation"),
        "DefaultConversationRoleSid": ("channel user", "conversation"),
        "DefaultChatServiceRoleSid": ("service user", "service"),
    }
    for parameter, (_, kind) in names.items():
        strictness.role(call.account, it.sid, call.form.get(parameter), kind)
    for parameter, (role, _) in names.items():
        if parameter in call.form:
            it.roles[role] = call.form[parameter]
    if "ReachabilityEnabled" in call.form:
        it.reachability_enabled = call.form["ReachabilityEnabled"].lower() == "true"
    return fetch_service_configuration(call)


def _change_hooks(call: RestCall, hooks: Hooks, known: tuple[str, ...]) -> None:
    """Set what the form names. Raises 50055, 50077, 50078 or 20001 for a method, URL, event or target that is none."""
    form = call.form
    method = form.get("Method", hooks.method).upper()
    filters = tuple(name for name in form.getlist("Filters") if name)
    if method not in ("GET", "POST"):
        raise TwilioError(50055, "Method must be GET or POST")
    if not set(filters) <= set(known):
        raise TwilioError(20001, f"Filters must be among {', '.join(known)}")
    strictness.url(call.account, form.get("PreWebhookUrl"), 50077, "PreWebhookUrl")
    strictness.url(call.account, form.get("PostWebhookUrl"), 50078, "PostWebhookUrl")
    strictness.target(call.account, form.get("Target"))
    with call.account.state.lock:
        hooks.method = method
        hooks.filters = filters if "Filters" in form else hooks.filters
        if "PreWebhookUrl" in form:
            hooks.pre_webhook_url = form["PreWebhookUrl"] or None
        if "PostWebhookUrl" in form:
            hooks.post_webhook_url = form["PostWebhookUrl"] or None
        hooks.target = form.get("Target", hooks.target)


def _show_hooks(call: RestCall, hooks: Hooks) -> dict[str, Any]:
    return {
        "account_sid": call.account_sid,
        "method": hooks.method,
        "filters": list(hooks.filters),
        "pre_webhook_url": hooks.pre_webhook_url,
        "post_webhook_url": hooks.post_webhook_url,
    }


def fetch_webhooks(call: RestCall) -> Answer:
    """Fetch the global webhook."""
    hooks = call.account.state.global_hooks
    return 200, _show_hooks(call, hooks) | {"target": hooks.target, "url": f"{V1}/Configuration/Webhooks"}


def update_webhooks(call: RestCall) -> Answer:
    """Change the global webhook."""
    _change_hooks(call, call.account.state.global_hooks, GLOBAL_EVENTS)
    return fetch_webhooks(call)


def fetch_service_webhooks(call: RestCall) -> Answer:
    """Fetch a service's webhook; without a URL when it has none, and the global one is in force."""
    it = call.account.state.service(call.service_sid)
    shown = _show_hooks(call, it.hooks or Hooks())
    url = f"{V1}/Services/{it.sid}/Configuration/Webhooks"
    return 200, shown | {"chat_service_sid": it.sid, "url": url}


def update_service_webhooks(call: RestCall) -> Answer:
    """Change a service's webhook."""
    it = call.account.state.service(call.service_sid)
    hooks = it.hooks or Hooks()
    _change_hooks(call, hooks, SERVICE_EVENTS)
    it.hooks = hooks
    return fetch_service_webhooks(call)


ROUTES = (
    Route("/Services", {"POST": create_service, "GET": list_services}, scoped=False),
    Route("/Services/<sid>", {"GET": fetch_service, "DELETE": delete_service}, scoped=False),
    Route("/Configuration", {"GET": fetch_account, "POST": update_account}, scoped=False),
    Route("/Configuration/Webhooks", {"GET": fetch_webhooks, "POST": update_webhooks}, scoped=False),
    Route(
        "/Configuration",
        {"GET": fetch_service_configuration, "POST": update_service_configuration},
        unscoped=False,
    ),
    Route(
        "/Configuration/Webhooks",
        {"GET": fetch_service_webhooks, "POST": update_service_webhooks},
        unscoped=False,
    ),
)
