"""Dockerfile, compose.yaml, Procfile and docs/deploying.md: what they name is enough, starts, and adds up."""

import base64
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from app import config, create_app
from app.db.database import Database
from app.db.page_tables import login_failures
from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.documented_files import (
    DEPLOYING,
    ROOT,
    block,
    build_image,
    compose_services,
    dockerfile,
    health_check,
    instruction,
    sent_to_docker,
)
from tests.support.eventually import eventually
from tests.support.gunicorn_process import serving

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite")]

SLOW_CLIENTS = 40  # gunicorn has 16 threads
SERVICES = compose_services()
OURS = [name for name in SERVICES if name != "database"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The files of the image, and nothing else."""
    return build_image(tmp_path / "image")


@pytest.fixture
def run_in_image(image: Path, environ: dict[str, str], free_port: Callable[[], int]) -> Iterator[Callable]:
    """Start a command in the folder of the image, with an SQLite database there."""
    settings = {"DATABASE_URL": f"sqlite:///{image}/instance/parley.db", "BOT_RULES": "", "PORT": str(free_port())}
    started = []

    def run(*command: str) -> subprocess.Popen[bytes]:
        python = [sys.executable, *(["-m"] if command[0] in ("flask", "gunicorn") else []), *command]
        python.remove("python") if command[0] == "python" else None
        process = subprocess.Popen(python, cwd=image, env={"PATH": os.environ["PATH"], **environ, **settings})
        started.append(process)
        return process

    yield run
    for process in started:
        process.terminate()
        process.wait(40)


def test_the_image_has_all_that_web_needs_and_its_health_check_sees_it_serve(run_in_image):
    check = health_check()
    assert run_in_image(*check).wait(60) != 0
    run_in_image(*json.loads(instruction("CMD")))

    assert eventually(lambda: run_in_image(*check).wait(60) == 0)


@pytest.mark.parametrize("command", [["flask", "db", "upgrade"], ["flask", "worker", "--drain"]], ids=" ".join)
def test_the_image_has_all_that_the_other_commands_need(run_in_image, command):
    assert run_in_image(*command).wait(30) == 0


def test_the_image_is_small_and_runs_as_nobody_who_may_do_anything():
    installs = [arguments for name, arguments in dockerfile() if name == "RUN"]

    assert instruction("FROM") == "python:3.12-slim"
    assert int(instruction("USER")) >= 10000
    assert [name for name, _ in dockerfile()].index("USER") > [name for name, _ in dockerfile()].index("RUN")
    assert not any(re.search(r"apt|gcc|build-essential", arguments) for arguments in installs)
    assert "--no-cache-dir --only-binary=:all:" in installs[0]
    assert "-c requirements.lock" in installs[0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/db/database.py", True),
        ("app/db/migrations/versions/0001_first_tables.py", True),
        ("rules.toml", True),
        (".env", False),
        (".git/config", False),
        ("instance/parley.db", False),
        ("tests/conftest.py", False),
        ("app/__pycache__/db.cpython-312.pyc", False),
        (".venv/bin/python", False),
    ],
)
def test_only_what_the_image_needs_is_sent_to_docker(path, expected):
    assert sent_to_docker(path) is expected


def commands_named_in(*texts: str) -> set[str]:
    return {found.strip() for text in texts for found in re.findall(r"flask ((?:[a-z]+ ?)+)", text)}


def test_the_commands_that_processes_are_started_with_exist():
    started = commands_named_in((ROOT / "Procfile").read_text(), block("yaml"), block("ini"), block("ini", 1))
    started |= {
        " ".join(json.loads(found)[1:])
        for text in SERVICES.values()
        for found in re.findall(r'command: (\["flask".*\])', text)
    }

    assert started == {"worker", "db upgrade"}
    assert started <= {"db upgrade", *create_app(config.from_environment({})).cli.commands}


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_can_write_nowhere_and_gain_no_rights(name):
    assert "read_only: true" in SERVICES[name]
    assert "cap_drop: [ALL]" in SERVICES[name]
    assert "no-new-privileges:true" in SERVICES[name]


@pytest.mark.parametrize("name", ["web", "worker"])
def test_web_and_worker_start_after_the_release_and_have_time_to_finish(name):
    (grace,) = re.findall(r"stop_grace_period: (\d+)s", SERVICES[name])
    (graceful,) = re.findall(r"graceful_timeout = (\d+)", (ROOT / "app" / "runtime" / "gunicorn.py").read_text())

    assert int(grace) > int(graceful)
    assert "condition: service_completed_successfully" in SERVICES[name]
    assert "restart: unless-stopped" in SERVICES[name]


def test_the_settings_in_compose_are_settings_that_parley_accepts():
    (url,) = re.findall(r"DATABASE_URL: (\S+)", SERVICES["release"])
    given = {"DATABASE_URL": url.replace("${POSTGRES_PASSWORD}", "secret"), "BOT_LOG_FORMAT": "json"}
    settings = config.from_environment(given)

    assert settings.problems == ()
    assert settings.database_url == "postgresql+psycopg://parley:secret@database/parley"
    assert re.findall(r"^      ([A-Z_]+):", SERVICES["release"], re.MULTILINE) == list(given)


def test_the_arithmetic_of_connections_is_that_of_the_settings():
    def needed(**environ: str) -> tuple[int, int]:
        settings = config.from_environment({"DATABASE_URL": "postgresql://bot@db/parley", **environ})
        return settings.web_concurrency * settings.web_connections, settings.worker_connections + 1

    assert sum(needed()) == 18
    assert "2 x 4 + 8 + 2 = 18" in DEPLOYING
    assert needed(BOT_WORKER_THREADS="3", WEB_CONCURRENCY="1") == (4, 5)
    assert "2 x (4 + 5) = 18" in DEPLOYING


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize(("number", "name"), [(0, "parley-web.service"), (1, "parley-worker.service")])
def test_systemd_accepts_the_units_that_are_documented(number, name, tmp_path):
    unit = tmp_path / name
    unit.write_text(re.sub(r"/srv/parley/.venv/bin/\w+", "/bin/true", block("ini", number)))
    verdict = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=30
    )

    assert [line for line in verdict.stderr.splitlines() if name in line] == []
    assert f"/etc/systemd/system/{name}" in DEPLOYING


@pytest.fixture
def nginx_port(environ: dict[str, str], free_port: Callable[[], int], tmp_path: Path) -> Iterator[int]:
    """Parley behind nginx with the configuration that is documented, but for TLS and the ports."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    more = {"WEB_CONCURRENCY": "1", "BOT_ADMIN_PASSWORD": "password-of-the-tests"}
    with serving(environ | more, tmp_path / "gunicorn.log") as gunicorn:
        port = free_port()
        documented = re.sub(r"^ *ssl_.*\n", "", block("nginx"), flags=re.MULTILINE)
        documented = documented.replace("listen 443 ssl", f"listen 127.0.0.1:{port}").replace(
            ":8000", f":{gunicorn.port}"
        )
        process = subprocess.Popen(["nginx", "-p", tmp_path, "-c", nginx_conf(tmp_path, documented)])
        try:
            assert eventually(lambda: is_open(port))
            yield port
        finally:
            process.terminate()
            process.wait(60)


def nginx_conf(folder: Path, documented: str) -> Path:
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    path = folder / "nginx.conf"
    path.write_text(
        f"{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;\n"
        f"events {{ }}\nhttp {{ access_log {folder}/access.log;\n{temporary}\n{documented} }}\n"
    )
    return path


def is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def send(port: int, name: str) -> int:
    """Post a recorded webhook exactly as it stands, and return the status."""
    request = webhook_fixtures.load(name)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(request.method, request.target, request.body, webhook_fixtures.sign(request, ORIGIN, TOKEN))
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(("name", "status"), [("onMessageAdded__unicode_and_blank", 204), ("onMessageAdd__get", 200)])
def test_a_webhook_comes_through_nginx_with_its_signature_intact(nginx_port, name, status):
    assert send(nginx_port, name) == status


def test_nginx_writes_no_message_down(nginx_port, tmp_path):
    assert send(nginx_port, "onMessageAdd__get") == 200

    logged = tmp_path / "access.log"
    assert not logged.exists() or "Body" not in logged.read_text()


def test_behind_nginx_nobody_can_make_up_who_guesses(nginx_port, environ):
    connection = http.client.HTTPConnection("127.0.0.1", nginx_port, timeout=60)
    guess = base64.b64encode(b"me:wrong").decode()
    connection.request("GET", "/metrics", headers={"Authorization": f"Basic {guess}", "X-Forwarded-For": "203.0.113.9"})
    status = connection.getresponse().status
    connection.close()
    database = Database(config.from_environment(environ).database_url)
    with database.read() as tx:
        whose = set(tx.scalars(select(login_failures.c.address)))
    database.close()

    assert (status, whose) == (401, {"metrics 127.0.0.1", "proxy metrics 127.0.0.1"})


def test_behind_nginx_slow_clients_hold_up_nobody(nginx_port):
    with slow_clients(nginx_port, SLOW_CLIENTS) as drips:
        assert eventually(lambda: drips["all"] >= 5)
        assert send(nginx_port, "onMessageAdded__sms_text") == 204  # before one of them has ended


@contextmanager
def slow_clients(port: int, count: int) -> Iterator[Counter[str]]:
    """Let clients send a request byte by byte, one every 0.1 s, and count how often all of them could."""
    head = b"POST /conversations/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    drips: Counter[str] = Counter()
    stop = threading.Event()

    def drip(clients: list[socket.socket]) -> None:
        while not stop.wait(0.1):
            drips["all"] += all(client.send(b"a") for client in clients)

    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]
        for client in clients:
            client.sendall(head)
        dripping = threading.Thread(target=drip, args=(clients,))
        dripping.start()
        stack.callback(dripping.join)
        stack.callback(stop.set)
        yield drips
