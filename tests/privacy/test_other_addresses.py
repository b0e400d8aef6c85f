"""People whose address is no number, and numbers that are written in two ways: erased as the page shows them."""

import json

import pytest

from tests.support.one_person import texts

USER_ID, OTHER_ID = "US.24680135790000000001", "US.24680135790000000002"
CH = "CH" + "5" * 32


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def joins_and_writes(post_webhook, run_worker):
    """Let somebody with this address join a conversation and write, as Twilio tells of it."""

    def write(address, text="I am Annabelle", n="5", **more):
        channel = address.partition(":")[0].upper() if ":" in address else "SMS"
        here = {"ConversationSid": "CH" + n * 32, "ParticipantSid": "MB" + n * 32, "Source": channel} | more
        binding = {"MessagingBinding.Type": channel.lower(), "MessagingBinding.Address": address}
        post_webhook("onParticipantAdded__sms", here | binding)
        post_webhook("onMessageAdded__sms_text", here | {"MessageSid": "IM" + n * 32, "Author": address, "Body": text})
        run_worker()

    return write


@pytest.mark.parametrize(
    ("address", "name"),
    [
        pytest.param(f"whatsapp:{USER_ID}", USER_ID, id="a user of WhatsApp, as the page shows it"),
        pytest.param(f"whatsapp:{USER_ID}", f"WhatsApp:{USER_ID}", id="the same with its channel"),
        pytest.param(f"whatsapp:{USER_ID}", f" \u202a{USER_ID}\u202c", id="the same, copied from a telephone"),
        pytest.param("messenger:8642097531864209", "8642097531864209", id="Messenger"),
        pytest.param("messenger:8642097531864209", "messenger:8642097531864209", id="Messenger with its channel"),
        pytest.param("whatsapp:+5215512345678", "+52 55 1234 5678", id="Mexico, without the 1 that WhatsApp writes"),
        pytest.param("+551187654321", "whatsapp:+5511987654321", id="Brazil, with the ninth digit"),
        pytest.param("+15550100001", "\u202a+1\u00a0555\u2011010\u20110001\u202c", id="a number as telephones copy it"),
        pytest.param("+15550100001", "001 555 010 0001", id="a number as it is dialled"),
    ],
)
def test_they_are_found_as_the_page_shows_them_and_nothing_is_left(joins_and_writes, db, flask_command, address, name):
    joins_and_writes(address)
    bare = address.rpartition(":")[2]
    assert "Annabelle" in texts(db) and bare in texts(db)

    said = json.loads(flask_command("privacy", "erase", name, "--yes", "--no-rewrite", "--json"))

    assert (said["rows"]["messages"], said["rows"]["participants"]) == (1, 1)
    assert [word for word in ("Annabelle", bare) if word in texts(db)] == []


def test_somebody_elses_address_stays(joins_and_writes, db, flask_command):
    joins_and_writes(f"whatsapp:{USER_ID}")
    joins_and_writes(f"whatsapp:{OTHER_ID}", "I am Bob", n="6")

    flask_command("privacy", "erase", USER_ID, "--yes", "--no-rewrite")

    assert ("Annabelle" in texts(db), "I am Bob" in texts(db), OTHER_ID in texts(db)) == (False, True, True)


def test_where_two_people_of_messenger_write_only_one_is_erased(joins_and_writes, db, flask_command):
    joins_and_writes("messenger:8642097531864209")
    joins_and_writes("messenger:9753108642975310", "I am Bob", n="6", ConversationSid=CH)

    flask_command("privacy", "erase", "8642097531864209", "--yes", "--no-rewrite")

    assert ("Annabelle" in texts(db), "8642097531864209" in texts(db), "I am Bob" in texts(db)) == (False, False, True)


def test_a_chat_user_whose_name_ends_like_theirs_is_somebody_else(post_webhook, run_worker, db, app):
    post_webhook("onMessageAdded__chat_sdk", Author="ops:anna", Body="I am of the team")
    run_worker()

    result = app.test_cli_runner().invoke(args=["privacy", "erase", "anna", "--yes", "--no-rewrite"])

    assert (result.exit_code, "I am of the team" in texts(db)) == (1, True)


def test_who_has_opted_out_by_an_address_that_is_no_number_stays_so(joins_and_writes, flask_command, emulator):
    joins_and_writes(f"whatsapp:{USER_ID}", "STOP")
    said = json.loads(flask_command("privacy", "erase", USER_ID, "--yes", "--no-rewrite", "--json"))
    joins_and_writes(f"whatsapp:{USER_ID}", "hello again", n="6")

    assert (said["opt_outs_kept"], emulator.replies()) == (1, [])
