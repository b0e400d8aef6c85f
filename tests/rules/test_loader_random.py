"""What holds for any rules file: it is loaded, or refused with an error that names every problem; nothing else."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules import lint, loader
from app.rules.loader import RulesError
from tests.conftest import RULES

keys = st.sampled_from(
    "name reply when media template mode cooldown quota close pause hand_over set_attributes add_participant keywords "
    "regex channel hours first_contact role attributes any all not unanswered_for timezone holidays reply_budget "
    "coalesce quiet_hours pause_after_agent responder_wait count per between stop x".split()
)
texts = st.sampled_from(
    ["", "a", "(", "(a+)+$", "{{ x }}", "{{ text }}", "09:00-17:30", "10m", "0s", "sms", "open", "é", "+1"]
)
values = st.recursive(
    texts | st.booleans() | st.integers(-3, 10**6) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
tables = st.dictionaries(keys, values, max_size=5)


def toml(value: object) -> str:
    """Return a value as TOML has it inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def table(head: str, body: dict[str, object]) -> str:
    return "\n".join([head, *(f"{key} = {toml(value)}" for key, value in body.items()), ""])


files = st.one_of(
    st.tuples(tables, st.lists(tables, max_size=3)).map(
        lambda two: "\n".join([table("[bot]", two[0]), *(table("[[rule]]", one) for one in two[1])])
    ),
    st.tuples(st.integers(0, len(RULES)), st.integers(0, 4), st.text(max_size=6)).map(
        lambda cut: RULES[: cut[0]] + cut[2] + RULES[cut[0] + cut[1] :]
    ),
    st.text(max_size=80),
)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(text=files)
def test_any_rules_file_is_loaded_or_refused_with_what_is_wrong(text: str) -> None:
    try:
        rules = loader.load(text)
    except RulesError as error:
        assert str(error).startswith("the rules file")
        assert len(str(error)) < 50_000
    else:
        assert all(str(warning) for warning in lint.lint(rules))
