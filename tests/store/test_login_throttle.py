"""Guesses are counted in the database, also those that come at the same time; on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.store import login_throttle


def test_of_many_guesses_at_once_no_more_are_free_than_one_after_the_other(db, clock):
    for _ in range(5):
        login_throttle.attempt(db, "198.51.100.7")
    clock.advance(3)
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda _: login_throttle.attempt(db, "198.51.100.7"), range(8)))

    assert waits.count(0) == 1


def test_addresses_are_counted_apart_and_forgiven_apart(db):
    first = [login_throttle.attempt(db, "198.51.100.7") for _ in range(6)]
    with db.write() as tx:
        login_throttle.forgive(tx, "198.51.100.7")

    assert (first[:5], first[5] > 0) == ([0] * 5, True)
    assert login_throttle.attempt(db, "198.51.100.7") == 0
    assert login_throttle.attempt(db, "198.51.100.8") == 0


def test_old_guesses_are_deleted_whoever_made_them(db, clock):
    from sqlalchemy import func, select

    from app.db.page_tables import login_failures

    for n in range(20):
        login_throttle.attempt(db, f"198.51.100.{n}")
    clock.advance(16 * 60)
    login_throttle.attempt(db, "198.51.100.99")

    with db.read() as tx:
        assert tx.scalar(select(func.count()).select_from(login_failures)) == 1


@pytest.mark.parametrize(
    ("remote_addr", "forwarded_for", "guess"),
    [
        pytest.param("198.51.100.7", None, ("198.51.100.7", ""), id="direct"),
        pytest.param("8.8.8.8", "198.51.100.7", ("8.8.8.8", ""), id="a stranger's header says nothing"),
        pytest.param("10.0.0.2", "203.0.113.1, 198.51.100.7", ("198.51.100.7", "10.0.0.2"), id="our proxy's last"),
        pytest.param("10.0.0.2", None, ("10.0.0.2", ""), id="our own network"),
        pytest.param("", "198.51.100.7", ("198.51.100.7", ""), id="a socket file"),
        pytest.param(None, None, ("", ""), id="nobody"),
        pytest.param("2a02:810d::1:2:3:4", None, ("2a02:810d::/64", ""), id="one customer's IPv6 network"),
        pytest.param("10.0.0.2", "x" * 80, ("x" * 64, "10.0.0.2"), id="no address at all"),
    ],
)
def test_a_guess_is_counted_for_whoever_the_connection_or_our_proxy_names(remote_addr, forwarded_for, guess):
    assert login_throttle.whose_guess(remote_addr, forwarded_for) == guess
