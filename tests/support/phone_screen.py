"""The phone of the offline loop, for tests: somebody at this machine who writes as a customer and reads the screen."""

from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from flask import Flask

from app.emulator.client import Emulator
from tests.dashboard.conftest import Browser
from tests.support.page_text import words

LOOP = "http://127.0.0.1:8000"
SMS, WHATSAPP, CHAT = "sms:+15550100003", "whatsapp:+15550100004", "chat:visitor"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"PUBLIC_URL": LOOP, "BOT_ADMIN_PASSWORD": ""}


@pytest.fixture
def phone(app: Flask, webhooks_arrive: None) -> Iterator[Browser]:
    """Somebody at this machine, in the offline loop."""
    with app.test_client() as client:
        yield Browser(client, LOOP)


@pytest.fixture
def write(phone: Browser, everything_happens: Callable[[], None]) -> Callable[..., None]:
    """Write as a customer, and let everything happen that follows."""

    def write_as(who: str, text: str, **more: str) -> None:
        assert phone.submit(path_of(who), "/phone/write", text=text, **more).status_code == 303
        everything_happens()

    return write_as


@pytest.fixture
def everything_happens(emulator: Emulator, run_worker: Callable[[], None]) -> Callable[[], None]:
    """The webhooks arrive, the worker answers, the receipts arrive and are worked off."""

    def run() -> None:
        assert emulator.settle()
        run_worker()
        assert emulator.settle()
        run_worker()

    return run


def path_of(who: str) -> str:
    return f"/phone?who={quote(who)}"


def screen(phone: Browser, who: str) -> str:
    """Return the text on the screen, without tags."""
    return words(phone.get(f"/fragments/phone?who={quote(who)}").text)


def log(phone: Browser, who: str) -> str:
    return words(phone.get(f"/fragments/phone-log?who={quote(who)}").text)
