"""BOT_NOTIFY and its secret: what is understood, what is refused, and that no address is quoted."""

import pytest

from app.config import from_environment, problems_for_worker
from tests.support.notified import SECRET

HERE = {"TWILIO_API_BASE_URL": "http://127.0.0.1:4010"}


def settings(targets, **more):
    return from_environment({"BOT_NOTIFY": targets, "BOT_NOTIFY_SECRET": SECRET, **more})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("team=slack://A/B/C", {"team": "slack://A/B/C"}),
        (
            "team=slack://A/B/C, ops=mailto://u:p@example.com?to=a@example.com,b@example.com, crm=https://c.example.com/x?a=b,c",
            {
                "team": "slack://A/B/C",
                "ops": "mailto://u:p@example.com?to=a@example.com,b@example.com",
                "crm": "https://c.example.com/x?a=b,c",
            },
        ),
        ("a=json://h/?x=1,cc=2,b=tgram://1", {"a": "json://h/?x=1,cc=2", "b": "tgram://1"}),
        (" team = slack://A ,", {"team": "slack://A"}),
    ],
)
def test_targets_are_split_before_each_name(text, found):
    read = settings(text)

    assert (dict(read.notify), read.problems) == (found, ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slack://s3cret", "does not begin with a name"),
        ("team", "does not begin with a name"),
        ("team=s3cret", "does not begin with a name"),
        ("te am=slack://s3cret", "does not begin with a name"),
        ("a=slack://s3cret, b=s3cret", "without its scheme for b"),
        ("a=slack://s3cret, a=tgram://s3cret", "names the target a twice"),
        ("a=https://", "without a host for a"),
        ("a=https://user:s3cret@h.example.com", "has a user name in the address of a"),
        ("a=https://h.example.com:99999", "without a host for a"),
        ("a=slack://s3cret b", "has a space"),
        ("a=slack://s3cret\x00", "cannot be printed"),
        ("a=slack://", "nothing behind slack://"),
    ],
)
def test_a_fault_is_told_in_one_sentence_that_quotes_no_address(text, words):
    (problem,) = settings(text).problems

    assert problem.startswith("BOT_NOTIFY ")
    assert words in problem
    assert "s3cret" not in problem


@pytest.mark.parametrize("address", ["http://crm.example.com/", "https://127.0.0.1/", "https://localhost:8443/x"])
def test_without_tls_or_on_this_machine_it_is_for_an_emulator_here_only(address):
    (problem,) = settings(f"crm={address}").problems

    assert problem.startswith("BOT_NOTIFY crm is not https")
    assert settings(f"crm={address}", **HERE).problems == ()


def test_a_post_needs_a_secret():
    (problem,) = from_environment({"BOT_NOTIFY": "crm=https://crm.example.com"}).problems

    assert problem.startswith("BOT_NOTIFY_SECRET is empty, but crm in BOT_NOTIFY needs it")


@pytest.mark.parametrize("secret", ["s3cret", "whsec_", "whsec_s3cret!", "whsec_c2hvcnQ="])
def test_a_secret_that_is_none_is_refused(secret):
    (problem,) = from_environment({"BOT_NOTIFY": "crm=https://crm.example.com", "BOT_NOTIFY_SECRET": secret}).problems

    assert problem.startswith("BOT_NOTIFY_SECRET is not whsec_")
    assert "s3cret" not in problem


def test_settings_show_no_address_and_no_secret():
    assert "s3cret" not in repr(settings("team=slack://s3cret"))


def test_a_worker_does_not_start_without_apprise_where_it_is_needed(monkeypatch):
    monkeypatch.setattr("app.common.setting_addresses.find_spec", lambda _name: None)
    problems = problems_for_worker(settings("team=slack://s3cret, crm=https://crm.example.com"))

    assert [one for one in problems if "Apprise" in one] == [
        "BOT_NOTIFY team goes through Apprise, which is not installed; pip install apprise, or give an https address "
        "(see .env.example)"
    ]
