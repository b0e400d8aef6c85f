"""Everything that exists in the emulated account: kept in memory, found by SID, guarded by one lock.

Holds and finds; the rules of what may happen are in conversations.py, participants.py and messages.py.
"""

import hashlib
import itertools
import os
import threading
from collections.abc import Iterable
from datetime import datetime

from app.emulator.clock import EmulatorClock
from app.emulator.errors import not_found
from app.emulator.models import (
    AccountConfiguration,
    AddressConfiguration,
    Binding,
    Conversation,
    Credential,
    EmulatedMessage,
    Hooks,
    Participant,
    Role,
    Service,
    StoredMedia,
    User,
)
from app.emulator.options import Options

GLOBAL_EVENTS = tuple(
    f"on{thing}{ending}"
    for thing, endings in {
        "Message": ("Add", "Added", "Update", "Updated", "Remove", "Removed"),
        "Conversation": ("Add", "Added", "Update", "Updated", "Remove", "Removed", "StateUpdated"),
        "Participant": ("Add", "Added", "Update", "Updated", "Remove", "Removed"),
        "User": ("Added", "Update", "Updated"),
        "Delivery": ("Updated",),
    }.items()
    for ending in endings
)
POST_EVENTS = tuple(name for name in GLOBAL_EVENTS if name.endswith("ed"))
# What every service begins with. Source: recorded answers of live accounts in public repositories (roles in the words
# of Conversations, and of Chat, from which they come), read 2026-11-29.
_MODERATION = (
    "deleteConversation removeParticipant editConversationName editConversationAttributes addParticipant "
    "editAnyMessage editAnyMessageAttributes editAnyParticipantAttributes deleteAnyMessage"
)
_WRITING = "sendMessage sendMediaMessage leaveConversation editNotificationLevel"
_DEFAULT_ROLES = {
    "channel admin": ("conversation", f"{_WRITING} {_MODERATION}"),
    "channel user": (
        "conversation",
        f"{_WRITING} editOwnParticipantAttributes editOwnMessage editOwnMessageAttributes deleteOwnMessage",
    ),
    "service admin": ("service", f"createConversation joinConversation editAnyUserInfo {_MODERATION}"),
    "service user": ("service", "createConversation joinConversation editOwnUserInfo"),
}
Pair = tuple[str, str]


