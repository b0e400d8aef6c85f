"""Doctor's checks at Twilio: credentials, clock, webhooks, phone numbers, addresses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from app.operations import webhooks
from app.operations.doctor_report import OK, PROBLEM, WARNING, Check, DoctorContext, Finding, account_scope
from app.operations.webhooks import ServiceWebhook, Webhook
from app.twilio_api.client import is_here

MOST_CLOCK_SECONDS = 60
MOST_NUMBERS = 1000
MOST_ADDRESSES = 200


def credentials(context: DoctorContext) -> list[Finding]:
    """Return whether Twilio accepts the credentials, and how far this machine's clock is from Twilio's."""
    request = account_scope(context).ask_account
    answer = request(lambda v1: v1.configuration().fetch_with_http_info())
    accepted = f"accepted for {context.settings.account_sid}"
    return [Finding("credentials", OK, accepted), clock(answer.headers or {}, context.now())]


def clock(headers: Mapping[str, str], now: datetime) -> Finding:
    """Return whether the clock is near the Date of an answer; replies, tokens and timers depend on it."""
    try:
        date = parsedate_to_datetime(headers["Date"])
    except (KeyError, ValueError):
        return Finding("clock", WARNING, "Twilio's answer has no date to compare with")
    ahead = round((now - date.replace(tzinfo=date.tzinfo or UTC)).total_seconds())
    found = f"{abs(ahead)} s {'ahead of' if ahead >= 0 else 'behind'} Twilio's"
    if abs(ahead) <= MOST_CLOCK_SECONDS:
        return Finding("clock", OK, found)
    return Finding("clock", PROBLEM, found, "set this machine's clock, best by NTP")


def global_webhook(context: DoctorContext) -> list[Finding]:
    """Return whether the account's webhook calls us, in the right way, with all events we act on."""
    if not context.settings.public_url:
        return [Finding("global webhook", PROBLEM, "PUBLIC_URL is empty, so where it should go is not known")]
    now = webhooks.fetch(account_scope(context))
    problems = _faults(now, context.settings.public_url)
    if problems:
        step = "run `flask webhooks point " + context.settings.public_url + "`"
        return [Finding("global webhook", PROBLEM, "; ".join(problems), step, repair="webhook")]
    insecure = _fault_of_scheme(context)
    if insecure:
        step = "set PUBLIC_URL to an https address that the internet can reach, then `flask webhooks point` to it"
        return [Finding("global webhook", PROBLEM, insecure, step)]
    if now.pre_webhook_url:
        found = f"{webhooks.in_words(now)}; what that answers can forbid a message, and one that fails loses it"
        step = f"unless you want that, run `flask webhooks point {context.settings.public_url}`, which takes it away"
        return [Finding("global webhook", WARNING, found, step, repair="webhook")]
    return [Finding("global webhook", OK, webhooks.in_words(now))]


def services(context: DoctorContext) -> list[Finding]:
    """Return which services have a webhook of their own, and whether that one calls us as it should."""
    overriding = webhooks.overriding_services(account_scope(context))
    if not overriding:
        return [Finding("services", OK, "none has a webhook of its own")]
    ours = context.settings.service_sid or _default_service(context)
    return [_of_service(one, context.settings.public_url, ours) for one in overriding]


def numbers(context: DoctorContext) -> list[Finding]:
    """Return the numbers whose classic SMS webhook may answer too: then a customer gets two replies.

    Source: conversations-classic/inbound-autocreation, read 2026-11-22: a number's own webhook may fire as well.
    """
    account = account_scope(context)
    owned = account.twilio.ask(lambda client: client.incoming_phone_numbers.list(limit=MOST_NUMBERS, page_size=1000))
    answering = [one for one in owned if one.sms_url or one.sms_application_sid]
    if not answering:
        return [Finding("numbers", OK, f"none of {len(owned)} has a classic SMS webhook")]
    captured = {str(one.address) for one in _addresses(context) if _begins_conversations(one)}
    return [_of_number(one, str(one.phone_number) in captured) for one in answering]


def addresses(context: DoctorContext) -> list[Finding]:
    """Return which addresses begin a conversation by themselves when somebody new writes."""
    found = _addresses(context)
    names = [str(one.address) for one in found if _begins_conversations(one)]
    if names:
        return [Finding("addresses", OK, f"{', '.join(names)} begin a conversation by themselves")]
    step = (
        "`flask addresses create --address +1... --enabled`; where a messaging service does it (Twilio's API does not "
        "show its switch), or you add people yourself, nothing"
    )
    return [Finding("addresses", PROBLEM, "no number begins a conversation when somebody new writes", step)]


CHECKS: dict[str, Check] = {
    "global webhook": global_webhook,
    "services": services,
    "numbers": numbers,
    "addresses": addresses,
}


def _faults(now: Webhook, public_url: str) -> list[str]:
    wanted = public_url + webhooks.ROUTE
    if not now.post_webhook_url:
        return ["no post-event URL is set"]
    missing = [name for name in webhooks.needed_filters() if name not in now.filters]
    problems = [
        (now.post_webhook_url != wanted, f"it calls {webhooks.in_words(now)}, not {wanted}"),
        (now.method != "POST", f"it is called by {now.method or 'GET'}, not POST"),
        (bool(missing), f"it leaves out {', '.join(missing)}"),
        (now.target not in ("", "webhook"), f"its target is {now.target}, not webhook"),
    ]
    return [sentence for applies, sentence in problems if applies]


def _fault_of_scheme(context: DoctorContext) -> str:
    address = urlsplit(context.settings.public_url)
    if is_here(context.settings.api_base_url):
        return ""  # an emulator on this machine may call us on this machine
    if is_here(context.settings.public_url):
        return f"{context.settings.public_url} is an address of this machine only"
    return "" if address.scheme == "https" else f"{context.settings.public_url} is not https: texts travel in the clear"


def _of_service(one: ServiceWebhook, public_url: str, ours: str) -> Finding:
    problems = _faults(one.webhook, public_url)
    name = f"{one.service_sid} ({one.friendly_name}) has a webhook of its own"
    if not problems:
        return Finding("services", OK, f"{name}, and it calls us")
    step = f"run `flask webhooks clear --service {one.service_sid}`, or set it to call us"
    state = PROBLEM if one.service_sid == ours else WARNING
    return Finding("services", state, f"{name}, so the global one gets nothing of it: {'; '.join(problems)}", step)


def _of_number(number: Any, captured: bool) -> Finding:
    answers = f"{number.phone_number} also has a classic SMS webhook"
    url = str(number.sms_url or "")
    where = f" at {urlsplit(url).hostname or url[:40]}" if url else " by its TwiML application"
    step = "remove it from the number in the Twilio console, or let only one of the two answer"
    return Finding("numbers", PROBLEM if captured else WARNING, answers + where, step)


def _addresses(context: DoctorContext) -> list[Any]:
    ask = account_scope(context).ask_account
    return list(ask(lambda v1: v1.address_configurations.list(limit=MOST_ADDRESSES, page_size=50)))


def _begins_conversations(address: Any) -> bool:
    return bool((address.auto_creation or {}).get("enabled"))


def _default_service(context: DoctorContext) -> str:
    found = account_scope(context).ask_account(lambda v1: v1.configuration().fetch())
    return str(found.default_chat_service_sid or "")
