"""BotTester: plays customers, agents and time against a bot and returns what it wrote and why; the fixture `bot`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from app.common.quoting import quoted
from app.emulator.client import Emulator
from app.inbox import admin
from app.runtime.process import Runtime
from app.runtime.worker import make_worker
from app.store import messages

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - a dummy, for loopback only
ORIGIN = "https://bot.example.com"
OUR_NUMBER = "+15550100099"


class Clock:
    """The real time, moved forward at will, standing still, or shown wrongly."""

    def __init__(self) -> None:
        self._ahead = self._set_by = timedelta()
        self._standing_at: datetime | None = None

    def __call__(self) -> datetime:
        """Return the time it is, aware, in UTC, as the clock shows it."""
        return self._true_time() + self._set_by

    def boot_seconds(self) -> float:
        """Return the seconds since some moment, which setting the clock does not change."""
        return self._true_time().timestamp()

    def _true_time(self) -> datetime:
        return (self._standing_at or datetime.now(UTC)) + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        self._ahead += timedelta(seconds=seconds)

    def set_by(self, seconds: float) -> None:
        """Set the clock forward, or back, while no time passes: somebody corrects it."""
        self._set_by += timedelta(seconds=seconds)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let no time pass meanwhile: what is scheduled for later, however soon, does not become due."""
        before = self._standing_at
        self._standing_at = before or datetime.now(UTC)
        try:
            yield
        finally:
            self._standing_at = before


@contextmanager
def webhooks_reaching(app: Flask, emulator: Emulator) -> Iterator[None]:
    """Serve the app on loopback and let the emulator post its webhooks there, signed for our public address."""
    public_url = app.extensions["parley"].settings.public_url
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        emulator.point_at(f"http://127.0.0.1:{server.port}/conversations/webhook", public_url)
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class BotTester:
    """The bot of an app, seen from outside: let people write, let time pass, read what it wrote and why.

    Each step returns when the bot has done all that was due.
    """

    def __init__(self, app: Flask, emulator: Emulator, clock: Clock, folder: Path) -> None:
        self._parley: Runtime = app.extensions["parley"]
        self._emulator = emulator
        self._clock = clock
        self._folder = folder
        self._conversations: dict[str, str] = {}
        self._last_message = ""

    def rules(self, text: str) -> None:
        """Answer by these rules from now on, in place of the project's rules.toml."""
        path = self._folder / "rules-of-this-test.toml"
        path.write_text(text, encoding="utf-8")
        self._parley.settings = replace(self._parley.settings, bot_rules=path)

    def customer(self, number: str = "+15550100001") -> Customer:
        """Return a customer with this phone number."""
        return Customer(self, number)

    def agent(self, identity: str = "support-agent") -> Agent:
        """Return a human agent, who writes from a chat client."""
        return Agent(self, identity)

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass, for the bot and at Twilio, and do what is due then."""
        passed = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
        self._clock.advance(passed)
        self._emulator.advance(passed)
        self.works()

    def replies(self) -> list[str]:
        """Return all that the bot has written, oldest first."""
        return self._emulator.replies(author=self._parley.settings.bot_author)

    def reason(self, message_sid: str = "") -> str:
        """Return why the bot answered or did not answer a message; the last one, if none is named."""
        wanted = message_sid or self._last_message
        if not wanted:
            raise RuntimeError("nobody has written yet; let bot.customer(...).says(...) something first")
        with self._parley.db.read() as tx:
            decision = messages.decision(tx, messages.DecisionKey(wanted))
        return decision.reason if decision else "not decided"

    def works(self) -> None:
        """Work off what is due, as `flask worker --drain` does, until nothing moves here or at Twilio."""
        while True:
            self._settle()
            with self._clock.standing_still():
                make_worker(self._parley.settings, self._parley.db).drain()
            self._settle()
            with self._parley.db.read() as tx:
                counts = admin.stats(tx, self._parley.db.now(tx))
            if not counts["pending"] + counts["processing"]:
                return

    def write(self, address: str, channel: str, body: str | None, media: Sequence[dict[str, Any]]) -> str:
        """Let a phone write; return the MessageSid. `bot.customer(...).says(...)` is shorter."""
        prefix = "whatsapp:" if channel == "whatsapp" else ""
        written = self._emulator.inbound(
            body, sender=prefix + address, to=prefix + OUR_NUMBER, channel=channel, media=media
        )
        # The newest last, so that an agent who names nobody answers there.
        self._conversations.pop(address, None)
        self._conversations[address] = written["conversation_sid"]
        return self._remember(written)

    def write_as_agent(self, identity: str, body: str, to: str) -> str:
        """Let a chat client write in a customer's conversation; return the MessageSid."""
        if not self._conversations:
            raise RuntimeError("an agent writes in a customer's conversation; let bot.customer(...) write first")
        if to and to not in self._conversations:
            raise RuntimeError(f"the customer {quoted(to)} has not written yet; {', '.join(self._conversations)} have")
        sid = self._conversations[to] if to else list(self._conversations.values())[-1]
        return self._remember(self._emulator.chat(sid, identity, body))

    def _remember(self, written: dict[str, Any]) -> str:
        self._last_message = str(written["message_sid"])
        self.works()
        return self._last_message

    def _settle(self) -> None:
        if not self._emulator.settle():
            raise RuntimeError("webhooks of the emulator are still outstanding after 60 s")


@dataclass(frozen=True)
class Customer:
    """Somebody with a phone."""

    bot: BotTester
    number: str

    def says(self, body: str | None = None, *, channel: str = "sms", media: Sequence[dict[str, Any]] = ()) -> str:
        """Write to us by "sms" or "whatsapp"; return the MessageSid when the bot is done with it."""
        return self.bot.write(self.number, channel, body, media)


@dataclass(frozen=True)
class Agent:
    """A human of ours, in a chat client."""

    bot: BotTester
    identity: str

    def says(self, body: str, *, to: str = "") -> str:
        """Write in the conversation of the customer with the number `to`, or of the last who wrote."""
        return self.bot.write_as_agent(self.identity, body, to)
