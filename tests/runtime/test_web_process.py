"""The deployed web process against raw sockets: always an answer, never a 5xx, and nothing told to the log."""

import json
import re
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import ORIGIN, RULES, TOKEN
from tests.support import webhook_fixtures
from tests.support.gunicorn_process import Gunicorn, serving
from tests.support.hostile_requests import TARGET, exchange, on_the_wire
from tests.support.webhook_fixtures import RecordedRequest

SMS = "onMessageAdded__sms_text"
NUMBER, TEXT = "+15550100077", "a text that no log may show"
TWILIOS_PATIENCE = 5.0  # seconds
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    (folder / "rules.toml").write_text(RULES)
    return folder


@pytest.fixture(scope="module")
def web(folder, emulator_process) -> Iterator[Gunicorn]:
    """Two processes with a worker in each, a database that does not exist yet, JSON logs and an access log."""
    with serving(settings(folder, emulator_process.url), folder / "output", "--access-logfile", "-") as gunicorn:
        for _ in range(8):  # both processes have begun to serve
            exchange(gunicorn.port, HEALTH)
        yield gunicorn


def settings(folder: Path, api: str) -> dict[str, str]:
    return {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": api,
        "PUBLIC_URL": ORIGIN.replace("://", "://user:hidden-password@"),
        "DATABASE_URL": f"sqlite:///{folder}/data/parley.db",
        "BOT_RULES": str(folder / "rules.toml"),
        "BOT_LOG_FORMAT": "json",
    }


def message(number: int = 0, target: str = TARGET) -> RecordedRequest:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    changes = {"MessageSid": f"IM{number:032}", "Author": NUMBER, "Body": TEXT, "DateCreated": now}
    return signed(webhook_fixtures.with_fields(replace(webhook_fixtures.load(SMS), target=target), changes))


def signed(request: RecordedRequest) -> RecordedRequest:
    return replace(request, headers=webhook_fixtures.sign(request, ORIGIN, TOKEN))


def post(*headers: str, body: bytes = b"", line: str = f"POST {TARGET} HTTP/1.1") -> bytes:
    """Return a request that claims to be signed, with these headers and this body."""
    head = [line, "Host: x", "Content-Type: application/x-www-form-urlencoded", "X-Twilio-Signature: AAAA", *headers]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


