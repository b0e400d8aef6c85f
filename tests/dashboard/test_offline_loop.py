"""The page without a password: only in the offline loop, and only for whoever sits at this machine."""

import time

import pytest

from tests.dashboard.conftest import PASSWORD, Browser

LOOP = {"BOT_ADMIN_PASSWORD": "", "PUBLIC_URL": "http://127.0.0.1:8000"}
HERE = "http://127.0.0.1:8000"


def test_in_the_offline_loop_this_machine_needs_no_password(app_with):
    client = app_with(**LOOP).test_client()
    answer = Browser(client, HERE).get("/audit")

    assert answer.status_code == 200
    assert "support-agent" in answer.text
    assert "Log out" not in answer.text


def test_in_the_offline_loop_a_change_still_needs_its_token(app_with):
    client = app_with(**LOOP).test_client()
    assert Browser(client, HERE).post("/c/CH1/pause", {"length": "30m"}).status_code == 400


@pytest.mark.parametrize(
    ("origin", "address", "headers"),
    [
        ("http://192.0.2.7:8000", "192.0.2.9", {}),
        (HERE, "192.0.2.9", {}),
        ("http://rebound.example.com:8000", "127.0.0.1", {}),
        (HERE, "127.0.0.1", {"X-Forwarded-For": "192.0.2.9"}),
        (HERE, "127.0.0.1", {"Forwarded": "for=192.0.2.9"}),
    ],
    ids=["another machine", "another machine that says localhost", "DNS rebinding", "a tunnel", "a proxy"],
)
@pytest.mark.parametrize("path", ["/", "/login", "/static/parley.css"])
def test_in_the_offline_loop_nobody_else_sees_that_there_is_a_page(app_with, path, origin, address, headers):
    client = app_with(**LOOP).test_client()
    client.environ_base["REMOTE_ADDR"] = address

    assert Browser(client, origin).get(path, headers=headers).status_code == 404


def test_in_the_offline_loop_a_cookie_made_with_its_known_token_lets_nobody_in(app_with):
    app = app_with(**LOOP)
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = "192.0.2.9"
    with app.test_request_context():
        from app.dashboard.auth import Operator

        forged = Operator("Mallory", int(time.time())).get_id()
    with client.session_transaction(base_url=HERE) as session:
        session["_user_id"] = forged

    assert Browser(client, HERE).get("/audit").status_code == 404


def test_in_the_offline_loop_a_password_is_asked_for_where_one_is_set(app_with):
    client = app_with(**LOOP | {"BOT_ADMIN_PASSWORD": PASSWORD}).test_client()
    browser = Browser(client, HERE)
    assert browser.get("/audit").status_code == 302
    browser.log_in()

    assert browser.get("/audit").status_code == 200
