"""`flask messages send`: what is sent, as which messages, and what is refused before anything is."""

import json

import pytest

from app.operations import message_plan, messages
from app.operations.safe_download import Guard
from app.operations.validation import Refused
from app.twilio_api.errors import SendError
from tests.support import sample_files as files
from tests.support.channel_conversations import PROXY, said
from tests.support.loopback_site import on_loopback, resolving

TEMPLATE = "HX" + "1" * 32


@pytest.fixture
def plan(account, app, clock):
    """Plan a draft as the command does, with a guard of the test."""

    def make(conversation, guard=None, **draft):
        db = app.extensions["parley"].db
        return message_plan.plan(account, conversation, message_plan.Draft(**draft), db=db, now=clock(), guard=guard)

    return make


def test_where_we_have_no_database_messages_are_sent_all_the_same(send, emulator, sms, app, tmp_path):
    app.extensions["parley"].db.close()
    (tmp_path / "parley.db").unlink()

    send(sms, "--body", "Your table is ready.")

    assert said(emulator, sms) == [("support-bot", "Your table is ready.", [])]
    assert not (tmp_path / "parley.db").exists()


def test_a_text_is_sent_by_the_bot_unless_somebody_else_says_it(sms, send, emulator):
    printed = send(sms, "--body", "Your table is ready.")
    send("order-7", "--body", "See you.", "--author", "ann")

    assert printed.startswith("Sent IM")
    assert said(emulator, sms) == [("support-bot", "Your table is ready.", []), ("ann", "See you.", [])]


def test_attributes_and_the_document_of_a_message(sms, send):
    (message,) = json.loads(send(sms, "--body", "hi", "--attributes", '{"vip": true}', "--json"))

    assert (message["conversation_sid"], message["body"], message["attributes"]) == (sms, "hi", '{"vip":true}')


def test_a_template_is_sent_with_its_variables(sms, send, emulator):
    send(sms, "--content-sid", TEMPLATE, "--content-variables", '{"1": "Ann"}')

    (message,) = emulator.messages(sms)
    assert (message["content_sid"], message["body"]) == (TEMPLATE, None)


def test_several_files_become_several_messages_and_the_command_says_so(chat, app, emulator, file):
    media = [file("menu.pdf", files.PDF), file("wave.gif", files.GIF), file("ann.vcf", files.VCARD)]
    result = app.test_cli_runner().invoke(
        args=["messages", "send", chat, "--body", "Look:", *(it for path in media for it in ("--media", path))]
    )

    assert "3 media become 3 messages, the text goes with the first" in result.stderr
    assert result.stdout.count("Sent IM") == 3
    bot = "support-bot"
    assert said(emulator, chat) == [(bot, "Look:", ["menu.pdf"]), (bot, None, ["wave.gif"]), (bot, None, ["ann.vcf"])]


def test_a_file_arrives_as_it_is_with_type_and_name(chat, send, emulator, flask_command, file, tmp_path):
    send(chat, "--media", file("photo.jpg", files.JPG))
    (message,) = emulator.messages(chat)
    flask_command("messages", "media", "download", chat, message["sid"], "--out", str(tmp_path / "saved"))

    assert message["media"][0]["content_type"] == "image/jpeg"
    (saved,) = (tmp_path / "saved").iterdir()
    assert saved.read_bytes() == files.JPG


def test_a_file_that_twilio_has_already_is_sent_once(chat, account, send, refuse, emulator):
    from app.twilio_api.media import upload

    service = account.ask(lambda v1: v1.conversations(chat).fetch()).chat_service_sid
    media_sid = upload(account.twilio, service, files.PNG, "image/png", "logo.png")
    send(chat, "--media", media_sid)

    assert said(emulator, chat) == [("support-bot", None, ["logo.png"])]
    assert "upload it again" in refuse(chat, "--media", media_sid)


def test_a_file_is_fetched_from_a_url_and_named_as_what_it_is(sms, account, plan, emulator, site):
    guard = Guard(resolve=resolving("127.0.0.1"), is_allowed=on_loopback)
    url = f"http://media.example.com:{site.server_port}/photo"
    messages.send(account, plan(sms, guard, body="The terrace:", author="ann", media=(url,)))

    assert said(emulator, sms) == [("ann", "The terrace:", ["photo.jpg"])]


