"""The linter against random rules: what it calls never reached never answers, and no missing fallback goes untold."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.rules.engine import decide
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.lint import lint
from app.rules.schema import Rules

SIMPLE = {
    "keywords": st.lists(st.sampled_from(["a", "b", "a b", "b c"]), min_size=1, max_size=2),
    "regex": st.lists(st.sampled_from(["a", "b c"]), min_size=1, max_size=2),
    "channel": st.lists(st.sampled_from(["sms", "chat"]), min_size=1, max_size=2),
    "hours": st.sampled_from(["open", "closed"]),
    "first_contact": st.booleans(),
    "media": st.booleans(),
    "role": st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=2),
    "attributes": st.fixed_dictionaries(
        {}, optional={"p": st.sampled_from([1, True, [1, 2]]), "q.r": st.just("s")}
    ).filter(bool),
}


def compound(part):
    several = st.lists(part, min_size=1, max_size=2)
    return st.fixed_dictionaries({}, optional=SIMPLE | {"any": several, "all": several, "not": part}).filter(bool)


PARTS = st.recursive(st.fixed_dictionaries({}, optional=SIMPLE).filter(bool), compound, max_leaves=4)
RULES = st.fixed_dictionaries(
    {"when": st.just({}) | PARTS}, optional={"cooldown": st.just("1h"), "mode": st.just("observe")}
)
MESSAGES = st.builds(
    Inbound,
    message_sid=st.just("IM1"),
    conversation_sid=st.just("CH1"),
    author=st.just("somebody"),
    text=st.lists(st.sampled_from("abc"), max_size=4).map(" ".join),
    channel=st.sampled_from(["sms", "chat", "email"]),
    source=st.just(""),
    sent_at=st.just(datetime(2026, 11, 23, tzinfo=UTC)),
    has_media=st.booleans(),
)
KNOWN = st.builds(
    ConversationFacts,
    first_contact=st.booleans(),
    roles=st.lists(st.sampled_from("xy")).map(tuple),
    attributes=st.sampled_from([{}, {"p": 1}, {"p": True}, {"p": 2, "q": {"r": "s"}}, {"q.r": "s"}]),
)


@given(st.lists(RULES, max_size=4), st.booleans(), MESSAGES, KNOWN, st.integers(0, 23))
def test_no_rule_that_answers_was_said_to_be_never_reached(drafts, has_hours, message, known, hour):
    bot = {"hours": {"mon": "08:00-12:00"}} if has_hours else {}
    written = [{"name": str(n), "reply": "x", **draft} for n, draft in enumerate(drafts)]
    rules = Rules.model_validate({"bot": bot, "rule": written})
    accused = {one.rule for one in lint(rules) if one.code in ("unreachable", "impossible")}
    decision = decide(message, known, rules, Policy("bot"), datetime(2026, 11, 23, hour, tzinfo=UTC))

    assert accused.isdisjoint({decision.rule, *decision.observed})


@given(st.lists(RULES, max_size=3), st.booleans(), MESSAGES, KNOWN, st.integers(0, 23))
def test_where_no_fallback_is_missing_every_first_message_is_answered(drafts, has_hours, message, known, hour):
    bot = {"hours": {"mon": "08:00-12:00"}} if has_hours else {}
    written = [{"name": str(n), "reply": "x", **draft} for n, draft in enumerate(drafts)]
    rules = Rules.model_validate({"bot": bot, "rule": written})
    first = replace(known, first_contact=True)
    decision = decide(message, first, rules, Policy("bot"), datetime(2026, 11, 23, hour, tzinfo=UTC))

    assert decision.code != "no rule" or "no fallback" in [one.code for one in lint(rules)]
