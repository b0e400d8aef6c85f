"""What Twilio refuses although it is well written: things that do not exist, are of the wrong kind, or cannot work.

Each function raises a TwilioError with Twilio's code. `--lenient` switches all of them off.
Source: api/errors/<code> and the OpenAPI description of 2026-04-14, read 2026-11-29; 20001 where no page names a code.
"""

import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Concatenate, ParamSpec
from urllib.parse import urlsplit

from app.emulator.account import EmulatedAccount
from app.emulator.errors import TwilioError
from app.emulator.state import GLOBAL_EVENTS

CHECKS = ParamSpec("CHECKS")
_ANY_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
# Post-action events of a conversation: all that a webhook of one conversation, or of an address, may ask for.
# Source: the OpenAPI description, AutoCreation.WebhookFilters; api/conversation-scoped-webhook-resource.
ADDRESS_EVENTS = tuple(
    name
    for name in GLOBAL_EVENTS
    if name.endswith("ed") and not name.startswith("onUser") and name != "onConversationAdded"
)
SCOPED_EVENTS = (*ADDRESS_EVENTS, "onConversationAdded")
# Source: conversations-classic/api/role-resource (permission values), and a public Terraform provider's list.
_BOTH_PERMISSIONS = frozenset(
    "addNonChatParticipant addParticipant deleteAnyMessage deleteConversation deleteOwnMessage editAnyMessage "
    "editAnyMessageAttributes editAnyParticipantAttributes editAnyUserInfo editConversationAttributes "
    "editConversationName editOwnMessage editOwnMessageAttributes editOwnParticipantAttributes editOwnUserInfo "
    "removeParticipant".split()
)
PERMISSIONS = {
    "conversation": _BOTH_PERMISSIONS
    | set("editNotificationLevel leaveConversation sendMediaMessage sendMessage".split()),
    "service": _BOTH_PERMISSIONS | set("createConversation joinConversation".split()),
}


def _unless_lenient(
    check: Callable[Concatenate[EmulatedAccount, CHECKS], None],
) -> Callable[Concatenate[EmulatedAccount, CHECKS], None]:
    @functools.wraps(check)
    def run(account: EmulatedAccount, /, *args: CHECKS.args, **more: CHECKS.kwargs) -> None:
        if not account.options.lenient:
            check(account, *args, **more)

    return run


@_unless_lenient
def role(account: EmulatedAccount, service_sid: str, sid: str | None, kind: str) -> None:
    """Refuse a RoleSid that is none or not the service's (50100), or a role of the other kind (50109, 50100)."""
    if sid is None:
        return
    found = account.state.roles.get(sid)
    if found is None or found.service_sid != service_sid:
        raise TwilioError(50100, "Role not found")
    if found.type != kind:
        raise TwilioError(50109 if kind == "conversation" else 50100, f"The role is not a {kind} role")


@_unless_lenient
def permissions(account: EmulatedAccount, kind: str, names: Iterable[str]) -> None:
    """Refuse a permission that roles of this kind do not have (50104)."""
    unknown = sorted(set(names) - PERMISSIONS.get(kind, frozenset()))
    if unknown:
        raise TwilioError(50104, f"Permission not found for a {kind} role: {', '.join(unknown)}")


@_unless_lenient
def messaging_service(account: EmulatedAccount, sid: str | None) -> None:
    """Refuse a MessagingServiceSid that is none (50341) or not the account's (50342)."""
    if not sid:
        return
    if not is_sid("MG", sid):
        raise TwilioError(50341, "Messaging service SID does not match the pattern MG[0-9a-f]{32}")
    if not account.state.owns(sid):
        raise TwilioError(50342, "Messaging service does not belong to the account")


@_unless_lenient
def content(account: EmulatedAccount, sid: str | None, variables: str | None) -> None:
    """Refuse a ContentSid that is none or unknown (50526), and variables without it (50528) or no object (50527)."""
    if variables and not sid:
        raise TwilioError(50528, "ContentVariables need a ContentSid")
    if sid and not is_sid("HX", sid):
        raise TwilioError(50526, "Content SID does not match the pattern HX[0-9a-f]{32}")
    if sid and not account.state.owns(sid):
        raise TwilioError(50526, "Content SID is not a template of the account")
    if variables and not _is_object(variables):
        raise TwilioError(50527, "ContentVariables is not a JSON object")


@_unless_lenient
def flow(account: EmulatedAccount, sid: str | None) -> None:
    """Refuse a Studio flow that is missing or no FW SID (50367); whether it exists is Studio's matter."""
    if not is_sid("FW", sid or ""):
        raise TwilioError(50367, "FlowSid does not match the pattern FW[0-9a-f]{32}")


@_unless_lenient
def url(account: EmulatedAccount, text: str | None, code: int, parameter: str) -> None:
    """Refuse a URL that is no http(s) URL, or that carries connection overrides (#rc=...), with that code.

    Source: usage/webhooks/webhooks-connection-overrides, read 2026-11-22: overrides are not for Conversations.
    """
    if not text:
        return
    if "#" in text:
        raise TwilioError(code, f"{parameter} must not have a fragment: Conversations takes no connection overrides")
    if not _is_web_url(text):
        raise TwilioError(code, f"{parameter} is not an absolute http or https URL")


@_unless_lenient
def needed(account: EmulatedAccount, text: str | None, parameter: str) -> None:
    """Refuse a parameter that this kind of thing cannot do without (50369, as for a webhook of a conversation)."""
    if not text:
        raise TwilioError(50369, f"{parameter} is required")


@_unless_lenient
def target(account: EmulatedAccount, text: str | None) -> None:
    """Refuse a Target of the global webhook other than webhook and flex (20001)."""
    if text not in (None, "webhook", "flex"):
        raise TwilioError(20001, "Target must be webhook or flex")


@_unless_lenient
def scoped_filters(account: EmulatedAccount, names: Sequence[str]) -> None:
    """Refuse events that a webhook of one conversation cannot ask for: unknown and pre-action ones (50365)."""
    _only(names, SCOPED_EVENTS, 50365)


@_unless_lenient
def address_filters(account: EmulatedAccount, names: Sequence[str]) -> None:
    """Refuse events that an autocreated webhook cannot ask for (50365)."""
    _only(names, ADDRESS_EVENTS, 50365)


@_unless_lenient
def unique_name(account: EmulatedAccount, text: str | None) -> None:
    """Refuse a UniqueName that looks like a SID (50390): nobody could tell which of the two is meant."""
    if text and _ANY_SID.fullmatch(text):
        raise TwilioError(50390, "Unique name should not match a SID pattern")


@_unless_lenient
def webhook_header(account: EmulatedAccount, text: str | None) -> None:
    """Refuse an X-Twilio-Webhook-Enabled that is neither true nor false (20001)."""
    if text is not None and text.lower() not in ("true", "false"):
        raise TwilioError(20001, "X-Twilio-Webhook-Enabled must be true or false")


def is_sid(prefix: str, text: str) -> bool:
    return bool(re.fullmatch(prefix + "[0-9a-fA-F]{32}", text))


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _is_web_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)
    except ValueError:
        return False


def _only(names: Sequence[str], known: Sequence[str], code: int) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise TwilioError(code, f"not an event of this webhook: {', '.join(unknown)}")
