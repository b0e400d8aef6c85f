"""What holds for any template: it is refused when the rules are loaded, or renders within bounds, or fails politely."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from app.rules.templates import (
    MAX_REPLY_CHARS,
    REPLY_FILTERS,
    REPLY_METHODS,
    REPLY_VARIABLES,
    ReplyError,
    checked_reply,
    render_reply,
)

SECRET = "tulips at noon"
VALUES = {
    "author": "whatsapp:+15550100001",
    "text": SECRET,
    "channel": "sms",
    "first_contact": True,
    "hours": "open",
    "friendly_name": "",
    "attributes": {"name": "Anna", "items": ["tea", "milk"], "n": 7, "big": 10**9},
    "participant_attributes": {},
    "now": datetime(2026, 11, 23, 12, 5, tzinfo=UTC),
    "next_opening": None,
}
names = st.sampled_from([*sorted(REPLY_VARIABLES), "x", "self", "loop", "range", "__class__", "''", "1", "[1,2]"])
filters = st.sampled_from([*sorted(REPLY_FILTERS), "attr", "map", "format", "safe", "tojson"])
methods = st.sampled_from([*sorted(REPLY_METHODS), "format", "mro", "__init__", "center"])
numbers = st.sampled_from(["0", "1", "-1", "7", "999", "10**9", "2**70"])


def _longer(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, filters).map(lambda two: f"{two[0]}|{two[1]}"),
        st.tuples(inner, filters, inner).map(lambda three: f"{three[0]}|{three[1]}({three[2]})"),
        st.tuples(inner, methods, inner).map(lambda three: f"({three[0]}).{three[1]}({three[2]})"),
        st.tuples(inner, st.sampled_from("+ - * / // % ** ~ and or in == <".split()), inner).map(
            lambda three: f"({three[0]} {three[1]} {three[2]})"
        ),
        st.tuples(inner, inner).map(lambda two: f"({two[0]})[{two[1]}]"),
        st.tuples(inner, inner, inner).map(lambda three: f"({three[0]} if {three[1]} else {three[2]})"),
    )


expressions = st.recursive(names | numbers, _longer, max_leaves=6)
pieces = st.one_of(
    expressions.map(lambda one: f"{{{{ {one} }}}}"),
    expressions.map(lambda one: f"{{% if {one} %}}yes{{% endif %}}"),
    st.tuples(expressions, expressions).map(
        lambda two: f"{{% for i in {two[0]} %}}{{{{ i ~ {two[1]} }}}}{{% endfor %}}"
    ),
    st.sampled_from(["Hi ", "{{", "}}", "{%", "{# x #}", "{% include 'x' %}", "{% set x = 1 %}", "{% raw %}"]),
    st.text(max_size=10),
)
templates = st.lists(pieces, min_size=1, max_size=4).map("".join)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(source=templates)
def test_any_template_is_refused_or_renders_within_bounds(source: str) -> None:
    try:
        reply = render_reply(checked_reply(source), VALUES)
    except ReplyError as error:
        assert SECRET not in str(error)
    except ValueError as error:
        assert str(error)
    else:
        assert len(reply) <= MAX_REPLY_CHARS
        assert "object at 0x" not in reply