def test_a_url_brings_no_more_than_the_channel_carries(sms, plan, site):
    guard = Guard(resolve=resolving("127.0.0.1"), is_allowed=on_loopback)
    with pytest.raises(Refused, match="larger than 5 MB"):
        plan(sms, guard, author="ann", media=(f"http://media.example.com:{site.server_port}/endless",))


def test_a_private_url_is_refused(sms, refuse, site):
    assert "not a public address" in refuse(sms, "--media", f"http://10.0.0.1:{site.server_port}/photo")
    assert site.seen == []


def test_a_media_store_that_knows_no_such_service_is_no_missing_conversation(sms, app, emulator, file):
    emulator.faults(fail_next=[{"status": 404, "code": 20404, "method": "POST", "path_contains": "/Media"}])
    media = ["--media", str(file("menu.pdf", files.PDF))]
    said = app.test_cli_runner().invoke(args=["messages", "send", sms, "--body", "Look:", *media]).output

    assert "the media store knows no such service (20404); check TWILIO_SERVICE_SID" in said
    assert "conversation no longer exists" not in said


def test_where_the_api_is_on_this_machine_a_file_may_be_too(send, sms, site, emulator):
    send(sms, "--media", f"http://127.0.0.1:{site.server_port}/photo")

    assert emulator.messages(sms)[-1]["media"][0]["content_type"] == "image/jpeg"


def test_a_dry_run_sends_and_uploads_nothing(sms, send, emulator, file):
    before = len(emulator.requests())
    planned = send(sms, "--body", "Look:", "--media", file("menu.pdf", files.PDF), "--dry-run")

    assert "Would send 5 characters with menu.pdf (application/pdf, 29 bytes) as support-bot." in planned
    assert [one for one in emulator.requests()[before:] if one["method"] != "GET"] == []


def test_in_a_group_mms_our_own_number_speaks(group, send, refuse, emulator):
    send(group, "--body", "Welcome.")

    assert said(emulator, group) == [(PROXY, "Welcome.", [])]
    assert f"use --author {PROXY}" in refuse(group, "--body", "hi", "--author", "ann")


def test_a_limit_in_the_middle_is_waited_for(chat, account, plan, emulator, file):
    planned = plan(chat, author="ann", media=(file("a.pdf", files.PDF), file("b.pdf", files.PDF)))
    limit = {"status": 429, "code": 50063, "retry_after": 7, "method": "POST", "path_contains": "Messages"}
    emulator.faults(fail_next=[limit])
    waits = []
    messages.send(account, planned, wait=waits.append)

    assert waits == [7.0]
    assert [files for _, _, files in said(emulator, chat)] == [["a.pdf"], ["b.pdf"]]


def test_what_was_sent_before_a_failure_is_said(chat, account, plan, emulator, file):
    planned = plan(chat, author="ann", media=(file("a.pdf", files.PDF), file("b.pdf", files.PDF)))

    def fail_from_now(_message):
        emulator.faults(fail_next=[{"status": 400, "code": 50508, "method": "POST", "path_contains": "Messages"}])

    with pytest.raises(SendError, match=r"1 of 2 messages were sent \(IM\w{32}\), then: .*; send only the others"):
        messages.send(account, planned, fail_from_now)


def test_a_failed_upload_leaves_nothing_said(chat, app, emulator, file):
    media = [file("a.pdf", files.PDF), file("b.pdf", files.PDF)]
    emulator.faults(fail_next=[{"status": 500, "method": "POST", "path_contains": "Media"}])
    result = app.test_cli_runner().invoke(
        args=["messages", "send", chat, "--media", media[0], "--media", media[1], "--json"]
    )

    assert (result.exit_code, said(emulator, chat)) == (1, [])


def test_an_answer_that_never_came_is_not_taken_for_a_failure(chat, app, emulator):
    emulator.faults(cut_next=1)
    result = app.test_cli_runner().invoke(args=["messages", "send", chat, "--body", "hi"])

    assert result.exit_code == 1
    assert f"it may have arrived all the same, so look at `flask messages history {chat}`" in result.output
