"""What Parley changes in gunicorn: only in the gunicorn that it was tried with, and only when asked to."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gunicorn import util
from gunicorn.http import message
from gunicorn.workers import gthread

from app.runtime import gunicorn as parley
from tests.support.gunicorn_process import ROOT, launch, serving
from tests.support.hostile_requests import exchange

SETTINGS = {
    "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
    "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef",
    "PUBLIC_URL": "https://bot.example.com",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
    "WEB_CONCURRENCY": "1",
    "BOT_INLINE_WORKER": "off",
}
POOLS = """
import ctypes, sys, threading
from app.runtime import gunicorn as parley
if sys.argv[1:] == ["shared"]:
    parley.share_memory_pools()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
together = threading.Barrier(16)
def allocate():
    block = bytearray(50_000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def configured(tmp_path: Path, before: str) -> list[str]:
    """Return the options of a gunicorn with our configuration, and another gunicorn than is installed."""
    path = tmp_path / "gunicorn.conf.py"
    path.write_text(f"{before}\n{(ROOT / 'gunicorn.conf.py').read_text()}")
    return ["--config", str(path)]


def pools(*arguments: str) -> int:
    """Return how many pools of memory the threads of a process had."""
    printed = subprocess.run(
        [sys.executable, "-c", POOLS, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return printed.stdout.count("<heap nr=")


def test_the_gunicorn_that_is_installed_is_the_one_it_was_tried_with():
    (locked,) = re.findall(r"^gunicorn==(\S+)$", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    assert parley.problems() == []
    assert locked == parley.TRIED_WITH


@pytest.mark.parametrize(
    ("owner", "name", "said"),
    [
        (message, "MAX_REQUEST_LINE", "http.message.MAX_REQUEST_LINE"),
        (gthread, "DEFAULT_WORKER_DATA_TIMEOUT", "workers.gthread.DEFAULT_WORKER_DATA_TIMEOUT"),
        (util, "close_graceful", "util.close_graceful(sock, timeout)"),
    ],
)
def test_what_another_gunicorn_does_not_have_is_named_with_the_version_to_install(owner, name, said, monkeypatch):
    monkeypatch.delattr(owner, name)

    (problem,) = parley.problems()

    assert f" has no {said}, " in problem
    assert problem.endswith(f"pip install gunicorn=={parley.TRIED_WITH}")


def test_a_method_that_takes_other_arguments_is_another_method(monkeypatch):
    monkeypatch.setattr(gthread.ThreadWorker, "handle", lambda self, connections: None)

    (problem,) = parley.problems()

    assert " has no workers.gthread.ThreadWorker.handle(conn), " in problem


def test_a_gunicorn_that_cannot_be_changed_does_not_start(tmp_path):
    lacking = "from gunicorn.workers import gthread\ndel gthread.DEFAULT_WORKER_DATA_TIMEOUT"
    process = launch(SETTINGS, tmp_path / "output", *configured(tmp_path, lacking))

    assert process.wait(60) == 1
    _, refusal = (tmp_path / "output").read_text().split("Parley does not start:\n")
    (problem,) = re.findall("^  - (.*)", refusal, re.MULTILINE)
    assert "has no workers.gthread.DEFAULT_WORKER_DATA_TIMEOUT" in problem


def test_a_gunicorn_that_was_not_tried_serves_and_says_so(tmp_path):
    settings = SETTINGS | {"DATABASE_URL": f"sqlite:///{tmp_path}/parley.db"}
    newer = configured(tmp_path, 'import gunicorn\ngunicorn.__version__ = "28.1.0"')

    with serving(settings, tmp_path / "output", *newer) as server:
        answer = exchange(server.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer.status == 200
    assert f"gunicorn.untried_version version=28.1.0 tried_with={parley.TRIED_WITH}" in server.printed()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has a pool for each thread")
def test_all_threads_share_two_pools_of_memory():
    assert pools() > parley.MEMORY_POOLS
    assert pools("shared") <= parley.MEMORY_POOLS


@pytest.mark.parametrize("options", [[], ["--config", "python:app.runtime.gunicorn"]], ids=["checkout", "package"])
def test_a_message_in_a_long_request_line_arrives_with_either_configuration(options, tmp_path):
    settings = SETTINGS | {"DATABASE_URL": f"sqlite:///{tmp_path}/parley.db"}
    unsigned = f"GET /conversations/webhook?Body={'a' * 20_000} HTTP/1.1\r\nHost: x\r\n\r\n".encode()

    with serving(settings, tmp_path / "output", *options) as server:
        assert exchange(server.port, unsigned).status == 403
