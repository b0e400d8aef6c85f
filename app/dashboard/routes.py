"""The table of all addresses of the page with their views, and what is registered for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint
from flask.typing import ResponseReturnValue

from app.dashboard import (
    agent_reply_form,
    audit,
    auth,
    consents,
    conversation_actions,
    conversations,
    deliveries,
    event_retry,
    events,
    login,
    notifications,
    request_context,
    rules,
)
from app.dashboard.phone import views as phone
from app.dashboard.template_filters import FILTERS
from app.db.database import DatabaseUnavailable

View = Callable[..., ResponseReturnValue]

SHOW, DO, ASK_THEN_DO = ("GET",), ("POST",), ("GET", "POST")

# A view's endpoint is its name: url_for("page.conversation", sid=...).
ROUTES: Sequence[tuple[Sequence[str], str, View]] = (
    (ASK_THEN_DO, "/login", login.log_in),
    (DO, "/logout", login.log_out),
    (SHOW, "/", conversations.conversations),
    (SHOW, "/fragments/list", conversations.list_fragment),
    (SHOW, "/c/<sid>", conversations.conversation),
    (SHOW, "/fragments/c/<sid>", conversations.thread_fragment),
    (SHOW, "/m/<message_sid>", conversations.message),
    (SHOW, "/why/<message_sid>", conversations.why),
    (DO, "/c/<sid>/answer", agent_reply_form.answer),
    (SHOW, "/c/<sid>/consent", consents.consent),
    (DO, "/c/<sid>/consent/<participant_sid>", consents.decide),
    (DO, "/c/<sid>/pause", conversation_actions.pause),
    (DO, "/c/<sid>/resume", conversation_actions.resume),
    (ASK_THEN_DO, "/c/<sid>/close", conversation_actions.close_conversation),
    (ASK_THEN_DO, "/c/<sid>/resend/<reply_to>", conversation_actions.resend),
    (SHOW, "/deliveries", deliveries.deliveries),
    (SHOW, "/events", events.events),
    (SHOW, "/fragments/events", events.events_fragment),
    (SHOW, "/events/<int:event_id>", events.event),
    (SHOW, "/fragments/events/<int:event_id>", events.event_fragment),
    (DO, "/events/<int:event_id>/raw", events.event_raw),
    (SHOW, "/events/<int:event_id>/retry", event_retry.retry_event),
    (DO, "/events/<int:event_id>/retry", event_retry.retry_event_now),
    (SHOW, "/refusals", events.refusals),
    (SHOW, "/rules", rules.rules),
    (SHOW, "/rules/try", rules.rule_trial),
    (SHOW, "/audit", audit.audit_log),
    (SHOW, "/notifications", notifications.notifications),
    (SHOW, "/phone", phone.phone),
    (SHOW, "/fragments/phone", phone.phone_fragment),
    (SHOW, "/fragments/phone-log", phone.phone_log_fragment),
    (DO, "/phone/write", phone.phone_write),
    (DO, "/phone/look", phone.phone_look),
    (DO, "/phone/faults", phone.phone_faults),
    (DO, "/phone/carrier", phone.phone_carrier),
)


def make_blueprint() -> Blueprint:
    """Return the page, to be registered with one application."""
    page = Blueprint("page", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    auth.guard(page)
    for methods, address, view in ROUTES:
        page.add_url_rule(address, view_func=view, methods=methods)
    page.context_processor(request_context.for_all_templates)
    page.context_processor(agent_reply_form.for_threads)
    page.register_error_handler(DatabaseUnavailable, request_context.database_unavailable)
    page.register_error_handler(phone.EmulatorRefused, phone.emulator_refused)
    for name, write in FILTERS.items():
        page.add_app_template_filter(write, name)
    return page
