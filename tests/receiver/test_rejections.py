"""What is kept of refused requests: the last of each kind whatever surrounds it, also what came to a wrong path."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from app import config, create_app
from app.operations import round_trip
from app.receiver import rejections
from app.receiver.diagnosis import Explanation
from app.twilio_api.form import decode_form
from app.twilio_api.signature import Keys
from tests.conftest import ORIGIN, TOKEN
from tests.support.eventually import eventually
from tests.support.hostile_requests import FORM_TYPE, TARGET, deliver
from tests.support.scraping import PASSWORD, by, scraper_of
from tests.support.webhook_fixtures import RecordedRequest

ACCOUNT = "AC" + "0" * 31 + "1"
BODY = f"EventType=onMessageAdded&AccountSid={ACCOUNT}&Body=hello".encode()
NO_ACCOUNT = b"EventType=onMessageAdded&Body=hello"


@pytest.fixture
def app(tmp_path, sqlite_url):
    environ = {
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": sqlite_url,
        "BOT_ADMIN_PASSWORD": PASSWORD,
    }
    application = create_app(config.from_environment(environ))
    yield application
    application.extensions["parley"].db.close()


@pytest.fixture
def kept(tmp_path):
    """Return the refusals that are kept, newest first."""
    return lambda: rejections.read(tmp_path / rejections.FILE)


def webhook(signature, *, body=BODY, target=TARGET, method="POST", **headers):
    headers = {"Content-Type": FORM_TYPE, "X-Twilio-Signature": signature, "Host": "bot.example.com"} | headers
    return RecordedRequest(method, target, headers, body)


def signed(url, body=BODY):
    return RequestValidator(TOKEN).compute_signature(url, MultiDict(decode_form(body)))


def some_refusal(number, reason="missing", mismatch="signature missing"):
    at = datetime(2026, 11, 29, tzinfo=UTC) + timedelta(seconds=number)
    return rejections.Refusal(at, "POST", f"{ORIGIN}/{number}", (), reason, (Explanation(mismatch, "."),))


def test_a_webhook_of_twilios_is_explained_in_the_middle_of_a_flood_of_forgeries(app, kept):
    url = f"https://other.example.com{TARGET}"
    for _ in range(50):
        deliver(app, webhook("forged", body=NO_ACCOUNT))
    deliver(app, webhook(signed(url), Host="other.example.com"))
    for _ in range(50):
        deliver(app, webhook("forged", body=NO_ACCOUNT))

    assert eventually(lambda: {one.mismatch for one in kept()} == {"unexplained", "host"})


def test_the_last_of_each_kind_outlives_whatever_comes_after_it(tmp_path, kept):
    file = tmp_path / rejections.FILE
    rejections.keep(file, some_refusal(0, "mismatch", "host"))
    rejections.keep(file, some_refusal(1, "mismatch", "host"))
    rejections.keep(file, some_refusal(2, "wrong path", "path"))
    for number in range(3, 203):
        rejections.keep(file, some_refusal(number))

    assert len(kept()) == rejections.KEPT
    assert [one.checked_url for one in kept()][-2:] == [f"{ORIGIN}/2", f"{ORIGIN}/1"]
    assert kept() == sorted(kept(), key=lambda one: one.at, reverse=True)


def test_more_kinds_than_are_kept_leave_room_for_the_newest(tmp_path, kept):
    for number in range(150):
        rejections.keep(tmp_path / rejections.FILE, some_refusal(number, "mismatch", f"kind {number}"))

    assert len(kept()) == rejections.KEPT
    assert kept()[0].mismatch == "kind 149"


@pytest.mark.parametrize(
    ("method", "path"),
    list(itertools.product(["POST", "GET"], ["/conversations/webhook/", "/", "/webhook", "/log-in"])),
)
def test_a_signed_request_to_a_wrong_path_leaves_a_line_a_count_and_an_explanation(app, kept, caplog, method, path):
    target, body = (path, BODY) if method == "POST" else (f"{path}?{BODY.decode()}", b"")
    signature = signed(ORIGIN + target, body) if method == "POST" else signed(ORIGIN + target, b"")
    answer = deliver(app, webhook(signature, target=target, body=body, method=method))
    assert eventually(kept)

    assert answer.status_code not in (200, 204, 403) or path == "/log-in"
    (refusal,) = kept()
    assert (refusal.reason, refusal.mismatch, refusal.checked_url) == ("wrong path", "path", ORIGIN + path)
    assert "/conversations/webhook" in refusal.explanations[0].fix
    assert by(scraper_of(app)(), "parley_refusals_total", "reason") == {"wrong path": 1}
    assert [(one.getMessage(), one.reason) for one in caplog.records if one.name == "parley.webhooks"] == [
        ("webhook.rejected", "wrong path")
    ]


def test_what_nobody_signed_is_only_not_found(app, kept):
    deliver(app, RecordedRequest("POST", "/", {"Content-Type": FORM_TYPE}, BODY))
    deliver(app, webhook("forged"))
    assert eventually(kept)

    assert [one.reason for one in kept()] == ["mismatch"]


def test_a_forged_request_to_a_wrong_path_is_told_from_one_that_is_signed(app, kept):
    deliver(app, webhook("forged", target="/wp-login.php", body=NO_ACCOUNT))
    assert eventually(kept)

    assert [one.mismatch for one in kept()] == ["path+unexplained"]


def test_a_usual_path_prefix_that_the_proxy_strips_is_found(app, kept):
    deliver(app, webhook(signed(f"{ORIGIN}/parley{TARGET}")))
    assert eventually(kept)

    (explanation,) = kept()[0].explanations
    assert explanation.mismatch == "path prefix"
    assert explanation.fix.endswith(f"set PUBLIC_URL={ORIGIN}/parley")


def test_another_path_prefix_that_the_proxy_strips_is_named_as_a_likely_cause_and_not_as_a_forgery(app, kept):
    deliver(app, webhook(signed(f"{ORIGIN}/customer-care-7{TARGET}")))
    assert eventually(kept)

    (explanation,) = kept()[0].explanations
    assert explanation.fix.startswith("it names our account; likely a proxy strips a path prefix")
    assert "forged" not in explanation.fix


def test_doctors_own_calls_are_no_refusals(app, kept):
    mark = {round_trip.MARK: round_trip._mark(TOKEN).decode()}
    assert deliver(app, webhook("not ours", **mark)).status_code == 403
    assert deliver(app, webhook("not ours", **{round_trip.MARK: "forged"})).status_code == 403
    assert eventually(kept)

    assert len(kept()) == 1
    assert by(scraper_of(app)(), "parley_refusals_total", "reason") == {"mismatch": 1}


def test_doctor_is_known_by_any_of_our_keys_and_by_no_other():
    mark = round_trip._mark("a-shared-secret").decode()

    assert round_trip.is_ours(mark, Keys((TOKEN,), {"WK1": "a-shared-secret"}))
    assert not round_trip.is_ours(mark, Keys((TOKEN,), {}))
    assert not round_trip.is_ours("", Keys((TOKEN, ""), {"WK1": ""}))
    assert not round_trip.is_ours(round_trip._mark("").decode(), Keys((TOKEN, ""), {}))
