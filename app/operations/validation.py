"""Checks what an operator gives before anything is sent; the SDK puts values into URLs without encoding them.

Every check returns the value as Twilio wants it, or raises Refused with the wrong value and the next step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

from app.common.quoting import quoted
from app.twilio_api.addresses import in_ascii_digits, is_whatsapp_user_id, number_in, without_marks
from app.twilio_api.form import is_sid, written_attributes

# Source: conversations-classic/conversations-limits, read 2026-11-22; characters, and bytes of JSON.
NAME_CHARS = 256
CONVERSATION_ATTRIBUTES = 16 * 1024
OTHER_ATTRIBUTES = 4 * 1024
_AS_VARIABLES = """write them like '{"1": "Ann"}'"""
_ADDRESSES = ("whatsapp", "messenger", "rcs", "sms", "tel")
UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class Refused(ValueError):
    """Nothing was sent; the message names what is wrong and the next step."""


def sid(prefix: str, text: str) -> str:
    """Return a SID, matched in full, e.g. sid("IM", "IM0123..."). Raises Refused."""
    if not is_sid(text, prefix):
        raise Refused(
            f"{quoted(text, 40)} is not a SID that begins with {prefix} and has 32 hexadecimal digits after it"
        )
    return text


def conversation(text: str) -> str:
    """Return a ConversationSid or a unique name that can stand in a URL. Raises Refused.

    Source: conversations-classic/api/conversation-resource, fetch (read 2026-11-22): either may be given.
    """
    if is_sid(text, "CH"):
        return text
    return _in_a_url(text, "conversation", "give its SID (CH...) instead")


def identity(text: str) -> str:
    """Return the identity of a chat user, at most 256 characters. Raises Refused."""
    name = without_marks(text)
    if not name.strip() or len(name) > NAME_CHARS or not name.isprintable():
        raise Refused(f"{quoted(text, 40)} is no identity; it needs 1 to {NAME_CHARS} characters that can be printed")
    if is_address(name):
        raise Refused(f"{quoted(text, 40)} is an address, not an identity; add it with --sms or --whatsapp")
    return name


def is_address(text: str) -> bool:
    """Return whether a name is rather a number with its plus or WhatsApp's id of a user, or begins with a channel."""
    prefix, _, rest = text.rpartition(":")
    if prefix.lower() in _ADDRESSES or is_whatsapp_user_id(text.strip()):
        return True
    return "+" in in_ascii_digits(rest) and bool(number_in(rest))


def phone_number(text: str) -> str:
    """Return a number in E.164, without what people and telephones write between its digits. Raises Refused.

    It has as many digits as numbers of its country can have; whether anybody has it only Twilio can say.
    """
    number = number_in(text)
    if not number:
        raise Refused(
            f"{quoted(text, 40)} is not a phone number; write it with + and the country code, like +15550100001"
        )
    if fault := _impossible(number):
        raise Refused(f"{quoted(text, 40)} cannot be a phone number: {fault}; look at its country code and its digits")
    return number


def _impossible(number: str) -> str:
    """Return why nobody can have this number, "" where somebody can."""
    import phonenumbers  # only commands and forms ask, so no other process reads its tables

    try:  # WhatsApp writes mobile numbers of Mexico with a 1 behind +52, as all did until 2019
        parsed = phonenumbers.parse(re.sub(r"^\+521(?=[0-9]{10}$)", "+52", number))
    except phonenumbers.NumberParseException:
        return "no country has its code"
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    if reason == phonenumbers.ValidationResult.IS_POSSIBLE:
        return ""
    of_country = f"of a number with +{parsed.country_code}"
    if reason == phonenumbers.ValidationResult.TOO_LONG:
        return f"more digits than those {of_country}"
    return f"fewer digits than those {of_country}, or a number that is none there"


def whatsapp_address(text: str) -> str:
    """Return `whatsapp:` and the number, whether or not the prefix was given. Raises Refused."""
    return f"whatsapp:{phone_number(re.sub('^whatsapp:', '', without_marks(text), flags=re.IGNORECASE))}"


def web_url(text: str, *, secure: bool = False) -> str:
    """Return an absolute http(s) URL without white space or a password. Raises Refused."""
    schemes = ("https",) if secure else ("http", "https")
    try:
        parts = urlsplit(text)
        usable = parts.scheme in schemes and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(char.isspace() or not char.isprintable() for char in text):
        raise Refused(f"{quoted(text)} is not a URL; write one like https://bot.example.com/path")
    return text


def name(text: str, what: str) -> str:
    """Return a friendly or unique name, at most 256 characters; `what` says which in the error. Raises Refused."""
    if not text.strip() or len(text) > NAME_CHARS:
        raise Refused(f"{what} has {len(text)} characters; give 1 to {NAME_CHARS}")
    return text


