"""Logging in: the right password, where it leads, under which names, and how long guessers wait."""

import pytest

from tests.dashboard.conftest import NAME, PASSWORD, Browser


def guess(browser: Browser, times: int, **more: str) -> list[int]:
    """Try a wrong password so often; return the answers."""
    fields = browser.form("/login") | {"name": NAME, "password": "a wrong one"}
    return [browser.post("/login", fields, headers=more).status_code for _ in range(times)]


def test_the_right_password_leads_to_where_one_wanted_to_go(visitor):
    answer = visitor.log_in(path="/login?next=/events?state%3Ddead")

    assert (answer.status_code, answer.location) == (303, "/events?state=dead")
    assert NAME in visitor.get("/events").text


def test_a_wrong_password_is_refused_and_not_repeated(visitor):
    answer = visitor.log_in("a wrong one")

    assert answer.status_code == 403
    assert "The password is wrong." in answer.text
    assert "a wrong one" not in answer.text
    assert visitor.get("/").status_code == 302


def test_the_cookie_is_for_https_and_for_no_script(visitor):
    cookie = visitor.log_in().headers["Set-Cookie"]

    assert cookie.startswith("__Host-parley=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example.com/",
        "https://evil.example.com/",
        "/\\evil.example.com",
        "javascript:alert(1)",
        "events",
        "/\t/evil.example.com",
        "\\\\evil.example.com",
        "//[",
        "/\n",
        "",
    ],
)
def test_a_log_in_leads_to_no_other_site(visitor, target):
    fields = visitor.form("/login") | {"name": NAME, "password": PASSWORD}

    answer = visitor.post("/login", fields, query_string={"next": target})

    assert (answer.status_code, answer.location) == (303, "/")


def test_who_is_logged_in_needs_no_log_in(page):
    assert page.get("/login?next=/audit").location == "/audit"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "needs 1 to 256 characters"),
        ("x" * 257, "needs 1 to 256 characters"),
        ("two\nlines", "needs 1 to 256 characters"),
        ("support-bot", "is taken"),
        ("system", "is taken"),
        ("+15550100001", "address of a customer"),
        ("whatsapp:+15550100001", "address of a customer"),
    ],
    ids=["none", "too long", "two lines", "the bot's", "Twilio's", "a number", "a WhatsApp address"],
)
def test_nobody_can_write_under_a_name_that_is_not_a_persons(visitor, name, said):
    answer = visitor.log_in(name=name)

    assert answer.status_code == 400
    assert said in answer.text


def test_a_hostile_name_stays_text(visitor):
    visitor.log_in(name="<script>alert(1)</script>\"'")

    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;" in visitor.get("/audit").text
    assert "<script>alert" not in visitor.get("/audit").text


def test_who_fails_too_often_waits_in_every_process_even_with_the_right_password(visitor, app_with):
    assert guess(visitor, 6) == [403, 403, 403, 403, 403, 429]

    elsewhere = app_with().test_client()
    answer = Browser(elsewhere).log_in()

    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    assert f"wait {answer.headers['Retry-After']} s" in answer.text


def test_waits_grow_and_end(visitor, clock):
    guess(visitor, 5)
    waits = []
    for _ in range(9):
        answer = visitor.log_in()
        waits.append(int(answer.headers["Retry-After"]))
        clock.advance(waits[-1])
        guess(visitor, 1)

    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300]
    clock.advance(300)
    assert visitor.log_in().status_code == 303


def test_the_right_password_forgives_the_failures(visitor, app):
    guess(visitor, 4)
    visitor.log_in()

    again = app.test_client()
    assert guess(Browser(again), 5) == [403] * 5


def test_failures_are_forgotten_after_a_quarter_of_an_hour(visitor, clock):
    guess(visitor, 5)
    clock.advance(15 * 60 + 1)

    assert guess(visitor, 5) == [403] * 5


def test_who_guesses_makes_nobody_else_wait(visitor, app):
    guess(visitor, 6)
    visitor.client.environ_base["REMOTE_ADDR"] = "198.51.100.7"

    assert visitor.log_in().status_code == 303


