"""The sustained benchmark plays Twilio: its figures and its drawings are of what really happened."""

import asyncio
import http.client
import socket
from collections import Counter
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest

from benchmarks.charts import Bars, Lines, draw, round_up
from benchmarks.sustained_load import Window, play, windows
from tests.support.counting_server import local_server

pytestmark = pytest.mark.slow

SVG = "{http://www.w3.org/2000/svg}"


def forms_of(server):
    return [{name: values[0] for name, values in parse_qs(body).items()} for _, _, body in server.seen]


def reply(api_port, conversation_sid):
    connection = http.client.HTTPConnection("127.0.0.1", api_port, timeout=60)
    connection.request("POST", f"/v1/Services/IS1/Conversations/{conversation_sid}/Messages", b"Body=ok")
    assert connection.getresponse().status == 201
    connection.close()


@pytest.fixture
def api_port(free_port):
    return free_port()


def test_every_reply_brings_its_three_receipts(api_port):
    def answer(number):
        form = forms_of(server)[number - 1]
        if form["EventType"] == "onMessageAdded":
            reply(api_port, form["ConversationSid"])
        return 204

    with local_server(answer) as server:
        found = asyncio.run(play(server.port, api_port, rate=40, seconds=0.35, latency=0.01))

    assert (found.messages, found.replies, found.receipts, found.doubled, found.errors) == (3, 3, 9, 0, 0)
    forms = forms_of(server)
    assert Counter(form.get("Status", "") for form in forms) == {"": 3, "sent": 3, "delivered": 3, "read": 3}
    assert len({form["MessageSid"] for form in forms}) == 6


def test_a_second_reply_and_a_missing_one_are_told(api_port):
    def answer(number):
        form = forms_of(server)[number - 1]
        if number == 1:
            reply(api_port, form["ConversationSid"])
            reply(api_port, form["ConversationSid"])
        return 204

    with local_server(answer) as server:
        found = asyncio.run(play(server.port, api_port, rate=40, seconds=0.2, latency=0.0, patience=0.1))

    assert (found.messages, found.replies, found.doubled) == (2, 1, 1)


def test_what_is_not_acknowledged_is_an_error(api_port):
    with local_server(lambda number: 503) as server:
        found = asyncio.run(play(server.port, api_port, rate=40, seconds=0.2, latency=0.0, patience=0.1))

    assert (found.messages, found.errors, found.replies) == (2, 2, 0)


def test_each_window_has_the_figures_of_what_began_in_it():
    acks = [(100.0, 1.0), (104.0, 3.0), (109.9, 2.0), (110.0, 50.0)]
    delays = [(101.0, 20.0), (112.0, 40.0), (113.0, 60.0)]

    assert windows(acks, delays, started_at=100.0, seconds=20.0) == [
        Window(at=0.0, acks=3, ack_p50_ms=2.0, ack_p99_ms=3.0, replies=1, delay_p50_ms=20.0, delay_p99_ms=20.0),
        Window(at=10.0, acks=1, ack_p50_ms=50.0, ack_p99_ms=50.0, replies=2, delay_p50_ms=40.0, delay_p99_ms=60.0),
    ]


@pytest.mark.parametrize(("value", "end"), [(0, 1), (0.3, 0.5), (1, 1), (2.2, 2.5), (7, 10), (101, 200)], ids=str)
def test_an_axis_ends_at_a_round_number_above_all_values(value, end):
    assert round_up(value) == pytest.approx(end)


def test_a_chart_is_svg_with_a_line_or_bar_for_each_name_and_all_words_escaped():
    panels = [
        Lines("p99 <of> acks", "ms", {"SQLite": [(0, 1), (10, 3)], "A & B": [(0, 2), (10, 2)]}),
        Bars("rate", "per second", {"ours": 1500, "theirs": 3000}),
    ]

    drawn = ElementTree.fromstring(draw(panels))
    assert len(drawn.findall(f"{SVG}polyline")) == 2
    words = [text.text for text in drawn.findall(f"{SVG}text")]
    assert {"p99 <of> acks (ms)", "SQLite", "A & B", "rate (per second)", "1,500", "3,000"} <= set(words)


def test_a_chart_of_nothing_can_be_drawn():
    assert ElementTree.fromstring(draw([Lines("nothing", "ms", {"none": []}), Bars("nothing", "ms", {})])) is not None


def test_nobody_listens_on_the_port_of_the_api_afterwards(api_port):
    with local_server(lambda number: 204) as server:
        asyncio.run(play(server.port, api_port, rate=40, seconds=0.1, latency=0.0, patience=0.0))

    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", api_port)) != 0
