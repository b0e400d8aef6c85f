"""Limits what rendering a template costs: each operation of Jinja2 is charged to a budget first.

A unit is about a microsecond. Whatever a template says, it is over within 100 ms and 64 MB: values are weighed before
anything reads them as a whole, so that a list which holds another a million times costs nothing until it is stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from jinja2 import Undefined, nodes, pass_context
from jinja2.visitor import NodeTransformer

UNITS = 100_000
CPU_SECONDS = 0.1  # of this thread; for what is dearer on some machine than it was thought to be
MAX_CHARS = 32_000  # of a text in any operation; twice what a reply may have
MOST_STRIPPED = 100  # characters that strip() and trim may be given: each is compared with each of the text
CHARS_OF_A_UNIT = 16
NAME = "the budget"  # of the variable that holds it; no template can write a name with a space
_OPERATION = 4
_LOOKED_AT_EVERY = 4_000


class ReplyError(ValueError):
    """A reply template asked for more work than an answer can need; the message holds no values."""


class RenderBudget:
    """What is left for one rendering. pay() raises ReplyError when that is not enough."""

    def __init__(self) -> None:
        self._left, self._look_at = UNITS, UNITS - _LOOKED_AT_EVERY
        self._until = time.thread_time() + CPU_SECONDS

    def pay(self, units: int) -> None:
        """Take so many units away."""
        self._left -= units
        if self._left < 0:
            raise ReplyError("it asks for more work than a reply can need")
        if self._left < self._look_at:
            self._look_at = self._left - _LOOKED_AT_EVERY
            if time.thread_time() > self._until:
                raise ReplyError("it takes longer than a reply may take")

    def pay_for(self, value: Any) -> None:
        """Pay for reading a value as a whole, with all that it holds as often as it holds it."""
        if isinstance(value, str):
            return self.pay(1 + _length(value) // CHARS_OF_A_UNIT)
        self.pay(1)
        waiting = [value]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                self.pay(_length(one))  # written with its escapes
            elif isinstance(one, Mapping):
                self.pay(2 * len(one))
                waiting += [*one.keys(), *one.values()]
            elif isinstance(one, Collection) and not isinstance(one, Undefined):
                self.pay(len(one))
                waiting += one
            elif isinstance(one, int):
                self.pay(one.bit_length() // 64)
        return None


def _length(text: str) -> int:
    if len(text) > MAX_CHARS:
        raise ReplyError(f"a text in it is longer than {MAX_CHARS:,} characters")
    return len(text)


def budget_of(context: Any) -> RenderBudget:
    """Return the budget of a rendering, from Jinja2's context."""
    return cast(RenderBudget, context.parent[NAME])


