"""A Twilio whose answer comes byte by byte: the whole request ends well within a lease, in real seconds."""

import time

import pytest

from app.inbox.leases import LEASE_SECONDS
from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError
from app.twilio_api.http_client import REQUEST_SECONDS
from app.twilio_api.look_up import Sought
from tests.support.loopback_site import serve, site

__all__ = ["serve", "site"]
pytestmark = pytest.mark.slow


def test_an_answer_byte_by_byte_holds_a_thread_for_eleven_seconds(site):
    base_url = f"http://127.0.0.1:{site.server_port}/dripping"
    twilio = Conversations(account_sid="AC" + "1" * 32, auth_token="0" * 32, base_url=base_url)
    twilio.warm_up()
    began = time.monotonic()
    with pytest.raises(SendError, match="no answer from Twilio"):
        twilio.find_message("CH" + "1" * 32, "", Sought(("parley", {}), "bot", None), back_to="IM" + "1" * 32)

    assert REQUEST_SECONDS == 11.0
    assert time.monotonic() - began < (REQUEST_SECONDS + LEASE_SECONDS) / 2
