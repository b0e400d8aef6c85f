"""Which channel an author belongs to."""

import pytest

from app.twilio_api.addresses import channel_of

PHONE = "+15550100001"
CHANNELS = [
    (PHONE, "SMS", "sms"),
    (PHONE, "MMS", "sms"),
    ("whatsapp:+15550100001", "WHATSAPP", "whatsapp"),
    ("whatsapp:+15550100001", "", "whatsapp"),
    ("messenger:4711", "", "messenger"),
    ("anna", "SDK", "chat"),
    ("team:anna", "SDK", "chat"),
    ("anna@example.com", "EMAIL", "email"),
    ("anna", "SOMETHING NEW", "chat"),
    ("", "", "chat"),
]


@pytest.mark.parametrize(("author", "source", "channel"), CHANNELS)
def test_the_channel_is_read_from_the_address_and_then_from_the_source(author, source, channel):
    assert channel_of(author, source) == channel
