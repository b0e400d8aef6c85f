"""gunicorn's settings and hooks for Parley, and the patches it needs.

gunicorn.conf.py takes all of it; without a checkout: `gunicorn --config python:app.runtime.gunicorn`. Importing this
changes nothing in gunicorn, on_starting() does.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import inspect
import os
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import gunicorn  # type: ignore[import-untyped]
from gunicorn import glogging, util
from gunicorn.http import errors, message  # type: ignore[import-untyped]
from gunicorn.workers import gthread  # type: ignore[import-untyped]

from app import config as parley_config  # gunicorn has a setting of that name
from app import logs
from app.config import Settings
from app.db.database import DatabaseUnavailable
from app.monitoring import multiprocess, rest_metrics
from app.monitoring.webhook_metrics import WebhookCounts
from app.reconcile import starting
from app.runtime.from_settings import make_conversations, responder_problems, rules_problems
from app.runtime.process import Runtime

TRIED_WITH = "27.0.1"  # problems() lists what of it is changed and called

workers = parley_config.from_environment().web_concurrency
threads = 16
keepalive = 75
graceful_timeout = 30
timeout = 60
control_socket_disable = True  # one less file to own, and two servers on one machine do not meet
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn's heartbeat file
# The public address is PUBLIC_URL; no header of a request changes how it is read.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
# Off unless asked for; never with a query, which for GET webhooks is the whole message.
access_log_format = "%(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"

# A webhook by GET carries its message in the request line; gunicorn itself allows 8190 bytes at most.
limit_request_line = 256 * 1024
# A thread that waits for a client is a thread that answers nobody.
STALLED_MICROSECONDS = 1_500_000  # the longest pause inside a request
LINGER_SECONDS = 0.2  # how long a closed connection may take to send what we do not read
FIRST_DATA_SECONDS = 0.5  # then a connection that says nothing waits without a thread
# Two pools of memory for all threads: glibc gives nearly each one its own, and 4 MB of a process lie idle in them.
MEMORY_POOLS = 2
_M_ARENA_MAX = -8  # of mallopt(3)


class ServerConnection(Protocol):
    """What is used of gunicorn's connection."""

    sock: socket.socket
    close: Callable[..., None]


class Application(Protocol):
    """What is used of the WSGI application that a web process has loaded: create_app() made it."""

    extensions: Mapping[str, Any]


class Process(Protocol):
    """What is used of gunicorn's web process."""

    wsgi: Application
    sockets: list[socket.socket]


def mend() -> None:
    """Change what no setting of gunicorn's changes, in this process and those that it forks."""
    message.MAX_REQUEST_LINE = limit_request_line
    gthread.DEFAULT_WORKER_DATA_TIMEOUT = FIRST_DATA_SECONDS
    share_memory_pools()


def problems() -> list[str]:
    """Return what of the installed gunicorn is not as Parley changes it, or nothing."""
    needed = {
        "http.message.MAX_REQUEST_LINE": hasattr(message, "MAX_REQUEST_LINE"),
        "http.errors.UnsupportedTransferCoding": hasattr(errors, "UnsupportedTransferCoding"),
        "workers.gthread.DEFAULT_WORKER_DATA_TIMEOUT": hasattr(gthread, "DEFAULT_WORKER_DATA_TIMEOUT"),
        "workers.gthread.ThreadWorker.handle(conn)": _takes(gthread.ThreadWorker, "handle", "conn"),
        "workers.gthread.ThreadWorker.handle_error(req, client, addr, exc)": _takes(
            gthread.ThreadWorker, "handle_error", "req", "client", "addr", "exc"
        ),
        "glogging.Logger.setup(cfg)": _takes(glogging.Logger, "setup", "cfg"),
        "util.close_graceful(sock, timeout)": _takes(util, "close_graceful", "sock", "timeout"),
    }
    return [
        f"gunicorn {gunicorn.__version__} has no {name}, which Parley changes or calls; "
        f"install the one it was tried with: pip install gunicorn=={TRIED_WITH}"
        for name, is_there in needed.items()
        if not is_there
    ]


def _takes(owner: object, name: str, *parameters: str) -> bool:
    function = getattr(owner, name, None)
    return callable(function) and set(parameters) <= set(inspect.signature(function).parameters)


def share_memory_pools() -> None:
    """Let all threads of this process, and of those it forks, share two pools of memory; only glibc can."""
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, MEMORY_POOLS)


