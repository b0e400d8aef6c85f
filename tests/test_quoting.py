"""What people read quotes as people do: no message of ours is written the way Python writes values."""

import ast
from pathlib import Path

import pytest

from app.common.quoting import quoted

APP = Path(__file__).parent.parent / "app"
SAYING = ("fail", "echo", "secho", "UsageError", "BadParameter", "ClickException", "Refused", "ValueError")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("smss", "'smss'"),
        ("O'Brien", "'O'Brien'"),
        (r"C:\new", r"'C:\new'"),
        ('{"tier": "gold"}', """'{"tier": "gold"}'"""),
        ("Zoë 👍🏽", "'Zoë 👍🏽'"),
        ("\u202a+15550100001\u202c", "'<U+202A>+15550100001<U+202C>'"),
        ("two\nlines\x1b[31m", "'two<U+000A>lines<U+001B>[31m'"),
        ("\udce9", "'<U+DCE9>'"),
        ("", "''"),
        (Path("a") / "b", "'a/b'"),
    ],
)
def test_a_text_is_quoted_as_it_was_written_and_nothing_of_it_is_invisible(text, shown):
    assert quoted(text) == shown


def test_a_long_text_is_shortened_and_says_so():
    assert quoted("a" * 41, 40) == f"'{'a' * 40}…'"
    assert quoted("a" * 40, 40) == f"'{'a' * 40}'"


def as_python_writes(tree):
    """Yield the line of each value that a text of this module shows by `!r`, `%r` or repr(), and each text of `%r`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.conversion == ord("r"):
            yield node.lineno
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and "%r" in str(ast.unparse(node.left)):
            yield node.lineno
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and _name(node.func) in SAYING):
            yield from (it.lineno for it in ast.walk(node) if isinstance(it, ast.Call) and _name(it.func) == "repr")


def _name(function):
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_no_message_of_ours_shows_a_value_as_python_writes_it():
    found = [
        f"{path.relative_to(APP.parent)}:{line}"
        for path in sorted(APP.rglob("*.py"))
        for line in as_python_writes(ast.parse(path.read_text()))
    ]

    assert not found, f"write {{quoted(text)}} of app.common.quoting instead: {', '.join(found)}"


@pytest.mark.parametrize(
    "source",
    [
        'raise Refused(f"{text[:40]!r} is no day")',
        'click.echo("%r is unknown" % name)',
        'self.fail("no " + repr(value))',
        'f"{repr(value)} is wrong"',
    ],
)
def test_such_a_message_would_be_seen(source):
    assert list(as_python_writes(ast.parse(source)))
