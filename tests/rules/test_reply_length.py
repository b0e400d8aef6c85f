"""A long reply is cut where a reader would cut it, and nothing of it is lost."""

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from app.rules.reply_length import parts

FAMILY = "👩\u200d👩\u200d👧"
CUTS = [
    pytest.param("short", 10, ["short"], id="a short text stays whole"),
    pytest.param("", 10, [], id="no text, no part"),
    pytest.param(" \n ", 2, [], id="a blank text has no part"),
    pytest.param("0123456789", 10, ["0123456789"], id="exactly as long as allowed"),
    pytest.param("One two. Three.\n\nFour five.", 24, ["One two. Three.", "Four five."], id="between paragraphs"),
    pytest.param("One two.\r\n\r\nFour five six.", 20, ["One two.", "Four five six."], id="between paragraphs of CRLF"),
    pytest.param("One two. Three four five.", 20, ["One two.", "Three four five."], id="between sentences"),
    pytest.param('He said "no." Then left.', 20, ['He said "no."', "Then left."], id="after a closing quote"),
    pytest.param("- red\n- blue\n- green", 14, ["- red\n- blue", "- green"], id="between lines"),
    pytest.param("version 1.25 is out now", 16, ["version 1.25 is", "out now"], id="a point in a number ends nothing"),
    pytest.param("one two three", 9, ["one two", "three"], id="between words"),
    pytest.param("one two three", 7, ["one two", "three"], id="a word that just fits"),
    pytest.param("A.\n\nbcdef ghijk lmnop qrst", 20, ["A.\n\nbcdef ghijk", "lmnop qrst"], id="not after very little"),
    pytest.param("你好。我们在这里。", 5, ["你好。", "我们在这里", "。"], id="sentences without spaces"),
    pytest.param("call +1 (555) 010-0001", 18, ["call", "+1 (555) 010-0001"], id="not within a telephone number"),
    pytest.param(
        "Ring us. 0049 30 123 456 7 now", 24, ["Ring us.", "0049 30 123 456 7 now"], id="nor one without plus"
    ),
    pytest.param(
        "a\u00a0+1\u00a0555\u00a0010\u00a00001",
        15,
        ["a", "+1\u00a0555\u00a0010\u00a00001"],
        id="nor at spaces that do not break",
    ),
    pytest.param("+15550100001", 6, ["+15550", "100001"], id="unless the number is longer than a message"),
    pytest.param("in 2026 and 2027", 9, ["in 2026", "and 2027"], id="years are no telephone number"),
    pytest.param("abcdefghij", 4, ["abcd", "efgh", "ij"], id="in a word that is too long"),
    pytest.param("ae\u0301e\u0301", 4, ["ae\u0301", "e\u0301"], id="never between a letter and its accent"),
    pytest.param(f"ab{FAMILY}", 6, ["ab", FAMILY], id="never inside of an emoji"),
    pytest.param("🇩🇪🇫🇷🇪🇸", 5, ["🇩🇪🇫🇷", "🇪🇸"], id="never inside of a flag"),
    pytest.param("e" + "\u0301" * 5, 4, ["e\u0301\u0301\u0301", "\u0301\u0301"], id="unless one letter is too long"),
    pytest.param(" \ufe0f", 1, ["\ufe0f"], id="no part is a space whose accent is in the next"),
]


@pytest.mark.parametrize(("text", "most", "expected"), CUTS)
def test_a_text_is_cut_at_the_best_place(text, most, expected):
    assert parts(text, most) == expected


def test_the_longest_message_of_sms_and_whatsapp_is_the_default():
    assert [len(part) for part in parts("word " * 1000)] == [1599, 1599, 1599, 199 + 1]


TEXTS = st.text(st.sampled_from("ab .!?\n\r\t\"')。！é\u0301\u200d👩🇩🇪\u0600\u00a0\u2028\ufe0f\x1c"), max_size=120)


@given(st.one_of(TEXTS, st.text(max_size=120)), st.integers(1, 40))
@example(" \u0301", 1)
def test_no_part_is_too_long_or_blank(text, most):
    assert [part for part in parts(text, most) if len(part) > most or part.isspace() or not part] == []


@given(st.one_of(TEXTS, st.text(max_size=120)), st.integers(1, 40))
def test_nothing_but_white_space_is_lost(text, most):
    assert "".join("".join(parts(text, most)).split()) == "".join(text.split())


@given(TEXTS, st.integers(12, 40))
def test_no_part_begins_or_ends_inside_of_a_visible_character(text, most):
    longest = max((len(one) for one in regex.findall(r"\X", text)), default=0)
    seen = [one for part in parts(text, max(most, longest)) for one in regex.findall(r"\X", part)]

    assert [one for one in seen if not one.isspace()] == [
        one for one in regex.findall(r"\X", text) if not one.isspace()
    ]


@given(st.text(st.sampled_from("ab .\n"), max_size=80), st.integers(1, 40))
def test_a_text_that_fits_is_one_part(text, most):
    assert len(parts(text, max(most, len(text)))) <= 1
