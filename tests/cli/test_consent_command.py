"""`flask consent`: an operator opts a person out and in, on every channel, and sees who said what, when and why."""

import json

import pytest
from sqlalchemy import select

from app.db.tables import audit_log
from tests.support.one_person import texts

NUMBER = "+15550100001"
WHATSAPP = f"whatsapp:{NUMBER}"
RULES = '[[rule]]\nname = "greet"\nreply = "Hi."\n'


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def consent(flask_command):
    return lambda *arguments: flask_command("consent", *arguments)


@pytest.fixture
def refused(app):
    """Return how a command ends that must fail: its exit code and what it says."""

    def run(*arguments):
        result = app.test_cli_runner().invoke(args=["consent", *arguments])
        return result.exit_code, result.output

    return run


COPIED = f"\u202a{NUMBER}\u202c"  # with the marks that telephones put around it


@pytest.mark.parametrize("named", [NUMBER, "+1 (555) 010-0001", COPIED, WHATSAPP, f"rcs:{NUMBER}"])
def test_who_was_opted_out_is_not_answered_on_any_channel(bot, consent, named):
    said = consent("opt-out", named, "--why", "asked on the telephone", "--by", "Jo")
    bot.customer(NUMBER).says("hello")
    bot.customer(NUMBER).says("hello", channel="whatsapp")

    assert said == "Opted out; nothing automatic is sent any more.\n"
    assert bot.replies() == []


def test_who_was_opted_in_again_is_answered(bot, consent):
    bot.customer(NUMBER).says("STOP")
    said = consent("opt-in", WHATSAPP, "--why", "signed the form", "--by", "Jo")
    bot.customer(NUMBER).says("hello")

    assert said.startswith("Opted in; the bot answers them again.\nTwilio and the carriers keep their own lists")
    assert bot.replies() == ["Hi."]


def test_start_of_the_customer_lifts_what_an_operator_said(bot, consent):
    consent("opt-out", NUMBER, "--why", "asked on the telephone")
    bot.customer(NUMBER).says("START", channel="whatsapp")
    bot.customer(NUMBER).says("hello")

    assert bot.replies() == ["Hi."]


def test_chat_users_are_named_by_their_identity(bot, consent, refused):
    consent("opt-out", "anna", "--why", "asked")
    consent("opt-out", "chat:15550100001", "--why", "asked")

    assert json.loads(consent("show", "anna", "--json"))["opted_out"]
    assert json.loads(consent("show", "chat:15550100001", "--json"))["opted_out"]
    code, output = refused("show", NUMBER, "--json")
    assert (code, json.loads(output)["is_known"], json.loads(output)["opted_out"]) == (1, False, False)


def test_every_change_is_shown_with_who_when_and_why(bot, consent, db):
    bot.customer(NUMBER).says("stop", channel="whatsapp")
    consent("opt-in", NUMBER, "--why", "signed  the form", "--by", "Jo Example")
    shown = json.loads(consent("show", NUMBER, "--json"))

    by_jo, by_customer = shown["changes"]
    assert (shown["opted_out"], by_jo["actor"], by_jo["why"]) == (False, "Jo Example", "signed the form")
    assert (by_customer["word"], by_customer["channel"]) == ("STOP", "whatsapp")
    assert by_customer["message_sid"].startswith("IM") and by_customer["conversation_sid"].startswith("CH")
    with db.read() as tx:
        (noted,) = tx.execute(select(audit_log)).all()
    assert (noted.actor, noted.action, noted.detail) == (
        "Jo Example",
        "opted a person in",
        {"reason": "signed the form"},
    )
    assert NUMBER[1:] not in noted.subject


def test_what_is_known_already_is_no_change_and_is_not_audited_twice(consent, db):
    consent("opt-out", NUMBER, "--why", "asked")
    said = consent("opt-out", WHATSAPP, "--why", "asked again")

    assert said == "They had opted out already.\n"
    with db.read() as tx:
        assert len(tx.execute(select(audit_log)).all()) == 1


def test_an_erasure_takes_the_reason_away_and_leaves_the_opt_out(bot, consent, flask_command, db):
    bot.customer(NUMBER).says("hello")
    consent("opt-out", NUMBER, "--why", "Annabelle telephoned", "--by", "Jo")
    flask_command("privacy", "erase", NUMBER, "--yes", "--no-rewrite")

    assert "Annabelle" not in texts(db)
    shown = json.loads(consent("show", NUMBER, "--json"))
    assert [(one["change"], one["why"], one["actor"]) for one in shown["changes"]] == [("opted out", "", "")]
    assert shown["opted_out"]


def test_who_may_want_to_opt_out_is_listed_until_somebody_decides(bot, consent):
    bot.customer(NUMBER).says("please stop texting me", channel="whatsapp")
    (listed,) = json.loads(consent("undecided", "--json"))
    assert (listed["channel"], listed["word"]) == ("whatsapp", "stop")
    assert "may want to opt out" in consent("show", NUMBER)

    consent("opt-in", NUMBER, "--why", "meant the parcel")
    assert consent("undecided") == "Nobody waits for a decision.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("opt-out", NUMBER), 2, "--why"),
        (("opt-out", NUMBER, "--why", "  "), 1, "say why"),
        (("opt-out", "15550100001", "--why", "x"), 1, "write it with + and the country code"),
        (("opt-out", "+1555", "--why", "x"), 1, "write it with + and the country code"),
        (("opt-out", "chat:", "--why", "x"), 1, "is no identity"),
        (("show", "messenger:"), 1, "names nobody"),
        (("show", " "), 1, "is no identity"),
        (("show", "nobody"), 1, "nothing is known of 'nobody'; look at how the page writes the name"),
        (("show", "+15550109999"), 1, "nothing is known of '+15550109999'"),
    ],
)
def test_what_names_nobody_or_has_no_reason_is_refused(refused, arguments, code, says):
    ended, output = refused(*arguments)

    assert ended == code
    assert says in output


USER_ID = "US.13491208655302741918"


@pytest.mark.parametrize("named", [USER_ID, f"whatsapp:{USER_ID}"])
def test_whatsapps_id_of_a_user_is_read_as_an_address_and_as_no_identity(consent, named, bot, post_webhook):
    consent("opt-out", named, "--why", "asked on the telephone")
    message_sid = "IM" + "7" * 32
    told = {"Author": f"whatsapp:{USER_ID}", "MessageSid": message_sid, "DateCreated": None}
    assert post_webhook("onMessageAdded__whatsapp_text", told).status_code == 204
    bot.works()

    assert bot.reason(message_sid) == "the recipient has opted out"
    assert consent("show", USER_ID).startswith("They have opted out")


def test_of_somebody_who_wrote_and_said_nothing_about_it_that_is_shown(consent, bot):
    bot.customer(NUMBER).says("hello")

    assert consent("show", WHATSAPP) == "They have not opted out.\nNothing was said or done about it.\n"
