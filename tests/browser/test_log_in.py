"""Getting in and out in a browser: the password, the token of each form, and the end of a session."""

from typing import Any

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from tests.browser.browsing import expect
from tests.browser.conftest import PASSWORD
from tests.browser.installation import SECRET_KEY
from tests.browser.seen import was_reloaded
from tests.support.eventually import eventually

THIRTEEN_HOURS = 13 * 3600


@pytest.fixture
def logged_in(guarded, window):
    """Maria at the list of conversations."""
    page = window(guarded.address("/login"))
    log_in(page, PASSWORD)
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    page.evaluate("window.neverReloaded = true")
    return page


def log_in(page: Any, password: str) -> None:
    page.get_by_label("Your name").fill("Maria")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def grow_old(page: Any, seconds: int) -> None:
    """Replace the session's cookie by the one that somebody would have who logged in earlier."""
    app = Flask(__name__)
    app.secret_key = SECRET_KEY
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer
    cookie = next(one for one in page.context.cookies() if one["name"] == "parley")
    session = serializer.loads(cookie["value"])
    since, _, rest = session["_user_id"].partition("|")
    session["_user_id"] = f"{int(since) - seconds}|{rest}"
    page.context.add_cookies([cookie | {"value": serializer.dumps(session)}])


def test_a_wrong_password_is_refused_and_the_right_one_opens_what_was_asked_for(guarded, window):
    page = window(guarded.address("/events?state=dead"))
    log_in(page, "a wrong one")
    expect(page.get_by_role("alert").filter(has_text="The password is wrong")).to_be_visible()
    log_in(page, PASSWORD)

    expect(page).to_have_url(guarded.address("/events?state=dead"))
    expect(page.get_by_text("Maria")).to_be_visible()


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(logged_in):
    cookie = next(one for one in logged_in.context.cookies() if one["name"] == "parley")

    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert logged_in.evaluate("document.cookie") == ""


def test_a_form_without_its_token_changes_nothing(guarded, logged_in):
    answer = logged_in.request.post(guarded.address("/logout"), headers={"Origin": guarded.url})
    logged_in.reload()

    assert answer.status == 400
    expect(logged_in.get_by_text("Maria")).to_be_visible()


def test_who_logs_out_is_out(guarded, logged_in):
    logged_in.get_by_role("button", name="Log out").click()
    expect(logged_in.get_by_text("Logged out.", exact=True)).to_be_visible()
    logged_in.goto(guarded.address("/events"))

    expect(logged_in.get_by_label("Password")).to_be_visible()


def test_when_the_session_ends_the_page_asks_to_log_in_by_itself(guarded, logged_in):
    def has_asked() -> bool:
        if logged_in.get_by_label("Password").is_visible():
            return True
        grow_old(logged_in, THIRTEEN_HOURS)  # again: an answer that was on its way brings the young cookie back
        return False

    assert eventually(has_asked, seconds=20, pause=2)
    assert was_reloaded(logged_in)


def test_a_session_that_is_still_young_goes_on(guarded, logged_in):
    grow_old(logged_in, 3600)
    logged_in.reload()

    expect(logged_in.get_by_text("Maria")).to_be_visible()
