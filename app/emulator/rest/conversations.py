"""REST: Conversations, ConversationWithParticipants and the webhooks of a conversation."""

import dataclasses
import json
from typing import Any

from app.emulator import conversation_webhooks, conversations, participants, strictness, validation
from app.emulator.clock import read_time
from app.emulator.conversations import ConversationDraft
from app.emulator.errors import TwilioError, not_found
from app.emulator.models import Conversation, ScopedHook
from app.emulator.participants import ParticipantDraft
from app.emulator.rest import serializers
from app.emulator.rest.request import Answer, RestCall, Route
from app.emulator.webhook_forms import message_form
from app.emulator.webhook_targets import Target


def _show(call: RestCall, conversation: Conversation) -> dict[str, Any]:
    return serializers.conversation(call.account_sid, call.base, conversation)


def _find(call: RestCall, name: str) -> Conversation:
    return call.account.state.conversation(call.service_sid, name, code=20404)


def _draft(call: RestCall) -> ConversationDraft:
    form = call.form
    wants_timer = bool(form.get("Timers.Inactive") or form.get("Timers.Closed"))
    if wants_timer and not form.get("State"):
        raise TwilioError(50382, "Timers need a State when a conversation is created")
    if form.get("State") == "closed":
        raise TwilioError(50384, "A conversation cannot be created closed")
    strictness.messaging_service(call.account, form.get("MessagingServiceSid"))
    strictness.unique_name(call.account, form.get("UniqueName"))
    email = {"address": form.get("Bindings.Email.Address"), "name": form.get("Bindings.Email.Name")}
    return ConversationDraft(
        friendly_name=validation.name("FriendlyName", form.get("FriendlyName")),
        unique_name=validation.name("UniqueName", form.get("UniqueName")),
        attributes=validation.attributes(form.get("Attributes"), validation.CONVERSATION_ATTRIBUTES),
        messaging_service_sid=form.get("MessagingServiceSid"),
        state=conversations.read_state(form.get("State") or "active"),
        inactive_after=validation.inactive_timer(form.get("Timers.Inactive")),
        closed_after=validation.closed_timer(form.get("Timers.Closed")),
        created=read_time(form.get("DateCreated", "")),
        updated=read_time(form.get("DateUpdated", "")),
        email_binding={name: value for name, value in email.items() if value},
    )


def create(call: RestCall) -> Answer:
    """Create a conversation."""
    call.account.count_write(call.service_sid)
    conversation = conversations.create(call.account, call.service_sid, _draft(call), call.cause)
    return 201, _show(call, conversation)


def list_all(call: RestCall) -> Answer:
    """List the service's conversations, by state and date of creation if wanted."""
    wanted_state = call.args.get("State")
    start, end = call.args.get("StartDate", ""), call.args.get("EndDate", "9999")
    found = [
        conversation
        for conversation in call.account.state.conversations.values()
        if conversation.service_sid == call.service_sid
        and wanted_state in (None, conversation.state)
        and start <= conversation.created.isoformat()
        and conversation.created.isoformat()[: len(end)] <= end
    ]
    return call.page(found, "/Conversations", "conversations", 100, lambda it: _show(call, it))


def fetch(call: RestCall, name: str) -> Answer:
    """Fetch a conversation by SID or unique name."""
    return 200, _show(call, _find(call, name))


def update(call: RestCall, name: str) -> Answer:
    """Change a conversation."""
    conversation = _find(call, name)
    conversations.change(call.account, conversation, call.form, call.cause)
    return 200, _show(call, conversation)


def delete(call: RestCall, name: str) -> Answer:
    """Delete a conversation."""
    conversations.remove(call.account, _find(call, name), call.cause)
    return 204, None


def create_with_participants(call: RestCall) -> Answer:
    """Create a conversation and its participants in one go; it is `initializing` until all have joined.

    When one of them cannot join, the conversation is closed and the request refused.
    Source: api/errors/50427, read 2026-11-22.
    """
    account, wanted = call.account, call.form.getlist("Participant")
    if not 1 <= len(wanted) <= participants.MOST_IN_GROUP:
        raise TwilioError(50426, f"1 to {participants.MOST_IN_GROUP} participants can be created at once")
    account.count_write(call.service_sid)
    drafts = [_participant_draft(text) for text in wanted]
    plan = dataclasses.replace(_draft(call), state="initializing")
    for draft in drafts:
        strictness.role(account, call.service_sid, draft.role_sid, "conversation")
    conversation = conversations.create(account, call.service_sid, plan, call.cause)
    answer = _show(call, conversation)
    try:
        for draft in drafts:
            participants.add(account, conversation, draft, call.cause)
    except TwilioError:
        with account.state.lock:
            conversations.set_state(account, conversation, "closed", "EVENT", call.cause)
        raise
    seconds, fails = account.faults.for_set_up()

    def finish() -> None:
        with account.state.lock:
            conversations.set_state(account, conversation, "closed" if fails else "active", "EVENT", call.cause)

    if seconds:
        account.scheduler.after(seconds, finish)
    else:
        finish()
    return 202, answer