def pay_for_binop(budget: RenderBudget, left: Any, right: Any) -> None:
    """Pay for an operator: for sequences what is copied, for numbers next to nothing."""
    sizes = [len(one) // (CHARS_OF_A_UNIT if isinstance(one, str) else 1) for one in (left, right) if _is_long(one)]
    for one in (left, right):
        if isinstance(one, str):
            _length(one)
    repeated = max([one for one in (left, right) if isinstance(one, int)], default=1) if len(sizes) == 1 else 1
    budget.pay(_OPERATION + sum(sizes) * max(1, repeated))


def _is_long(value: Any) -> bool:
    return isinstance(value, str | list | tuple)


def pay_for_call(budget: RenderBudget, function: Any, args: tuple[Any, ...]) -> None:
    """Pay for a method of a value, or for range()."""
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    budget.pay(_OPERATION)
    for value in args:
        budget.pay_for(value)
    if isinstance(owner, str):
        budget.pay_for(owner)
        if name == "strip":
            _check_stripped(args)
        if name in ("split", "title"):
            budget.pay(len(owner))
    elif isinstance(owner, Mapping) and name != "get":
        budget.pay(len(owner))


def _check_stripped(args: tuple[Any, ...]) -> None:
    if args and isinstance(args[0], str) and len(args[0]) > MOST_STRIPPED:
        raise ReplyError(f"strip and trim take {MOST_STRIPPED} characters at most")


# What each filter pays beside one operation and its arguments; the others pay for their value as a whole.
_SHALLOW = ("abs", "count", "d", "default", "first", "last", "length")
_BY_LENGTH = ("list", "title", "wordcount")
_SORTING = ("sort", "unique")


def metered(name: str, of: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that pays before it works; one that needs the environment gets it."""
    needs = getattr(getattr(of, "jinja_pass_arg", None), "name", "")

    @pass_context
    def paying(context: Any, value: Any, *args: Any, **named: Any) -> Any:
        budget = budget_of(context)
        budget.pay(_OPERATION)
        for one in (*args, *named.values()):
            budget.pay_for(one)
        if not isinstance(value, Undefined):
            _pay_for_filter(budget, name, value, args)
        given = {"environment": (context.environment,), "eval_context": (context.eval_ctx,)}.get(needs, ())
        result = of(*given, value, *args, **named)
        return list(result) if name == "unique" else result

    return paying


def _pay_for_filter(budget: RenderBudget, name: str, value: Any, args: tuple[Any, ...]) -> None:
    if name in _SHALLOW:
        return
    budget.pay_for(value)
    if name in _BY_LENGTH and hasattr(value, "__len__"):
        budget.pay(len(value))
    if name in _SORTING:
        for _ in range(3):
            budget.pay_for(value if not isinstance(value, str) else list(value))
    if name == "join" and args and hasattr(value, "__len__"):
        budget.pay(len(value) * (len(str(args[0])) // CHARS_OF_A_UNIT + 1))
    if name == "trim":
        _check_stripped(args)


@pass_context
def written(context: Any, value: Any) -> Any:
    """Return a value as it is written into the reply; paid for."""
    if isinstance(value, str):
        return value
    budget_of(context).pay_for(value)
    return str(value)


@pass_context
def _joined(context: Any, values: list[Any]) -> str:
    budget = budget_of(context)
    for value in values:
        budget.pay_for(value)
    return "".join(map(str, values))


@pass_context
def _weighed(context: Any, value: Any) -> Any:
    budget_of(context).pay_for(value)
    return value


@pass_context
def _copied(context: Any, value: Any) -> Any:
    length = len(value) if hasattr(value, "__len__") else 0
    budget_of(context).pay(_OPERATION + length // (CHARS_OF_A_UNIT if isinstance(value, str) else 1))
    return value


@pass_context
def _searched(context: Any, value: Any) -> Any:
    return value if isinstance(value, Mapping) else _weighed(context, value)


@pass_context
def _iterated(context: Any, values: Any, cost: int) -> list[Any]:
    if hasattr(values, "__len__"):
        budget_of(context).pay(_OPERATION + len(values) * cost)
    return list(values)


# Filters that stand for what Jinja2 does by itself; no template can name them.
STEPS: dict[str, Callable[..., Any]] = {
    "the joined": _joined,
    "the weighed": _weighed,
    "the copied": _copied,
    "the searched": _searched,
    "the iterated": _iterated,
}


class Metering(NodeTransformer):
    """Puts a step that pays in front of whatever Jinja2 does without asking its environment."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja2's names
        self.generic_visit(node)
        return _step("the joined", nodes.List(node.nodes, lineno=node.lineno))

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _step("the weighed", node.expr)
        for operand in node.ops:
            operand.expr = _step("the searched" if operand.op in ("in", "notin") else "the weighed", operand.expr)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.node = _step("the weighed", node.node)
        node.args = [_step("the weighed", one) for one in node.args]
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _step("the copied", node.node)
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        cost = 1 + sum(1 for part in (*node.body, node.test) if part for _ in part.find_all(nodes.Node)) // 4
        self.generic_visit(node)
        node.iter = _step("the iterated", node.iter, nodes.Const(cost))
        return node


def _step(name: str, node: nodes.Node, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(cast(nodes.Expr, node), name, list(args), [], None, None, lineno=node.lineno)
