"""The way from Twilio to us: takes the webhooks the emulator tells of, and brings them twice, late and out of order.

Each comes again until it is acknowledged, as Twilio does where retries are configured.
"""

from random import Random

from app.emulator.client import Emulator
from app.recordings.files import RecordedRequest, encode
from app.testing.bot_tester import ORIGIN, TOKEN
from tests.support.hostile_requests import signed_bytes
from tests.torture.life import Order


class Network:
    """All webhooks of one schedule, by a key; those that were acknowledged may come again all the same."""

    def __init__(self, emulator: Emulator, die: Random) -> None:
        self._emulator, self._die = emulator, die
        self._requests: list[RecordedRequest] = []
        self._acknowledged: set[int] = set()

    @property
    def is_done(self) -> bool:
        """Return whether everything that Twilio has told of until now was acknowledged."""
        self._listen()
        return len(self._acknowledged) == len(self._requests)

    @property
    def count(self) -> int:
        return len(self._requests)

    def acknowledge(self, key: int) -> None:
        """Note that a webhook was answered 204."""
        self._acknowledged.add(key)

    def orders(self, *, calm: bool) -> list[Order]:
        """Return what arrives next: all that is not acknowledged; unless calm, some of it late, twice or too early."""
        self._listen()
        waiting = [key for key in range(len(self._requests)) if key not in self._acknowledged]
        if calm:
            return [self._order(key) for key in waiting]
        die = self._die
        again = [key for key in self._acknowledged if die.random() < 0.1]
        kept = [key for key in waiting if die.random() > 0.1]
        keys = sorted([*kept, *again, *(key for key in kept if die.random() < 0.15)])
        places = [(n + (die.uniform(0, 6) if die.random() < 0.2 else 0), key) for n, key in enumerate(keys)]
        return [self._order(key) for _, key in sorted(places)]

    def _order(self, key: int) -> Order:
        return Order(key, self._requests[key], works=self._die.random() < 0.3)

    def _listen(self) -> None:
        """Read what the emulator would have posted: it drops all of it and keeps what it dropped."""
        for post in self._emulator.webhooks()[len(self._requests) :]:
            body = encode(tuple(post["form"].items())).encode("ascii")
            self._requests.append(signed_bytes(body, ORIGIN, TOKEN))
