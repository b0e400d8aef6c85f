"""The running emulator that `flask trigger` acts through: finds it, makes events happen, and reads what was posted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.cli.trigger.catalog import CARRIERS, Recipe
from app.cli.trigger.sample_webhooks import Form, SampleIds, adoptable
from app.cli.trigger.scenarios import EmulatorScenario, TriggerRefused, call, rest
from app.cli.trigger.signed_post import Posted
from app.twilio_api import events

if TYPE_CHECKING:
    from app.emulator.client import Emulator

_SETTLE_SECONDS = 30.0
_REACHABLE = {"API": ("active", "inactive", "closed"), "TIMER": ("inactive", "closed"), "EVENT": ("active",)}
_SCENARIOS: dict[type[events.Event], Callable[[EmulatorScenario], dict[str, Any]]] = {
    events.MessageAdded: EmulatorScenario.write,
    events.MessageUpdated: EmulatorScenario.edit,
    events.MessageRemoved: EmulatorScenario.remove,
    events.DeliveryUpdated: EmulatorScenario.deliver,
    events.ConversationAdded: EmulatorScenario.create_conversation,
    events.ConversationUpdated: EmulatorScenario.change_conversation,
    events.ConversationRemoved: EmulatorScenario.remove_conversation,
    events.ConversationStateUpdated: EmulatorScenario.change_state,
    events.ParticipantAdded: EmulatorScenario.join,
    events.ParticipantUpdated: EmulatorScenario.change_participant,
    events.ParticipantRemoved: EmulatorScenario.leave,
    events.UserAdded: EmulatorScenario.create_user,
    events.UserUpdated: EmulatorScenario.change_user,
}


@dataclass(frozen=True)
class Running:
    """An emulator that answers, and where it posts: `post_url` (and `pre_url`), events in `filters` only."""

    emulator: Emulator
    account_sid: str
    chat_service_sid: str
    messaging_service_sid: str
    post_url: str
    pre_url: str
    filters: tuple[str, ...]

    def url_for(self, recipe: Recipe) -> str:
        """Return the URL that an event of this type is posted to."""
        return (self.pre_url or self.post_url) if recipe.is_pre_action else self.post_url

    def cast(self, channel: str) -> SampleIds:
        """Return new people in a new conversation of the emulator's default service."""
        return SampleIds(self.account_sid, self.chat_service_sid, self.messaging_service_sid, channel)


def find(url: str) -> Running | None:
    """Return the emulator at a URL, or None when none answers there."""
    url = url.rstrip("/")
    try:
        health = call(f"{url}/_emulator/health", "GET", None, {})
        account = rest(url, "GET", "/Configuration", {})
        service_sid = account["default_chat_service_sid"]
        own = rest(url, "GET", f"/Services/{service_sid}/Configuration/Webhooks", {})
        everyones = rest(url, "GET", "/Configuration/Webhooks", {})
        account_sid, messaging_service_sid = health["account_sid"], account["default_messaging_service_sid"]
    except (TriggerRefused, KeyError, TypeError):
        return None
    from app.emulator.client import Emulator  # brings `requests` along: only when it is used

    hooks = own if own.get("post_webhook_url") or own.get("pre_webhook_url") else everyones
    return Running(
        emulator=Emulator(url),
        account_sid=account_sid,
        chat_service_sid=service_sid,
        messaging_service_sid=messaging_service_sid,
        post_url=hooks.get("post_webhook_url") or "",
        pre_url=hooks.get("pre_webhook_url") or "",
        filters=tuple(hooks.get("filters") or ()),
    )


def can_happen(recipe: Recipe, channel: str, wanted: Mapping[str, str]) -> bool:
    """Return whether an emulator can bring the event about with these values; else a form must be posted."""
    if recipe.event not in _SCENARIOS or not set(wanted) <= set(recipe.settable):
        return False
    if "Attributes" in wanted and not _is_object(wanted["Attributes"]):
        return False
    if recipe.event is events.ConversationStateUpdated:
        reason = wanted.get("Reason", "API")
        return wanted.get("StateTo", _REACHABLE[reason][0]) in _REACHABLE[reason]
    if channel in CARRIERS and recipe.event is events.MessageAdded:
        return wanted.get("Author", "+").removeprefix("whatsapp:").startswith("+")
    return True


def happen(running: Running, recipe: Recipe, channel: str, wanted: Mapping[str, str], count: int) -> list[Posted]:
    """Let the event happen and return every webhook that was posted because of it. Raises Refused."""
    before = running.emulator.counts()["webhooks"]
    made = [_SCENARIOS[recipe.event](EmulatorScenario(running.emulator, channel, wanted)) for _ in range(count)]
    running.emulator.settle(_SETTLE_SECONDS)
    posts = running.emulator.webhooks()
    # The emulator keeps its newest 20,000 posts: a full log does not grow, then all of it is looked through.
    fresh = posts[before:] if before < len(posts) else posts
    found = [_posted(entry) for entry in fresh if any(_belongs(entry["form"], one) for one in made)]
    if not any(posted.form["EventType"] == recipe.name for posted in found):
        raise TriggerRefused(f"it happened, but the emulator has posted no {recipe.name}; see GET /_emulator/webhooks")
    return found


def adopt(running: Running, form: Mapping[str, str], cast: SampleIds) -> None:
    """Make what a made-up form speaks of exist at the emulator, so that it can be answered there."""
    known = adoptable(form, cast)
    if known:
        running.emulator.adopt(known)


def post_through(running: Running, form: Form, url: str) -> Posted:
    """Let the emulator sign and post a form as it is."""
    began = time.perf_counter()
    answer = running.emulator.post(form, url=url)
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    return Posted(form, answer["status"], milliseconds, answer["error"])


def again(running: Running, recipe: Recipe, found: list[Posted]) -> Iterator[Posted]:
    """Post the events of this type a second time, as Twilio would after no answer; of a receipt its last step."""
    last = {tuple(posted.sids.values()): posted for posted in found if posted.form["EventType"] == recipe.name}
    for posted in last.values():
        yield post_through(running, {**posted.form, "RetryCount": "1"}, running.url_for(recipe))


def _belongs(form: Mapping[str, str], one: Mapping[str, Any]) -> bool:
    if "user_sid" in one:
        return bool(form.get("UserSid") == one["user_sid"])
    if form.get("ConversationSid") != one["conversation_sid"]:
        return False
    return form.get("MessageSid", one.get("message_sid")) == one.get("message_sid")


def _posted(entry: Mapping[str, Any]) -> Posted:
    return Posted(entry["form"], entry["status"], entry["elapsed_ms"], entry["error"])


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
