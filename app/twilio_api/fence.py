"""The fence: checks the lease right before each piece of a request leaves, since its sender may have been frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Fence = Callable[[], None]

_fence: ContextVar[Fence | None] = ContextVar("fence", default=None)


@contextmanager
def fenced(fence: Fence) -> Iterator[None]:
    """Ask `fence` before each piece of the requests that this thread makes meanwhile; what it raises stops them.

    It is asked once the connection stands, before the head and before the body: looking up a name, TCP and TLS take
    their time, and a process can be frozen in any of them. A head without its body does nothing at Twilio.
    """
    token = _fence.set(fence)
    try:
        yield
    finally:
        _fence.reset(token)


def ask() -> None:
    """Raise what the fence around this request raises, if there is one and it says no."""
    if (fence := _fence.get()) is not None:
        fence()
