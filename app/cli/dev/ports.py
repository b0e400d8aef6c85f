"""Chooses the ports of `flask dev`, before anything is started or changed."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Collection

import click

_MOST_TRIED = 100


def choose(asked: int | None, usual: int, option: str, of_loops: Collection[int], *, patience: float = 0.0) -> int:
    """Return the port asked for, else the usual one, or the next free one where another loop of ours has that.

    `patience` is how long to wait for what is just ending. Raises ClickException where another program has the port.
    """
    port = asked or usual
    if port in of_loops and asked is None:
        return _next_free(port, of_loops)
    if port not in of_loops and _becomes_free(port, patience):
        return port
    holder = "another `flask dev` that runs here" if port in of_loops else "another program"
    other = _next_free(port, of_loops)
    name = option.removeprefix("--").replace("-", "_").upper()
    raise click.ClickException(
        f"port {port} is in use by {holder}; end that, or take another port: "
        f"`flask dev {option} {other}` (`make demo {name}={other}`)"
    )


def _next_free(port: int, of_loops: Collection[int]) -> int:
    tried = (one for one in range(port + 1, min(port + _MOST_TRIED, 65536)) if one not in of_loops and _is_free(one))
    if found := next(tried, None):
        return found
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


def _becomes_free(port: int, patience: float) -> bool:
    until = time.monotonic() + patience
    while not (is_free := _is_free(port)) and time.monotonic() < until:
        time.sleep(0.05)
    return is_free


def _is_free(port: int) -> bool:
    """Return whether a server can listen there. Raises ClickException where this user may not."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise click.ClickException(f"port {port} cannot be used: {error.strerror}; take another one") from error
    return True
