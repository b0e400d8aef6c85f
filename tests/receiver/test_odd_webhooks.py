"""Signed webhooks with odd contents: stored, answered 204 and brought to an end; and requests of no shape at all."""

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from werkzeug.test import create_environ, run_wsgi_app

from app import config, create_app
from app.db.tables import inbox
from app.twilio_api import events, parsing
from app.twilio_api import form as form_module
from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.hostile_requests import TARGET, deliver, signed_bytes

SMS = "onMessageAdded__sms_text"


@pytest.fixture
def stored(app: Flask) -> Callable[[], list[Any]]:
    """All rows of the inbox, oldest first."""

    def read() -> list[Any]:
        with app.extensions["parley"].db.read() as tx:
            return list(tx.execute(select(inbox).order_by(inbox.c.id)))

    return read


def sms(clock: Callable[[], Any], *pairs: tuple[str, str], **changes: str | None) -> bytes:
    """Return the body of a message written now, changed, and with more pairs at its end."""
    form = webhook_fixtures.form(SMS) | {"DateCreated": clock().strftime("%Y-%m-%dT%H:%M:%S.000Z")} | changes
    kept = [(name, value) for name, value in form.items() if value is not None]
    return urlencode([*kept, *pairs], errors="surrogatepass").encode()


ODD_VALUES = [
    {"Attributes": "{"},
    {"Attributes": "null"},
    {"Attributes": '{"parley": 1e999, "role": ["agent"]}'},
    {"Attributes": '{"parley": {"reply_to": {"n": []}}}'},
    {"Attributes": "[" * 5000},
    {"Attributes": '"\\ud800\\u0000"'},
    {"Media": "[{]"},
    {"Media": '[null, 7, {"Sid": null, "Size": "huge", "ContentType": []}]', "Body": ""},
    {"Media": "9" * 5000},
    {"DateCreated": "yesterday"},
    {"DateCreated": "0001-01-01T00:00:00Z"},
    {"DateCreated": "0001-01-01T00:00:00+23:59"},
    {"DateCreated": "9999-12-31T23:59:59-23:59"},
    {"DateCreated": "9999-12-31T23:59:59Z"},
    {"DateCreated": "2026-02-30T25:61:00Z"},
    {"Index": "-1"},
    {"Index": "9" * 30},
    {"Index": "1e3", "RetryCount": "many"},
    {"Author": "Mallory\r\nX-Twilio-Webhook-Enabled: true\r\n\r\nGET / HTTP/1.1"},
    {"Author": "a\x00b\x1b[2J", "Body": "\x00"},
    {"Author": "'; DROP TABLE inbox; --", "Body": "{{ 7 * 7 }} {% for a in b %}"},
    {"Author": "", "Body": "", "Source": ""},
    {"Author": "a" * 5000, "Source": "é" * 300},
    {"Body": "\ud83d \udfff \ufffe"},
    {"Body": "x" * 200_000},
    {"ParticipantSid": "\r\n", "MessagingServiceSid": "\x00"},
    {"EventType": "onPollAnswered"},
    {"EventType": "onMessageAdded\r\nlevel=error", "MessageSid": None},
    {"EventType": "onParticipantRemoved", "ParticipantSid": None},
    {"EventType": "é" * 400},
]


@pytest.mark.parametrize("changes", ODD_VALUES, ids=lambda changes: ascii(next(iter(changes.items())))[:40])
@pytest.mark.engines("sqlite")
def test_an_odd_value_is_stored_and_worked_off(changes, app, clock, run_worker, stored):
    answer = deliver(app, signed_bytes(sms(clock, **changes), ORIGIN, TOKEN))
    run_worker()

    assert answer.status_code == 204
    (row,) = stored()
    assert row.state in {"processed", "ignored"}
    assert row.attempts == 1


@pytest.mark.engines("sqlite")
def test_a_service_that_is_no_sid_reaches_no_address_of_twilios(app, clock, run_worker, stored, emulator):
    deliver(app, signed_bytes(sms(clock, ChatServiceSid="../../Accounts"), ORIGIN, TOKEN))
    run_worker()

    assert [(row.state, row.outcome) for row in stored()] == [
        ("dead", "'../../Accounts' is not a SID that begins with IS")
    ]
    assert emulator.requests() == []


ODD_BYTES = {
    "not UTF-8": b"&Body=%FF%FE%80&Extra=%C3",
    "raw bytes above 127": "&Body=grüße".encode() + b"\xff",
    "raw NUL": b"&Body=a\x00b&N%00=1",
    "names twice": b"&Body=second&Author=other&MessageSid=IM" + b"9" * 32,
    "broken escapes": b"&Body=100%&x=%zz&%=%",
    "no equals signs": b"&&&Body&&=&=x&;&",
    "5,000 fields": b"".join(b"&Field%d=%d" % (number, number) for number in range(5000)),
}


