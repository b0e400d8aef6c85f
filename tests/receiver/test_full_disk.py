"""A disk that is really full: 503 in time, nothing acknowledged that is not stored, and well again by itself."""

import contextlib
import os
import resource
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from app import config, create_app
from app.db.database import Database
from app.db.schema import migrate
from app.db.tables import inbox
from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.eventually import eventually
from tests.support.hostile_requests import deliver
from tests.support.running_service import Service, signed
from tests.support.storage_faults import mounted

OUR_PATIENCE = 4.0  # seconds; Twilio waits five
LARGE = "x" * 30_000
only_sqlite = pytest.mark.engines("sqlite")
only_postgresql = pytest.mark.engines("postgresql")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with mounted(megabytes=2) as folder:
        yield folder


def fill(folder: Path) -> Path:
    """Write until nothing more can be written; return the file to delete."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


def message(number: int, body: str = LARGE):
    request = webhook_fixtures.load("onMessageAdded__sms_text")
    request = webhook_fixtures.with_fields(request, MessageSid=f"IM{number:032}", Body=body)
    return replace(request, headers=webhook_fixtures.sign(request, ORIGIN, TOKEN))


def statuses(app, numbers) -> list[int]:
    """Deliver messages one after the other."""
    return [deliver(app, message(number)).status_code for number in numbers]


def stored(app) -> int:
    with app.extensions["parley"].db.read() as tx:
        return tx.scalar(select(func.count()).select_from(inbox)) or 0


@only_sqlite
def test_a_full_disk_is_503_until_there_is_room_again_on_sqlite(environ, small_disk, sqlite_template):
    file = small_disk / "parley.db"
    file.write_bytes(sqlite_template.read_bytes())
    app = create_app(config.from_environment(environ | {"DATABASE_URL": f"sqlite:///{file}"}))
    assert statuses(app, range(3)) == [204] * 3

    filler = fill(small_disk)
    while_full = statuses(app, range(100, 106))
    filler.unlink()
    afterwards = statuses(app, range(200, 203))

    assert set(while_full) <= {204, 503} and while_full[-1] == 503
    assert afterwards == [204] * 3
    assert stored(app) == 6 + while_full.count(204)
    app.extensions["parley"].db.close()


@only_postgresql
def test_a_full_disk_is_503_until_there_is_room_again_on_postgresql(app, small_disk, postgresql_server):
    name = f"small_{os.getpid()}"
    space = small_disk / "space"
    space.mkdir()
    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        data = Path(admin.execute("SHOW data_directory").fetchone()[0])
        os.chown(space, data.stat().st_uid, data.stat().st_gid)
        admin.execute(f"CREATE TABLESPACE {name} LOCATION '{space}'")
    with app.extensions["parley"].db.engine.begin() as tx:
        tx.exec_driver_sql(f"ALTER TABLE inbox SET TABLESPACE {name}")

    filler = fill(small_disk)
    while_full = statuses(app, range(40))
    filler.unlink()
    afterwards = statuses(app, range(100, 103))
    count = stored(app)

    with app.extensions["parley"].db.engine.begin() as tx:
        tx.exec_driver_sql("ALTER TABLE inbox SET TABLESPACE pg_default")
    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        admin.execute(f"DROP TABLESPACE {name}")
    assert set(while_full) <= {204, 503} and while_full[-1] == 503
    assert afterwards == [204] * 3
    assert count == while_full.count(204) + 3


@only_postgresql
def test_a_database_that_its_provider_made_read_only_is_503_until_it_is_not(app, postgresql_server):
    name = app.extensions["parley"].db.url.database
    assert statuses(app, [1]) == [204]

    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        for read_only in ("on", "off"):
            admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {read_only}")
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            if read_only == "on":
                assert statuses(app, [2, 3]) == [503, 503]

    assert statuses(app, [2, 3]) == [204, 204]
    assert stored(app) == 3


def limit_file_size(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def processes_of(service: Service) -> list[int]:
    """The web process and its children."""
    parent = service.processes["web"].pid
    return [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]


@pytest.fixture
def service(tmp_path, sqlite_template, rules_file) -> Iterator[Service]:
    """Two web processes on one SQLite file, without a worker."""
    environ = {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": TOKEN,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'service.db'}",
        "BOT_RULES": str(rules_file),
        "BOT_INLINE_WORKER": "off",
    }
    database = Database(environ["DATABASE_URL"])
    migrate(database)
    database.close()
    running = Service(environ, tmp_path / "service.log")
    running.start("web")
    yield running
    running.close()


def poster(service: Service) -> Callable[[int], int]:
    """Return a function that posts a message and returns the status; 0 when there was no answer."""
    import requests

    def post(number: int) -> int:
        body, headers = signed({"MessageSid": f"IM{number:032}", "Body": "x" * 5000})
        try:
            return requests.post(service.url, body, headers=headers, timeout=OUR_PATIENCE).status_code
        except requests.RequestException:
            return 0

    return post


def test_web_processes_outlive_a_disk_on_which_no_file_can_grow(service):
    post = poster(service)
    assert eventually(lambda: post(1) == 204, seconds=30)

    for pid in processes_of(service):
        limit_file_size(pid, 4096)
    while_full = [post(number) for number in range(10, 14)]
    for pid in processes_of(service):
        limit_file_size(pid, resource.RLIM_INFINITY)
    afterwards = [post(number) for number in range(10, 14)]

    assert (while_full, afterwards) == ([503] * 4, [204] * 4)
    assert sum(service.stats().values()) == 5