def test_behind_a_proxy_its_clients_are_told_apart(visitor):
    first = guess(visitor, 6, **{"X-Forwarded-For": "203.0.113.1, 198.51.100.1"})
    second = guess(visitor, 1, **{"X-Forwarded-For": "203.0.113.1, 198.51.100.2"})

    assert (first[-1], second) == (429, [403])


def test_an_address_of_the_internet_cannot_pose_as_a_proxy(visitor):
    visitor.client.environ_base["REMOTE_ADDR"] = "9.9.9.9"
    guess(visitor, 5, **{"X-Forwarded-For": "203.0.113.1"})

    assert guess(visitor, 1, **{"X-Forwarded-For": "203.0.113.2"}) == [429]


def test_somebody_in_our_own_network_cannot_guess_for_ever_by_making_up_addresses(visitor):
    fields = visitor.form("/login") | {"name": NAME, "password": "a wrong one"}
    answers = [visitor.post("/login", fields, headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(101)]

    assert [answers[99].status_code, answers[100].status_code] == [403, 429]


def test_one_customer_of_a_provider_is_one_guesser_with_all_his_ipv6_addresses(visitor):
    visitor.client.environ_base["REMOTE_ADDR"] = "2606:4700:1:2::1"
    guess(visitor, 5)
    visitor.client.environ_base["REMOTE_ADDR"] = "2606:4700:1:2:ffff::2"

    assert guess(visitor, 1) == [429]


def test_a_log_in_while_the_database_is_away_says_so(visitor, tmp_path):
    fields = visitor.form("/login")
    (tmp_path / "parley.db").rename(tmp_path / "elsewhere.db")

    answer = visitor.post("/login", fields | {"name": NAME, "password": PASSWORD})

    assert answer.status_code == 503
    assert "try again in a moment" in answer.text


def logged_out(browser: Browser) -> Browser:
    """Let somebody who has logged in before leave the page."""
    assert browser.log_in().status_code == 303
    assert browser.submit("/", "/logout").status_code == 303
    return browser


def test_guesses_through_the_owners_proxy_do_not_lock_the_owner_out(visitor, app, clock):
    owner = logged_out(visitor)
    guesser = Browser(app.test_client())
    fields = guesser.form("/login") | {"name": NAME, "password": "a wrong one"}
    for n in range(105):
        guesser.post("/login", fields, headers={"X-Forwarded-For": f"203.0.113.{n}"})

    in_between = owner.form("/login") | {"name": NAME, "password": PASSWORD}
    answer = owner.post("/login", in_between, headers={"X-Forwarded-For": "198.51.100.9"})

    assert answer.status_code == 303
    assert guesser.post("/login", fields, headers={"X-Forwarded-For": "203.0.113.200"}).status_code == 429


def test_guesses_through_a_proxy_that_names_nobody_do_not_lock_the_owner_out(visitor, app):
    owner = logged_out(visitor)

    assert guess(Browser(app.test_client()), 6)[-1] == 429
    assert owner.log_in().status_code == 303


def test_guesses_through_a_proxy_do_not_lock_its_own_machine_out(visitor, app):
    fields = visitor.form("/login") | {"name": NAME, "password": "a wrong one"}
    for n in range(101):
        visitor.post("/login", fields, headers={"X-Forwarded-For": f"203.0.113.{n}"})

    assert visitor.log_in().status_code == 303  # through a tunnel of one's own, past the proxy


def test_a_known_browser_may_not_guess_for_ever_either(visitor):
    assert guess(logged_out(visitor), 6) == [403] * 5 + [429]


def test_no_browser_can_say_that_it_is_known(visitor, app):
    owner = logged_out(visitor)
    (cookie,) = [one for one in owner.client._cookies.values() if one.key.endswith("-known")]
    assert {"secure": cookie.secure, "http_only": cookie.http_only, "same_site": cookie.same_site} == {
        "secure": True,
        "http_only": True,
        "same_site": "Lax",
    }

    for value in ("forged", cookie.value[:-2] + "xx"):  # six guesses together, as from one address
        guesser = Browser(app.test_client())
        guesser.client.set_cookie(cookie.key, value, domain=cookie.domain)
        guess(guesser, 3)
    assert guess(guesser, 1) == [429]
