"""Words on WhatsApp, from the signed webhook on: what opts out, what a rule finds, and who answers a call for help."""

import pytest

RULES = """
[bot]
opt_out_words = ["iptal", "GENUG"]

[[rule]]
name = "return"
when = { keywords = ["iade"] }
reply = "We take it back."

[[rule]]
name = "menu"
when = { keywords = ["help"] }
reply = "1: orders, 2: a person."

[[rule]]
name = "by WhatsApp"
when = { channel = "whatsapp" }
reply = "Thanks."
"""


@pytest.fixture
def answers(customer_writes, run_worker, emulator):
    """Let a customer write by WhatsApp; return all replies so far."""

    def write(text, **more):
        customer_writes(text, channel="whatsapp", **more)
        run_worker()
        return emulator.replies()

    return write


@pytest.mark.parametrize("word", ["İptal", "İPTAL", "genug", "STOP", "UNSUBSCRIBE"])
def test_an_opt_out_word_is_not_answered_whatever_words_were_added_and_nothing_after_it(answers, word):
    assert (answers(word), answers("hello?")) == ([], [])


def test_a_keyword_is_found_in_capitals_of_another_script(answers):
    assert answers("İade etmek istiyorum") == ["We take it back."]


def test_a_call_for_help_is_answered_by_the_rule_where_twilio_answers_nothing(answers):
    assert answers("help") == ["1: orders, 2: a person."]


def test_by_sms_twilio_answers_it(customer_writes, run_worker, emulator):
    customer_writes("help")
    run_worker()

    assert emulator.replies() == []


def test_a_rule_for_the_channel_answers(answers):
    assert answers("hi") == ["Thanks."]
