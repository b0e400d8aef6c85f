"""Stories with the rules that come with Parley: what a customer adds is read by a person, not answered by a machine."""

import pytest

from app.config import PROJECT


@pytest.fixture
def rules_file():
    return PROJECT / "rules.toml"


def test_an_order_number_is_left_to_a_person_at_whatever_hour(bot):
    customer = bot.customer()
    customer.says("Where is my order?")
    customer.says("4711")

    assert len(bot.replies()) == 1
    assert "4711" not in bot.replies()[0]
    assert bot.reason().endswith('because the rule "order status" says so')


def test_the_bot_answers_again_when_that_is_long_over(bot):
    customer = bot.customer()
    customer.says("Where is my order?")
    bot.advance(minutes=61)
    customer.says("are you open on Sundays?")

    assert bot.replies()[-1].startswith("We are ")
