"""The words of a text as the bot compares them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.text_matching import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("  Where is\tmy\nORDER?! ", ("where", "is", "my", "order")),
        ("don't stop-now", ("don", "t", "stop", "now")),
        ("5$ + 3", ("5", "$", "+", "3")),
        ("ＳＴＯＰ\u200b it", ("stop", "it")),
        ("Straße", ("strasse",)),
        ("我要退货", ("我", "要", "退", "货")),
        ("ok 👍🏽", ("ok", "👍", "🏽")),
    ],
)
def test_words_have_no_case_no_width_and_no_punctuation(text, words):
    assert words_of(text) == words


@given(st.text(st.characters(max_codepoint=127)))
def test_a_text_of_ascii_has_the_same_words_beside_another_letter(text):
    assert words_of(text + " é") == (*words_of(text), "é")
