"""Lets an event happen at a running emulator: customers write, chat clients act, REST calls change things."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from app.cli.trigger.catalog import CARRIERS
from app.cli.trigger.sample_webhooks import CUSTOMER, OUR_NUMBER, VISITOR

if TYPE_CHECKING:
    from app.emulator.client import Emulator

_TIMEOUT_SECONDS = 10
_INACTIVE_SECONDS, _CLOSED_SECONDS = 60, 600  # the shortest timers that Twilio allows
_SHORTEST_TIMER = {"inactive": ("Timers.Inactive", "PT1M"), "closed": ("Timers.Closed", "PT10M")}
_opener = build_opener(ProxyHandler({}))


class TriggerRefused(Exception):
    """The emulator refused, or does not answer; says what."""


class EmulatorScenario:
    """A running emulator on which events happen.

    What belongs to an event is made first, without a webhook (X-Twilio-Webhook-Enabled is left out).
    """

    def __init__(self, emulator: Emulator, channel: str, wanted: Mapping[str, str]) -> None:
        self._emulator = emulator
        self._channel = channel
        self._wanted = wanted

    def rest(
        self, method: str, path: str, form: Mapping[str, str] | None = None, *, fires: bool = False
    ) -> dict[str, Any]:
        """Return what the emulator's REST API answers; `fires` lets it tell webhooks."""
        return rest(self._emulator.url, method, path, form or {}, fires=fires)

    def write(self) -> dict[str, Any]:
        """Return the SIDs of a message that a customer (or on `chat`, a visitor) writes, as the control API does."""
        body = self._wanted.get("Body", "Hello, I need help")
        if self._channel in CARRIERS:
            prefix = "whatsapp:" if self._channel == "whatsapp" else ""
            sender = self._wanted.get("Author", prefix + CUSTOMER)
            return self._emulator.inbound(body, sender=sender, to=prefix + OUR_NUMBER, channel=self._channel)
        author = self._wanted.get("Author", VISITOR)
        return self._emulator.chat(self._chat_with(author), author, body)

    def edit(self) -> dict[str, Any]:
        """Let a message be written and edited."""
        written = self._written_before()
        body = self._wanted.get("Body", "Hello, I need help, please")
        if self._channel == "chat":
            return self._emulator.edit(written["message_sid"], body)
        self.rest("POST", _message_path(written), {"Body": body}, fires=True)
        return written

    def remove(self) -> dict[str, Any]:
        """Let a message be written and deleted."""
        written = self._written_before()
        if self._channel == "chat":
            return self._emulator.remove(written["message_sid"])
        self.rest("DELETE", _message_path(written), fires=True)
        return written

    def deliver(self) -> dict[str, Any]:
        """Let the account write to a phone, and the carrier tell what became of it."""
        prefix = "whatsapp:" if self._channel == "whatsapp" else ""
        address = prefix + CUSTOMER
        conversation_sid = self._conversation_with(address, prefix + OUR_NUMBER)
        status, code = self._wanted.get("Status"), self._wanted.get("ErrorCode")
        code = code or ("30003" if status in ("failed", "undelivered") else None)
        if status or code:
            self._emulator.carrier(address, status=status, error_code=int(code) if code else None)
        try:
            path, form = f"/Conversations/{conversation_sid}/Messages", {"Body": "Your order is on its way."}
            message = self.rest("POST", path, form)
        finally:
            if status or code:
                self._emulator.carrier(address)
        return {"conversation_sid": conversation_sid, "message_sid": message["sid"]}

    def create_conversation(self) -> dict[str, Any]:
        """Let a conversation be created."""
        return {"conversation_sid": self._new_conversation(self._named("Garden gate"), fires=True)}

    def change_conversation(self) -> dict[str, Any]:
        """Let a conversation be changed."""
        sid = self._new_conversation()
        self.rest("POST", f"/Conversations/{sid}", self._named("Garden gate, again"), fires=True)
        return {"conversation_sid": sid}

    def remove_conversation(self) -> dict[str, Any]:
        """Let a conversation be deleted."""
        sid = self._new_conversation()
        self.rest("DELETE", f"/Conversations/{sid}", fires=True)
        return {"conversation_sid": sid}

    def change_state(self) -> dict[str, Any]:
        """Let a conversation change its state: by REST, by a timer (the clock moves on), or by a message."""
        reason = self._wanted.get("Reason", "API")
        state = self._wanted.get("StateTo", "active" if reason == "EVENT" else "inactive")
        if reason == "TIMER":
            timer, duration = _SHORTEST_TIMER[state]
            sid = self._new_conversation({"State": "active", timer: duration})
            self._emulator.advance(_INACTIVE_SECONDS if state == "inactive" else _CLOSED_SECONDS)
            return {"conversation_sid": sid}
        sid = self._new_conversation({"State": "inactive" if state == "active" else "active"})
        if reason == "EVENT":
            return self._emulator.chat(sid, VISITOR, "Hello again")
        self.rest("POST", f"/Conversations/{sid}", {"State": state}, fires=True)
        return {"conversation_sid": sid}

    def join(self) -> dict[str, Any]:
        """Let somebody join a conversation."""
        sid = self._new_conversation()
        form = {"Attributes": self._wanted["Attributes"]} if "Attributes" in self._wanted else {}
        self._add_participant(sid, form, fires=True)
        return {"conversation_sid": sid}

    def change_participant(self) -> dict[str, Any]:
        """Let a participant be changed, or read on."""
        sid = self._new_conversation()
        path = f"/Conversations/{sid}/Participants/{self._add_participant(sid)}"
        form = {name: self._wanted[name] for name in ("Attributes", "LastReadMessageIndex") if name in self._wanted}
        self.rest("POST", path, form or {"Attributes": json.dumps({"shift": "early"})}, fires=True)
        return {"conversation_sid": sid}

    def leave(self) -> dict[str, Any]:
        """Let a participant be removed."""
        sid = self._new_conversation()
        self.rest("DELETE", f"/Conversations/{sid}/Participants/{self._add_participant(sid)}", fires=True)
        return {"conversation_sid": sid}

    def create_user(self) -> dict[str, Any]:
        """Let a chat user be created."""
        return {"user_sid": self._new_user(self._named("Carla Example"), fires=True)}

    def change_user(self) -> dict[str, Any]:
        """Let a chat user be changed."""
        sid = self._new_user()
        self.rest("POST", f"/Users/{sid}", self._named("Carla Example, again"), fires=True)
        return {"user_sid": sid}

    def _named(self, friendly_name: str) -> dict[str, str]:
        names = ("UniqueName", "Attributes")
        named = {name: self._wanted[name] for name in names if name in self._wanted}
        return {"FriendlyName": self._wanted.get("FriendlyName", friendly_name)} | named

    def _written_before(self) -> dict[str, Any]:
        """Return a message that is written as usual, whatever is wanted of its edit."""
        return EmulatorScenario(self._emulator, self._channel, {}).write()

    def _new_conversation(self, form: Mapping[str, str] | None = None, *, fires: bool = False) -> str:
        return str(self.rest("POST", "/Conversations", form, fires=fires)["sid"])

    def _new_user(self, form: Mapping[str, str] | None = None, *, fires: bool = False) -> str:
        identity = self._wanted.get("Identity", f"{VISITOR}-{secrets.token_hex(4)}")
        return str(self.rest("POST", "/Users", {"Identity": identity, **(form or {})}, fires=fires)["sid"])

    def _add_participant(
        self, conversation_sid: str, form: Mapping[str, str] | None = None, *, fires: bool = False
    ) -> str:
        """Return the SID of somebody new: a phone that is in no conversation yet, or a chat client."""
        path = f"/Conversations/{conversation_sid}/Participants"
        if self._channel == "chat" or "Identity" in self._wanted:
            who = {"Identity": self._wanted.get("Identity", VISITOR)}
            return str(self.rest("POST", path, {**(form or {}), **who}, fires=fires)["sid"])
        prefix = "whatsapp:" if self._channel == "whatsapp" else ""
        address = self._wanted.get("MessagingBinding.Address") or self._free_address(prefix)
        who = {"MessagingBinding.Address": address, "MessagingBinding.ProxyAddress": prefix + OUR_NUMBER}
        return str(self.rest("POST", path, {**(form or {}), **who}, fires=fires)["sid"])

    def _free_address(self, prefix: str) -> str:
        while True:
            address = f"{prefix}+1555010{secrets.randbelow(9000) + 1000}"
            if not self._conversations_of("Address", address):
                return address

    def _conversations_of(self, by: str, name: str) -> list[dict[str, Any]]:
        """Return the open conversations somebody is in, the oldest first."""
        found = self.rest("GET", "/ParticipantConversations?" + urlencode({by: name}))["conversations"]
        return [one for one in found if one["conversation_state"] != "closed"]

    def _chat_with(self, identity: str) -> str:
        """Return the conversation a chat client wrote in before, or a new one."""
        known = self._conversations_of("Identity", identity)
        return str(known[0]["conversation_sid"]) if known else self._new_conversation()

    def _conversation_with(self, address: str, our_number: str) -> str:
        """Return the conversation with a phone; on WhatsApp the customer writes first, which opens the window."""
        if self._channel == "whatsapp":
            return str(EmulatorScenario(self._emulator, self._channel, {}).write()["conversation_sid"])
        known = self._conversations_of("Address", address)
        if known:
            return str(known[0]["conversation_sid"])
        sid = self._new_conversation()
        binding = {"MessagingBinding.Address": address, "MessagingBinding.ProxyAddress": our_number}
        self.rest("POST", f"/Conversations/{sid}/Participants", binding)
        return sid


