"""The door: what it answers to Twilio and to everyone else, and what it keeps of it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse, create_environ, run_wsgi_app

from app import config, create_app
from app.db.tables import inbox
from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.hostile_requests import FORM_TYPE, TARGET, deliver
from tests.support.webhook_fixtures import RecordedRequest

SAMPLES = sorted((Path(__file__).parents[3] / "shared" / "samples").glob("*.json"))
PRE_ACTIONS = ["onMessageAdd__get", "onMessageAdd__sms", "onParticipantAdd__chat"]
RECORDED = [name for name in webhook_fixtures.names() if name not in PRE_ACTIONS]
SMS = "onMessageAdded__sms_text"
SECONDARY, SHARED = "f" * 32, "a-shared-secret"
only_sqlite = pytest.mark.engines("sqlite")
Post = Callable[..., TestResponse]


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"TWILIO_SECONDARY_AUTH_TOKEN": SECONDARY, "TWILIO_SHARED_KEYS": f"WK1:{SHARED}"}


@pytest.fixture
def stored(app: Flask) -> Callable[[], list[Any]]:
    """All rows of the inbox, oldest first."""

    def read() -> list[Any]:
        with app.extensions["parley"].db.read() as tx:
            return list(tx.execute(select(inbox).order_by(inbox.c.id)))

    return read


@pytest.fixture
def app_without_storage(environ: dict[str, str]) -> Iterator[Flask]:
    """A receiver whose database cannot be reached: nothing listens on the port of its address."""
    application = create_app(config.from_environment(environ | {"DATABASE_URL": "postgresql://127.0.0.1:1/none"}))
    yield application
    application.extensions["parley"].db.close()


def signed(request: RecordedRequest, token: str = TOKEN, **how: str) -> RecordedRequest:
    return replace(request, headers=webhook_fixtures.sign(request, ORIGIN, token, **how))


def sms(**changes: str | None) -> RecordedRequest:
    return webhook_fixtures.with_fields(webhook_fixtures.load(SMS), changes)


@pytest.mark.parametrize(
    ("database_url", "name"),
    [*(("sqlite", name) for name in RECORDED), ("postgresql", "onMessageAdded__unicode_and_blank")],
    indirect=["database_url"],
)
def test_a_recorded_webhook_is_stored_as_it_came_and_answered_204(name, app, stored):
    request = signed(webhook_fixtures.load(name))

    answer = deliver(app, request)

    assert (answer.status_code, answer.data) == (204, b"")
    (row,) = stored()
    assert (row.method, row.target, row.body) == (request.method, request.target, request.body)
    assert (row.event_type, row.state) == (name.partition("__")[0], "pending")


@pytest.mark.skipif(not SAMPLES, reason="../shared/samples is not beside this checkout")
@pytest.mark.parametrize("path", SAMPLES or [None], ids=lambda path: path.stem if path else "none")
@only_sqlite
def test_every_shared_sample_is_accepted_through_the_real_url(path, app, stored):
    sample = json.loads(path.read_text())
    body = urlencode(sample["form"]).encode()
    request = signed(RecordedRequest("POST", TARGET, {"Content-Type": FORM_TYPE}, body))

    answer = deliver(app, request)

    expected = {"post": (204, [body]), "pre": (200, [])}[sample["phase"]]
    assert (answer.status_code, [row.body for row in stored()]) == expected
    assert answer.data == b""


@pytest.mark.parametrize("name", PRE_ACTIONS)
@only_sqlite
def test_a_pre_action_hook_is_accepted_unchanged_and_not_stored(name, app, stored):
    answer = deliver(app, signed(webhook_fixtures.load(name)))

    assert (answer.status_code, answer.data) == (200, b"")
    assert stored() == []


@pytest.mark.parametrize("name", PRE_ACTIONS)
@only_sqlite
def test_a_pre_action_hook_is_accepted_while_the_database_is_away(name, app_without_storage):
    answer = deliver(app_without_storage, signed(webhook_fixtures.load(name)))

    assert (answer.status_code, answer.data) == (200, b"")


@only_sqlite
def test_a_pre_action_hook_without_a_signature_is_refused(app):
    assert deliver(app, webhook_fixtures.load("onMessageAdd__sms")).status_code == 403


FORGERIES = {
    "no signature": webhook_fixtures.load(SMS),
    "empty signature": replace(sms(), headers=sms().headers | {"X-Twilio-Signature": ""}),
    "other token": signed(sms(), "e" * 32),
    "empty token": signed(sms(), ""),
    "changed body": replace(signed(sms()), body=sms(Body="Attack").body),
    "field added": replace(signed(sms()), body=sms().body + b"&Extra=1"),
    "other target": replace(signed(sms()), target=f"{TARGET}?x=1"),
    "other path": replace(signed(sms()), target="/conversations/%77ebhook"),
    "signed for the Host it names": replace(
        sms(), headers=webhook_fixtures.sign(sms(), "https://evil.example", TOKEN) | {"Host": "evil.example"}
    ),
    "signed for the host that was forwarded": replace(
        sms(),
        headers=webhook_fixtures.sign(sms(), "https://evil.example", TOKEN)
        | {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"},
    ),
    "unknown shared key": signed(sms(), SHARED, algorithm="HMAC_SHA256", key_id="WK2"),
    "token named as shared key": signed(sms(), TOKEN, algorithm="HMAC_SHA256", key_id="WK1"),
    "shared key without its header": signed(sms(), SHARED),
    "JSON signed as if it were no body": replace(
        signed(RecordedRequest("GET", TARGET, {}, b"")), method="POST", body=b'{"EventType": "onMessageAdded"}'
    ),
    "not ASCII": replace(sms(), headers=sms().headers | {"X-Twilio-Signature": "é" * 28}),
}


@pytest.mark.parametrize("request_", FORGERIES.values(), ids=FORGERIES)
@only_sqlite
def test_a_forged_request_is_refused_kept_nowhere_and_told_nothing(request_, app, stored):
    answer = deliver(app, request_)

    assert answer.status_code == 403
    assert answer.data == b"The signature is missing or wrong.\n"
    assert stored() == []


GENUINE = {
    "secondary token": signed(sms(), SECONDARY),
    "shared key with SHA-256": signed(sms(), SHARED, algorithm="HMAC_SHA256", key_id="WK1"),
    "shared key with SHA-1": signed(sms(), SHARED, key_id="WK1"),
    "other Host": replace(signed(sms()), headers=signed(sms()).headers | {"Host": "10.0.0.7:8000"}),
    "forwarded by a proxy": replace(
        signed(sms()), headers=signed(sms()).headers | {"X-Forwarded-Host": "other", "X-Forwarded-Proto": "http"}
    ),
    "query string with escapes": signed(replace(sms(), target=f"{TARGET}?team=%C3%A9%20x&a=%2F%7e&b")),
    "another account": signed(sms(AccountSid="AC" + "9" * 32)),
}


@pytest.mark.parametrize("request_", GENUINE.values(), ids=GENUINE)
@only_sqlite
def test_a_right_signature_is_enough(request_, app, stored):
    assert deliver(app, request_).status_code == 204
    assert [row.target for row in stored()] == [request_.target]


@only_sqlite
def test_a_delivery_by_get_is_stored_with_its_query_as_it_came(app, stored):
    query = "EventType=onPollAnswered&Text=Hello!+It%27s+9:30&Attributes=%7B%7D&Tilde=%7e"
    request = signed(RecordedRequest("GET", f"{TARGET}?{query}", {}, b""))

    assert deliver(app, request).status_code == 204
    assert [(row.method, row.target) for row in stored()] == [("GET", f"{TARGET}?{query}")]


@pytest.mark.parametrize("body", [b'{"EventType": "onMessageAdded"}', b"", b"\xff\x00"], ids=["JSON", "empty", "bytes"])
@only_sqlite
def test_a_body_that_is_no_form_is_415_even_with_its_hash_signed(body, app, stored):
    target = f"{TARGET}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = webhook_fixtures.sign(RecordedRequest("GET", target, {}, b""), ORIGIN, TOKEN)
    request = RecordedRequest("POST", target, headers | {"Content-Type": "application/json"}, body)

    assert deliver(app, request).status_code == 415
    assert stored() == []


@only_sqlite
def test_a_signed_body_of_more_than_256_kb_is_413(app, stored):
    answer = deliver(app, signed(sms(Body="x" * 256 * 1024)))

    assert (answer.status_code, stored()) == (413, [])


RECEIPT = "onDeliveryUpdated__sent"
UNUSABLE = [
    (SMS, "EventType", None),
    (SMS, "EventType", ""),
    (SMS, "ConversationSid", None),
    (SMS, "ConversationSid", "CH" + "1" * 31),
    (SMS, "ConversationSid", "ch" + "1" * 32),
    (SMS, "ConversationSid", "CH" + "1" * 32 + "\n"),
    (SMS, "ConversationSid", "CH../../Services?x=" + "1" * 15),
    (SMS, "MessageSid", None),
    (SMS, "MessageSid", "SM" + "1" * 32),
    (SMS, "MessageSid", "IM" + "g" * 32),
    ("onConversationAdded__whatsapp", "ConversationSid", "CH" + "１" * 32),
    ("onParticipantAdded__sms", "ConversationSid", ""),
    (RECEIPT, "ConversationSid", None),
    (RECEIPT, "MessageSid", "IM" + "1" * 33),
    (RECEIPT, "DeliveryReceiptSid", None),
    (RECEIPT, "DeliveryReceiptSid", "IM" + "1" * 32),
]


@pytest.mark.parametrize(("name", "parameter", "value"), UNUSABLE, ids=lambda part: ascii(part)[:24])
@only_sqlite
def test_a_signed_webhook_without_its_ids_is_400_and_names_the_parameter_only(name, parameter, value, app, stored):
    answer = deliver(app, signed(webhook_fixtures.with_fields(webhook_fixtures.load(name), {parameter: value})))

    assert answer.status_code == 400
    assert answer.text == f"{parameter} is {'malformed' if value and parameter != 'EventType' else 'missing'}\n"
    assert stored() == []


@pytest.mark.parametrize(("name", "parameter"), [("onUserAdded__chat", "UserSid"), (SMS, "AccountSid")])
@only_sqlite
def test_other_ids_may_be_absent(name, parameter, app, stored):
    request = signed(webhook_fixtures.with_fields(webhook_fixtures.load(name), {parameter: None}))

    assert deliver(app, request).status_code == 204
    assert len(stored()) == 1


def test_a_redelivery_is_known_already(post_webhook, stored):
    answers = [post_webhook(SMS, RetryCount="0").status_code, post_webhook(SMS, RetryCount="1").status_code]

    assert answers == [204, 204]
    assert len(stored()) == 1


def test_two_scopes_that_deliver_the_same_event_are_one_event(app, stored):
    first, second = (replace(sms(), headers=sms().headers | {"I-Twilio-Idempotency-Token": token}) for token in "ab")

    assert [deliver(app, signed(first)).status_code, deliver(app, signed(second)).status_code] == [204, 204]
    assert [row.headers["I-Twilio-Idempotency-Token"] for row in stored()] == ["a"]


@pytest.mark.parametrize("query", ["", "a=%0d%0a", "a=\r\nSet-Cookie: b=c"], ids=["none", "escaped", "raw"])
@only_sqlite
def test_an_address_with_a_slash_too_many_is_another_one_and_leads_nowhere(query, app):
    """A redirect would carry the query into a header; Twilio signs the address that it was given."""
    environ = create_environ("/conversations//webhook") | {"QUERY_STRING": query}
    _, status, headers = run_wsgi_app(app, environ)

    assert (status, headers.get("Location")) == ("404 NOT FOUND", None)


@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("DELETE", 405), ("OPTIONS", 200), ("HEAD", 403)])
@only_sqlite
def test_other_methods_store_nothing(method, status, app, stored):
    assert app.test_client().open(TARGET, method=method).status_code == status
    assert stored() == []
