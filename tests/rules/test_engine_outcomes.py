"""What a rule says and does: replies, media, WhatsApp templates, actions, stop, observe, follow-ups."""

from datetime import UTC, datetime, timedelta

import pytest

from app.rules.engine import Actions, Decision, Template, decide, timers_of
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.loader import load
from app.twilio_api.addresses import channel_of

POLICY = Policy("support-bot", ("support-agent",), timedelta(hours=1))
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # Monday, 12:00 in Berlin
FIVE = timedelta(minutes=5)
FOREVER = datetime.max.replace(tzinfo=UTC)
PHONE, WHATSAPP = "+15550100001", "whatsapp:+15550100001"
HX = "HX0123456789abcdef0123456789abcdef"
TEMPLATE = f'template = {{ content_sid = "{HX}", variables = {{ "1" = "{{{{ text }}}}" }} }}'


def said(text: str = "hi", author: str = PHONE, sent_at: datetime = NOON, **more: object) -> Inbound:
    return Inbound("IM1", "CH1", author, text, channel_of(author, ""), "", sent_at, **more)


def rule(name: str, *lines: str) -> str:
    return f'[[rule]]\nname = "{name}"\n' + "\n".join(lines) + "\n"


def decided(
    rules: str, message: Inbound | None = None, known: ConversationFacts | None = None, **more: object
) -> Decision:
    return decide(message or said(), known or ConversationFacts(), load(rules), POLICY, NOON, **more)


OUTCOMES = [
    pytest.param(['reply = "Hi."', 'media = "menu.pdf"'], "replied", "Hi.", "menu.pdf", id="reply with media"),
    pytest.param(['media = "menu.pdf"'], "replied", None, "menu.pdf", id="media alone"),
    pytest.param(['reply = "{% if 0 %}x{% endif %}"', 'media = "a"'], "replied", None, "a", id="media, empty reply"),
    pytest.param(["close = true"], "acted", None, "", id="action alone"),
    pytest.param(["reply = \"{{ '' }}\"", "close = true"], "acted", None, "", id="action with an empty reply"),
    pytest.param(["stop = true"], "stopped", None, "", id="stop"),
    pytest.param(['set_attributes = { a = "{{ 1 / 0 }}" }'], "template failed", None, "", id="attribute fails"),
]


@pytest.mark.parametrize(("lines", "code", "reply", "media"), OUTCOMES)
def test_a_rule_decides_and_no_rule_after_it_is_tried(lines, code, reply, media):
    decision = decided(rule("r", *lines) + rule("later", 'reply = "Later."'))

    assert (decision.code, decision.reply, decision.media) == (code, reply, media)
    assert (decision.rule, [tried.name for tried in decision.tried]) == ("r", ["r"])


ACTIONS = [
    pytest.param("hand_over = true", Actions(hand_over=True), id="hand over"),
    pytest.param('pause = "2h"', Actions(pause=timedelta(hours=2)), id="pause"),
    pytest.param("close = true", Actions(close=True), id="close"),
    pytest.param("close = true\nhand_over = true", Actions(close=True, hand_over=True), id="close and hand over"),
    pytest.param(
        'add_participant = { identity = "desk" }', Actions(add_participant={"identity": "desk"}), id="add an identity"
    ),
    pytest.param(
        'add_participant = { address = "+15550100009", proxy_address = "+15550100000" }',
        Actions(add_participant={"address": "+15550100009", "proxy_address": "+15550100000"}),
        id="add a phone",
    ),
    pytest.param(
        'set_attributes = { topic = "{{ text }}", n = 2, deep = { list = ["{{ channel }}", true] } }',
        Actions(set_attributes={"topic": "hi", "n": 2, "deep": {"list": ["sms", True]}}),
        id="set attributes",
    ),
    pytest.param('reply = "x"', Actions(), id="nothing"),
]


@pytest.mark.parametrize(("line", "actions"), ACTIONS)
def test_a_rule_acts(line, actions):
    assert decided(rule("r", line)).actions == actions


OLD = said("a\n b", WHATSAPP, NOON - timedelta(hours=25))
WINDOW = [
    pytest.param(rule("r", 'reply = "x"', TEMPLATE), "replied", "r", id="template instead of the reply"),
    pytest.param(rule("a", 'reply = "x"') + rule("r", TEMPLATE), "replied", "r", id="first rule with a template"),
    pytest.param(rule("r", "hand_over = true") + rule("b", TEMPLATE), "acted", "r", id="an action needs no window"),
    pytest.param(rule("r", "stop = true") + rule("b", TEMPLATE), "stopped", "r", id="stop"),
    pytest.param(rule("a", 'reply = "x"'), "whatsapp window", "", id="no template"),
    pytest.param(rule("a", 'media = "x"', "close = true"), "whatsapp window", "", id="media needs the window"),
    pytest.param(
        rule("a", TEMPLATE.replace("{{ text }}", "{{ friendly_name }}")), "template failed", "a", id="empty variable"
    ),
]


@pytest.mark.parametrize(("rules", "code", "name"), WINDOW)
def test_outside_of_the_whatsapp_window_only_a_template_is_sent(rules, code, name):
    decision = decide(OLD, ConversationFacts(), load(rules), Policy("support-bot"), NOON)

    assert (decision.code, decision.rule, decision.reply, decision.media) == (code, name, None, "")
    assert decision.template == (Template(HX, {"1": "a b"}) if code == "replied" else None)


