"""Who may read `/metrics`: with the password, or in the offline loop at this machine."""

import base64

import pytest
from sqlalchemy import func, select

from app import config, create_app
from app.db.page_tables import login_failures
from tests.conftest import ORIGIN
from tests.support.scraping import PASSWORD, scraper_of

pytestmark = pytest.mark.engines("sqlite")


@pytest.fixture
def environ(environ):
    return environ | {"BOT_ADMIN_PASSWORD": PASSWORD}


@pytest.fixture
def scrape(app):
    return scraper_of(app)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer " + PASSWORD,
        "Basic " + base64.b64encode(f"{PASSWORD}:".encode()).decode(),
        "Basic " + base64.b64encode(b"admin:wrong").decode(),
        "Basic " + base64.b64encode(b"admin").decode(),
        "Basic \xff\xfe",
        "Basic",
    ],
    ids=["none", "bearer", "password as name", "wrong password", "no colon", "no base64", "nothing"],
)
def test_without_the_password_it_asks_for_it(header, app):
    answer = app.test_client().get("/metrics", headers={"Authorization": header} if header else {})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert "parley_" not in answer.text


@pytest.mark.parametrize("user", ["", "prometheus", "ünï"])
def test_any_name_with_the_password_reads_it(user, app):
    answer = app.test_client().get("/metrics", auth=(user, PASSWORD))

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.content_type.startswith("text/plain")


def test_a_client_that_wants_openmetrics_gets_it(app):
    accepted = {"Accept": "application/openmetrics-text; version=1.0.0"}

    answer = app.test_client().get("/metrics", auth=("x", PASSWORD), headers=accepted)

    assert answer.content_type.startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_who_guesses_has_to_wait_also_with_the_right_password_and_then_may_read(app, clock):
    client = app.test_client()

    guesses = [client.get("/metrics", auth=("x", "guess")).status_code for _ in range(6)]
    locked = client.get("/metrics", auth=("x", PASSWORD))
    clock.advance(int(locked.headers["Retry-After"]) + 1)

    assert guesses == [401] * 5 + [429]
    assert locked.status_code == 429
    assert client.get("/metrics", auth=("x", PASSWORD)).status_code == 200
    assert client.get("/metrics", auth=("x", "guess")).status_code == 401


def test_whoever_guesses_behind_a_proxy_silences_no_scraper_behind_it(app):
    client = app.test_client()
    for _ in range(6):
        client.get("/metrics", auth=("x", "guess"), headers={"X-Forwarded-For": "203.0.113.9"})

    answer = client.get("/metrics", auth=("x", PASSWORD), headers={"X-Forwarded-For": "203.0.113.10"})

    assert answer.status_code == 200


def test_guesses_here_lock_nobody_out_of_the_page(app):
    client = app.test_client()
    for _ in range(6):
        client.get("/metrics", auth=("x", "guess"))

    answer = client.post("/login", data={"name": "Maria", "password": "guess"}, base_url=ORIGIN)

    assert answer.status_code != 429


def test_a_scrape_with_the_password_writes_nothing(app, scrape):
    scrape()

    with app.extensions["parley"].db.read() as tx:
        assert tx.scalar(select(func.count()).select_from(login_failures)) == 0


def test_without_a_password_there_is_nothing_to_read(environ):
    application = create_app(config.from_environment(environ | {"BOT_ADMIN_PASSWORD": ""}))

    assert application.test_client().get("/metrics").status_code == 404
    assert application.test_client().get("/metrics", auth=("x", "")).status_code == 404


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://127.0.0.1:8000", 200), ("http://localhost", 200), ("http://evil.example.com", 404)],
    ids=["by address", "by name", "another site's name for this machine"],
)
def test_in_the_offline_loop_this_machine_reads_it_without_a_password(origin, status, environ):
    offline = {"BOT_ADMIN_PASSWORD": "", "PUBLIC_URL": "http://127.0.0.1:8000"}
    client = create_app(config.from_environment(environ | offline)).test_client()

    assert client.get("/metrics", base_url=origin).status_code == status


def test_in_the_offline_loop_nobody_else_reads_it(environ):
    offline = {"BOT_ADMIN_PASSWORD": "", "PUBLIC_URL": "http://127.0.0.1:8000"}
    client = create_app(config.from_environment(environ | offline)).test_client()

    answer = client.get("/metrics", base_url="http://127.0.0.1", environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert answer.status_code == 404
