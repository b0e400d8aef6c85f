"""The fence in front of each piece of a request: what it stops never leaves, however far the connection came."""

from collections.abc import Callable, Iterator

import pytest

from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError
from app.twilio_api.fence import fenced
from tests.support.eventually import eventually
from tests.support.odd_twilio import OddTwilio, answer

SID, CH = "IM" + "3" * 32, "CH" + "1" * 32
CREATED = answer(201, f'{{"sid": "{SID}"}}', "Connection: close")


class Frozen(Exception):
    """Somebody else may be sending by now."""


@pytest.fixture
def server() -> Iterator[OddTwilio]:
    server = OddTwilio([CREATED])
    yield server
    server.close()


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def twilio(server: OddTwilio, calls: list[str]) -> Conversations:
    credentials = {"account_sid": "AC" + "1" * 32, "auth_token": "x"}
    return Conversations(**credentials, base_url=server.url, record_call=calls.append)


def send(twilio: Conversations) -> str:
    return twilio.send_message(CH, "", author="bot", body="hello there", marker={"n": 0})


def stops_at(count: int) -> Callable[[], None]:
    """A fence that lets `count` pieces pass."""
    left = [count]

    def ask() -> None:
        if not left[0]:
            raise Frozen
        left[0] -= 1

    return ask


def test_what_the_fence_stops_after_connecting_sends_no_byte(server, twilio, calls):
    with pytest.raises(Frozen), fenced(stops_at(0)):
        send(twilio)

    assert eventually(lambda: server.received == [b""])
    assert calls == ["not sent"]


def test_what_it_stops_after_the_head_has_no_body(server, twilio):
    with pytest.raises(Frozen), fenced(stops_at(1)):
        send(twilio)

    assert eventually(lambda: server.received and server.received[0].startswith(b"POST /v1/Conversations/"))
    assert b"hello" not in server.received[0]


def test_the_connection_stands_when_the_fence_is_asked(server, twilio):
    connections = []
    with fenced(lambda: connections.append(eventually(lambda: len(server.received)))):
        assert send(twilio) == SID

    assert connections == [1, 1]


def test_a_connection_that_is_kept_open_asks_again_for_each_request(server, twilio):
    with fenced(stops_at(2)):
        send(twilio)
        with pytest.raises(Frozen):
            send(twilio)

    assert eventually(lambda: server.received[1:] in ([], [b""]))


def test_where_no_fence_stands_nobody_is_asked(twilio):
    with fenced(lambda: None):
        pass

    assert send(twilio) == SID


ANSWERS = [
    pytest.param(answer(201, "{}"), True, id="201 without a SID"),
    pytest.param(answer(201, '{"sid": null}'), True, id="201 with an empty SID"),
    pytest.param(answer(201, '{"sid": "IM1"}'), True, id="201 with half a SID"),
    pytest.param(answer(201, f'{{"sid": "{SID}\\n"}}'), True, id="201 with a SID and a line end"),
    pytest.param(answer(201, '{"sid": ["IM"]}'), True, id="201 with something else"),
    pytest.param(answer(201, "<html>welcome</html>"), True, id="201 with a page"),
    pytest.param(answer(201, "[]"), True, id="201 with a list"),
    pytest.param(answer(301, "", "Location: https://example.com/"), False, id="301"),
    pytest.param(answer(304, ""), False, id="304"),
]


@pytest.mark.parametrize(("odd", "uncertain"), ANSWERS)
def test_an_answer_that_names_no_message_is_asked_about_again_and_kills_nothing(odd, uncertain):
    server = OddTwilio([odd])
    twilio = Conversations(account_sid="AC" + "1" * 32, auth_token="x", base_url=server.url)
    with pytest.raises(SendError) as caught:
        send(twilio)
    server.close()

    assert (caught.value.decision, caught.value.uncertain) == ("retry", uncertain)


FAR = "Fri, 31 Dec 9999 23:59:59 GMT"
WAITS = [
    pytest.param(429, "7", 7, id="seconds"),
    pytest.param(503, "7", 7, id="seconds, unavailable"),
    pytest.param(429, "86400", 900, id="a day"),
    pytest.param(503, "9" * 40, 900, id="longer than there is time"),
    pytest.param(429, FAR, 900, id="the year 9999"),
    pytest.param(503, FAR, 900, id="the year 9999, unavailable"),
    pytest.param(429, "Fri, 31 Dec 9999 23:59:59 -0000", 900, id="the year 9999, nobody knows where"),
    pytest.param(429, "Wed, 01 Jan 2020 00:00:00 GMT", 0, id="the past"),
]


NO_DATES = [f"Mon, 20 Nov {'9' * 20} 00:00:00 GMT", f"Mon, 20 Nov 2026 {'9' * 20}:00:00 GMT", "1" * 301, "soon"]


@pytest.mark.parametrize("retry_after", NO_DATES)
def test_a_wait_that_nobody_can_read_is_none_and_the_message_is_sent(retry_after):
    server = OddTwilio([answer(201, f'{{"sid": "{SID}"}}', f"Retry-After: {retry_after}")])
    twilio = Conversations(account_sid="AC" + "1" * 32, auth_token="x", base_url=server.url)

    assert send(twilio) == SID
    server.close()


@pytest.mark.parametrize(("status", "retry_after", "seconds"), WAITS)
def test_nobody_waits_for_longer_than_fifteen_minutes_and_waiting_costs_nothing(status, retry_after, seconds):
    server = OddTwilio([answer(status, "{}", f"Retry-After: {retry_after}")])
    twilio = Conversations(account_sid="AC" + "1" * 32, auth_token="x", base_url=server.url)
    with pytest.raises(SendError) as caught:
        send(twilio)
    server.close()

    assert caught.value.retry_after is not None
    assert caught.value.retry_after.total_seconds() == seconds
    assert caught.value.asks_to_wait == (status == 429 or seconds > 0)
    assert caught.value.is_rate_limit == (status == 429)