def _participant_draft(text: str) -> ParticipantDraft:
    try:
        wanted = json.loads(text)
        binding = wanted.get("messaging_binding") or {}
        return ParticipantDraft(
            identity=wanted.get("identity"),
            address=binding.get("address"),
            proxy_address=binding.get("proxy_address"),
            projected_address=binding.get("projected_address"),
            role_sid=wanted.get("role_sid"),
            attributes=validation.attributes(wanted.get("attributes"), validation.PARTICIPANT_ATTRIBUTES),
        )
    except (ValueError, AttributeError):
        raise TwilioError(20001, "Participant must be a JSON object") from None


def _show_hook(call: RestCall, conversation: Conversation, hook: ScopedHook) -> dict[str, Any]:
    return call.with_service(serializers.scoped_hook(call.account_sid, call.base, conversation.sid, hook))


def _hook_settings(call: RestCall) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the form's Configuration.* values without that prefix, single and repeated."""
    prefix = "Configuration."
    named = {name.removeprefix(prefix): name for name in call.form if name.startswith(prefix)}
    single = {short: call.form[name] for short, name in named.items()}
    return single, {short: call.form.getlist(name) for short, name in named.items()}


def create_hook(call: RestCall, name: str) -> Answer:
    """Give a conversation a webhook; with ReplayAfter it also gets the messages after that index."""
    conversation = call.account.state.conversation(call.service_sid, name)
    settings, lists = _hook_settings(call)
    with call.account.state.lock:
        conversations.must_be_open(conversation)
        target = call.form.get("Target", "")
        hook = conversation_webhooks.create(call.account, conversation, target, settings, lists)
        _replay(call, conversation, hook)
    return 201, _show_hook(call, conversation, hook)


def _replay(call: RestCall, conversation: Conversation, hook: ScopedHook) -> None:
    if hook.replay_after is None or not hook.url or "onMessageAdded" not in hook.filters:
        return
    for message in conversation.messages.values():
        if message.index > hook.replay_after:
            form = message_form("onMessageAdded", conversation, message, message.created)
            call.account.replay("onMessageAdded", form, conversation, Target(hook.url, hook.method.upper()))


def list_hooks(call: RestCall, name: str) -> Answer:
    """List a conversation's webhooks."""
    conversation = call.account.state.conversation(call.service_sid, name)
    path = f"/Conversations/{conversation.sid}/Webhooks"
    hooks = list(conversation.hooks.values())
    return call.page(hooks, path, "webhooks", 5, lambda it: _show_hook(call, conversation, it))


def _find_hook(call: RestCall, name: str, sid: str) -> tuple[Conversation, ScopedHook]:
    conversation = call.account.state.conversation(call.service_sid, name)
    if sid not in conversation.hooks:
        raise not_found(f"/Conversations/{name}/Webhooks/{sid}")
    return conversation, conversation.hooks[sid]


def fetch_hook(call: RestCall, name: str, sid: str) -> Answer:
    """Fetch one of a conversation's webhooks."""
    return 200, _show_hook(call, *_find_hook(call, name, sid))


def update_hook(call: RestCall, name: str, sid: str) -> Answer:
    """Change one of a conversation's webhooks."""
    conversation, hook = _find_hook(call, name, sid)
    with call.account.state.lock:
        conversation_webhooks.change(call.account, hook, *_hook_settings(call))
    return 200, _show_hook(call, conversation, hook)


def delete_hook(call: RestCall, name: str, sid: str) -> Answer:
    """Delete one of a conversation's webhooks."""
    conversation, hook = _find_hook(call, name, sid)
    conversation.hooks.pop(hook.sid, None)
    return 204, None


ROUTES = (
    Route("/Conversations", {"POST": create, "GET": list_all}),
    Route("/Conversations/<name>", {"GET": fetch, "POST": update, "DELETE": delete}),
    Route("/ConversationWithParticipants", {"POST": create_with_participants}),
    Route("/Conversations/<name>/Webhooks", {"POST": create_hook, "GET": list_hooks}),
    Route(
        "/Conversations/<name>/Webhooks/<sid>",
        {"GET": fetch_hook, "POST": update_hook, "DELETE": delete_hook},
    ),
)
