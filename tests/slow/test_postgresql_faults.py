"""The endpoint while PostgreSQL fails: 50 webhooks a second, two web processes, real faults.

Nothing acknowledged is lost, everybody is answered in time, and it stores again by itself.
"""

import time

import pytest

from tests.support import storage_faults
from tests.support.open_door import (
    assert_it_stores,
    assert_readiness_follows,
    assert_the_door_stayed_open,
    play,
    stored_in_postgresql,
)
from tests.support.open_load import open_load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

FAULTS = {
    "server frozen": lambda server, front: storage_faults.frozen_server(server),
    "network silent": lambda server, front: storage_faults.silent_network(front),
    "read-only": lambda server, front: storage_faults.read_only(server.url),
    "inbox locked": lambda server, front: storage_faults.table_locked(server.url, "inbox"),
    "lanes locked": lambda server, front: storage_faults.table_locked(server.url, "lanes"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_loses_nothing_acknowledged_and_is_over_when_it_is_over(fault, failing_server, front, service):
    load, over = play(service, fault(failing_server, front))

    assert_the_door_stayed_open(load, over, stored_in_postgresql(failing_server.url))
    assert load.count(503) > 0


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_readiness_follows_a_fault_without_any_webhook(fault, failing_server, front, service):
    assert_readiness_follows(service, fault(failing_server, front))


def test_connections_that_fall_silent_for_ever_are_left_for_new_ones(failing_server, front, service):
    with open_load(service.url) as load:
        assert_it_stores(load, since=0.0)
        front.silence(new_ones_too=False)
        silent_at = time.monotonic()
        assert_it_stores(load, since=silent_at + 3)

    assert_the_door_stayed_open(load, silent_at, stored_in_postgresql(failing_server.url))
