"""Every operator command, once or more, as it is typed; `CH...` and the like stand for what exists in the account."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.emulator.client import Emulator

URL = "https://bot.example.com/conversations/webhook"
COMMAND_LINES = f"""
services create --friendly-name "Support Berlin"
services list --limit 50
services show IS...
services delete IS... --yes
conversations create --friendly-name "Order 42" --unique-name order-42 --attributes '{{"order": 42}}' --state active \
 --timers-inactive PT10M --timers-closed P1D --messaging-service-sid MG... --sms +15550100001 \
 --proxy-address +15550100099 --identity ada --body "Hello!" --author desk
conversations create --whatsapp +15550100002 --proxy-address +15550100098 --content-sid HX... \
 --content-variables '{{"1": "Ann"}}'
conversations create --group +15550100011 --group +15550100012 --projected-address +15550100099 --body "Hello!"
conversations list --state active --start-date 2026-01-01 --end-date 2026-12-31 --limit 20
conversations list --address +15550100001
conversations list --identity ada
conversations show CH...
conversations update CH... --friendly-name "Order 43" --unique-name order-43 --timers-inactive PT30M \
 --timers-closed PT40M --messaging-service-sid MG...
conversations close CH... --yes
conversations reopen CH...
conversations delete CH... --yes
conversations pause CH... --for 2h
conversations resume CH...
conversations attributes get CH...
conversations attributes set CH... '{{"order": 42}}'
conversations attributes merge CH... '{{"vip": true}}'
conversations attributes unset CH... order
participants add CH... --sms +15550100001 --proxy-address +15550100099 --attributes '{{"vip": true}}'
participants add CH... --whatsapp +15550100001 --proxy-address +15550100098
participants add CH... --identity ada --identity bob
participants add CH... --group +15550100011 --projected-address +15550100099
participants add CH... --file people.csv
participants list CH... --limit 100
participants show CH... +15550100001
participants show CH... ada
participants update CH... +15550100001 --role-sid RL... --proxy-address +15550100098
participants remove CH... +15550100001 ada --yes
participants attributes get CH... ada
participants attributes set CH... +15550100001 '{{"vip": true}}'
participants attributes merge CH... ada '{{"language": "de"}}'
participants attributes unset CH... +15550100001 vip
messages send CH... --body "Your table is ready." --author desk --attributes '{{"a": 1}}' --subject Table
messages send CH... --body "The menu:" --media menu.pdf
messages send CH... --content-sid HX... --content-variables '{{"1": "Ann"}}'
messages history CH... --limit 50
messages export CH... --out history.jsonl
messages show CH... IM...
messages delete CH... IM... --yes
messages media download CH... IM... --out downloads
tokens create --identity ada --ttl 600
addresses create --address +15550100097 --enabled --friendly-name Desk --address-country US --type sms \
 --auto-creation-type webhook --webhook-url {URL} --webhook-method post --webhook-filter onMessageAdded
addresses create --address whatsapp:+15550100097 --enabled --service IS... --auto-creation-type studio \
 --studio-flow-sid FW... --studio-retry-count 2
