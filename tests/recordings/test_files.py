"""Files of recorded webhooks: read and written byte for byte, and signed as Twilio's SDK does."""

from pathlib import Path

import pytest

from app.recordings import files
from tests.support import webhook_fixtures


@pytest.mark.parametrize("path", sorted(webhook_fixtures.FOLDER.glob("*.http")), ids=lambda path: path.stem)
def test_a_recording_that_is_read_and_written_is_the_same_byte_for_byte(path: Path):
    assert files.render(files.read(path)) == path.read_bytes()


@pytest.mark.parametrize("path", sorted(webhook_fixtures.FOLDER.glob("*.http")), ids=lambda path: path.stem)
def test_our_signature_is_the_one_of_twilios_sdk(path: Path):
    request = files.read(path)
    sdk = webhook_fixtures.sign(request, "https://bot.example.com", "0123456789abcdef0123456789abcdef")

    assert files.sign(request, "https://bot.example.com", "0123456789abcdef0123456789abcdef") == sdk