class State:
    """The account's resources. Callers hold `lock` while they read several things or change one."""

    def __init__(self, options: Options, clock: EmulatorClock) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.account_sid = options.account_sid
        self._first_hooks = first_hooks(options, options.webhook_url, options.public_url)
        self._first_numbers = options.numbers
        self._first_owned = options.owned
        self._seed = os.urandom(16).hex() if options.seed is None else str(options.seed)
        self._serials = itertools.count(1)
        self._fixed = {prefix: self._sid_of(prefix, options.account_sid) for prefix in ("IS", "MG")}
        self.reset()

    def reset(self) -> None:
        """Empty the account. SIDs go on where they were: none is ever given twice."""
        with self.lock:
            self.services: dict[str, Service] = {}
            self.conversations: dict[str, Conversation] = {}
            self.unique_names: dict[tuple[str, str], str] = {}
            self.pairs: dict[Pair, str] = {}
            self.named: dict[str, dict[str, Participant]] = {}
            self.users: dict[str, User] = {}
            self.identities: dict[tuple[str, str], str] = {}
            self.roles: dict[str, Role] = {}
            self.addresses: dict[str, AddressConfiguration] = {}
            self.numbers: dict[str, str] = dict.fromkeys(self._first_numbers, "")  # each with its classic SMS webhook
            self.owned = {*self._first_owned, self._fixed["MG"]}
            self.media: dict[str, StoredMedia] = {}
            self.messages: dict[str, EmulatedMessage] = {}
            self.credentials: dict[str, Credential] = {}
            self.bindings: dict[str, Binding] = {}
            self.opted_out: set[Pair] = set()
            self.last_inbound: dict[Pair, datetime] = {}
            self.global_hooks = _copy_hooks(self._first_hooks)
            self.configuration = AccountConfiguration(self._fixed["IS"], self._fixed["MG"])
            self.add_service("Default Conversations Service", sid=self._fixed["IS"])

    def sid(self, prefix: str) -> str:
        """Return a new SID; with the same seed the same sequence in each run."""
        return self._sid_of(prefix, f"{self._seed}:{next(self._serials)}")

    def serial(self) -> int:
        """Return the next creation number."""
        return next(self._serials)

    @staticmethod
    def _sid_of(prefix: str, text: str) -> str:
        return prefix + hashlib.sha256(f"{prefix}:{text}".encode()).hexdigest()[:32]

    def set_first_hooks(self, hooks: Hooks) -> None:
        """Configure the global webhook, now and after each reset."""
        with self.lock:
            self._first_hooks = hooks
            self.global_hooks = _copy_hooks(hooks)

    def add_service(self, friendly_name: str, *, sid: str = "") -> Service:
        """Create a service with its four default roles."""
        now = self.clock.now()
        sid = sid or self.sid("IS")
        roles = {}
        for name, (kind, permissions) in _DEFAULT_ROLES.items():
            roles[name] = self.add_role(sid, name, kind, permissions.split()).sid
        self.services[sid] = Service(sid, self.serial(), friendly_name, now, now, roles)
        return self.services[sid]

    def add_role(self, service_sid: str, name: str, kind: str, permissions: Iterable[str]) -> Role:
        """Create a role."""
        now = self.clock.now()
        role = Role(self.sid("RL"), self.serial(), service_sid, name, kind, tuple(permissions), now, now)
        self.roles[role.sid] = role
        return role

    def owns(self, sid: str) -> bool:
        """Return whether a content template or messaging service is the account's."""
        return sid in self.owned or sid[:2] in self.owned

    def service(self, sid: str) -> Service:
        """Return the service, or raise 20404."""
        if sid not in self.services:
            raise not_found(f"/Services/{sid}")
        return self.services[sid]

    def conversation(self, service_sid: str, name: str, *, code: int = 50350) -> Conversation:
        """Return the service's conversation by SID or unique name, or raise a 404 with that code."""
        sid = self.unique_names.get((service_sid, name), name)
        found = self.conversations.get(sid)
        if found is None or found.service_sid != service_sid:
            raise not_found(f"/Conversations/{name}", code=code)
        return found

    def message(self, conversation: Conversation, sid: str) -> EmulatedMessage:
        """Return the conversation's message, or raise 20404."""
        if sid not in conversation.messages:
            raise not_found(f"/Conversations/{conversation.sid}/Messages/{sid}")
        return conversation.messages[sid]

    def participant(self, conversation: Conversation, name: str) -> Participant:
        """Return the conversation's participant by SID or identity, or raise 20404."""
        found = conversation.participants.get(name) or self.member(conversation, name, chat_only=True)
        if found is None:
            raise not_found(f"/Conversations/{conversation.sid}/Participants/{name}")
        return found

    def member(self, conversation: Conversation, name: str, *, chat_only: bool = False) -> Participant | None:
        """Return the participant who goes by that identity or address in the conversation, or None."""
        with self.lock:
            for found in conversation.participants.values():
                if name == found.identity or (name in found.names and not chat_only):
                    return found
        return None

    def remember(self, participant: Participant) -> None:
        """Make a participant findable by identity and address, over all conversations."""
        for name in participant.names:
            self.named.setdefault(name, {})[participant.sid] = participant

    def forget(self, participant: Participant) -> None:
        """Undo `remember`."""
        for name in participant.names:
            self.named.get(name, {}).pop(participant.sid, None)

    def free_pair(self, participant: Participant) -> None:
        """Let a participant's address pair be used in another conversation."""
        pair = (participant.address or "", participant.proxy_address or "")
        if self.pairs.get(pair) == participant.conversation_sid:
            del self.pairs[pair]

    def connect(self, service_sid: str, identity: str) -> None:
        """Note that a chat client of an identity is connected, unless that is known. State locked."""
        known = ((it.service_sid, it.identity) for it in self.bindings.values())
        if (service_sid, identity) not in known:
            binding = Binding(self.sid("BS"), self.serial(), service_sid, identity, self.clock.now())
            self.bindings[binding.sid] = binding

    def drop(self, conversation: Conversation) -> None:
        """Forget a conversation with everything in it."""
        self.conversations.pop(conversation.sid, None)
        self.unique_names.pop((conversation.service_sid, conversation.unique_name or ""), None)
        for participant in conversation.participants.values():
            self.free_pair(participant)
            self.forget(participant)
        for message_sid in conversation.messages:
            self.messages.pop(message_sid, None)

    def user(self, service_sid: str, name: str) -> User | None:
        """Return the service's user by SID or identity, or None."""
        found = self.users.get(self.identities.get((service_sid, name), name))
        return found if found and found.service_sid == service_sid else None


def first_hooks(options: Options, webhook_url: str, public_url: str) -> Hooks:
    """Return the global webhook for a receiver that listens on one origin and is known by another.

    Twilio is told the public URL and signs it; the post itself goes to the loopback URL (see webhook_delivery.py).
    A URL given here comes with filters. Without one there are none, as at Twilio: nothing fires until somebody sets
    them, also after a URL is set.
    """
    if not webhook_url:
        return Hooks(filters=GLOBAL_EVENTS if options.lenient else ())
    origin, path = split_origin(webhook_url)
    filters = GLOBAL_EVENTS if options.lenient else options.webhook_filters or POST_EVENTS
    return Hooks(filters=filters, post_webhook_url=(public_url.rstrip("/") or origin) + path)


def split_origin(url: str) -> tuple[str, str]:
    """Return scheme://host[:port] and the rest of a URL."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}", slash + path


def _copy_hooks(hooks: Hooks) -> Hooks:
    return Hooks(hooks.method, hooks.filters, hooks.pre_webhook_url, hooks.post_webhook_url, hooks.target)
