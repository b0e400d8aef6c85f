"""The endpoint while one PostgreSQL takes the place of another, and while a frozen process holds rows in it."""

import psycopg
import pytest

from tests.support import storage_faults
from tests.support.eventually import eventually
from tests.support.open_door import (
    assert_it_stores,
    assert_the_door_stayed_open,
    play,
    readiness,
    stored_in_postgresql,
    web_service,
)
from tests.support.open_load import conversation, open_load
from tests.support.postgresql_server import standby_of
from tests.support.running_service import OPEN_STATES, post_until_stored
from tests.support.silent_front import PLAIN, silent_front

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HELD = 10  # lanes, of those that are written to


def test_after_a_failover_the_second_server_is_written_to_and_has_all_that_was_acknowledged(failing_server, tmp_path):
    with (
        standby_of(failing_server) as standby,
        silent_front(failing_server.folder) as front,
        web_service(front.url, tmp_path / "log") as service,
    ):
        with open_load(service.url) as load:
            assert_it_stores(load, since=0.0)
            over = storage_faults.fail_over(failing_server, standby, front)
            assert_it_stores(load, since=over + 0.5)

        assert_the_door_stayed_open(load, over, stored_in_postgresql(standby.url))
        assert readiness(service) == 200


def test_of_two_servers_the_one_that_takes_writes_is_chosen(failing_server, tmp_path):
    with (
        standby_of(failing_server) as standby,
        silent_front(standby.folder) as first,
        silent_front(failing_server.folder) as second,
    ):
        hosts = f"host=127.0.0.1:{first.port}&host=127.0.0.1:{second.port}"
        with web_service(f"postgresql://postgres@/postgres?{hosts}&{PLAIN}", tmp_path / "log") as service:
            with open_load(service.url) as load:
                assert_it_stores(load, since=0.0)

            assert load.count(204) == len(load.posts)


def test_lanes_that_a_frozen_program_holds_cost_no_webhook_and_are_worked_on_by_whoever_starts_then(
    failing_server, front, tmp_path
):
    with web_service(front.url, tmp_path / "log") as service:
        make_lanes(service.url)
        before = service.stats()["pending"]
        frozen = storage_faults.program_frozen_in_a_transaction(failing_server.url, lanes_held())
        load, over = play(service, frozen, is_seen=False)
        service.kill("web")
        assert service.stats()["pending"] == before + len(load.posts)
        service.start("worker 1")

        assert_the_door_stayed_open(load, over, stored_in_postgresql(failing_server.url))
        assert load.count(204) == len(load.posts)
        assert eventually(lambda: not any(service.stats()[state] for state in OPEN_STATES), seconds=120)


def test_a_worker_frozen_in_a_transaction_holds_its_lanes_for_seconds_only(failing_server, front, service):
    make_lanes(service.url)
    take = "UPDATE lanes SET lease_token = NULL WHERE lane = ANY(%s)"
    with (
        storage_faults.worker_frozen_in_a_transaction(failing_server.url, lanes_held()),
        psycopg.connect(failing_server.url, options="-c lock_timeout=8000") as other,
    ):
        assert other.execute(take, [lanes_held()]).rowcount == HELD


def make_lanes(url: str) -> None:
    """Let each conversation be known, so that there are rows to hold."""
    forms = [{"MessageSid": f"IM{number:032x}", "ConversationSid": lane} for number, lane in enumerate(lanes_held())]
    post_until_stored(url, forms)


def lanes_held() -> list[str]:
    return [conversation(number) for number in range(HELD)]
