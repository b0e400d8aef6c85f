"""What playwright gives the stories; who imports this is skipped where playwright is missing."""

import pytest

expect = pytest.importorskip(
    "playwright.sync_api", reason="playwright is missing; requirements-dev.txt names it"
).expect

__all__ = ["expect"]