CHUNKED = "Transfer-Encoding: chunked"
WHOLE = {
    "body over 256 kB": (post("Content-Length: 300000", body=b"a" * 300_000), 413),
    "body over 256 kB, only announced": (post("Content-Length: 20000000000"), 413),
    "chunked body over 256 kB": (post(CHUNKED, body=(b"10000\r\n" + b"a" * 65536 + b"\r\n") * 5 + b"0\r\n\r\n"), 413),
    "chunked body of 3 MB": (post(CHUNKED, body=(b"10000\r\n" + b"a" * 65536 + b"\r\n") * 48 + b"0\r\n\r\n"), 413),
    "chunk size that is no number": (post(CHUNKED, body=b"zz\r\nabc\r\n0\r\n\r\n"), 400),
    "negative chunk size": (post(CHUNKED, body=b"-3\r\nabc\r\n0\r\n\r\n"), 400),
    "chunk longer than its size": (post(CHUNKED, body=b"3\r\nabcdefgh\r\n0\r\n\r\n"), 400),
    "broken trailer": (post(CHUNKED, body=b"0\r\nfoo\r\n\r\n"), 400),
    "no length, a body all the same": (post(body=b"a=b"), 403),
    "length and chunks": (post("Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), 400),
    "two lengths": (post("Content-Length: 3", "Content-Length: 3", body=b"a=b"), 400),
    "negative length": (post("Content-Length: -1"), 400),
    "length of 5,000 digits": (post("Content-Length: " + "9" * 5000), 400),
    "length in superscript": (post("Content-Length: \xb2"), 400),
    "unknown transfer coding": (post("Transfer-Encoding: foo"), 400),
    "chunks in HTTP/1.0": (post(CHUNKED, line=f"POST {TARGET} HTTP/1.0", body=b"0\r\n\r\n"), 400),
    "5,000 headers": (post(*(f"X-{number}: y" for number in range(5000))), 431),
    "header of 100 kB": (post("X-A: " + "y" * 100_000), 431),
    "NUL in a header": (post("X-A: a\x00b"), 400),
    "high bytes in headers": (post("User-Agent: \xff\xfe", "Content-Length: 0"), 403),
    "header without a colon": (post("abc"), 400),
    "folded header": (post("X-A: b\r\n c"), 400),
    "SCRIPT_NAME as a header": (post("SCRIPT_NAME: /foo"), 403),
    "schemes that contradict": (post("X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"), 403),
    "expectation that nobody meets": (post("Expect: foo"), 417),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 400),
    "HTTP/2 without TLS": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/9.9": (post(line=f"POST {TARGET} HTTP/9.9"), 400),
    "PUT": (post(line=f"PUT {TARGET} HTTP/1.1"), 405),
    "HEAD": (post(line=f"HEAD {TARGET} HTTP/1.1"), 403),
    "OPTIONS": (post(line=f"OPTIONS {TARGET} HTTP/1.1"), 200),
    "OPTIONS *": (post(line="OPTIONS * HTTP/1.1"), 404),
    "CONNECT": (post(line="CONNECT elsewhere:443 HTTP/1.1"), 404),
    "method in small letters": (post(line=f"post {TARGET} HTTP/1.1"), 400),
    "escapes in the path": (post(line="POST /conversations/%77ebhook HTTP/1.1"), 403),
    "path that is not UTF-8": (post(line="GET /%ff%00 HTTP/1.1"), 404),
    "target without a slash": (post(line="GET conversations/webhook HTTP/1.1"), 400),
    "target of another host that is broken": (post(line="GET http://[/ HTTP/1.1"), 400),
    "raw bytes in the target": (post(line="GET /?\xc3\xa9 HTTP/1.1"), 400),
    "target of 200 kB": (post(line=f"GET {TARGET}?{'a' * 200_000} HTTP/1.1"), 403),
    "target of 1 MB": (post(line=f"GET {TARGET}?{'a' * 1_000_000} HTTP/1.1"), 414),
    "line feeds alone": (b"GET /healthz HTTP/1.1\n\n", 400),
}
CUT = {
    "body that ends too soon": (post("Content-Length: 500", body=b"abc"), 400),
    "unsigned body that ends too soon": (post("Content-Length: 5").replace(b"X-Twilio", b"X-Other") + b"a", 403),
    "chunk that ends too soon": (post(CHUNKED, body=b"5\r\nabc"), 400),
    "chunk of any size": (post(CHUNKED, body=b"f" * 40 + b"\r\nabc"), 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, 0),
    "half a header": (post()[:-30], 0),
    "nothing": (b"", 0),
}
ATTACKS = [(*case, False, name) for name, case in WHOLE.items()] + [(*case, True, name) for name, case in CUT.items()]


@pytest.mark.parametrize(("data", "status", "ends"), [case[:3] for case in ATTACKS], ids=[case[3] for case in ATTACKS])
def test_whatever_arrives_is_answered_and_the_next_is_served(data, status, ends, web):
    answer = exchange(web.port, data, ends=ends)

    assert answer.status == status
    assert exchange(web.port, HEALTH).status == 200


HALF = {
    "a line of nonsense and silence": b"NONSENSE\r\n\r\n",
    "half a request line": b"GET /healthz",
    "half a body": post("Content-Length: 500", body=b"half"),
    "half a body without a signature": post("Content-Length: 500").replace(b"X-Twilio", b"X-Other"),
    "nothing at all": b"",
}


@pytest.mark.parametrize("data", HALF.values(), ids=HALF)
def test_a_stalled_client_for_each_thread_holds_up_nobody_for_as_long_as_twilio_waits(data, web):
    with ExitStack() as stalled:
        for _ in range(32):
            connection = stalled.enter_context(socket.create_connection(("127.0.0.1", web.port)))
            connection.sendall(data)

        assert exchange(web.port, HEALTH, patience=TWILIOS_PATIENCE).status == 200


GENUINE = {
    "POST": on_the_wire(message(1)),
    "query string with escapes": on_the_wire(message(2, f"{TARGET}?team=%C3%A9%20x&path=%2F%7e")),
    "absolute target": on_the_wire(message(3)).replace(b"POST /", b"POST http://elsewhere.example/", 1),
    "HTTP/1.0": on_the_wire(message(4)).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "connection to be closed": on_the_wire(message(5), Connection="close"),
    "chunked": on_the_wire(
        replace(
            message(6),
            headers={name: value for name, value in message(6).headers.items() if name != "Content-Length"},
            body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(message(6).body), message(6).body),
        ),
        Transfer_Encoding="chunked",
    ),
    "GET with a text of 1,600 letters": on_the_wire(
        signed(
            webhook_fixtures.with_fields(
                webhook_fixtures.load("onMessageAdd__get"),
                {"EventType": "onMessageAdded", "MessageSid": "IM" + "7" * 32, "Body": "语" * 1600},
            )
        )
    ),
}


