"""BOT_ADMIN_PASSWORD and SECRET_KEY: too short ones are refused, and neither is ever told."""

import pytest

from app import config
from tests.dashboard.conftest import PASSWORD


@pytest.mark.parametrize("name", ["BOT_ADMIN_PASSWORD", "SECRET_KEY"])
@pytest.mark.parametrize("value", ["short", "with space in it", "x" * 11], ids=["short", "space", "eleven"])
def test_a_weak_secret_is_a_fault_that_keeps_the_service_from_starting_and_is_not_quoted(environ, name, value):
    settings = config.from_environment(environ | {name: value})

    faults = [fault for fault in config.problems_for_serving(settings, {}) if fault.startswith(name)]
    assert len(faults) == 1
    assert value not in faults[0]


def test_a_weak_password_opens_no_page(app_with, visitor):
    visitor.client = app_with(BOT_ADMIN_PASSWORD="short").test_client()

    assert visitor.get("/").status_code == 404


def test_the_secrets_are_in_no_description_of_the_settings(environ):
    settings = config.from_environment(environ | {"SECRET_KEY": "a-very-long-key"})

    assert [one for one in (PASSWORD, "a-very-long-key") if one in repr(settings)] == []


def test_the_key_that_signs_cookies_is_neither_the_password_nor_the_token(app, environ):
    assert app.config["SECRET_KEY"] not in (PASSWORD, environ["TWILIO_AUTH_TOKEN"])
    assert len(app.config["SECRET_KEY"]) == 64


def test_a_guess_and_a_name_are_not_logged(visitor, caplog):
    visitor.log_in("a wrong one", name="Maria Secretive")
    visitor.log_in()

    assert [word for word in ("a wrong one", PASSWORD, "Secretive") if word in caplog.text] == []
