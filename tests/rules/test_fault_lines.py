"""A fault in a rules file names the line that it stands in, whatever texts and comments stand around it."""

import re

import pytest

from app.rules.loader import RulesError, load

HEAD = '[[rule]]\nname = "r"\n'


def lines_of(text):
    with pytest.raises(RulesError) as refused:
        load(text)
    return [int(line) for line in re.findall(r"^- .*?\(line (\d+)\)", str(refused.value), re.MULTILINE)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HEAD + 'reply = """\ncooldown = 3\n"""\ncooldown = 3', 6),
        (HEAD + '# cooldown = 3\nreply = "cooldown = 3"\ncooldown = 3', 5),
        (HEAD + "reply = '''\n{{ x }}\n'''", 3),
        (HEAD + 'reply = "x"\nwhen = { any = [\n  { hours = "open" },\n  { hour = "open" },\n] }', 6),
        (HEAD + 'reply = "x"\nwhen = { regex = [\n  "a,b",  # one, two\n  "(",\n] }', 6),
        (HEAD + 'reply = "x"\n[rule.when]\nkeywords = ["a"]\nhours = "shut"', 6),
        (HEAD + 'reply = "x"\n"cooldown" = 3', 4),
        ('# [bot]\n\n[bot]\nholidays = [\n  "2026-01-01",\n  "never",\n]', 6),
    ],
)
def test_it_is_the_line_of_the_key(text, line):
    assert lines_of(text) == [line]


def test_each_of_two_rules_has_its_own():
    text = HEAD + 'reply = "x"\ncooldown = 3\n\n[[rule]]\nname = "s"\nreply = "x"\nquota = "often"\n'

    assert lines_of(text) == [4, 9]


def test_what_is_missing_is_told_with_the_line_of_its_rule():
    assert lines_of('\n\n[[rule]]\nname = "r"\n') == [3]
