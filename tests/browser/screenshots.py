"""`make screenshots`: draws docs/images with a made-up day in a bicycle shop. It needs Debian's chromium."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import bike_shop, installation
from tests.browser.conftest import CHROMIUM, OPTIONS

IMAGES = Path(__file__).parents[2] / "docs" / "images"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1120, "height": 700}}
PHONE: dict[str, Any] = {"viewport": {"width": 1100, "height": 670}}
SMALL: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}
DARK: dict[str, Any] = {"color_scheme": "dark"}
LARGEST_BYTES = 200_000


def draw(browser: Browser, shop: installation.Installation, sid: str) -> None:
    """Take every picture."""
    thread = f"/c/{sid}"
    phone = f"/phone?who={quote(':'.join(bike_shop.PHONE))}"
    with _page(browser, shop, thread, DESKTOP) as page:
        page.locator("#thread .line.customer summary").first.click()
        _save(page, "conversations")
    with _page(browser, shop, thread, DESKTOP | DARK) as page:
        _save(page, "conversations-dark")
    with _page(browser, shop, thread, SMALL) as page:
        _save(page, "conversations-small")
    with _page(browser, shop, "/deliveries", DESKTOP) as page:
        _save(page, "deliveries")
    with _page(browser, shop, "/rules", DESKTOP) as page:
        _save(page, "rules")
        page.get_by_role("textbox", name="Message").fill("My parcel is broken, where is my order?")
        page.get_by_role("button", name="Try it").click()
        page.wait_for_load_state("networkidle")
        _save(page, "rules-trial")
    with _page(browser, shop, phone, PHONE) as page:
        _save(page, "phone")
    with _page(browser, shop, phone, SMALL) as page:
        _save(page, "phone-small")
    with _page(browser, shop, phone, PHONE | DARK) as page:
        _save(page, "phone-dark")


@contextmanager
def _page(browser: Browser, shop: installation.Installation, path: str, options: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", reduced_motion="reduce", **options)
    page = context.new_page()
    page.goto(shop.address(path))
    page.wait_for_load_state("networkidle")
    yield page
    context.close()


def _save(page: Page, name: str) -> None:
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled", caret="hide")
    size = path.stat().st_size
    print(f"{path.relative_to(IMAGES.parents[1])}: {size // 1000} kB")
    assert size <= LARGEST_BYTES, f"{path.name} has more than {LARGEST_BYTES // 1000} kB"


def main() -> int:
    """Play the day and take the pictures; 1 where there is no browser."""
    executable = shutil.which(CHROMIUM)
    if executable is None:
        print("there is no chromium; on Debian: apt-get install chromium", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="parley-screenshots-") as folder:
        rules = Path(folder) / "rules.toml"
        rules.write_text(bike_shop.RULES)
        with (
            installation.running(Path(folder), rules, BOT_AGENTS=bike_shop.AGENT) as shop,
            sync_playwright() as running,
        ):
            sid = bike_shop.play(shop)
            browser = running.chromium.launch(executable_path=executable, args=OPTIONS)
            draw(browser, shop, sid)
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
