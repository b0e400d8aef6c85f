"""Where things are on the page, and what people do there: shared by the stories."""

from typing import Any
from urllib.parse import quote

from tests.browser.installation import Installation


def phone_url(service: Installation, number: str, channel: str = "sms") -> str:
    """Return the address of a customer's phone."""
    return service.address(f"/phone?who={channel}:{quote(number)}")


def thread_url(service: Installation, conversation_sid: str) -> str:
    return service.address(f"/c/{conversation_sid}")


def write(phone: Any, text: str) -> None:
    """Write on the phone, as people do."""
    phone.get_by_label("Message", exact=True).fill(text)
    phone.keyboard.press("Enter")


def said_to(phone: Any) -> Any:
    """Return the messages on the screen that are not the customer's own."""
    return phone.locator("#screen .theirs")


def was_reloaded(page: Any) -> bool:
    """Return whether the page was loaded again since its window was opened."""
    return not page.evaluate("window.neverReloaded === true")
