"""An SQLite file that web processes may read and not write, from their start on: refused, and it is said why."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.slow.test_sqlite_faults import put_database_into
from tests.support import storage_faults
from tests.support.eventually import eventually
from tests.support.open_door import (
    ANSWERED_SECONDS,
    assert_it_stores,
    readiness,
    slowness,
    stored_in_sqlite,
    web_service,
)
from tests.support.open_load import open_load, post_at_once
from tests.support.running_service import Service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def file(tmp_path: Path, sqlite_template: Path) -> Path:
    folder = tmp_path / "database"
    folder.mkdir()
    return put_database_into(folder, sqlite_template)


@pytest.fixture
def service(file: Path, tmp_path: Path) -> Iterator[Service]:
    command = storage_faults.bound_by_permissions()
    with web_service(f"sqlite:///{file}", tmp_path / "log", started_by=command) as service:
        yield service


@contextmanager
def unwritable_for_new_processes(service: Service, file: Path) -> Iterator[None]:
    """Take the right to write, and let both web processes begin anew: who has a file open keeps that right."""
    with storage_faults.unwritable_files(file.parent):
        end_web_processes(service)
        yield


def end_web_processes(service: Service) -> None:
    """End them, and wait until gunicorn has started others."""
    before = service.children("web")
    for process in before:
        os.kill(process, signal.SIGKILL)
    assert eventually(lambda: len(set(service.children("web")) - set(before)) == 2, seconds=60)


def test_every_webhook_is_refused_in_time_and_it_is_said_why_until_there_is_a_restart(service, file):
    with unwritable_for_new_processes(service, file):
        assert eventually(lambda: {readiness(service) for _ in range(6)} == {503}, seconds=60)
        refused = post_at_once(service.url, 10)
        assert "read-only" in service.log_text()
    end_web_processes(service)
    with open_load(service.url, per_second=10) as load:
        assert_it_stores(load, since=0.0, count=20)

    assert {post.status for post in refused.posts} == {503}
    assert refused.slowest_seconds() < ANSWERED_SECONDS * slowness()
    assert load.acknowledged() <= stored_in_sqlite(file)