@pytest.mark.parametrize("data", GENUINE.values(), ids=GENUINE)
def test_a_signed_webhook_is_stored_however_it_travels(data, web, folder):
    before = count(folder)

    assert exchange(web.port, data).status == 204
    assert count(folder) == before + 1


def test_pipelined_webhooks_are_answered_one_after_the_other(web, folder):
    before = count(folder)
    data = b"".join(on_the_wire(message(number)) for number in (11, 12))

    answer = exchange(web.port, data + on_the_wire(message(13), Connection="close"), ends=True)

    assert answer.status == 204
    wait_until(lambda: count(folder) == before + 3)


def test_the_same_post_a_hundred_times_at_once_is_one_row(web, folder):
    before, data = count(folder), on_the_wire(message(100), Connection="close")

    with ThreadPoolExecutor(25) as threads:
        answers = list(threads.map(lambda _: exchange(web.port, data).status, range(100)))

    assert answers == [204] * 100
    assert count(folder) == before + 1


def test_two_processes_serve_one_database_that_was_made_before_they_began(web, folder):
    records = [json.loads(line)["message"] for line in web.printed().splitlines()]

    assert len([message for message in records if message.startswith("Booting worker")]) == 2
    assert (folder / "data" / "parley.db").exists()


def test_it_is_ready_and_says_how_long_the_oldest_event_waits(web):
    answer = exchange(web.port, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")

    report = json.loads(answer.raw.partition(b"\r\n\r\n")[2])
    assert (answer.status, report["ready"], report["database"], report["migrations"]) == (200, True, "ok", "ok")
    assert report["oldest_due_seconds"] >= 0


def test_the_log_is_json_line_by_line_and_quotes_nobody(web, folder):
    exchange(web.port, on_the_wire(message(200)))
    exchange(web.port, b"GET /%0a%7b%22message%22:%20%22forged%22%7d?q=" + NUMBER.encode() + b" HTTP/1.1\r\n\r\n")
    exchange(web.port, post(line=f"GET {TARGET}%0aforged?Body=secret-query HTTP/1.1"))
    exchange(web.port, f"GET /x?Body=secret-query HTTP/{TOKEN}\r\n\r\n".encode())
    wait_until(lambda: states(folder).keys() <= {"processed", "ignored"})

    printed = web.printed()
    records = [json.loads(line) for line in printed.splitlines()]
    assert {"gunicorn.error", "gunicorn.access", "parley.webhooks", "parley.worker"} <= {
        one["logger"] for one in records
    }
    assert "forged" not in {one["message"] for one in records}
    said = [word for word in (NUMBER, NUMBER[1:], TEXT, TOKEN, "secret-query", "hidden-password") if word in printed]
    assert said == []


def test_refusals_are_logged_once_a_second_with_their_number_and_the_url_that_was_checked(web):
    data = post(line=f"POST {TARGET}?token=secret-query HTTP/1.1")
    already = len(refused_for(web, f"{ORIGIN}{TARGET}"))

    answers = Counter(exchange(web.port, data).status for _ in range(60))

    assert answers == {403: 60}
    wait_until(lambda: len(refused_for(web, f"{ORIGIN}{TARGET}")) > already)  # a thread of its own writes them
    new = refused_for(web, f"{ORIGIN}{TARGET}")[already:]
    assert len(new) < 60
    assert all(one["times_since_last_line"] >= 1 and one["reason"] for one in new)


def test_a_stopped_server_answers_what_has_begun_and_exits_with_0(folder, emulator_process):
    data = on_the_wire(message(300), Connection="close")
    with serving(settings(folder, emulator_process.url), folder / "stopped") as gunicorn:
        with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=10) as connection:
            connection.sendall(data[:-20])
            wait_until(lambda: exchange(gunicorn.port, HEALTH).status == 200)
            gunicorn.process.terminate()
            wait_until(lambda: "Handling signal: term" in gunicorn.printed())
            connection.sendall(data[-20:])
            answer = connection.recv(1000)

        assert answer.startswith(b"HTTP/1.1 204 ")
        assert gunicorn.process.wait(40) == 0
    assert not re.search('Traceback|"error":|"level": "error"', gunicorn.printed())


def refused_for(web: Gunicorn, url: str) -> list[dict]:
    lines = map(json.loads, web.printed().splitlines())
    return [one for one in lines if one["message"] == "webhook.rejected" and one["checked_url"] == url]


def count(folder: Path) -> int:
    return sum(states(folder).values())


def states(folder: Path) -> Counter[str]:
    with closing(sqlite3.connect(folder / "data" / "parley.db")) as database:
        return Counter(state for (state,) in database.execute("SELECT state FROM inbox"))


def wait_until(true) -> None:
    deadline = time.monotonic() + 10
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()