def unique_name(text: str) -> str:
    """Return a unique name that can stand in a URL. Raises Refused."""
    return _in_a_url(name(text, "the unique name"), "unique name", "use letters, digits and . _ - only")


def attributes(text: str | Mapping[str, Any], most_bytes: int) -> dict[str, Any]:
    """Return attributes as a dictionary: a JSON object of at most `most_bytes` bytes. Raises Refused."""
    try:
        found = json.loads(text) if isinstance(text, str) else dict(text)
    except ValueError as error:
        raise Refused(f"the attributes are not valid JSON ({error}); write them like '{{\"vip\": true}}'") from None
    except RecursionError:
        raise Refused("the attributes are nested too deeply; make them simpler") from None
    if not isinstance(found, dict):
        raise Refused("the attributes are not a JSON object; write them like '{\"vip\": true}'")
    as_json(found, most_bytes)
    return found


def as_json(found: Mapping[str, Any], most_bytes: int) -> str:
    """Return attributes as the JSON text that Twilio wants, at most `most_bytes` long. Raises Refused."""
    try:
        text = written_attributes(found)
    except ValueError:
        raise Refused("the attributes have a number that JSON does not have, such as NaN; write another") from None
    size = len(text.encode())
    if size > most_bytes:
        raise Refused(f"the attributes have {size} bytes; Twilio takes {most_bytes}, so remove some")
    return text


def content_variables(text: str, content_sid: str) -> str:
    """Return what fills in a template, a JSON object of texts; "" stays "". Raises Refused.

    Source: api/errors/50527, 50528, 21656, read 2026-11-29.
    """
    if not text:
        return text
    if not content_sid:
        raise Refused("--content-variables fill in a template; give its --content-sid HX... too")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Refused(f"the content variables are not valid JSON ({error}); {_AS_VARIABLES}") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise Refused(f"the content variables are not a JSON object of texts; {_AS_VARIABLES}")
    return text


def duration(text: str, what: str) -> str:
    """Return an ISO 8601 duration such as PT10M; `what` says of which timer in the error. Raises Refused."""
    shape = r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"
    if not re.fullmatch(shape, text, re.ASCII):
        raise Refused(f"{what} {quoted(text, 20)} is not an ISO 8601 duration; write it like PT10M, PT2H or P1D")
    return text


def timer(text: str, what: str, least_minutes: int) -> str:
    """Return the duration of a conversation's timer, PT0S for none. Raises Refused when it is too short.

    Source: api/errors/50375 and 50376, read 2026-11-22.
    """
    days, _, clock = duration(text, what).partition("T")
    numbers = {unit: float(number) for number, unit in re.findall(r"([\d.]+)([HMS])", clock)}
    seconds = numbers.get("H", 0.0) * 3600 + numbers.get("M", 0.0) * 60 + numbers.get("S", 0.0)
    has_days = bool(re.search("[1-9]", days))
    if not has_days and 0 < seconds < least_minutes * 60:
        raise Refused(f"{what} {text} is too short; the shortest is PT{least_minutes}M")
    return text


def span(text: str) -> timedelta:
    """Return a length of time written with a unit, such as 30m. Raises Refused."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text)
    if not found:
        raise Refused(f"{quoted(text, 20)} is no length of time; write a number and a unit, like 30m, 2h or 1d")
    return int(found[1]) * UNITS[found[2]]


def day(text: str) -> str:
    """Return a day as YYYY-MM-DD. Raises Refused."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Refused(f"{quoted(text, 20)} is no day; write it like 2026-11-22") from None


def address(text: str) -> str:
    """Return the address of somebody who may be there already: a number as Twilio writes it, else as it was given.

    Some channels know people by other names: whatsapp:US.134..., messenger:772... Raises Refused for what is neither.
    """
    plain = without_marks(text)
    prefix, colon, rest = plain.partition(":")
    if not colon:
        return phone_number(plain)
    if prefix.lower() == "whatsapp" and (rest.startswith("+") or not re.search("[A-Za-z]", rest)):
        return whatsapp_address(plain)
    shaped = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*:\S+", plain)
    if not shaped or len(plain) > NAME_CHARS or not plain.isprintable():
        raise Refused(f"{quoted(text, 40)} is no address; write +15550100001, whatsapp:+15550100001 or messenger:...")
    return prefix.lower() + colon + rest


def _in_a_url(text: str, what: str, next_step: str) -> str:
    """Return a name if it needs no encoding: a slash or a question mark would address something else."""
    if not re.fullmatch(r"[\w.~+@:-]{1,256}", text, re.ASCII) or text in (".", ".."):
        raise Refused(f"the {what} {quoted(text, 40)} cannot stand in a URL as it is; {next_step}")
    return text
