"""`python -m app.cli.dev.gunicorn_child wsgi:app ...`: gunicorn that ends with whoever started it, even killed."""

from __future__ import annotations

import os
import signal
import sys
import threading

from gunicorn.app.wsgiapp import run  # type: ignore[import-untyped]


def end_with_parent() -> None:
    """Wait until nobody holds the other end of standard input, then ask this process to end."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    run()