def test_the_trace_says_which_rules_lack_a_template():
    decision = decide(OLD, ConversationFacts(), load(rule("a", 'reply = "x"')), Policy("support-bot"), NOON)

    assert decision.tried == (
        ("a", "no template, and the WhatsApp window is closed"),
        ("whatsapp window", ""),
    )


@pytest.mark.parametrize(
    ("lines", "reply", "template"),
    [
        pytest.param(['reply = "x"', TEMPLATE], "x", None, id="the reply is cheaper"),
        pytest.param([TEMPLATE], None, Template(HX, {"1": "hi"}), id="nothing else to say"),
    ],
)
def test_within_the_whatsapp_window_the_template_waits(lines, reply, template):
    decision = decided(rule("r", *lines), said(author=WHATSAPP))

    assert (decision.reply, decision.template) == (reply, template)


OBSERVER = 'mode = "observe"'
OBSERVING = [
    pytest.param(rule("o", 'reply = "x"', OBSERVER), ("o",), 'observed only: rule "o" matched', id="reply"),
    pytest.param(rule("o", "close = true", OBSERVER), ("o",), 'observed only: rule "o" acts without words', id="act"),
    pytest.param(rule("o", "stop = true", OBSERVER), ("o",), 'observed only: rule "o" stays silent', id="stop"),
    pytest.param(
        rule("o", 'reply = "{{ 1 / 0 }}"', OBSERVER),
        (),
        'observed only: reply template of rule "o" failed: it raised ZeroDivisionError',
        id="template fails",
    ),
    pytest.param(rule("o", "stop = true", "when = { media = true }", OBSERVER), (), "no media", id="does not match"),
]


@pytest.mark.parametrize(("observer", "observed", "failed"), OBSERVING)
def test_a_rule_that_observes_is_recorded_and_changes_nothing(observer, observed, failed):
    decision = decided(observer + rule("r", 'reply = "Hello."'))

    assert (decision.rule, decision.reply, decision.actions) == ("r", "Hello.", Actions())
    assert (decision.observed, decision.tried) == (observed, (("o", failed), ("r", "")))


FOLLOW_UPS = (
    rule("a", 'reply = "Five."', 'when = { unanswered_for = "5m", keywords = ["hi"] }')
    + rule("b", 'reply = "Ten."', 'when = { unanswered_for = "10m" }')
    + rule("c", 'reply = "At once."')
    + rule("d", 'reply = "Five, too."', 'when = { unanswered_for = "300s" }')
)


def test_there_is_one_timer_for_each_time_of_silence():
    assert timers_of(load(FOLLOW_UPS)) == (FIVE, 2 * FIVE)


TIMERS = [
    pytest.param(said(), None, "c", ("a", "b", "c"), id="arrival"),
    pytest.param(said(), FIVE, "a", ("a",), id="after five minutes"),
    pytest.param(said("yo"), FIVE, "d", ("a", "d"), id="after five minutes, another text"),
    pytest.param(said(), 2 * FIVE, "b", ("b",), id="after ten minutes"),
    pytest.param(said(), 3 * FIVE, "", (), id="a timer that no rule has any more"),
]


@pytest.mark.parametrize(("message", "timer", "name", "tried"), TIMERS)
def test_a_follow_up_asks_only_the_rules_of_its_time(message, timer, name, tried):
    decision = decided(FOLLOW_UPS, message, timer=timer)

    assert (decision.rule, tuple(one.name for one in decision.tried)) == (name, tried)


SILENCED = [
    pytest.param(
        said(), ConversationFacts(paused_until=FOREVER, paused_by="rule"), "replied", id="handed over, nobody came"
    ),
    pytest.param(said(), ConversationFacts(paused_until=FOREVER, paused_by="agent"), "paused", id="an agent is there"),
    pytest.param(said(), ConversationFacts(paused_until=FOREVER, paused_by="operator"), "paused", id="switched off"),
    pytest.param(said(), ConversationFacts(paused_until=FOREVER), "paused", id="paused, nobody knows by whom"),
    pytest.param(said(), ConversationFacts(opted_out=True), "opted out", id="opted out"),
    pytest.param(said(), ConversationFacts(state="closed"), "closed", id="closed"),
    pytest.param(said(), ConversationFacts(same_texts=9), "replied", id="repeated, but this is no answer to it"),
    pytest.param(said(), ConversationFacts(reply_times=(NOON,) * 5), "reply budget", id="budget spent"),
    pytest.param(
        said(sent_at=NOON - timedelta(minutes=65)), ConversationFacts(), "replied", id="an hour after its time"
    ),
    pytest.param(
        said(sent_at=NOON - timedelta(minutes=66)), ConversationFacts(), "too old", id="more than an hour late"
    ),
]


@pytest.mark.parametrize(("message", "known", "code"), SILENCED)
def test_a_follow_up_passes_the_guards_as_well(message, known, code):
    assert decided(FOLLOW_UPS, message, known, timer=FIVE).code == code


def test_a_reply_can_say_when_we_are_back():
    bot = '[bot]\ntimezone = "Europe/Berlin"\nhours = { mon-fri = "09:00-17:30" }\n'
    rules = bot + rule("r", "reply = \"{{ next_opening.strftime('%A %H:%M') }}, {{ participant_attributes.name }}.\"")

    decision = decided(rules, known=ConversationFacts(participant_attributes={"name": "Anna"}))

    assert decision.reply == "Tuesday 09:00, Anna."
