"""Twilio's REST API as the page uses it: one client for this process, in the service of a conversation."""

from __future__ import annotations

from flask import current_app

from app import config
from app.dashboard.request_context import settings
from app.db.database import Record
from app.operations.account import Account
from app.operations.validation import Refused
from app.runtime.from_settings import make_conversations
from app.twilio_api.client import Conversations


def account_of(conversation: Record) -> Account:
    """Return the account, in the service of a conversation. Raises Refused when the settings do not suffice."""
    if faults := config.faults_for_rest(settings()):
        raise Refused("; ".join(faults))
    calls = current_app.extensions["parley"].rest_calls
    found = current_app.extensions.get("parley.rest") or make_conversations(settings(), note_call=calls.note)
    twilio: Conversations = current_app.extensions.setdefault("parley.rest", found)
    return Account(twilio, conversation.chat_service_sid or settings().service_sid)
