"""What a rules file may say, how it is refused when it is wrong, and that the shipped one answers everybody."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from app.rules import Known, Message, Policy, channel_of, decide
from app.rules_file import RulesError, load

SHIPPED = (Path(__file__).parent.parent / "rules.toml").read_text(encoding="utf-8")


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
    assert (rules.bot.reply_budget.count, rules.bot.reply_budget.per) == (5, timedelta(minutes=10))


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


FAULTS = [
    ('[bot]\ntimezone = "Mars/Base"', "- [bot]: timezone: is not a known time zone; write an IANA name"),
    ('[bot]\ntimezone = "../etc"', "- [bot]: timezone: is not a known time zone"),
    ("[bot]\nhours = {}", "- [bot]: hours: is not a table of days; write { mon-fri"),
    ('[bot]\nhours = { mo = "09:00-10:00" }', '- [bot]: hours: does not know the day "mo"; write mon'),
    ('[bot]\nhours = { mon = "9-17" }', '- [bot]: hours: has no time span in "9-17"; write it like'),
    ('[bot]\nhours = { mon = "09:00-25:00" }', '- [bot]: hours: has no time span in "09:00-25:00"'),
    ('[bot]\nhours = { mon-fri = "09:00-10:00", fri = "09:00-09:30" }', "- [bot]: hours: names fri twice; put all"),
    ("[bot]\npause_after_agent = 30", "- [bot]: pause_after_agent: is not a duration; write a number and a unit"),
    ("[bot]\nreply_budget = { count = 0 }", "- [bot]: reply_budget.count: Input should be greater than"),
    ('[bot]\nreply_budget = { per = "0m" }', "- [bot]: reply_budget.per: is no time at all; write a longer"),
    ('[bot]\nopt_out_words = ["?!"]', '- [bot]: opt_out_words: has "?!", which holds no letter or digit'),
    ("[bot]\nholiday = []", '- [bot]: holiday: is not a key of this table; write "holidays"'),
    ("bot = 3", "- [bot]: is not a table of keys and values; see the comments"),
    ('[[rule]]\nname = ""\nreply = "x"', "- rule number 1 (line 1): name: is empty; write at least one"),
    ('[[rules]]\nname = "r"', '- top level: rules: is not a key of this table; write "rule"'),
    (in_rule(""), '- rule "r" (line 1): reply: is missing; add reply ='),
    (in_rule('reply = " "'), '- rule "r" (line 1): reply: is not a text; write what the customer shall read'),
    ('\n\n[[rule]]\nreply = "x"', "- rule number 1 (line 3): name: is missing; add name ="),
    (in_rule('reply = "x"\ncooldown = "10 minutes"'), '- rule "r" (line 1): cooldown: is not a duration; write'),
    (in_rule('reply = "x"\nwhen = { keyword = ["a"] }'), '- rule "r" (line 1): when.keyword: is not a key of this'),
    (
        in_rule('reply = "x"\nwhen = { keywords = [] }'),
        '- rule "r" (line 1): when.keywords: is empty; write at least one',
    ),
    (in_rule('reply = "x"\nwhen = { keywords = "a" }'), '- rule "r" (line 1): when.keywords: Input should be a list'),
    (in_rule('reply = "x"\nwhen = { hours = "shut" }'), "- rule \"r\" (line 1): when.hours: Input should be 'open'"),
    (in_rule('reply = "x"\nwhen = { first_contact = "no" }'), '- rule "r" (line 1): when.first_contact: Input should'),
    (in_rule('reply = "Hi {{ name }}"'), '- rule "r" (line 1): reply: there is no variable "name"; use one of attr'),
    (in_rule('reply = "Hi {{ author"'), '- rule "r" (line 1): reply: line 1 of the template: '),
    (in_rule('reply = "a" \n[[rule]]\nname = "r"\nreply = "b"'), '- rule "r" (line 4): name: is also the name of rule'),
]


@pytest.mark.parametrize(("text", "problem"), FAULTS, ids=[problem.strip("- ")[:60] for _, problem in FAULTS])
def test_a_fault_is_named_with_its_rule_its_line_its_key_and_the_next_step(text, problem):
    problems = problems_of(text)

    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_all_faults_are_listed_at_once():
    text = '[bot]\ntimezone = "X/Y"\ncolour = 1\n' + in_rule('cooldown = "1w"') + in_rule('reply = "{{ a }}{{ b }}"')

    assert [problem.split("; ")[0] for problem in problems_of(text)] == [
        '- rule "r" (line 7): name: is also the name of rule number 1',
        "- [bot]: timezone: is not a known time zone",
        "- [bot]: colour: is not a key of this table",
        '- rule "r" (line 4): reply: is missing',
        '- rule "r" (line 4): cooldown: is not a duration',
        '- rule "r" (line 7): reply: there is no variable "a"',
    ]


def test_the_line_of_a_rule_is_right_even_when_a_reply_quotes_a_rule():
    text = in_rule('reply = """\n[[rule]]\n"""') + '[[rule]]\nname = "late"\n'

    assert problems_of(text) == ['- rule "late" (line 6): reply: is missing; add reply = "..."']


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
    message = Message("IM1", "CH1", author, text, channel_of(author, ""), "", now, has_media=not text)

    decision = decide(message, Known(), load(SHIPPED), Policy("support-bot"), now)

    assert decision.code == "replied"
    assert 0 < len(decision.reply) <= 320


def test_the_shipped_rules_do_not_repeat_themselves_in_one_conversation():
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    message = Message("IM2", "CH1", PHONE, "and another thing", "sms", "SMS", now)
    known = Known(first_contact=False, rule_fired_at={"default": now - timedelta(minutes=5)})

    assert decide(message, known, load(SHIPPED), Policy("support-bot"), now).code == "no rule"