addresses list --type sms --limit 10
addresses show +15550100099
addresses update +15550100099 --friendly-name Desk --disabled
addresses delete +15550100099 --yes
webhooks show
webhooks show --service IS...
webhooks show --conversation CH...
webhooks set --post-webhook-url {URL} --pre-webhook-url {URL} --filter onMessageAdded --filter onMessageAdd --method GET
webhooks set --service IS... --post-webhook-url {URL}
webhooks set --conversation CH... --post-webhook-url {URL}/new --filter onMessageAdded --replay-after 0
webhooks set --conversation CH... --target trigger --post-webhook-url {URL} --trigger help --method GET
webhooks set --conversation CH... --target studio --flow-sid FW...
webhooks set --conversation CH... --webhook WH... --post-webhook-url {URL} --filter onMessageRemoved
webhooks clear --yes
webhooks clear --service IS... --yes
webhooks clear --conversation CH... --yes
webhooks point https://bot.example.com --yes
doctor
doctor --fix --yes
setup --number +15550100096 --yes
reconcile --since 2h
"""
LINES = tuple(line for line in COMMAND_LINES.strip().splitlines() if line)
# Commands of the service itself: they ask nothing of Twilio for an operator.
LOCAL = {
    "consent",
    "db",
    "deliveries",
    "dev",
    "emulator",
    "inbox",
    "listen",
    "notify",
    "record",
    "replay",
    "signature",
    "trigger",
    "version",
    "worker",
    "routes",
    "run",
    "shell",
    "rules",
    "privacy",
}
# In an example a URL of the public internet stands; a test has loopback only.
HERE = {"https://www.example.com/terrace.jpg": "terrace.jpg"}


@dataclass
class World:
    """An account in which everything exists that a command line may name."""

    emulator: Emulator
    v1: Any
    sids: dict[str, str] = field(default_factory=dict)

    def arguments(self, line: str) -> list[str]:
        """Return the words of a command line, each SID replaced by an existing one."""
        return [HERE.get(word, self._existing(word)) for word in shlex.split(line)]

    def _existing(self, word: str) -> str:
        found = re.fullmatch(r"([A-Z]{2})(?:\.\.\.|[0-9a-fA-F]{32})", word)
        return self.sids.get(found[1], f"{found[1]}{'1'.zfill(32)}") if found else word


def stage(world: World, message: dict[str, Any], folder: Path) -> None:
    """Let there be a conversation with a customer and a chat user, a message with a file, and all the rest."""
    v1, sid = world.v1, message["conversation_sid"]
    conversation = v1.conversations(sid)
    conversation.update(attributes='{"order": 1, "vip": false}')
    conversation.participants.create(identity="ada", attributes="{}")
    conversation.participants(message["participant_sid"]).update(attributes='{"vip": false}')
    sent = conversation.messages(message["message_sid"]).fetch()
    hook = conversation.webhooks.create(
        target="webhook", configuration_url=URL, configuration_filters=["onMessageAdded"]
    )
    address = v1.address_configurations.create(type="sms", address="+15550100099", auto_creation_enabled=True)
    service = v1.configuration().fetch().default_chat_service_sid
    role = next(role for role in v1.services(service).roles.list() if role.type == "conversation")
    world.sids |= {
        "CH": sid,
        "IM": message["message_sid"],
        "MB": message["participant_sid"],
        "ME": sent.media[0]["sid"],
        "WH": hook.sid,
        "IG": address.sid,
        "IS": service,
        "RL": role.sid,
    }
    (folder / "people.csv").write_text(
        "address,identity,channel,proxy_address\n+15550100003,,sms,+15550100099\n,eve,chat,\n"
    )
    (folder / "menu.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    (folder / "terrace.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\xff\xd9")
    world.emulator.settle()


def prepare(world: World, line: str) -> None:
    """Make room for what a command line makes: an address pair is free, a conversation is empty or inactive."""
    for beginning, preparation in _PREPARATIONS.items():
        if line.startswith(beginning):
            preparation(world)


def _close(world: World) -> None:
    world.v1.conversations(world.sids["CH"]).update(state="closed")


def _begin_another(world: World) -> None:
    _close(world)
    world.sids["CH"] = world.v1.conversations.create(friendly_name="Empty").sid


def _calm(world: World) -> None:
    world.v1.conversations(world.sids["CH"]).update(state="inactive")


def _add_service(world: World) -> None:
    world.sids["IS"] = world.v1.services.create(friendly_name="Sales").sid


def _free_address(world: World) -> None:
    world.v1.address_configurations(world.sids["IG"]).delete()


_PREPARATIONS: dict[str, Callable[[World], None]] = {
    "conversations create": _close,
    "participants add": _begin_another,
    "conversations reopen": _calm,
    "services delete": _add_service,
    "addresses create": _free_address,
}
