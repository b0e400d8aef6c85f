"""What TOML may hold and nobody can store, write or show is refused with its place, and never with a traceback."""

import pytest

from app.rules.loader import RulesError, load

RULE = '[[rule]]\nname = "r"\nreply = "x"\n'
FAR = f"0x{'f' * 5000}"


def problem_of(text):
    with pytest.raises(RulesError) as refused:
        load(text)
    (problem,) = str(refused.value).splitlines()[1:]
    return problem


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[bot]\nrepeated_text = {}", "[bot] (line 2): repeated_text: "),
        ("[notify]\noutage = {}", "[notify] (line 2): outage: "),
        ("bot = {}", "[bot] (line 1): "),
        ("rule = [{}]", "rule number 1: "),
        (RULE + "quota = {}", 'rule "r" (line 4): quota: '),
        (RULE + "set_attributes = {{ a = [1, {{ b = {} }}] }}", 'rule "r" (line 4): set_attributes.a.entry 2.b: '),
        (RULE + "when = {{ attributes = {{ a = {} }} }}", 'rule "r" (line 4): when.attributes.a: '),
    ],
)
def test_a_number_of_more_than_64_bits_is_refused(text, place):
    said = "is more than the 64 bits that a number of TOML has; write a smaller one"

    assert problem_of(text.format(2**63)) == f"- {place}{2**63} {said}"
    assert problem_of(text.format(FAR)) == f"- {place}{FAR[:60]}… {said}"


def test_the_largest_number_is_taken():
    assert load(RULE + f"quota = {2**63 - 1}").rules[0].quota.count == 2**63 - 1


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_number_that_python_does_not_read_is_refused(sign):
    with pytest.raises(RulesError, match="a number with thousands of digits"):
        load(f"[bot]\nrepeated_text = {sign}{'9' * 5000}")


@pytest.mark.parametrize("line", ['reply = "a\\u0000b"', 'set_attributes = { "a\\u0000" = 1 }', 'media = "\\u0000"'])
def test_a_text_with_nul_is_refused(line):
    said = "holds the character U+0000, which cannot be stored; remove it"

    assert problem_of(f'[[rule]]\nname = "r"\n{line}').endswith(said)


@pytest.mark.parametrize(
    "text",
    [
        '[bot]\n"a\\n- b\\u0000" = 1',
        '[bot]\n"a\\n- b\\u202e" = 1',
        '[bot]\nhours = { "\\u202Emon" = "09:00-10:00" }',
        '[notify]\noutage = { "a\\rb" = 1, to = "ops" }',
        '[[rule]]\nname = "a\\nb"',
    ],
)
def test_what_cannot_be_seen_is_shown_escaped_and_each_problem_has_one_line(text):
    assert problem_of(text).isprintable()
