"""Webhooks in `/metrics`: by type and outcome, refusals by reason, and the time until they are acknowledged."""

import pytest

from app import config, create_app
from tests.support.scraping import PASSWORD, by, one, read, scraper_of

pytestmark = pytest.mark.engines("sqlite")

SMS = "onMessageAdded__sms_text"


@pytest.fixture
def environ(environ):
    return environ | {"BOT_ADMIN_PASSWORD": PASSWORD}


@pytest.fixture
def scrape(app):
    return scraper_of(app)


def test_each_is_counted_by_its_type_and_by_what_became_of_it(post_webhook, app, scrape):
    post_webhook(SMS)
    post_webhook(SMS)
    post_webhook(SMS, MessageSid="")
    post_webhook("onMessageAdd__sms")
    post_webhook("onPollAnswered__unknown_type")
    post_webhook("onPollAnswered__unknown_type", EventType="onSomethingElse")
    app.test_client().post("/conversations/webhook", data={"EventType": "onMessageAdded"})

    found = scrape()
    assert {labels: number for (name, labels), number in found.items() if name == "parley_webhooks_total"} == {
        (("event_type", "onMessageAdded"), ("outcome", "stored")): 1,
        (("event_type", "onMessageAdded"), ("outcome", "known")): 1,
        (("event_type", "onMessageAdded"), ("outcome", "unusable")): 1,
        (("event_type", "onMessageAdd"), ("outcome", "pre-action")): 1,
        (("event_type", "unknown"), ("outcome", "stored")): 2,
        (("event_type", "unverified"), ("outcome", "refused")): 1,
    }


def test_refusals_are_counted_by_their_reason(app, scrape):
    client = app.test_client()
    for headers in ({}, {"X-Twilio-Signature": "AAAA"}, {"X-Twilio-Signature": "BBBB"}):
        client.post("/conversations/webhook", data={"EventType": "onMessageAdded"}, headers=headers)

    assert by(scrape(), "parley_refusals_total", "reason") == {"missing": 1, "mismatch": 2}


def test_what_cannot_be_stored_is_counted_and_not_as_an_acknowledgement(app, post_webhook, scrape, tmp_path):
    (tmp_path / "parley.db").unlink()

    assert post_webhook(SMS).status_code == 503
    found = scrape()
    assert one(found, "parley_webhooks_total", event_type="onMessageAdded", outcome="unavailable") == 1
    assert one(found, "parley_ack_seconds_count") == 0


def test_the_time_until_the_acknowledgement_is_a_histogram(post_webhook, scrape):
    post_webhook(SMS)
    post_webhook(SMS)

    found = scrape()
    assert one(found, "parley_ack_seconds_count") == 2
    assert one(found, "parley_ack_seconds_bucket", le="5.0") == 2
    assert 0 < one(found, "parley_ack_seconds_sum") < 5


def test_a_counter_that_fails_changes_no_answer(app, post_webhook, scrape):
    app.extensions["parley.receiver"].counts.record("stored", "no number of seconds")

    assert [post_webhook(SMS).status_code, post_webhook(SMS).status_code] == [204, 204]


def test_a_database_that_is_away_is_said_and_what_this_process_counted_stays(environ):
    away = environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"}
    client = create_app(config.from_environment(away)).test_client()
    client.post("/conversations/webhook", data={"EventType": "onMessageAdded"})

    found = read(client.get("/metrics", auth=("x", PASSWORD)).text)
    assert one(found, "parley_database_up") == 0
    assert by(found, "parley_refusals_total", "reason") == {"missing": 1}
    assert by(found, "parley_inbox_events", "state") == {}
