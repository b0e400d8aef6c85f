"""The words of a text as the bot compares them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.text_matching import Spoken, without_accents, words_of


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
        ("İPTAL İptal iptal", ("iptal",) * 3),
        ("KAPALI kapalı", ("kapali",) * 2),
        ("ΑΚΥΡΩΣΗ ακύρωση ΑΚΎΡΩΣΗ ακύρωσης", (*("ακυρωση",) * 3, "ακυρωσησ")),
        ("ԵՒ և", ("եւ",) * 2),
        ("ᲒᲐᲛᲐᲠᲯᲝᲑᲐ გამარჯობა", ("გამარჯობა",) * 2),
        ("مـــرحبا", ("مرحبا",)),
        ("don´t don`t don’t donʼt don＇t", ("don", "t") * 5),
        ("1\ufe0f\u20e3 2\u20e3 ① ❸ 🔟 ٤ ५", ("1", "2", "1", "3", "10", "4", "5")),
        ("C# C♯ C++", ("c", "♯", "c", "♯", "c", "+", "+")),
        ("#1, 50% or 50 %", ("1", "50", "%", "or", "50", "%")),
        ("naïve ñ ü", ("naïve", "ñ", "ü")),
    ],
)
def test_words_have_no_case_no_width_and_no_punctuation(text, words):
    assert words_of(text) == words


@given(st.text(st.characters(max_codepoint=127)))
def test_a_text_of_ascii_has_the_same_words_beside_another_letter(text):
    assert words_of(text + " é") == (*words_of(text), "é")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Café né à Łódź", ("cafe", "ne", "a", "lodz")),
        ("Ærø smörgåsbord", ("aero", "smorgasbord")),
        ("ёлка мой за́мок", ("елка", "мой", "замок")),
        ("שָׁלוֹם مَرْحَبًا", ("שלום", "مرحبا")),
        ("हिन्दी 한국 がぎ", words_of("हिन्दी 한국 がぎ")),
        ("a \u0301 b", ("a", "b")),
    ],
    ids=["Latin", "letters with strokes", "Cyrillic", "vowel points", "no accents at all", "an accent by itself"],
)
def test_words_without_accents_keep_their_letters(text, words):
    assert without_accents(words_of(text)) == words


@pytest.mark.parametrize("keyword", ["c++", "c#", "50%"])
def test_a_keyword_with_a_symbol_is_not_found_where_the_symbol_is_missing(keyword):
    assert not Spoken(words_of("I like C and 50")).has_any_of([words_of(keyword)])
    assert Spoken(words_of("I like C++, C# and 50%")).has_any_of([words_of(keyword)])


LETTERS = "aeiouäöüßçğıişéñłøαβγάέήίόύώςабвгдёйжաբգգაბგ"


@given(st.text(st.sampled_from(LETTERS)))
def test_words_are_the_same_in_any_case(text):
    assert words_of(text) == words_of(text.upper()) == words_of(text.title())
