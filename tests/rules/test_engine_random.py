"""What holds for any rules file and any message: one reply at most, and never where silence was asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.business_hours import quiet_until
from app.rules.engine import PUT_OFF, decide, timers_of
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.guards import changed_guards
from app.rules.loader import load
from app.rules.schema import Rules
from app.twilio_api.addresses import channel_of

POLICY = Policy("support-bot", ("support-agent",), timedelta(hours=1))
PHONE, WHATSAPP, ANNA = "+15550100001", "whatsapp:+15550100001", "anna"
HX = "HX0123456789abcdef0123456789abcdef"
FOREVER = datetime.max.replace(tzinfo=UTC)

SIMPLE = {
    "keywords": ['["order", "退款"]', '["hi there"]'],
    "regex": ['"o.*r"', '["[0-9]+", "(h+)+$"]'],
    "channel": ['"sms"', '["chat", "whatsapp"]'],
    "hours": ['"open"', '"closed"'],
    "first_contact": ["true", "false"],
    "media": ["true", "false"],
    "role": ['"vip"', '["guest", "vip"]'],
    "attributes": ['{ tier = "gold" }', "{ a.b = [1, true] }"],
    "participant_attributes": ['{ lang = ["de", "en"] }'],
}
DEEDS = {
    "reply": ['"Hello."', '"{{ author }} {{ attributes.name }}"', '"{% if first_contact %}Hi{% endif %}"'],
    "media": ['"menu.pdf"'],
    "template": [f'{{ content_sid = "{HX}", variables = {{ "1" = "{{{{ text }}}}" }} }}'],
    "set_attributes": ['{ topic = "{{ text }}", n = [1, "{{ channel }}"] }'],
    "add_participant": ['{ identity = "desk" }'],
    "close": ["true"],
}
LIMITS = {"cooldown": ['"10m"'], "quota": ["2", '{ count = 1, per = "1d" }'], "mode": ['"observe"']}
BOTS = [
    "",
    'timezone = "Europe/Berlin"\nhours = { mon-fri = "09:00-17:30", sat = "22:00-03:00" }\nrepeated_text = 2',
    'timezone = "America/New_York"\nquiet_hours = { between = "21:00-08:00", channel = ["sms", "whatsapp"] }',
    'quiet_hours = { between = "00:00-24:00" }',
    'reply_budget = [{ count = 1, per = "1m" }, { count = 2, per = "1d" }]\nopt_out_words = ["STOP", "退订"]',
]


def some_of(table: dict[str, list[str]], least: int, draw: Random) -> list[str]:
    keys = draw.sample(sorted(table), draw.randint(least, 2))
    return [f"{key} = {draw.choice(table[key])}" for key in keys]


def condition(draw: Random, depth: int = 0) -> str:
    kind = draw.choice(["simple", "simple", "any", "all", "not"]) if depth < 3 else "simple"
    if kind == "simple":
        return inline(some_of(SIMPLE, 1, draw))
    if kind == "not":
        return inline([f"not = {condition(draw, depth + 1)}"])
    return inline([f"{kind} = [{condition(draw, depth + 1)}, {condition(draw, depth + 1)}]"])


def inline(lines: list[str]) -> str:
    return "{ " + ", ".join(lines) + " }"


def rule(name: str, draw: Random) -> str:
    holds = draw.choice([[], [f"all = [{condition(draw)}]"], [f"any = [{condition(draw)}, {condition(draw)}]"]])
    waits = draw.choice([[], [], ['unanswered_for = "5m"']])
    body = draw.choice([some_of(DEEDS, 1, draw), ["stop = true"], ['reply = "Bye."', "hand_over = true"]])
    return "\n".join(
        ["[[rule]]", f'name = "{name}"', f"when = {inline(holds + waits)}", *body, *some_of(LIMITS, 0, draw)]
    )


def random_rules(seed: int) -> Rules:
    """Return a small rules file; made from a seed, because drawing each piece of it takes most of the time."""
    draw = Random(seed)
    rules = [rule(f"rule {n}", draw) for n in range(draw.randint(1, 4))]
    return load("\n".join(["[bot]", draw.choice(BOTS), *rules]))


RULES = st.integers(0, 2**32).map(random_rules)
MOMENTS = st.datetimes(datetime(2026, 3, 27), datetime(2026, 4, 2), timezones=st.just(UTC))  # noqa: DTZ001
TEXT = st.one_of(
    st.sampled_from(["order", "STOP", "yes", "help", "hi there, 退款", "hhhhhhh!", "start", "退订"]),
    st.text(max_size=30),
)
MESSAGES = st.builds(
    lambda texts, author, at, more, media: Inbound(
        "IM1",
        "CH1",
        author,
        "\n".join(texts),
        channel_of(author, more),
        more,
        at,
        texts=tuple(texts) if len(texts) > 1 else (),
        has_media=media,
        client_identity=author if more == "SDK" else "",
    ),
    st.lists(TEXT, min_size=1, max_size=3),
    st.sampled_from([PHONE, WHATSAPP, ANNA] * 4 + ["support-bot", "support-agent", "system", ""]),
    MOMENTS,
    st.sampled_from(["SMS", "SDK", "WHATSAPP", ""] * 3 + ["API"]),
    st.booleans(),
)
ATTRIBUTES = st.sampled_from([{}, {"tier": "gold", "name": "Bob"}, {"a": {"b": True}}, {"a": [1]}, {"lang": "de"}])
TIMES = st.lists(MOMENTS, max_size=3).map(lambda moments: tuple(sorted(moments, reverse=True)))
SELDOM = st.sampled_from([False] * 7 + [True])
KNOWN = st.builds(
    ConversationFacts,
    state=st.sampled_from(["", "active"] * 4 + ["closed"]),
    attributes=ATTRIBUTES,
    participant_attributes=ATTRIBUTES,
    roles=st.sampled_from([(), ("vip",), ("guest",)]),
    first_contact=st.booleans(),
    opted_out=SELDOM,
    has_messaging_participant=SELDOM,
    paused_until=st.sampled_from([None] * 6 + [FOREVER]) | MOMENTS,
    paused_by=st.sampled_from(["", "agent", "rule", "operator", "attribute"]),
    last_inbound_at=st.none() | MOMENTS,
    reply_times=TIMES,
    fired=st.dictionaries(st.sampled_from(["rule 0", "rule 1"]), TIMES),
    same_texts=st.sampled_from([0, 0, 0, 1, 2, 3]),
)
LATER = st.sampled_from([timedelta(), timedelta(minutes=5), timedelta(minutes=50), timedelta(hours=25)])
TIMERS = st.sampled_from([None, timedelta(minutes=5)])
SILENT_CODES = {"stopped", "template failed", "empty reply"}


@given(RULES, MESSAGES, KNOWN, LATER, TIMERS)
@settings(max_examples=300, deadline=None)
def test_at_most_one_rule_decides_and_every_silence_has_a_reason(rules, message, known, later, timer):
    decision = decide(message, known, rules, POLICY, message.sent_at + later, timer=timer)

    modes = {rule.name: rule.mode for rule in rules.rules}
    assert decision.reason
    matched = [tried.failed for tried in decision.tried].count("")
    assert matched == (decision.code != "no rule") or (decision.code == PUT_OFF and matched == 0)
    assert not (decision.template and (decision.reply or decision.media))
    assert decision.says_something == (decision.code == "replied")
    assert not decision.actions or decision.code in ("replied", "acted")
    assert (decision.rule != "") == (decision.code in {"replied", "acted"} | SILENT_CODES)
    assert modes.get(decision.rule) is None
    assert all(modes[name] == "observe" for name in decision.observed)


def nothing_happens(rules, message, known, later, timer):
    decision = decide(message, known, rules, POLICY, message.sent_at + later, timer=timer)
    return not decision.says_something and not decision.actions


@given(RULES, MESSAGES, KNOWN, LATER, TIMERS)
@settings(deadline=None)
def test_nobody_who_opted_out_is_answered(rules, message, known, later, timer):
    assert nothing_happens(rules, message, replace(known, opted_out=True), later, timer)
    assert nothing_happens(rules, replace(message, texts=("hi", "Stop!"), text="hi\nStop!"), known, later, timer)


@given(RULES, MESSAGES, KNOWN, LATER, TIMERS, st.timedeltas(timedelta(microseconds=1), timedelta(days=9)))
@settings(deadline=None)
def test_nothing_is_said_within_the_pause_after_an_agent(rules, message, known, later, timer, left):
    paused = replace(known, paused_until=message.sent_at + later + left, paused_by="agent")

    assert nothing_happens(rules, message, paused, later, timer)
    assert (
        changed_guards(message, paused, POLICY, message.sent_at + later, False, bot=rules.bot, timer=timer) is not None
    )


@given(RULES, MESSAGES, KNOWN, LATER, TIMERS)
@settings(deadline=None)
def test_the_bot_answers_neither_itself_nor_an_agent(rules, message, known, later, timer):
    assert nothing_happens(rules, replace(message, author="support-bot"), known, later, timer)
    assert nothing_happens(rules, replace(message, attributes={"parley": {"n": 0}}), known, later, timer)
    assert nothing_happens(rules, message, replace(known, author_role="agent"), later, timer)


@given(RULES, MESSAGES, KNOWN, LATER, TIMERS)
@settings(deadline=None)
def test_nothing_is_said_in_quiet_hours(rules, message, known, later, timer):
    quiet = quiet_until(rules.bot, message.channel, message.sent_at + later)

    assert quiet is None or nothing_happens(rules, message, known, later, timer)


@given(RULES, MESSAGES, KNOWN, LATER)
@settings(deadline=None)
def test_a_message_on_arrival_is_never_answered_by_a_follow_up(rules, message, known, later):
    waiting = {rule.name for rule in rules.rules if rule.when.unanswered_for}

    assert decide(message, known, rules, POLICY, message.sent_at + later).rule not in waiting


@given(RULES, MESSAGES, KNOWN, LATER)
@settings(deadline=None)
def test_a_follow_up_is_given_only_by_a_rule_that_waited_for_it(rules, message, known, later):
    decision = decide(message, known, rules, POLICY, message.sent_at + later, timer=timedelta(minutes=5))

    waited = {rule.name for rule in rules.rules if rule.when.unanswered_for == timedelta(minutes=5)}
    assert decision.rule in waited | {""}
    assert bool(waited) == bool(timers_of(rules))
