"""The endpoint while its SQLite file cannot be written: 50 webhooks a second, two web processes, real faults."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import storage_faults
from tests.support.open_door import (
    ANSWERED_SECONDS,
    assert_it_stores,
    assert_readiness_follows,
    assert_the_door_stayed_open,
    play,
    stored_in_sqlite,
    web_service,
)
from tests.support.open_load import open_load, post_at_once
from tests.support.running_service import Service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

FAULTS = {
    "locked by another program": storage_faults.locked_by_another_program,
    "turn held by a frozen process": storage_faults.web_process_frozen_in_its_turn,
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    return put_database_into(tmp_path_factory.mktemp("database"), sqlite_template)


@pytest.fixture(scope="module")
def service(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Web processes that live through all that is done to their file."""
    with web_service(f"sqlite:///{file}", tmp_path_factory.mktemp("service") / "log") as service:
        yield service


def put_database_into(folder: Path, template: Path) -> Path:
    return Path(shutil.copy(template, folder / "parley.db"))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_loses_nothing_acknowledged_and_is_over_when_it_is_over(fault, file, service):
    load, over = play(service, fault(file))

    assert_the_door_stayed_open(load, over, stored_in_sqlite(file))
    assert load.count(503) > 0


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_readiness_follows_a_fault_without_any_webhook(fault, file, service):
    assert_readiness_follows(service, fault(file))


def test_what_locks_the_file_for_nearly_three_seconds_costs_no_webhook(file, service):
    with open_load(service.url, per_second=8) as load:  # no more wait then than threads are there
        assert_it_stores(load, since=0.0, count=8)
        with storage_faults.locked_by_another_program(file):
            time.sleep(2.9)  # the fault lasts
        over = time.monotonic()
        assert_it_stores(load, since=over, count=8)

    assert load.count(204) == len(load.posts)


def test_forty_at_once_are_answered_in_time_and_once_it_fails_nobody_waits_long_behind_another(file, service):
    with storage_faults.locked_by_another_program(file):
        first, second = (post_at_once(service.url, 40) for _ in range(2))

    assert {post.status for post in first.posts + second.posts} == {503}
    assert first.slowest_seconds() < ANSWERED_SECONDS
    assert second.usual_seconds() < 1.0  # 0.3 s, and what a busy machine adds


def test_a_full_disk_loses_nothing_acknowledged_and_is_over_when_there_is_room(sqlite_template, tmp_path):
    with storage_faults.mounted(megabytes=3) as folder:
        file = put_database_into(folder, sqlite_template)
        with web_service(f"sqlite:///{file}", tmp_path / "log") as service:
            load, over = play(service, storage_faults.full_disk(folder))

            assert_the_door_stayed_open(load, over, stored_in_sqlite(file))
            assert load.count(503) > 0
            assert_readiness_follows(service, storage_faults.full_disk(folder))
