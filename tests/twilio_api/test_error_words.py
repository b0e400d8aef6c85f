"""Each code of Twilio's that people meet has a sentence of its own, and says what to do."""

import pytest

from app.twilio_api.errors import MEANINGS, SendError, meaning, sentence

DELIVERY = (21408, 21614, *range(30001, 30009), 30022, 30032, 30034, 30035)
CHANNEL = (63001, 63003, 63013, 63015, 63018, 63024, 63032, 63049, 63112)


@pytest.mark.parametrize("code", [*DELIVERY, *CHANNEL])
def test_a_failed_delivery_is_explained_and_has_a_next_step(code):
    why, _, step = meaning(code).partition("; ")

    assert why and step and "twilio.com" not in meaning(code)


def test_no_two_codes_have_the_same_sentence():
    assert len(set(MEANINGS.values())) == len(MEANINGS)


@pytest.mark.parametrize("code", [50407, 50440, 50441, 50443, 50453])
def test_a_refused_participant_has_a_next_step(code):
    refused = SendError(f"Twilio refused the request ({code})", "give up", status=400, code=code)

    assert sentence(refused).startswith(f"Twilio refused the request ({code}); ")
