"""What holds for any text an operator gives: it comes out as Twilio wants it, or is refused with one sentence."""

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.operations import validation
from app.operations.validation import Refused

any_text = st.text(max_size=60)
sid_like = st.from_regex(r"[A-Z]{0,3}[0-9a-fA-FgG\u0661]{30,33}\n?", fullmatch=True)
number_like = st.from_regex(r"(whatsapp:)?[+0]{0,2}[ ()\-.\d\u0661\uff11]{0,18}\n?")
anything = st.one_of(any_text, sid_like, number_like, st.sampled_from(["", ".", "..", "CH", "P", "PT", "PT1.S", "0d"]))

SHAPES: dict[str, tuple[Callable[[str], object], str]] = {
    "a MessageSid": (lambda text: validation.sid("IM", text), "IM[0-9a-fA-F]{32}"),
    "a conversation": (validation.conversation, r"[A-Za-z0-9_.~+@:-]{1,256}"),
    "a phone number": (validation.phone_number, r"\+[1-9][0-9]{6,14}"),
    "a WhatsApp address": (validation.whatsapp_address, r"whatsapp:\+[1-9][0-9]{6,14}"),
    "an address": (validation.address, r"\+[1-9][0-9]{6,14}|[a-z][a-z0-9_-]*:\S+"),
    "a unique name": (validation.unique_name, r"[A-Za-z0-9_.~+@:-]{1,256}"),
    "an identity": (validation.identity, r"(?!\+[0-9]+$).{1,256}"),
    "a URL": (validation.web_url, r"(?i:https?)://[^\s\x00-\x20\x7f]+"),
    "a duration": (lambda text: validation.duration(text, "the timer"), r"P[0-9YMWDTHS.]+"),
    "a timer": (lambda text: validation.timer(text, "the timer", 1), r"P[0-9YMWDTHS.]+"),
    "a day": (validation.day, r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
}


def outcome(check: Callable[[str], object], text: str) -> str | None:
    """Return what a check returned; None where it refused with one sentence."""
    try:
        return str(check(text))
    except Refused as refusal:
        assert 0 < len(str(refusal)) < 600
        assert str(refusal).isprintable()
        return None


@pytest.mark.parametrize(("check", "shape"), SHAPES.values(), ids=SHAPES)
@settings(max_examples=80, deadline=None, derandomize=True)
@given(text=anything)
@example("+1555010000\u0661")
@example("IM" + "0" * 32 + "\n")
@example("PT\u0663M")
def test_what_is_accepted_has_the_shape_that_twilio_wants(
    check: Callable[[str], object], shape: str, text: str
) -> None:
    found = outcome(check, text)

    assert found is None or re.fullmatch(shape, found)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(text=anything)
def test_a_length_of_time_is_positive_or_refused(text: str) -> None:
    try:
        assert validation.span(text) > timedelta()
    except Refused as refusal:
        assert "30m" in str(refusal)


document = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(text=document.map(json.dumps) | any_text)
@example("[" * 100_000)
@example('{"a":' * 100_000)
@example("9" * 5000)
@example('{"a": NaN}')
@example('{"a": 1e999}')
def test_attributes_are_an_object_or_refused(text: str) -> None:
    found = outcome(lambda one: validation.as_json(validation.attributes(one, 4096), 4096), text)

    assert found is None or isinstance(json.loads(found, parse_constant=pytest.fail), dict)
    assert found is None or len(found.encode("utf-8", "replace")) <= 4096


@settings(max_examples=80, deadline=None, derandomize=True)
@given(found=st.dictionaries(st.text(max_size=8), document, max_size=4))
def test_an_object_small_enough_is_taken_as_it_is(found: dict[str, object]) -> None:
    assert validation.attributes(json.dumps(found), 1_000_000) == found
