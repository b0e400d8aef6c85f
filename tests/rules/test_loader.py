"""What a rules file may say, how it is refused when it is wrong, and that the shipped one answers everybody."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from app.rules.engine import decide
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.loader import RulesError, load
from app.twilio_api.addresses import channel_of

SHIPPED = (Path(__file__).parents[2] / "rules.toml").read_text(encoding="utf-8")


def problems_of(text: str) -> list[str]:
    with pytest.raises(RulesError) as refused:
        load(text)
    return str(refused.value).splitlines()[1:]


def in_rule(line: str) -> str:
    return f'[[rule]]\nname = "r"\n{line}\n'


def test_a_rule_with_a_name_and_a_reply_is_enough():
    rules = load(in_rule('reply = "Hello."'))

    assert [(rule.name, rule.reply, rule.cooldown) for rule in rules.rules] == [("r", "Hello.", None)]
    assert rules.bot.timezone.key == "UTC"
    assert rules.bot.hours is None
    assert rules.bot.pause_after_agent == timedelta(minutes=30)
    assert [(budget.count, budget.per) for budget in rules.bot.reply_budget] == [(5, timedelta(minutes=10))]


def test_everything_a_rule_may_say_is_read():
    rules = load(
        '[bot]\nholidays = ["2026-12-25", 2027-01-01]\nhours = { Sat-Mon = "9:00-12:00, 22:00-06:00" }\n'
        + in_rule(
            'reply = "x"\ncooldown = "1d"\n'
            'when = { keywords = ["a b"], channel = "SMS", hours = "open", first_contact = true }'
        )
    )

    rule, day = rules.rules[0], ((540, 720), (1320, 360))
    assert rules.bot.holidays == (date(2026, 12, 25), date(2027, 1, 1))
    assert rules.bot.hours == (day, (), (), (), (), day, day)
    assert (rule.when.keywords, rule.when.channel) == (("a b",), ("sms",))
    assert (rule.when.hours, rule.when.first_contact, rule.cooldown) == ("open", True, timedelta(days=1))


def test_every_action_and_condition_is_read():
    hx = "HX0123456789abcdef0123456789abcdef"
    rules = load(
        in_rule(
            'media = "menu.pdf"\nset_attributes = { a = "{{ text }}", b = [1, { c = true }] }\nclose = true\n'
            f'template = {{ content_sid = "{hx}", variables = {{ "1" = "{{{{ author }}}}" }} }}\n'
            'add_participant = { identity = "desk" }\npause = "2h"\nmode = "observe"\nquota = 3\n'
            'when = { media = true, role = "vip", regex = "a+", unanswered_for = "5m", attributes = { a.b = [1, 2] },'
            ' participant_attributes = { c = true }, any = [{ hours = "open" }], all = [{ media = true }],'
            ' not = { channel = "SMS" } }'
        )
    )

    rule = rules.rules[0]
    when = rule.when
    assert (rule.reply, rule.media, rule.close, rule.pause) == (None, "menu.pdf", True, timedelta(hours=2))
    assert (rule.template.content_sid, rule.template.variables) == (hx, {"1": "{{ author }}"})
    assert (rule.add_participant.identity, rule.mode, rule.quota.count, rule.quota.per) == ("desk", "observe", 3, None)
    assert (when.media, when.role, when.regex, when.unanswered_for) == (True, ("vip",), ("a+",), timedelta(minutes=5))
    assert (when.attributes, when.participant_attributes) == ({"a.b": (1, 2)}, {"c": (True,)})
    assert (when.any_[0].hours, when.all_[0].media, when.not_.channel) == ("open", True, ("sms",))


def test_everything_the_bot_may_be_told_is_read():
    bot = load(
        '[bot]\nreply_budget = [{ count = 2, per = "1m" }, { count = 9, per = "1d" }]\nrepeated_text = 0\n'
        'quiet_hours = { between = "22:00-07:00,13:00-14:00", channel = "SMS" }\ncoalesce = "2s"\n'
        'coalesce_most = "5s"\nresponder_wait = "3s"\nresponder_fallback = ""'
    ).bot

    assert [budget.count for budget in bot.reply_budget] == [2, 9]
    assert (bot.quiet_hours.between, bot.quiet_hours.channel) == (((1320, 420), (780, 840)), ("sms",))
    assert (bot.repeated_text, bot.responder_fallback) == (0, "")
    assert [bot.coalesce, bot.coalesce_most, bot.responder_wait] == [timedelta(seconds=n) for n in (2, 5, 3)]


def test_bursts_and_quiet_hours_are_off_unless_asked_for():
    bot = load("").bot

    assert (bot.coalesce, bot.quiet_hours, bot.repeated_text) == (None, None, 3)


FAULTS = [
    ('[bot]\ntimezone = "Mars/Base"', '- [bot] (line 2): timezone: "Mars/Base" is not a known time zone; write'),
    ('[bot]\ntimezone = "../etc"', '- [bot] (line 2): timezone: "../etc" is not a known time zone; write'),
    ("[bot]\nhours = {}", "- [bot] (line 2): hours: is not a table of days; write { mon-fri"),
    ('[bot]\nhours = { mo = "09:00-10:00" }', '- [bot] (line 2): hours: does not know the day "mo"; write mon'),
    ('[bot]\nhours = { mon = "9-17" }', '- [bot] (line 2): hours: has no time span in "9-17"; write it like'),
    ('[bot]\nhours = { mon = "09:00-25:00" }', '- [bot] (line 2): hours: has no time span in "09:00-25:00"'),
    (
        '[bot]\nhours = { mon-fri = "09:00-10:00", fri = "09:00-09:30" }',
        "- [bot] (line 2): hours: names fri twice; put all",
    ),
    (
        "[bot]\npause_after_agent = 30",
        "- [bot] (line 2): pause_after_agent: 30 is not a duration; write",
    ),
    ("[bot]\nreply_budget = { count = 0 }", "- [bot] (line 2): reply_budget.count: 0 is too small; the le"),
    ('[bot]\nreply_budget = { per = "0m" }', '- [bot] (line 2): reply_budget.per: "0m" is no time at all; write'),
    ('[bot]\nopt_out_words = ["?!"]', '- [bot] (line 2): opt_out_words: has "?!", which holds no letter or digit'),
    ("[bot]\nholiday = []", '- [bot] (line 2): holiday: is not a key of this table; write "holidays"'),
    ("bot = 3", "- [bot] (line 1): 3 is not a table of keys and values; write"),
    ('[[rule]]\nname = ""\nreply = "x"', "- rule number 1 (line 2): name: is empty; write at least one"),
    ('[[rules]]\nname = "r"', '- top level (line 1): rules: is not a key of this table; write "rule"'),
    (in_rule(""), '- rule "r" (line 1): reply: is missing; add reply ='),
    (in_rule('reply = " "'), '- rule "r" (line 3): reply: is not a text; write what the customer shall read'),
    ('\n\n[[rule]]\nreply = "x"', "- rule number 1 (line 3): name: is missing; add name ="),
    (
        in_rule('reply = "x"\ncooldown = "10 minutes"'),
        '- rule "r" (line 4): cooldown: "10 minutes" is not a duration; write',
    ),
    (in_rule('reply = "x"\nwhen = { keyword = ["a"] }'), '- rule "r" (line 4): when.keyword: is not a key of this'),
    (
        in_rule('reply = "x"\nwhen = { keywords = [] }'),
        '- rule "r" (line 4): when.keywords: is empty; write at least one',
    ),
    (in_rule('reply = "x"\nwhen = { keywords = "a" }'), '- rule "r" (line 4): when.keywords: "a" is not a list; write'),
    (
        in_rule('reply = "x"\nwhen = { hours = "shut" }'),
        '- rule "r" (line 4): when.hours: "shut" is not "open" or "closed"; write',
    ),
    (
        in_rule('reply = "x"\nwhen = { first_contact = "no" }'),
        '- rule "r" (line 4): when.first_contact: "no" is neither true nor false; write',
    ),
    (in_rule('reply = "Hi {{ name }}"'), '- rule "r" (line 3): reply: there is no variable "name"; use one of attr'),
    (in_rule('reply = "Hi {{ author"'), '- rule "r" (line 3): reply: line 1 of the template: '),
    ("[bot]\nreply_budget = []", "- [bot] (line 2): reply_budget: is empty; write at least one"),
    (
        "[bot]\nreply_budget = [{}, { count = 0 }]",
        "- [bot] (line 2): reply_budget.entry 2.count: 0 is too small; the le",
    ),
    ("[bot]\nquiet_hours = {}", "- [bot] (line 2): quiet_hours.between: is missing; add between ="),
    (
        '[bot]\nquiet_hours = { between = "22-07" }\n',
        '- [bot] (line 2): quiet_hours.between: has no time span in "22-07"',
    ),
    ("[bot]\nrepeated_text = true", "- [bot] (line 2): repeated_text: true is not a whole number; write"),
    (
        "[bot]\nrepeated_text = 1",
        "- [bot] (line 2): repeated_text: 1 would silence every message; write 2 or more, or 0",
    ),
    ('[bot]\ncoalesce = "0s"', '- [bot] (line 2): coalesce: "0s" is no time at all; write'),
    ('[bot]\ncoalesce = "20s"', "- [bot] (line 1): coalesce_most: is shorter than coalesce; make it longer"),
    (
        '[bot]\nresponder_fallback = "{{ x }}"',
        '- [bot] (line 2): responder_fallback: there is no variable "x"; use one of',
    ),
    (
        '[bot]\npause_after_agent = "99999d"',
        '- [bot] (line 2): pause_after_agent: "99999d" is longer than ten years; write',
    ),
    (
        in_rule('reply = "x"\nwhen = { any = [{ hours = "open" }, { hour = "open" }] }'),
        '- rule "r" (line 4): when.any.entry 2.hour: is not a key of this table; write "hours"',
    ),
    (
        in_rule('reply = "x"\nwhen = { not = { all = [{ regex = "(" }] } }'),
        '- rule "r" (line 4): when.not.all.entry 1.regex: "(" is not a regular expression: missing ) at position 1; ',
    ),
    (
        in_rule('reply = "x"\nwhen = { regex = ["a", "a{999999999}"] }'),
        '- rule "r" (line 4): when.regex.entry 2: "a{999999999}" repeats too much; make t',
    ),
    (
        in_rule('reply = "x"\nwhen = { not = { unanswered_for = "5m" } }'),
        '- rule "r" (line 4): when.not.unanswered_for: belongs directly into when, not into any, all or not; move it',
    ),
    (in_rule('reply = "x"\nwhen = { not = {} }'), '- rule "r" (line 4): when.not: is empty; write at least one cond'),
    (in_rule('reply = "x"\nwhen = { any = [] }'), '- rule "r" (line 4): when.any: is empty; write at least one'),
    (in_rule('reply = "x"\nwhen = { any = {} }'), '- rule "r" (line 4): when.any: is not a list; write'),
    (in_rule('reply = "x"\nwhen = { role = [""] }'), '- rule "r" (line 4): when.role.entry 1: is empty; write at leas'),
    (
        in_rule('reply = "x"\nwhen = { attributes = { born = 2000-01-01 } }'),
        '- rule "r" (line 4): when.attributes: born cannot be compared; write a text, a number, true or false, or a l',
    ),
    (
        in_rule(f'reply = "x"\nwhen = {"{ not = " * 7}{{ media = true }}{" }" * 7}'),
        '- rule "r" (line 4): when: has any, all and not more than 6 deep; make it simpler',
    ),
    (in_rule('media = ""'), '- rule "r" (line 3): media: is empty; write at least one'),
    (
        in_rule('template = { content_sid = "HX1" }'),
        '- rule "r" (line 3): template.content_sid: "HX1" is not a ContentSid; write',
    ),
    (
        in_rule('template = { content_sid = "HX' + "0" * 32 + '", variables = { "1" = 7 } }'),
        '- rule "r" (line 3): template.variables.1: 7 is not a text; write',
    ),
    (in_rule('set_attributes = { a = "{{ b }}" }'), '- rule "r" (line 3): set_attributes.a: there is no variable "b"'),
    (
        in_rule("set_attributes = { a = [inf] }"),
        '- rule "r" (line 3): set_attributes.a: [inf] is not a value of JSON; write',
    ),
    (in_rule("set_attributes = { parley = 1 }"), '- rule "r" (line 3): set_attributes.parley: belongs to the bot; wr'),
    (in_rule("set_attributes = {}"), '- rule "r" (line 1): reply: is missing; add reply = "...", or an action such as'),
    (in_rule('mode = "watch"\nstop = true'), '- rule "r" (line 3): mode: "watch" is not "observe"; write'),
    (in_rule("hand_over = false"), '- rule "r" (line 1): reply: is missing; add reply ='),
    (in_rule('stop = true\nreply = "x"'), '- rule "r" (line 3): stop: keeps silent, but the rule also has reply; rem'),
    (in_rule('hand_over = true\npause = "2h"'), '- rule "r" (line 4): pause: contradicts hand_over, which pauses'),
    (
        in_rule('ignore_accents = true\nreply = "x"\nwhen = { not = { channel = "sms" } }'),
        '- rule "r" (line 3): ignore_accents: is about keywords, and this rule has none; add keywords or remove it',
    ),
    (in_rule("add_participant = {}"), '- rule "r" (line 3): add_participant: needs either an identity, or an'),
    (
        in_rule('add_participant = { identity = "a", address = "+1" }'),
        '- rule "r" (line 3): add_participant: needs either an identity, or an address',
    ),
    (
        in_rule('add_participant = { address = "+15550100001" }'),
        '- rule "r" (line 3): add_participant: needs both the address and our own number',
    ),
    (in_rule('reply = "x"\nquota = 0'), '- rule "r" (line 4): quota.count: 0 is too small; the le'),
    (in_rule('reply = "x"\nquota = { per = "1d" }'), '- rule "r" (line 4): quota.count: is missing; add count ='),
    (in_rule('reply = "a" \n[[rule]]\nname = "r"\nreply = "b"'), '- rule "r" (line 5): name: is also the name of rule'),
]


@pytest.mark.parametrize(("text", "problem"), FAULTS, ids=[problem.strip("- ")[:60] for _, problem in FAULTS])
def test_a_fault_is_named_with_its_rule_its_line_its_key_and_the_next_step(text, problem):
    problems = problems_of(text)

    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_all_faults_are_listed_at_once():
    text = '[bot]\ntimezone = "X/Y"\ncolour = 1\n' + in_rule('cooldown = "1w"') + in_rule('reply = "{{ a }}{{ b }}"')

    assert [problem.split("; ")[0] for problem in problems_of(text)] == [
        '- rule "r" (line 8): name: is also the name of rule number 1',
        '- rule "r" (line 4): reply: is missing',
        '- [bot] (line 2): timezone: "X/Y" is not a known time zone',
        "- [bot] (line 3): colour: is not a key of this table",
        '- rule "r" (line 6): cooldown: "1w" is not a duration',
        '- rule "r" (line 9): reply: there is no variable "a"',
    ]


def test_the_line_of_a_rule_is_right_even_when_a_reply_quotes_a_rule():
    text = in_rule('reply = """\n[[rule]]\n"""') + '[[rule]]\nname = "late"\n'

    assert [problem.split("; ")[0] for problem in problems_of(text)] == ['- rule "late" (line 6): reply: is missing']


def test_a_file_nested_without_end_is_refused():
    with pytest.raises(RulesError, match="nested too deeply"):
        load("a = " + "[" * 20_000)


def test_each_of_a_thousand_wrong_rules_is_told():
    assert len(problems_of("".join(f'[[rule]]\nname = "r{n}"\n' for n in range(1000)))) == 1000


def test_a_file_that_is_not_toml_is_refused_with_the_line():
    with pytest.raises(RulesError, match=r"not valid TOML: .*line 2"):
        load('[bot]\ntimezone = "UTC')


PHONE = "+15550100001"
AUTHORS = [PHONE, "whatsapp:+15550100001", "messenger:4711", "anna"]


@pytest.mark.parametrize("author", AUTHORS)
@pytest.mark.parametrize("hour", range(0, 24, 3))
@pytest.mark.parametrize("text", ["Hi", "", "Where is my order?", "a human please", "what are your opening hours"])
def test_the_shipped_rules_answer_a_first_message_at_any_hour_on_every_channel(author, hour, text):
    now = datetime(2026, 11, 21, hour, tzinfo=UTC)
    message = Inbound("IM1", "CH1", author, text, channel_of(author, ""), "", now, has_media=not text)

    decision = decide(message, ConversationFacts(), load(SHIPPED), Policy("support-bot"), now)

    assert decision.code == "replied"
    assert 0 < len(decision.reply) <= 320


def test_the_shipped_rules_do_not_repeat_themselves_in_one_conversation():
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    message = Inbound("IM2", "CH1", PHONE, "and another thing", "sms", "SMS", now)
    known = ConversationFacts(first_contact=False, fired={"default": (now - timedelta(minutes=5),)})

    assert decide(message, known, load(SHIPPED), Policy("support-bot"), now).code == "no rule"
