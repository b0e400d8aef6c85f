"""REST: address configurations, which say what becomes of messages that find no conversation."""

from typing import Any

from app.emulator import strictness, validation
from app.emulator.clock import rest_time
from app.emulator.errors import TwilioError, not_found
from app.emulator.models import AddressConfiguration
from app.emulator.rest.request import Answer, RestCall, Route
from app.emulator.rest.serializers import V1

ADDRESS_TYPES = ("sms", "whatsapp", "messenger", "gbm", "email", "rcs", "apple", "chat")
CREATES, METHODS = ("webhook", "studio", "default"), ("get", "post")


def _show_address(call: RestCall, it: AddressConfiguration) -> dict[str, Any]:
    return {
        "sid": it.sid,
        "account_sid": call.account_sid,
        "type": it.type,
        "address": it.address,
        "friendly_name": it.friendly_name,
        "address_country": it.address_country,
        "auto_creation": it.auto_creation,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.updated),
        "url": f"{V1}/Configuration/Addresses/{it.sid}",
    }


def _auto_creation(call: RestCall, before: dict[str, Any]) -> dict[str, Any]:
    form, prefix = call.form, "AutoCreation."
    after = {"enabled": False, "type": "default"} | before
    texts = {
        "Type": "type",
        "ConversationServiceSid": "conversation_service_sid",
        "WebhookUrl": "webhook_url",
        "WebhookMethod": "webhook_method",
        "StudioFlowSid": "studio_flow_sid",
    }
    after |= {field: form[prefix + name] for name, field in texts.items() if prefix + name in form}
    if prefix + "Enabled" in form:
        after["enabled"] = form[prefix + "Enabled"].lower() == "true"
    if prefix + "WebhookFilters" in form:
        after["webhook_filters"] = form.getlist(prefix + "WebhookFilters")
    if prefix + "StudioRetryCount" in form:
        text = form[prefix + "StudioRetryCount"]
        after["studio_retry_count"] = validation.whole_number("AutoCreation.StudioRetryCount", text)
    _check(call, after)
    return after


def _check(call: RestCall, after: dict[str, Any]) -> None:
    """Raise what Twilio would refuse of an autocreation: a kind without what it needs, no URL, no event."""
    if after["type"] not in CREATES or after.get("webhook_method", "post") not in METHODS:
        raise TwilioError(20001, f"AutoCreation.Type must be {', '.join(CREATES)}; its WebhookMethod get or post")
    strictness.url(call.account, after.get("webhook_url"), 20001, "AutoCreation.WebhookUrl")
    strictness.address_filters(call.account, after.get("webhook_filters", ()))
    if after["type"] == "webhook":
        strictness.needed(call.account, after.get("webhook_url"), "AutoCreation.WebhookUrl")
    if after["type"] == "studio":
        strictness.flow(call.account, after.get("studio_flow_sid"))


def create_address(call: RestCall) -> Answer:
    """Say what happens to messages to an address that find no conversation."""
    state, form = call.account.state, call.form
    if form.get("Type") not in ADDRESS_TYPES or not form.get("Address"):
        raise TwilioError(20001, f"Address and a Type among {', '.join(ADDRESS_TYPES)} are required")
    if any(it.address == form["Address"] for it in list(state.addresses.values())):
        raise TwilioError(20001, "The address is configured already", status=409)
    with state.lock:
        now = state.clock.now()
        it = AddressConfiguration(
            sid=state.sid("IG"),
            serial=state.serial(),
            type=form["Type"],
            address=form["Address"],
            friendly_name=form.get("FriendlyName"),
            address_country=form.get("AddressCountry"),
            auto_creation=_auto_creation(call, {}),
            created=now,
            updated=now,
        )
        state.addresses[it.sid] = it
    return 201, _show_address(call, it)


def list_addresses(call: RestCall) -> Answer:
    """List the address configurations."""
    wanted = call.args.get("Type")
    found = [it for it in call.account.state.addresses.values() if wanted in (None, it.type)]
    path = "/Configuration/Addresses"
    return call.page(found, path, "address_configurations", 50, lambda it: _show_address(call, it))


def _find_address(call: RestCall, sid: str) -> AddressConfiguration:
    for it in list(call.account.state.addresses.values()):
        if sid in (it.sid, it.address):
            return it
    raise not_found(f"/Configuration/Addresses/{sid}")


def fetch_address(call: RestCall, sid: str) -> Answer:
    """Fetch an address configuration by SID or address."""
    return 200, _show_address(call, _find_address(call, sid))


def update_address(call: RestCall, sid: str) -> Answer:
    """Change an address configuration."""
    it = _find_address(call, sid)
    it.friendly_name = call.form.get("FriendlyName", it.friendly_name)
    it.auto_creation = _auto_creation(call, it.auto_creation)
    it.updated = call.account.clock.now()
    return 200, _show_address(call, it)


def delete_address(call: RestCall, sid: str) -> Answer:
    """Delete an address configuration."""
    call.account.state.addresses.pop(_find_address(call, sid).sid, None)
    return 204, None


ROUTES = (
    Route("/Configuration/Addresses", {"GET": list_addresses, "POST": create_address}, scoped=False),
    Route(
        "/Configuration/Addresses/<sid>",
        {"GET": fetch_address, "POST": update_address, "DELETE": delete_address},
        scoped=False,
    ),
)
