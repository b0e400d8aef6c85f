"""`flask messages send`: what no channel of the conversation could carry is refused before anything is sent."""

from datetime import timedelta

import pytest

from app.operations.safe_download import MEGABYTE
from tests.support import sample_files as files
from tests.support.channel_conversations import SENDER, WHATSAPP, new_conversation, said

TEMPLATE = "HX" + "1" * 32


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param([], "there is nothing to send", id="nothing"),
        pytest.param(["--body", "  \n"], "there is nothing to send", id="blank"),
        pytest.param(["--body", "x" * 1601], "the text has 1,601 characters", id="long for a phone"),
        pytest.param(["--body", "x", "--attributes", "[1]"], "not a JSON object", id="attributes"),
        pytest.param(["--body", "x", "--attributes", f'{{"a": "{"x" * 4096}"}}'], "Twilio takes 4096", id="4 KB"),
        pytest.param(["--body", "x", "--author", "a" * 257], "the author has 257", id="author"),
        pytest.param(["--body", "x", "--subject", "s" * 257], "the subject has 257", id="subject"),
        pytest.param(["--content-sid", "HX1"], "begins with HX", id="template SID"),
        pytest.param(["--content-sid", TEMPLATE, "--body", "x"], "leave out --body", id="template and text"),
        pytest.param(["--content-variables", "{}", "--body", "x"], "its --content-sid", id="variables alone"),
        pytest.param(["--content-sid", TEMPLATE, "--content-variables", "{"], "not valid JSON", id="variables"),
        pytest.param(["--content-sid", TEMPLATE, "--content-variables", '{"1": 1}'], "object of texts", id="numbers"),
        pytest.param(["--media", "no-such-file.jpg"], "No such file", id="no file"),
        pytest.param(["--media", "."], "is not a file", id="a folder"),
        pytest.param(["--media", "ftp://example.com/a.jpg"], "is not a URL", id="ftp"),
        pytest.param(["--media", "ME" + "1" * 32], "there is no media", id="unknown media"),
        pytest.param(["--media", "ME" + "1" * 32] * 2, "given twice", id="the same media twice"),
        pytest.param(["--media", "a.jpg"] * 11, "at most 10", id="eleven media"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_next_step(sms, refuse, arguments, sentence):
    assert sentence in refuse(sms, *arguments)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        pytest.param("wave.gif", files.GIF, "is GIF, and SMS carries JPG, PNG, MP3, AMR, MP4, PDF only", id="gif"),
        pytest.param("ann.vcf", files.VCARD, "is vCard, and SMS carries", id="vcard"),
        pytest.param("big.pdf", files.PDF + bytes(5 * MEGABYTE), "SMS takes less than 5 MB", id="5 MB"),
        pytest.param("photo.jpg", files.PDF, "is named like a JPG but holds a PDF", id="another type"),
        pytest.param("notes.docx", b"PK\x03\x04", "is none of JPG", id="a document"),
        pytest.param("empty.jpg", b"", "is empty", id="empty"),
    ],
)
def test_a_file_that_sms_cannot_carry_is_refused(sms, refuse, file, name, content, sentence):
    assert sentence in refuse(sms, "--media", file(name, content))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        pytest.param("wave.gif", files.GIF, "is GIF, and WhatsApp carries", id="gif"),
        pytest.param("big.jpg", files.JPG + bytes(5 * MEGABYTE), "WhatsApp takes 5 MB for an image", id="image"),
        pytest.param("big.mp4", files.MP4 + bytes(16 * MEGABYTE), "WhatsApp takes 16 MB", id="16 MB"),
    ],
)
def test_a_file_that_whatsapp_cannot_carry_is_refused(whatsapp, refuse, file, name, content, sentence):
    assert sentence in refuse(whatsapp, "--media", file(name, content))


def test_text_and_file_together_count_for_sms(sms, refuse, send, file):
    path = file("big.pdf", files.PDF + bytes(5 * MEGABYTE - len(files.PDF) - 11))
    send(sms, "--body", "x" * 10, "--media", path)

    assert "SMS takes less than 5 MB in total" in refuse(sms, "--body", "x" * 11, "--media", path)


def test_a_chat_has_more_room(chat, send, refuse, file):
    send(chat, "--body", "x" * 32768)
    send(chat, "--media", file("big.gif", files.GIF + bytes(17 * MEGABYTE)))

    assert "the text has 32,770 bytes" in refuse(chat, "--body", "é" * 16385)


def test_a_file_beyond_150_mb_is_not_even_read(chat, refuse, tmp_path):
    path = tmp_path / "film.mp4"
    with path.open("wb") as film:
        film.truncate(150 * MEGABYTE + 1)

    assert "Twilio takes 150 MB" in refuse(chat, "--media", str(path))


def test_force_sends_what_only_the_chat_will_show(sms, send, emulator, file):
    send(sms, "--media", file("wave.gif", files.GIF), "--force")

    assert said(emulator, sms) == [("support-bot", None, ["wave.gif"])]


def test_a_closed_conversation_is_refused(sms, account, refuse):
    account.ask(lambda v1: v1.conversations(sms).update(state="closed"))

    assert "closed, which is final" in refuse(sms, "--body", "hi")


@pytest.mark.parametrize("name", ["CH" + "9" * 32, "no-such-order", "a/b"])
def test_a_conversation_that_is_not_there_is_refused(refuse, name):
    assert name in refuse(name, "--body", "hi")


def test_within_24_hours_whatsapp_gets_free_text(whatsapp, send, emulator):
    send(whatsapp, "--body", "Thank you.")

    assert said(emulator, whatsapp)[-1] == ("support-bot", "Thank you.", [])


def test_outside_24_hours_whatsapp_needs_a_template(whatsapp, send, refuse, emulator, clock):
    later(emulator, clock, timedelta(hours=25))

    assert "--content-sid HX..." in refuse(whatsapp, "--body", "Are you still there?")
    send(whatsapp, "--content-sid", TEMPLATE)
    send(whatsapp, "--body", "Are you still there?", "--force")
    assert len(said(emulator, whatsapp)) == 3


def test_what_we_wrote_ourselves_does_not_open_the_window(whatsapp, send, refuse, emulator, clock):
    later(emulator, clock, timedelta(hours=23))
    send(whatsapp, "--body", "Are you still there?")
    later(emulator, clock, timedelta(hours=2))

    assert "24 hour window" in refuse(whatsapp, "--body", "Hello?")


def test_somebody_who_never_wrote_is_outside_the_window(account, refuse):
    conversation = new_conversation(
        account, {"messaging_binding_address": WHATSAPP, "messaging_binding_proxy_address": SENDER}
    )

    assert "24 hour window" in refuse(conversation, "--body", "hi")


def test_our_database_knows_what_was_written_in_anothernew_conversation(
    account, customer_writes, run_worker, send, emulator
):
    first = customer_writes("hello", channel="whatsapp")["conversation_sid"]
    run_worker()
    account.ask(lambda v1: v1.conversations(first).update(state="closed"))
    second = new_conversation(
        account, {"messaging_binding_address": WHATSAPP, "messaging_binding_proxy_address": SENDER}
    )
    send(second, "--body", "We go on here.")

    assert said(emulator, second) == [("support-bot", "We go on here.", [])]


def later(emulator, clock, time):
    emulator.advance(time.total_seconds())
    clock.advance(time.total_seconds())
