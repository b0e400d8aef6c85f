"""Says how long a reply gets at least from its own words, whatever the values put into it; it renders nothing."""

from collections.abc import Sequence

from jinja2 import nodes

from app.rules.templates import SANDBOX


def longest_fixed_text(source: str) -> int:
    """Return the characters of a reply's fixed text, of its longest branches; loops count once, values not at all."""
    return _length(SANDBOX.parse(source.strip()).body)


def _length(body: Sequence[nodes.Node]) -> int:
    return sum(map(_length_of, body))


def _length_of(node: nodes.Node) -> int:
    if isinstance(node, nodes.TemplateData):
        return len(node.data)
    if isinstance(node, nodes.Output):
        return _length(node.nodes)
    if isinstance(node, nodes.If):
        branches = [node.body, *(other.body for other in node.elif_), node.else_]
        return max(map(_length, branches))
    return _length(node.body) if isinstance(node, nodes.For) else 0
