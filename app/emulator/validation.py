"""What Twilio refuses in a request: malformed attributes, addresses and timers, and lengths.

Source: conversations-classic/conversations-limits, /states-timers and api/errors/<code>, read 2026-11-22.
"""

import json
import re

from app.emulator.clock import read_duration
from app.emulator.errors import TwilioError

CONVERSATION_ATTRIBUTES = 16 * 1024
MESSAGE_ATTRIBUTES = 4 * 1024
PARTICIPANT_ATTRIBUTES = 4 * 1024
CHAT_BODY = 32 * 1024
CARRIER_BODY = 1600
NAME_LENGTH = 256
_ADDRESS = re.compile(r"(?:(?P<channel>[a-z]+):)?\+[1-9]\d{5,14}")


def attributes(text: str | None, limit: int) -> str:
    """Return the attributes, `{}` if unset; raise 50304 when they are not JSON or longer than `limit` bytes."""
    if not text:
        return "{}"
    try:
        json.loads(text)
    except ValueError:
        raise TwilioError(50304, "Attributes is not a valid JSON") from None
    if len(text.encode()) > limit:
        raise TwilioError(50304, f"Attributes is longer than {limit} bytes")
    return text


def name(parameter: str, text: str | None) -> str | None:
    """Return a name or identity; raise 20001 when it is longer than 256 characters."""
    if text and len(text) > NAME_LENGTH:
        raise TwilioError(20001, f"{parameter} is longer than {NAME_LENGTH} characters")
    return text or None


def whole_number(parameter: str, text: str) -> int:
    """Return a whole number; raise 20001 when the text is none."""
    try:
        return int(text)
    except ValueError:
        raise TwilioError(20001, f"{parameter} must be a whole number") from None


def body(text: str | None, *, reaches_phones: bool) -> None:
    """Raise 50504 when a body is too long: 1,600 characters towards phones, 32 KB in chat."""
    if text and reaches_phones and len(text) > CARRIER_BODY:
        raise TwilioError(50504, f"Message body is too long: more than {CARRIER_BODY} characters")
    if text and len(text.encode()) > CHAT_BODY:
        raise TwilioError(50504, f"Message body is too long: more than {CHAT_BODY} bytes")


def channel_of(address: str, code: int, parameter: str) -> str:
    """Return sms, whatsapp ... for an address; raise `code` when it is no E.164 address."""
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise TwilioError(code, f"Invalid {parameter}")
    return found["channel"] or "sms"


def binding(address: str, proxy_address: str | None, numbers: tuple[str, ...]) -> str:
    """Return the channel of an address and proxy pair; raise 50407 to 50414 when they do not go together."""
    channel = channel_of(address, 50407, "messaging binding address")
    if address in numbers:
        raise TwilioError(50407, "Invalid messaging binding address: it is one of the account's own numbers")
    if proxy_address is None:
        return channel
    proxy_channel = channel_of(proxy_address, 50408, "messaging binding proxy address")
    if address == proxy_address:
        raise TwilioError(50409, "Messaging binding address and proxy address must differ")
    if channel != proxy_channel:
        raise TwilioError(50414, "Messaging binding address and proxy address are of different channels")
    if numbers and proxy_address not in numbers:
        raise TwilioError(50413, "Messaging binding proxy address does not belong to the account")
    return channel


def timer(text: str | None, code: int, at_least: int) -> float | None:
    """Return a timer in seconds; raise `code` when it is no ISO 8601 duration or shorter than `at_least`.

    No duration, or one of zero, is no timer.
    """
    if not text:
        return None
    seconds = read_duration(text)
    if seconds == 0:
        return None
    if seconds is None or seconds < at_least:
        raise TwilioError(code, f"Timer must be an ISO 8601 duration of at least {at_least} seconds")
    return seconds


def inactive_timer(text: str | None) -> float | None:
    """Return the inactive timer in seconds: at least a minute (50375)."""
    return timer(text, 50375, 60)


def closed_timer(text: str | None) -> float | None:
    """Return the closed timer in seconds: at least ten minutes (50376)."""
    return timer(text, 50376, 600)
