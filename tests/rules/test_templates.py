"""Reply templates: what they can say, and that no slip in one can stop the worker or fill its memory."""

from datetime import UTC, datetime

import pytest

from app.rules.templates import ReplyError, checked_reply, render_reply

VALUES = {
    "author": "whatsapp:+15550100001",
    "text": "a" * 1600,
    "channel": "whatsapp",
    "first_contact": True,
    "hours": "open",
    "friendly_name": "",
    "attributes": {"name": "Anna", "items": ["tea", "milk"], "big": 10**9, "total": 12.345},
    "participant_attributes": {"language": "de"},
    "now": datetime(2026, 11, 23, 12, 5, tzinfo=UTC),
    "next_opening": datetime(2026, 11, 24, 9, 0, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("template", "reply"),
    [
        ("Hi {{ attributes.name }}", "Hi Anna"),
        ("Hi {{ attributes.nick|default('there') }}", "Hi there"),
        ("Hi {{ friendly_name or 'you' }} & <co>", "Hi you & <co>"),
        ("{{ author|replace('whatsapp:', '') }}", "+15550100001"),
        ("{{ now.strftime('%H:%M') }}", "12:05"),
        ("{{ next_opening.strftime('%A %H:%M') }} {{ participant_attributes.language }}", "Tuesday 09:00 de"),
        ("{% if hours == 'open' %} yes {% else %} no {% endif %}", "yes"),
        ("{% for item in attributes['items'] %}{{ loop.index }} {{ item }} {% endfor %}", "1 tea 2 milk"),
        ("{{ attributes.total|round(1) }} {{ 2 ** 8 }} {{ '-' * 3 }}", "12.3 256 ---"),
    ],
)
def test_a_template_says_what_it_is_given(template, reply):
    assert render_reply(checked_reply(template), VALUES) == reply


def test_a_text_that_may_be_empty_is_a_template_all_the_same():
    assert checked_reply(" ", may_be_empty=True) == " "
    with pytest.raises(ValueError, match='there is no variable "x"'):
        checked_reply("{{ x }}", may_be_empty=True)


STOPPED = [
    "{{ 9 ** 9 ** 9 }}",
    "{{ 2 ** attributes.big }}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ attributes.big * [text] }}",
    "{% for i in range(10 ** 9) %}x{% endfor %}",
    "{% for i in range(10 ** 60, 0, -1) %}{% endfor %}",
    "{% for i in range(1000) %}{{ text }}{% endfor %}",
    "{{ text|replace('a', text)|replace('a', text) }}",
    "{{ text|replace('', text) }}",
    "{{ '%999999999d' % 1 }}",
    "{{ range(1000)|join(text) }}",
    "{{ 1 / 0 }}",
    "{{ 1 + text }}",
    "{{ attributes[text] }}",
    "{{ attributes.__class__.__mro__ }}",
    "{{ 1.5 ** 99999 }}",
    "{{ 1|round(10 ** 8) }}{{ attributes.gone }}",
]


@pytest.mark.parametrize("template", STOPPED)
def test_a_template_that_goes_wrong_is_stopped_and_quotes_nothing(template):
    with pytest.raises(ReplyError) as stopped:
        render_reply(checked_reply(template), VALUES)

    assert "aaa" not in str(stopped.value)


REFUSED = [
    ("{{ 'a'|center(999999999) }}", 'there is no filter "center"'),
    ("{{ 1|round(9, 'ceil')|tojson(9) }}", 'there is no filter "tojson"'),
    ("{{ '{:>999999999}'.format(1) }}", "this call is not available"),
    ("{{ now.strftime('%999999999d') }}", "this call is not available"),
    ("{{ now.strftime(text) }}", "this call is not available"),
    ("{{ now.strftime(*['%9d']) }}", "this call is not available"),
    ("{% for f in [now.strftime] %}{{ f('%9d') }}{% endfor %}", "this call is not available"),
    ("{% for a in text %}{% for b in text %}{% endfor %}{% endfor %}", "a loop inside a loop"),
    ("{% macro m() %}{{ m() }}{% endmacro %}", '"macro" is not available'),
    ("{% set x = text %}{{ x }}", '"assign" is not available'),
    ("{% include 'x' %}", '"include" is not available'),
    ("{{ lipsum(999999) }}", "this call is not available"),
    ("{{ config }}", 'there is no variable "config"'),
    ("{{ author ", "unexpected end of template"),
    ("(" + "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", "is nested too deeply"),
    ("", "is not a text"),
]


@pytest.mark.parametrize(("template", "problem"), REFUSED, ids=[template[:30] for template, _ in REFUSED])
def test_a_template_that_could_do_harm_is_refused_when_the_rules_are_loaded(template, problem):
    with pytest.raises(ValueError, match=problem):
        checked_reply(template)
