"""The emulator on its own: one process for all its tests, and a receiver that checks every signature."""

from collections.abc import Iterator

import pytest
from twilio.rest import Client

from app.emulator.client import Emulator
from tests.support.webhook_receiver import PUBLIC_URL, Receiver, sdk_client


@pytest.fixture(scope="package")
def running() -> Iterator[tuple[Emulator, Receiver]]:
    receiver = Receiver()
    options = {"public_url": PUBLIC_URL, "receipt_delay": 0.01, "webhook_timeout": 0.5, "seed": 7}
    with Emulator.start_set_up(webhook_url=receiver.url, **options) as emulator:
        yield emulator, receiver
    receiver.close()


@pytest.fixture
def receiver(running: tuple[Emulator, Receiver]) -> Receiver:
    """Where the webhooks go, and what has come so far."""
    return running[1]


@pytest.fixture
def emulator(running: tuple[Emulator, Receiver]) -> Emulator:
    """An empty emulator that posts to the receiver."""
    emulator, receiver = running
    emulator.reset()
    emulator.point_at(receiver.url, PUBLIC_URL)
    receiver.clear()
    return emulator


@pytest.fixture
def twilio(emulator: Emulator) -> Client:
    """The unmodified SDK, pointed at the emulator."""
    return sdk_client(emulator.url)


@pytest.fixture
def conversation(emulator: Emulator, twilio: Client, receiver: Receiver):
    """A conversation that a customer has begun; what was told of it is forgotten."""
    sid = emulator.inbound("hello")["conversation_sid"]
    emulator.settle()
    receiver.clear()
    return twilio.conversations.v1.conversations(sid)
