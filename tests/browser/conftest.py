"""The page in a real browser: Debian's chromium, driven by playwright. Skipped where one of them is missing."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import installation
from tests.browser.installation import Installation
from tests.conftest import RULES

CHROMIUM = "chromium"
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "correct-horse-battery"
PATIENCE_MS = 15_000
DESKTOP = {"width": 1280, "height": 800}
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder: `make browser` runs it."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is missing: it is in requirements-dev.txt"
    )
    executable = shutil.which(CHROMIUM)
    if executable is None:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=OPTIONS)
        playwright.expect.set_options(timeout=PATIENCE_MS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "rules.toml"
    path.write_text(RULES)
    return path


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory, rules: Path, chromium: Any) -> Iterator[Installation]:
    """The offline loop: an emulator, no password."""
    with installation.running(tmp_path_factory.mktemp("offline"), rules) as found:
        yield found


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory, rules: Path, chromium: Any) -> Iterator[Installation]:
    """An installation with a password."""
    with installation.running(tmp_path_factory.mktemp("guarded"), rules, password=PASSWORD) as found:
        yield found


@pytest.fixture
def window(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a window of its own with an address in it; whatever a script or the CSP complains about fails the test."""
    contexts, complaints = [], []

    def open_window(url: str, **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": DESKTOP} | options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said) else None)
        page.goto(url)
        page.evaluate("window.neverReloaded = true")
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def number() -> str:
    """A customer nobody has heard of yet."""
    return f"+1555010{1000 + next(_numbers)}"


def _is_complaint(said: Any) -> bool:
    """Return whether the console tells of a fault of ours; a refused request is told there as well."""
    return said.type == "error" and not said.text.startswith("Failed to load resource")
