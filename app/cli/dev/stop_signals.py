"""Lets Ctrl-C, SIGTERM and the end of a terminal end a command in order, with all that it has started."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP"))


class StopRequested(BaseException):
    """Somebody asked us to end."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Let the stop signals end what goes on in order; afterwards they do what they did."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise StopRequested

    wanted = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup
    before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield
    except StopRequested:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
