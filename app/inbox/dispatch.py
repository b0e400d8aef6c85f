"""Which function handles which event class: one each, found by class. Decides nothing else."""

from collections.abc import Callable
from typing import Any, TypeVar

Handler = Callable[[Any, Any], str]
Registered = TypeVar("Registered", bound=Handler)

_HANDLERS: dict[type, Handler] = {}


def handles(event_class: type, registry: dict[type, Handler] | None = None) -> Callable[[Registered], Registered]:
    """Return a decorator that makes a function the one handler of `event_class`.

    Raises ValueError, which names both functions, when the class has a handler already.
    """
    table = _HANDLERS if registry is None else registry

    def register(handler: Registered) -> Registered:
        first = table.setdefault(event_class, handler)
        if first is not handler:
            raise ValueError(f"{event_class.__name__} has two handlers: {_name(first)} and {_name(handler)}")
        return handler

    return register


def handler_for(event: object, registry: dict[type, Handler] | None = None) -> Handler | None:
    """Return the handler of exactly this event's class, or None when it has none."""
    table = _HANDLERS if registry is None else registry
    return table.get(type(event))


def dispatch(event: object, bot: object, registry: dict[type, Handler] | None = None) -> str | None:
    """Return the line in which the event's handler says what happened, or None when there is no handler."""
    handler = handler_for(event, registry)
    return None if handler is None else handler(event, bot)


def _name(handler: Handler) -> str:
    return f"{handler.__module__}.{handler.__qualname__}"
