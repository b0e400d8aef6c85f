"""The daily budget of automatic replies, which ends a loop of two machines whatever the rules file says."""

from datetime import UTC, datetime, timedelta

import pytest

from app.rules.engine import decide
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.loader import load

POLICY = Policy("support-bot")
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
SAID = Inbound("IM1", "CH1", "+15550100001", "something new", "sms", "SMS", NOON)
DAY = tuple(NOON - timedelta(minutes=20 * n) for n in range(1, 31))
OWN_BUDGETS = {
    "none": "",
    "for minutes": '[bot]\nreply_budget = { count = 5, per = "10m" }\n',
    "for half a day": '[bot]\nreply_budget = [{ count = 90, per = "12h" }]\n',
}


@pytest.mark.parametrize("own", OWN_BUDGETS.values(), ids=OWN_BUDGETS)
def test_thirty_replies_a_day_are_enough_whatever_the_rules_say(own):
    rules = load(own + '[[rule]]\nname = "always"\nreply = "Hello."')
    decision = decide(SAID, ConversationFacts(reply_times=DAY), rules, POLICY, NOON)
    before = decide(SAID, ConversationFacts(reply_times=DAY[:29]), rules, POLICY, NOON)

    assert (decision.code, before.code) == ("reply budget", "replied")
    assert decision.reason == ("30 automatic replies within 1 d are enough, as when two machines talk (reply_budget)")


def test_a_budget_of_ones_own_for_a_day_takes_its_place():
    rules = load('[bot]\nreply_budget = { count = 200, per = "1d" }\n[[rule]]\nname = "always"\nreply = "Hello."')

    assert decide(SAID, ConversationFacts(reply_times=DAY), rules, POLICY, NOON).code == "replied"