def rest(url: str, method: str, path: str, form: Mapping[str, str], *, fires: bool = False) -> dict[str, Any]:
    """Return what an emulator's REST API answers to a call. Raises Refused.

    An API key with any secret opens an emulator, so no credentials leave this machine.
    """
    headers = {"Authorization": "Basic " + b64encode(b"SKtrigger:offline").decode()}
    if fires:
        headers["X-Twilio-Webhook-Enabled"] = "true"
    return call(url + "/v1" + path, method, urlencode(form).encode() if method == "POST" else None, headers)


def call(url: str, method: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON that a URL answers, {} for an empty answer. Raises Refused."""
    request = Request(url, body, dict(headers), method=method)  # noqa: S310 - the emulator's own address
    try:
        with _opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
            document: dict[str, Any] = json.loads(response.read() or b"{}")
            return document
    except HTTPError as error:
        raise TriggerRefused(f"the emulator answered {error.code}: {_message(error.read())}") from error
    except (URLError, OSError, ValueError) as error:
        raise TriggerRefused(f"no emulator answers at {url.partition('/v1')[0].partition('/_')[0]}") from error


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def _message_path(written: Mapping[str, Any]) -> str:
    return f"/Conversations/{written['conversation_sid']}/Messages/{written['message_sid']}"