class WebProcess(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threads, but no client can hold up the others by being slow to close."""

    def handle(self, conn: ServerConnection) -> object:
        """Serve a connection; close it here when it ends: gunicorn would do so where it accepts new ones."""
        keep: object = super().handle(conn)
        if keep is False:
            conn.sock.setblocking(True)
            util.close_graceful(conn.sock, timeout=LINGER_SECONDS)
            conn.close = lambda graceful=False: None
        return keep

    def handle_error(self, req: object, client: object, addr: object, exc: Exception) -> None:
        """Answer a broken request; 400 also for an unknown transfer coding: the fault is not ours."""
        if isinstance(exc, errors.UnsupportedTransferCoding):
            exc = errors.InvalidHeader("TRANSFER-ENCODING")
        super().handle_error(req, client, addr, exc)


class Log(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log in the format of ours, without what it quotes of requests."""

    def setup(self, cfg: object) -> None:
        """Attach gunicorn's handlers, then our format."""
        super().setup(cfg)
        log_format = parley_config.from_environment().log_format
        logs.adopt(self.error_log, log_format)
        logs.adopt(self.access_log, log_format)


worker_class = WebProcess
logger_class = Log


class Server(Protocol):
    """What is used of gunicorn's arbiter."""

    log: glogging.Logger


def on_starting(server: Server) -> None:
    """Refuse to serve with bad settings, one sentence for each; bring an SQLite database up to date, once."""
    settings = parley_config.from_environment()
    found = problems() + parley_config.problems_for_serving(settings)
    if settings.runs_inline_worker:
        found += rules_problems(settings) + responder_problems(settings)
    if settings.uses_sqlite and not found:
        found += _elsewhere(lambda: _migrate(settings))
    if found:
        sys.exit("\n".join(["Parley does not start:", *(f"  - {problem}" for problem in found)]))
    mend()
    starting.server_starts()
    if gunicorn.__version__.split(".")[:2] != TRIED_WITH.split(".")[:2]:
        facts = {"version": gunicorn.__version__, "tried_with": TRIED_WITH}
        server.log.warning("gunicorn.untried_version", extra=facts)
    with contextlib.suppress(OSError):  # without the folder, each process counts for itself
        os.environ[multiprocess.VARIABLE] = str(multiprocess.create())


def _elsewhere(step: Callable[[], list[str]]) -> list[str]:
    """Do it in a process that ends: what it loads (Alembic takes 10 MB) is in no web process then."""
    fork = get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    other = fork.Process(target=lambda: theirs.send(step()))
    other.start()
    theirs.close()
    try:
        return list(ours.recv())
    except EOFError:
        return ["the database could not be brought up to date; the reason stands above"]
    finally:
        other.join()


def _migrate(settings: Settings) -> list[str]:
    """Bring the SQLite database up to date; return why it cannot be done, or nothing."""
    from app.db.database import Database
    from app.db.schema import migrate

    database = Database(settings.database_url)
    try:
        migrate(database)
    except (DatabaseUnavailable, OSError) as error:
        return [f"DATABASE_URL names a file that cannot be used ({error}); correct the path"]
    finally:
        database.close()
    return []


def post_fork(_server: object, worker: Process) -> None:
    """Let no request pause for ever: a read from a connection ends after STALLED_MICROSECONDS."""
    wait = struct.pack("ll", *divmod(STALLED_MICROSECONDS, 10**6))
    for listener in worker.sockets:  # connections inherit the option
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)


def post_worker_init(worker: Process) -> None:
    """Start the worker inside this web process, where the settings want one.

    What is loaded by now stays for good: looking through it for garbage would stop every thread for 60 ms.
    """
    runtime: Runtime = worker.wsgi.extensions["parley"]
    _prepare_to_count(worker.wsgi.extensions["parley.receiver"].counts)
    if runtime.settings.runs_inline_worker:
        make_conversations(runtime.settings, None).warm_up()  # loads the SDK; the first reply would
        runtime.start_worker_when_possible()
    else:
        runtime.record_start()
    gc.collect()
    gc.freeze()


def _prepare_to_count(counts: WebhookCounts) -> None:
    try:
        if folder := os.environ.get(multiprocess.VARIABLE):
            multiprocess.reserve(Path(folder), os.getpid())
    except OSError:
        counts.give_up()  # no room: writing there would end the process
    else:
        counts.warm_up()


def worker_exit(_server: object, worker: Process) -> None:
    """Finish what is being worked on before the process ends."""
    application = getattr(worker, "wsgi", None)  # None: it was not loaded
    runtime: Runtime | None = application.extensions["parley"] if application else None
    if runtime and runtime.worker:
        runtime.worker.stop()
    elif runtime:
        with contextlib.suppress(DatabaseUnavailable):
            rest_metrics.store(runtime.rest_calls, runtime.db)  # those that were made for the page


def on_exit(_server: object) -> None:
    """Remove what the processes counted, when the last of them is gone."""
    if folder := os.environ.get(multiprocess.VARIABLE):
        multiprocess.remove(Path(folder))
