"""The carriers: what becomes of a message on its way to each phone, step by step, as delivery receipts.

Source: conversations-classic/delivery-receipts and api/errors/21610, 63016, read 2026-11-22.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from app.common.quoting import quoted
from app.emulator.models import Conversation, EmulatedMessage, EmulatedReceipt, Participant
from app.emulator.scheduler import Scheduler
from app.emulator.state import Pair, State

OPTED_OUT = 21610
OUTSIDE_WINDOW = 63016
EARLY_SECONDS = 2.0
WHATSAPP_WINDOW = timedelta(hours=24)
STOP_WORDS = frozenset("STOP STOPALL UNSUBSCRIBE CANCEL END QUIT REVOKE OPTOUT".split())
START_WORDS = frozenset("START YES UNSTOP".split())
_PATHS = {
    "sent": ("sent",),
    "delivered": ("sent", "delivered"),
    "read": ("sent", "delivered", "read"),
    "undelivered": ("sent", "undelivered"),
    "failed": ("failed",),
}
_CHANNEL_PREFIX = {"sms": "SM", "whatsapp": "WA"}
Tell = Callable[[Conversation, EmulatedMessage, EmulatedReceipt], None]


@dataclass(frozen=True)
class CarrierOutcome:
    """Where a message to an address ends, and the error code it ends with (0: none)."""

    status: str
    error_code: int = 0


class Carrier:
    """Sends stored messages on to phones. `tell` is called after each step, with the state locked.

    Who has written STOP is skipped, without a receipt, unless `tells_opted_out()`.
    """

    def __init__(
        self,
        state: State,
        scheduler: Scheduler,
        step_seconds: float,
        tell: Tell,
        tells_opted_out: Callable[[], bool],
    ) -> None:
        self._state = state
        self._scheduler = scheduler
        self._step_seconds = step_seconds
        self._tell = tell
        self._tells_opted_out = tells_opted_out
        self._outcomes: dict[str, CarrierOutcome] = {}
        self._held: set[str] = set()

    def reset(self) -> None:
        """Make every phone reachable again, with nobody looking at it."""
        self._outcomes.clear()
        self._held.clear()

    def outcomes(self) -> dict[str, CarrierOutcome]:
        """Return how later messages end, for each address that was given an end."""
        return dict(self._outcomes)

    def hold(self, address: str) -> None:
        """Let a person hold this phone: from now on messages are read when looked at, no longer by themselves."""
        self._held.add(address)

    def read(self, conversation: Conversation, participant: Participant) -> int:
        """Make read what WhatsApp has delivered to a participant; return how many messages. State locked."""
        if participant.kind != "whatsapp":
            return 0
        receipts = [
            (message, receipt)
            for message in conversation.messages.values()
            for receipt in message.receipts.values()
            if receipt.participant_sid == participant.sid and receipt.status == "delivered"
        ]
        for message, receipt in receipts:
            self._step(conversation, message, receipt, CarrierOutcome("read"))()
        return len(receipts)

    def set_outcome(self, address: str, status: str | None, error_code: int | None) -> None:
        """Let later messages to an address end so; neither status nor code restores the ordinary way."""
        if status is None and not error_code:
            self._outcomes.pop(address, None)
            return
        status = status or "undelivered"
        if status not in _PATHS:
            raise ValueError(f"status must be one of {', '.join(_PATHS)}, not {quoted(status)}")
        self._outcomes[address] = CarrierOutcome(status, error_code or 0)

    def hear(self, pair: Pair, body: str) -> None:
        """Note an inbound message: it opens WhatsApp's window; by SMS, STOP and START words are obeyed."""
        self._state.last_inbound[pair] = self._state.clock.now()
        if pair[0].startswith("whatsapp:"):
            return
        word = body.strip().upper()
        if word in STOP_WORDS:
            self._state.opted_out.add(pair)
        elif word in START_WORDS:
            self._state.opted_out.discard(pair)

    def send(self, conversation: Conversation, message: EmulatedMessage) -> None:
        """Make a receipt for each phone that must get the message, and start it on its way."""
        for participant in conversation.participants.values():
            if participant.address and message.author not in participant.names and not self._skips(participant):
                self._send_to(conversation, message, participant)

    def wait_for_receipt(self, message_sid: str, is_idle: Callable[[str], bool]) -> None:
        """Wait until a first receipt of the message is told, at most EARLY_SECONDS; at once if it gets none."""
        message, deadline = self._state.messages.get(message_sid), time.monotonic() + EARLY_SECONDS
        while message and message.receipts and time.monotonic() < deadline:
            if any(it.status for it in message.receipts.values()) and is_idle(message.conversation_sid):
                return
            time.sleep(0.005)

    def _skips(self, participant: Participant) -> bool:
        pair = (participant.address or "", participant.proxy_address or "")
        return pair in self._state.opted_out and not self._tells_opted_out()

    def _send_to(self, conversation: Conversation, message: EmulatedMessage, participant: Participant) -> None:
        state, now = self._state, self._state.clock.now()
        channel_sid = state.sid(_CHANNEL_PREFIX.get(participant.kind, "SM"))
        receipt = EmulatedReceipt(state.sid("DY"), state.serial(), channel_sid, participant.sid, now, now)
        message.receipts[receipt.sid] = receipt
        outcome, path = self._fate(message, participant)
        for number, status in enumerate(path, start=1):
            code = outcome.error_code if number == len(path) else 0
            step = self._step(conversation, message, receipt, CarrierOutcome(status, code))
            self._scheduler.after(self._step_seconds * number, step)

    def _fate(self, message: EmulatedMessage, participant: Participant) -> tuple[CarrierOutcome, tuple[str, ...]]:
        """Return the end and the way to it; what Twilio itself refuses is never `sent`."""
        pair = (participant.address or "", participant.proxy_address or "")
        is_whatsapp = participant.kind == "whatsapp"
        if pair in self._state.opted_out:
            return CarrierOutcome("undelivered", OPTED_OUT), ("undelivered",)
        if is_whatsapp and not message.content_sid and not self._in_window(pair):
            return CarrierOutcome("undelivered", OUTSIDE_WINDOW), ("undelivered",)
        reads_by_itself = is_whatsapp and participant.address not in self._held
        ordinary = CarrierOutcome("read" if reads_by_itself else "delivered")
        outcome = self._outcomes.get(participant.address or "", ordinary)
        return outcome, _PATHS[outcome.status]

    def _in_window(self, pair: Pair) -> bool:
        heard_at = self._state.last_inbound.get(pair)
        return heard_at is not None and self._state.clock.now() - heard_at <= WHATSAPP_WINDOW

    def _step(
        self, conversation: Conversation, message: EmulatedMessage, receipt: EmulatedReceipt, outcome: CarrierOutcome
    ) -> Callable[[], None]:
        def take() -> None:
            with self._state.lock:
                receipt.status, receipt.error_code = outcome.status, outcome.error_code
                receipt.reached += (outcome.status,)
                receipt.updated = self._state.clock.now()
                self._tell(conversation, message, receipt)

        return take
