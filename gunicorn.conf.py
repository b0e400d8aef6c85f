"""How gunicorn serves Parley; every value can be overridden on its command line. Settings: see .env.example."""

import contextlib
import ctypes
import gc
import os
import socket
import struct
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gunicorn import glogging, util  # type: ignore[import-untyped]
from gunicorn.http import errors, message  # type: ignore[import-untyped]
from gunicorn.workers import gthread  # type: ignore[import-untyped]

from app import config as parley_config
from app import logs
from app.db.database import DatabaseUnavailable
from app.monitoring import multiprocess
from app.runtime.from_settings import responder_problems, rules_problems

settings = parley_config.from_environment()

wsgi_app = "wsgi:app"
workers = settings.web_concurrency
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
message.MAX_REQUEST_LINE = limit_request_line = 256 * 1024
# A thread that waits for a client is a thread that answers nobody.
STALLED_MICROSECONDS = 1_500_000  # the longest pause inside a request
LINGER_SECONDS = 0.2  # how long a closed connection may take to send what we do not read
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.5  # then a connection that says nothing waits without a thread


class WebProcess(gthread.ThreadWorker):
    """gunicorn's threads, but no client can hold up the others by being slow to close."""

    def handle(self, conn: Any) -> Any:
        """Serve a connection; close it here when it ends: gunicorn would do so where it accepts new ones."""
        keep = super().handle(conn)
        if keep is False:
            conn.sock.setblocking(True)
            util.close_graceful(conn.sock, timeout=LINGER_SECONDS)
            conn.close = lambda graceful=False: None
        return keep

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a broken request; 400 also for an unknown transfer coding: the fault is not ours."""
        if isinstance(exc, errors.UnsupportedTransferCoding):
            exc = errors.InvalidHeader("TRANSFER-ENCODING")
        super().handle_error(req, client, addr, exc)


class Log(glogging.Logger):
    """gunicorn's log in the format of ours, without what it quotes of requests."""

    def setup(self, cfg: Any) -> None:
        """Attach gunicorn's handlers, then our format."""
        super().setup(cfg)
        logs.adopt(self.error_log, settings.log_format)
        logs.adopt(self.access_log, settings.log_format)


worker_class = WebProcess
logger_class = Log

# Two pools of memory for all threads: glibc gives nearly each one its own, and 4 MB of a process lie idle in them.
M_ARENA_MAX = -8
with contextlib.suppress(AttributeError):  # another C library
    ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def on_starting(_server: Any) -> None:
    """Refuse to serve with bad settings, one sentence for each; bring an SQLite database up to date, once."""
    faults = parley_config.faults_for_serving(settings)
    if settings.runs_inline_worker:
        faults += rules_problems(settings) + responder_problems(settings)
    if settings.uses_sqlite and not faults:
        faults += _elsewhere(_migrate)
    if faults:
        sys.exit("\n".join(["Parley does not start:", *(f"  - {fault}" for fault in faults)]))
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


def _migrate() -> list[str]:
    """Bring the SQLite database up to date; return why it cannot be done, or nothing."""
    from app.db import database as db
    from app.db import schema

    database = db.Database(settings.database_url)
    try:
        schema.migrate(database)
    except (db.DatabaseUnavailable, OSError) as fault:
        return [f"DATABASE_URL names a file that cannot be used ({fault}); correct the path"]
    finally:
        database.close()
    return []


def post_fork(_server: Any, worker: Any) -> None:
    """Let no request pause for ever: a read from a connection ends after STALLED_MICROSECONDS."""
    wait = struct.pack("ll", *divmod(STALLED_MICROSECONDS, 10**6))
    for listener in worker.sockets:  # connections inherit the option
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)


def post_worker_init(worker: Any) -> None:
    """Start the worker inside this web process, where the settings want one.

    What is loaded by now stays for good: looking through it for garbage would stop every thread for 60 ms.
    """
    parley = worker.wsgi.extensions["parley"]
    _prepare_to_count(worker.wsgi.extensions["parley.door"].counts)
    if parley.settings.runs_inline_worker:
        import twilio.rest  # noqa: F401 - the first reply would import it

        parley.start_worker()
    gc.collect()
    gc.freeze()


def _prepare_to_count(counts: Any) -> None:
    try:
        if folder := os.environ.get(multiprocess.VARIABLE):
            multiprocess.reserve(Path(folder), os.getpid())
    except OSError:
        counts.give_up()  # no room: writing there would end the process
    else:
        counts.warm_up()


def worker_exit(_server: Any, worker: Any) -> None:
    """Finish what is being worked on before the process ends."""
    parley = worker.wsgi.extensions["parley"] if getattr(worker, "wsgi", None) else None
    if parley and parley.worker:
        parley.worker.stop()
    elif parley:
        with contextlib.suppress(DatabaseUnavailable):
            parley.rest_calls.store(parley.db)  # those that were made for the page


def on_exit(_server: Any) -> None:
    """Remove what the processes counted, when the last of them is gone."""
    if folder := os.environ.get(multiprocess.VARIABLE):
        multiprocess.remove(Path(folder))