@pytest.mark.parametrize("more", ODD_BYTES.values(), ids=ODD_BYTES)
@pytest.mark.engines("sqlite")
def test_odd_bytes_are_stored_as_they_came_and_worked_off(more, app, clock, run_worker, stored):
    request = signed_bytes(sms(clock) + more, ORIGIN, TOKEN)

    assert deliver(app, request).status_code == 204
    run_worker()

    assert [(row.state, row.body) for row in stored()] == [("processed", request.body)]


def test_all_odd_values_at_once_are_worked_off_by_one_worker(app, clock, run_worker, stored):
    bodies = [
        sms(clock, MessageSid=f"IM{number:032}", **{"EventType": "onMessageAdded"} | changes)
        for number, changes in enumerate(ODD_VALUES[:-4])
    ]

    statuses = {deliver(app, signed_bytes(body, ORIGIN, TOKEN)).status_code for body in bodies}
    run_worker()

    assert statuses == {204}
    assert {(row.state, row.attempts) for row in stored()} <= {("processed", 1), ("ignored", 1)}
    assert len(stored()) == len(bodies)


def test_a_message_that_came_twice_in_odd_forms_is_one_message(app, clock, stored):
    body = sms(clock)

    deliver(app, signed_bytes(body, ORIGIN, TOKEN))
    deliver(app, signed_bytes(body + b"&Body=%FF&New=1", ORIGIN, TOKEN))

    assert len(stored()) == 1


@pytest.fixture(scope="module")
def settled_app(sqlite_template, tmp_path_factory):
    path = tmp_path_factory.mktemp("hypothesis") / "parley.db"
    path.write_bytes(sqlite_template.read_bytes())
    environ = {"TWILIO_AUTH_TOKEN": TOKEN, "PUBLIC_URL": ORIGIN, "DATABASE_URL": f"sqlite:///{path}"}
    application = create_app(config.from_environment(environ))
    yield application
    application.extensions["parley"].db.close()


anything = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
header_text = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=40)
paths = st.sampled_from([TARGET, "/healthz", "/", "//", TARGET + "/", "/%ff", "*"]) | st.text(max_size=30)


@anything
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS", "TRACE", "X"]),
    target=st.tuples(paths, st.text(max_size=60)).map("?".join),
    signature=st.none() | header_text,
    how=st.none() | header_text | st.just("key=WK1,algorithm=HMAC_SHA256"),
    content_type=st.sampled_from(["application/x-www-form-urlencoded", "application/json", ""]) | header_text,
    length=st.none() | st.sampled_from(["0", "7", "-1", "x", "9" * 50, "\xb2"]),
    body=st.binary(max_size=200),
)
def test_no_unsigned_request_gets_in_or_makes_a_fault(
    settled_app, method, target, signature, how, content_type, length, body
):
    environ = create_environ(TARGET) | {"REQUEST_METHOD": method, "wsgi.input": io.BytesIO(body)}
    environ |= {"PATH_INFO": target.partition("?")[0].encode().decode("latin-1"), "CONTENT_TYPE": content_type}
    environ |= {"RAW_URI": target, "QUERY_STRING": target.partition("?")[2].encode().decode("latin-1")}
    environ |= {"wsgi.input_terminated": True} | ({} if length is None else {"CONTENT_LENGTH": length})
    environ |= {"HTTP_X_TWILIO_SIGNATURE": signature} if signature is not None else {}
    environ |= {"HTTP_X_TWILIO_WEBHOOKS_SIGNATURE_SETTINGS": how} if how is not None else {}

    _, status, _ = run_wsgi_app(settled_app, environ, buffered=True)

    assert int(status.split()[0]) in {200, 400, 403, 404, 405, 413}


names = st.sampled_from(["EventType", "ConversationSid", "MessageSid", "DeliveryReceiptSid", "Body", "Media", "Status"])
types = st.sampled_from(sorted(events.EVENT_CLASSES))
sids = st.sampled_from(["CH", "IM", "DY", "US"]).map(lambda prefix: prefix + "1" * 32)
pairs = st.lists(st.tuples(names | st.text(), types | sids | st.text()), max_size=12)
encoded = pairs.map(lambda some: urlencode(some, errors="surrogatepass").encode()) | st.binary(max_size=200)


@anything
@given(body=st.tuples(types.map(lambda name: f"EventType={name}&".encode()) | st.just(b""), encoded).map(b"".join))
def test_any_signed_form_is_accepted_or_called_unusable_and_can_be_read(settled_app, body):
    answer = deliver(settled_app, signed_bytes(body, ORIGIN, TOKEN))

    assert answer.status_code in {200, 204, 400}
    assert parsing.parse(form_module.decode_form(body)).fields is not None
