"""Who may see and change what: sessions, CSRF tokens, and what every answer forbids."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import ORIGIN
from tests.dashboard.conftest import NAME, PASSWORD, Browser

CHANGES = [
    "/logout",
    "/c/CH1/answer",
    "/c/CH1/pause",
    "/c/CH1/resume",
    "/c/CH1/close",
    "/c/CH1/resend/IM1",
    "/events/1/raw",
    "/events/1/retry",
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/events", "/events/1?x=1", "/audit", "/refusals", "/c/CH1"])
def test_a_visitor_is_sent_to_the_log_in_and_from_there_back(visitor, method, path):
    answer = visitor.client.open(path, method=method, base_url=ORIGIN)

    to = urlsplit(answer.location)
    assert (answer.status_code, to.netloc, to.path, parse_qs(to.query)) == (302, "", "/login", {"next": [path]})


@pytest.mark.parametrize("path", ["/fragments/list", "/fragments/c/CH1", "/fragments/events", "/fragments/events/1"])
def test_a_fragment_is_refused_to_a_visitor(visitor, path):
    assert visitor.get(path).status_code == 401


def test_a_page_asked_for_by_the_script_is_refused_to_a_visitor(visitor):
    assert visitor.get("/events", headers={"X-Requested-With": "parley"}).status_code == 401


@pytest.mark.parametrize("path", CHANGES)
def test_a_visitor_can_change_nothing(visitor, path):
    token = visitor.form("/login")["csrf_token"]

    assert visitor.post(path, {"csrf_token": token}).status_code == 401


def test_an_unknown_address_is_not_found_with_and_without_a_log_in(visitor, page):
    assert (visitor.get("/no-such-page").status_code, page.get("/no-such-page").status_code) == (404, 404)


def test_a_log_in_without_the_token_of_its_form_is_refused(visitor):
    visitor.get("/login")

    answer = visitor.post("/login", {"name": NAME, "password": PASSWORD})

    assert answer.status_code == 400
    assert "reload the page" in answer.text
    assert visitor.get("/").status_code == 302


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("token", [None, "forged", "somebody else's"])
def test_a_change_without_the_token_of_the_session_is_refused(page, visitor, actions, path, token):
    theirs = visitor.form("/login")["csrf_token"]
    data = {} if token is None else {"csrf_token": theirs if token == "somebody else's" else token}

    assert page.post(path, data).status_code == 400
    assert page.get("/audit").status_code == 200
    assert actions() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_a_change_that_another_site_sent_is_refused_even_with_the_token(page, headers):
    answer = page.post("/logout", page.form("/audit", "/logout"), headers=headers)

    assert answer.status_code == 400
    assert "Another site sent this." in answer.text
    assert page.get("/audit").status_code == 200


def test_logging_out_ends_the_session(page):
    answer = page.submit("/audit", "/logout")

    assert (answer.status_code, answer.location) == (303, "/login")
    assert page.get("/audit").status_code == 302


@pytest.mark.parametrize(("hours", "status"), [(11.9, 200), (12.1, 302), (-1, 302)], ids=["young", "old", "future"])
def test_a_session_ends_after_twelve_hours(page, hours, status):
    with page.client.session_transaction(base_url=ORIGIN) as session:
        since, _, rest = session["_user_id"].partition("|")
        session["_user_id"] = f"{int(since) - int(hours * 3600)}|{rest}"

    assert page.get("/audit").status_code == status


def test_a_session_goes_on_in_another_process(page, app_with):
    elsewhere = app_with().test_client()
    elsewhere._cookies = page.client._cookies

    assert Browser(elsewhere).get("/audit").status_code == 200


@pytest.mark.parametrize(
    "settings",
    [{"BOT_ADMIN_PASSWORD": "another-password"}, {"TWILIO_AUTH_TOKEN": "f" * 32}],
    ids=["password", "the token that signs cookies"],
)
def test_a_new_secret_ends_the_sessions(page, app_with, settings):
    elsewhere = app_with(**settings).test_client()
    elsewhere._cookies = page.client._cookies

    assert Browser(elsewhere).get("/audit").status_code == 302


def test_a_new_password_ends_the_sessions_also_where_a_key_is_set(app_with):
    before = app_with(SECRET_KEY="twelve-or-more").test_client()
    after = app_with(SECRET_KEY="twelve-or-more", BOT_ADMIN_PASSWORD="another-password").test_client()
    Browser(before).log_in()
    after._cookies = before._cookies

    assert (Browser(before).get("/audit").status_code, Browser(after).get("/audit").status_code) == (200, 302)


def test_a_forged_cookie_is_nobody(visitor):
    visitor.client.set_cookie("__Host-parley", "eyJfdXNlcl9pZCI6IjEyMyJ9.x.y", domain="bot.example.com", secure=True)

    assert visitor.get("/audit").status_code == 302


@pytest.mark.parametrize("path", ["/", "/login", "/c/CH1", "/static/parley.css"])
def test_every_answer_forbids_scripts_of_others(page, path):
    answer = page.get(path)

    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_proxy_and_no_browser_keeps_a_page(page):
    assert page.get("/audit").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/events", "/audit", "/refusals", "/login"])
def test_no_page_has_a_script_or_style_of_its_own_or_a_secret(page, environ, path):
    html = page.get(path).text

    assert [word for word in ("<script>", "<style", " style=", " onclick=", " onsubmit=") if word in html] == []
    assert [name for name in (PASSWORD, environ["TWILIO_AUTH_TOKEN"]) if name in html] == []


def test_the_webhook_needs_no_token_and_gets_no_cookie(post_webhook):
    answer = post_webhook("onMessageAdded__sms_text")

    assert answer.status_code == 204
    assert {"Set-Cookie", "Vary", "Content-Security-Policy"} & set(answer.headers.keys()) == set()


def test_a_form_of_more_than_256_kb_is_refused(page):
    fields = page.form("/audit", "/logout") | {"text": "x" * 300_000}

    assert page.post("/logout", fields).status_code == 413


@pytest.mark.parametrize("path", ["/", "/login", "/events", "/static/parley.css"])
def test_without_a_password_there_is_no_page(app_with, path):
    client = app_with(BOT_ADMIN_PASSWORD="").test_client()
    assert Browser(client).get(path).status_code == 404
