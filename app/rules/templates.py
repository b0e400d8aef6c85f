"""Reply templates: validated when the rules are loaded, rendered within bounds.

The writer of the rules is trusted, but a slip in a template must never stop the worker or fill its memory: how large
and how deep a template is, is bounded when the rules are loaded; what it does when it is rendered, by template_budget.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from jinja2 import StrictUndefined, Template, TemplateError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.rules import template_budget
from app.rules.template_budget import RenderBudget, ReplyError

__all__ = ["ReplyError", "checked_reply", "render_reply"]
MAX_REPLY_CHARS = 16_000  # ten of Twilio's longest messages (1,600 characters); more is a runaway template
MAX_SOURCE_CHARS, MAX_PARTS, MAX_DEPTH = 20_000, 1_000, 40  # of a template; what is larger takes long to compile
TOO_DEEP = "is nested too deeply; make it simpler"
MAX_LOOP_TURNS = 1_000
MAX_NUMBER_BITS = 256
REPLY_VARIABLES = frozenset(
    {"author", "text", "channel", "first_contact", "hours", "friendly_name", "attributes", "now"}
    | {"participant_attributes", "next_opening"}
    | {"button", "button_payload", "media_type", "profile_name", "channel_metadata"}
)
# Everything a reply may use is listed, because Jinja2's own set can be made to build gigabytes ("%9999999d", center).
REPLY_FILTERS = frozenset(
    {"abs", "capitalize", "count", "d", "default", "first", "float", "int", "join", "last", "length", "list"}
    | {"lower", "replace", "round", "sort", "string", "title", "trim", "truncate", "unique", "upper", "wordcount"}
)
REPLY_METHODS = frozenset(
    {"capitalize", "endswith", "get", "isoformat", "items", "keys", "lower", "split", "startswith"}
    | {"strftime", "strip", "title", "upper", "values", "weekday"}
)
REPLY_SYNTAX = (nodes.Expr, nodes.Helper, nodes.Template, nodes.Output, nodes.If, nodes.For)


class ReplySandbox(ImmutableSandboxedEnvironment):
    """Jinja2 for replies: no access to Python's insides, and no expression that grows without bound."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def _generate(self, source: nodes.Template, *args: Any, **named: Any) -> str:
        """Return the Python that Jinja2 makes of a template, in which every operation is paid for."""
        return super()._generate(template_budget.Metering().visit(source), *args, **named)

    def call(self, context: Any, function: Any, /, *args: Any, **named: Any) -> Any:
        """Return what a method of a value, or range(), returns; paid for."""
        template_budget.pay_for_call(template_budget.budget_of(context), function, (*args, *named.values()))
        return super().call(context, function, *args, **named)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Return the result of an arithmetic operation, or raise ReplyError when it would be huge."""
        template_budget.pay_for_binop(template_budget.budget_of(context), left, right)
        if operator == "%" and isinstance(left, str):
            raise ReplyError("formatting with % is not available")
        if _size(operator, left, right) > (MAX_NUMBER_BITS if _is_int(left, right) else MAX_REPLY_CHARS):
            raise ReplyError(f"the result of {operator} would be too large")
        return super().call_binop(context, operator, left, right)


def _is_int(*values: Any) -> bool:
    return all(isinstance(value, int) for value in values)


def _size(operator: str, left: Any, right: Any) -> int:
    if _is_int(left, right):
        bits: dict[str, int] = {"**": left.bit_length() * max(right, 0), "*": left.bit_length() + right.bit_length()}
        return bits.get(operator, 0)
    pairs = [(left, right), (right, left)]
    return max((len(many) * n for many, n in pairs if hasattr(many, "__len__") and _is_int(n)), default=0)


def _range(*numbers: int) -> range:
    numbers_of_loop = range(*numbers)
    if numbers_of_loop and abs((numbers_of_loop[-1] - numbers_of_loop[0]) // numbers_of_loop.step) >= MAX_LOOP_TURNS:
        raise ReplyError(f"a loop may take {MAX_LOOP_TURNS} turns at most")
    return numbers_of_loop


def _replace(value: Any, old: str, new: str) -> str:
    text = str(value)
    if len(text) + text.count(str(old)) * len(str(new)) > MAX_REPLY_CHARS:
        raise ReplyError("the result of replace would be too long")
    return text.replace(str(old), str(new))


def _round(value: Any, precision: int = 0) -> float:
    return round(float(value), precision)  # Jinja2's own computes 10 ** precision


def _sandbox() -> ReplySandbox:
    sandbox = ReplySandbox(undefined=StrictUndefined, autoescape=False, optimized=False)
    ours = {"replace": _replace, "round": _round}
    known = {name: sandbox.filters[name] for name in REPLY_FILTERS} | ours
    paid = {name: template_budget.metered(name, of) for name, of in known.items()}
    sandbox.filters = paid | template_budget.STEPS
    sandbox.finalize = template_budget.written
    sandbox.globals = {"range": _range}
    return sandbox


SANDBOX = _sandbox()


@lru_cache(maxsize=4096)
def compiled_reply(source: str) -> Template:
    """Return the compiled template of a reply; compiled once for each text."""
    return SANDBOX.from_string(source)


def checked_reply(source: Any, *, may_be_empty: bool = False, names: frozenset[str] = REPLY_VARIABLES) -> str:
    """Return the template text as given, or raise ValueError with everything that is wrong with it.

    `names` are the variables that it may use.
    """
    if not isinstance(source, str) or not (source.strip() or may_be_empty):
        raise ValueError("is not a text; write what the customer shall read")
    if len(source) > MAX_SOURCE_CHARS:
        raise ValueError(f"has {len(source):,} characters; a template may have {MAX_SOURCE_CHARS:,}")
    try:
        tree = SANDBOX.parse(source)
        if problem := _size_problem(tree):
            raise ValueError(problem)
        if problems := [*_syntax_problems(tree), *_name_problems(tree, names)]:
            raise ValueError("; ".join(problems))
        compiled_reply(source)
    except TemplateError as error:
        raise ValueError(f"line {getattr(error, 'lineno', 1)} of the template: {error}; correct it") from None
    except (RecursionError, MemoryError, SyntaxError):  # of what Jinja2 makes of it, in Python
        raise ValueError(TOO_DEEP) from None
    return source


def _size_problem(tree: nodes.Template) -> str:
    """Return why a template is larger or deeper than any reply needs, or ""; it never recurses."""
    count, level = 0, [cast(nodes.Node, tree)]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in node.iter_child_nodes()]
        count += len(level)
        if count > MAX_PARTS:
            return f"has more than {MAX_PARTS:,} names, texts and operations; make it simpler"
        if not level:
            return ""
    return TOO_DEEP


def _syntax_problems(tree: nodes.Template) -> list[str]:
    found = [f"line {node.lineno} of the template: {_not_allowed(node)}" for node in tree.find_all(nodes.Node)]
    return sorted({problem for problem in found if not problem.endswith(": ")})


def _not_allowed(node: nodes.Node) -> str:
    if isinstance(node, nodes.Filter) and node.name not in REPLY_FILTERS:
        return f'there is no filter "{node.name}" here; use one of {", ".join(sorted(REPLY_FILTERS))}'
    if isinstance(node, nodes.Call) and not _is_allowed_call(node):
        return f"this call is not available; use range() or a method out of {', '.join(sorted(REPLY_METHODS))}"
    if isinstance(node, nodes.For) and next(node.find_all(nodes.For), None):
        return "a loop inside a loop is not available; write one loop"
    if not isinstance(node, REPLY_SYNTAX):
        return f'"{type(node).__name__.lower()}" is not available; use only {{{{ }}}}, if and for'
    return ""


def _is_allowed_call(call: nodes.Call) -> bool:
    if isinstance(call.node, nodes.Name):
        return call.node.name == "range"
    if not isinstance(call.node, nodes.Getattr) or call.node.attr not in REPLY_METHODS:
        return False
    return call.node.attr != "strftime" or _is_plain_format(call)


def _is_plain_format(call: nodes.Call) -> bool:
    """Return whether strftime gets one literal format without widths: "%9999999d" would fill the memory."""
    if len(call.args) != 1 or call.kwargs or call.dyn_args or call.dyn_kwargs:
        return False
    shape = getattr(call.args[0], "value", None)
    return isinstance(shape, str) and re.fullmatch(r"(%[A-Za-z%]|[^%])*", shape) is not None


def _name_problems(tree: nodes.Template, names: frozenset[str]) -> list[str]:
    if _syntax_problems(tree):
        return []  # Jinja2 can only look for names in what it could compile
    unknown = sorted(meta.find_undeclared_variables(tree) - names - {"range"})
    known = ", ".join(sorted(names))
    return [f'there is no variable "{name}"; use one of {known}' for name in unknown]


def render_reply(source: str, values: Mapping[str, object]) -> str:
    """Return the text of a reply, without white space around it; empty means that nothing shall be said.

    Raises ReplyError when the template fails. Its message names the cause but holds no value of the
    message or the conversation, so that it may be stored and logged.
    """
    reply = ""
    try:
        for part in compiled_reply(source).generate(values, **{template_budget.NAME: RenderBudget()}):
            reply += part
            if len(reply) > MAX_REPLY_CHARS:
                raise ReplyError(f"the reply is longer than {MAX_REPLY_CHARS} characters")
    except ReplyError:
        raise
    except UndefinedError:
        raise ReplyError('it uses a value that is not there; add |default("...")') from None
    except SecurityError:
        raise ReplyError("it uses what templates may not use") from None
    except Exception as error:  # noqa: BLE001 - a template can raise anything; its words could quote the message
        raise ReplyError(f"it raised {type(error).__name__}") from None
    return reply.strip()
