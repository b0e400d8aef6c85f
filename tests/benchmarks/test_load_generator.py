"""The load generator's figures are only worth something if it counts right: these tests make it count known things."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import create_engine, text
from twilio.request_validator import RequestValidator

from benchmarks import messages, slow_api
from benchmarks.keeping import copy_rows
from benchmarks.load import offer, percentile, saturate, summarize
from benchmarks.processor import used_by
from benchmarks.tables import Row, Table, render
from tests.support.counting_server import local_server

SERVED_AT_ONCE = 0.02  # seconds the single-file server takes for each request


@pytest.fixture
def posts() -> list[bytes]:
    return messages.signed_posts(messages.new_batch(conversations=7), 60)


def every_fifth(status: int) -> Callable[[int], int]:
    return lambda number: status if number % 5 == 0 else 204


def one_at_a_time(number: int) -> int:
    time.sleep(SERVED_AT_ONCE)
    return 204


def test_every_request_is_posted_once_and_counted_once(posts):
    with local_server(lambda number: 204) as server:
        report = summarize(asyncio.run(saturate(server.port, posts, connections=4, seconds=10)))

    assert len(server.seen) == 60
    assert len({body for _, _, body in server.seen}) == 60
    assert (report.requests, report.non_2xx, report.broken) == (60, 0, 0)
    assert report.rate == pytest.approx(60 / report.seconds)


@pytest.mark.parametrize("status", [503, 403, 302], ids=["unavailable", "forbidden", "redirect"])
def test_an_answer_that_is_no_success_counts_as_such(posts, status):
    with local_server(every_fifth(status)) as server:
        report = summarize(asyncio.run(saturate(server.port, posts, connections=4, seconds=10)))

    assert (report.requests, report.non_2xx, report.broken, report.errors) == (60, 12, 0, 12)


def test_a_connection_that_ends_without_an_answer_counts_as_broken_and_the_run_goes_on(posts):
    with local_server(every_fifth(0)) as server:
        report = summarize(asyncio.run(saturate(server.port, posts, connections=4, seconds=10)))

    assert len(server.seen) == 60
    assert (report.requests, report.non_2xx, report.broken) == (48, 0, 12)


def test_a_server_that_is_not_there_gives_only_broken_requests(posts):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        report = summarize(asyncio.run(saturate(unused.getsockname()[1], posts, connections=4, seconds=10)))

    assert (report.requests, report.broken, report.rate) == (0, 60, 0.0)


def test_a_saturating_run_stops_when_its_time_is_over(posts):
    with local_server(one_at_a_time) as server:
        report = summarize(asyncio.run(saturate(server.port, posts, connections=2, seconds=0.1)))

    assert report.requests == len(server.seen) < 60


def test_offered_requests_wait_on_the_clock_even_while_the_server_keeps_the_generator_waiting(posts):
    with local_server(one_at_a_time) as server:
        report = summarize(asyncio.run(offer(server.port, posts[:10], connections=1, rate=1000)))

    assert (report.requests, report.errors) == (10, 0)
    assert report.max_ms >= (10 * SERVED_AT_ONCE - 9 / 1000) * 1000


def test_offered_requests_leave_in_order_and_no_sooner_than_they_should(posts):
    with local_server(lambda number: 204) as server:
        exchanges = asyncio.run(offer(server.port, posts[:20], connections=4, rate=200))

    assert all(exchange.sent_at >= exchange.intended_at for exchange in exchanges)
    assert exchanges[19].intended_at - exchanges[0].intended_at == pytest.approx(19 / 200)


def test_what_is_posted_carries_a_signature_that_twilios_own_validator_accepts(posts):
    with local_server(lambda number: 204) as server:
        asyncio.run(saturate(server.port, posts[:1], connections=1, seconds=10))
    path, headers, body = server.seen[0]

    assert RequestValidator(messages.AUTH_TOKEN).validate(
        messages.PUBLIC_URL + path, dict(parse_qsl(body)), headers["X-Twilio-Signature"]
    )


def test_two_batches_share_no_message_and_no_conversation():
    first = messages.inbound_sms(messages.new_batch(conversations=1), 0)
    second = messages.inbound_sms(messages.new_batch(conversations=1), 0)

    assert first["MessageSid"] != second["MessageSid"]
    assert first["ConversationSid"] != second["ConversationSid"]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, 0.0),
        ([7.0], 0.99, 7.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([float(number) for number in range(1, 101)], 0.99, 99.0),
        ([float(number) for number in range(1, 101)], 1.0, 100.0),
    ],
    ids=["nothing", "one value", "half of four", "99 of a hundred", "all of a hundred"],
)
def test_a_percentile_is_the_value_that_this_share_does_not_exceed(values, share, expected):
    assert percentile(values, share) == expected


def test_the_slow_api_writes_down_each_created_message_and_nothing_else():
    api = slow_api.Api(latency=0)

    created, _ = slow_api.answer(api, "POST", "/v1/Services/IS1/Conversations/CH1/Messages", b"Body=ok")
    listed, _ = slow_api.answer(api, "GET", "/v1/Services/IS1/Conversations/CH1/Messages?Order=desc", b"")
    unknown, _ = slow_api.answer(api, "GET", "/v1/Services/IS1/Conversations/CH1", b"")

    assert (created, listed, unknown) == (201, 200, 404)
    assert [conversation_sid for _, conversation_sid in api.arrivals] == ["CH1"]


def test_copied_rows_get_keys_of_their_own_and_keep_the_rest():
    with create_engine("sqlite://").begin() as database:
        database.execute(text("CREATE TABLE inbox (id INTEGER PRIMARY KEY, event_key TEXT UNIQUE, state TEXT)"))
        database.execute(text("INSERT INTO inbox (event_key, state) VALUES ('a', 'processed'), ('b', 'ignored')"))
        copy_rows(database, "inbox", copies=2)
        rows = database.execute(text("SELECT event_key, state FROM inbox ORDER BY event_key")).all()

    assert rows == [
        ("a", "processed"),
        ("a-1", "processed"),
        ("a-2", "processed"),
        ("b", "ignored"),
        ("b-1", "ignored"),
        ("b-2", "ignored"),
    ]


def test_two_slow_apis_give_no_message_the_same_sid():
    path = "/v1/Services/IS1/Conversations/CH1/Messages"

    _, first = slow_api.answer(slow_api.Api(latency=0), "POST", path, b"Body=ok")
    _, second = slow_api.answer(slow_api.Api(latency=0), "POST", path, b"Body=ok")

    assert first["sid"] != second["sid"]


BUSY = "import time\nwhile time.process_time() < 0.3: pass"
STARTS_A_BUSY_ONE = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])"


def test_processor_time_counts_what_a_process_started_and_what_has_ended_since():
    with used_by([os.getpid()]) as used:
        subprocess.run([sys.executable, "-c", STARTS_A_BUSY_ONE], check=True)
    with used_by([], commands=True) as of_commands:
        subprocess.run([sys.executable, "-c", STARTS_A_BUSY_ONE], check=True)

    assert used.seconds >= 0.25
    assert of_commands.seconds >= 0.25
    assert used.each_ms(10) == used.seconds * 100


def test_processor_time_of_somebody_else_does_not_count():
    with used_by([2**30]) as missing:
        subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert missing.seconds == 0


def test_a_table_has_a_column_of_processor_time():
    text = render(Table("title", [Row("case", "1 ms", cpu="0.52 ms"), Row("other", "2 ms")]))

    heading, _, first, second = text.splitlines()[2:]
    assert heading[heading.index("CPU") :].startswith("CPU")
    assert [line[heading.index("CPU") :].split("  ")[0].strip() for line in (first, second)] == ["0.52 ms", "-"]
