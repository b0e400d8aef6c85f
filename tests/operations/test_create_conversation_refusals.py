"""What `flask conversations create` refuses before it makes anything, and the sentence that says why."""

import pytest

ADA, BOB, OURS = "+15550100001", "+15550100002", "+15550100099"
TEMPLATE = "HX" + "1".zfill(32)
NUMBER = "'0' is not a phone number; write it with + and the country code, like +15550100001"


def test_a_customer_who_talks_to_that_number_already_is_named_first(refused, emulator):
    sid = emulator.inbound("hello")["conversation_sid"]

    assert refused("conversations", "create", "--sms", ADA, "--proxy-address", OURS) == (
        f"Error: {ADA} already talks to {OURS} in {sid} (active); use that one, or close it first: "
        f"`flask conversations close {sid}`\n"
    )


def test_on_whatsapp_only_a_template_comes_first(refused, in_json):
    options = ["--whatsapp", ADA, "--proxy-address", OURS]

    assert refused("conversations", "create", *options, "--body", "Hello!") == (
        f"Error: whatsapp:{ADA} has not written in the last 24 hours, so WhatsApp takes no free text; give a template "
        "with --content-sid HX... instead of --body\n"
    )
    made = in_json(
        "conversations", "create", *options, "--content-sid", TEMPLATE, "--content-variables", '{"1": "Ada"}'
    )
    assert made["message"]["content_sid"] == TEMPLATE


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(
            ["--sms", ADA],
            f"'{ADA}' by SMS needs one of your Twilio numbers too; give it with --proxy-address +1...",
            id="SMS without a number of ours",
        ),
        pytest.param(["--sms", "0", "--proxy-address", OURS], NUMBER, id="number"),
        pytest.param(
            ["--identity", "ada", "--proxy-address", OURS],
            "--proxy-address goes with --sms or --whatsapp; leave it out",
            id="proxy for nobody",
        ),
        pytest.param(
            ["--sms", OURS, "--proxy-address", OURS],
            f"the address and the proxy address are both {OURS}; the proxy is your own Twilio number",
            id="proxy is the customer",
        ),
        pytest.param(["--identity", "ada", "--identity", "ada"], "ada is named twice; name everybody once", id="twice"),
        pytest.param(
            ["--group", ADA, "--group", BOB],
            "a group MMS needs your own number; give it with --projected-address +1...",
            id="group without our number",
        ),
        pytest.param(
            ["--identity", "ada", "--projected-address", OURS],
            "--projected-address is your own number in a group MMS; name the others with --group +1...",
            id="our number without a group",
        ),
        pytest.param(
            ["--group", ADA, "--projected-address", OURS],
            "a group MMS has 3 to 10 participants with your own number, not 2",
            id="small group",
        ),
        pytest.param(
            ["--group", ADA, "--sms", BOB, "--proxy-address", OURS, "--projected-address", OURS],
            "a group MMS has --group numbers, your --projected-address and at most one --identity only",
            id="group and SMS",
        ),
        pytest.param(
            ["--group", ADA, "--group", BOB, "--projected-address", OURS, "--body", "x", "--author", "bot"],
            f"in a group MMS the author must be one of the participants, and 'bot' is not; use --author {OURS}",
            id="stranger in a group",
        ),
        pytest.param(
            ["--attributes", "[]"],
            "the attributes are not a JSON object; write them like '{\"vip\": true}'",
            id="attributes",
        ),
        pytest.param(
            ["--timers-closed", "PT5M"], "the closed timer PT5M is too short; the shortest is PT10M", id="timer"
        ),
        pytest.param(
            ["--unique-name", "a b"],
            "the unique name 'a b' cannot stand in a URL as it is; use letters, digits and . _ - only",
            id="unique name",
        ),
        pytest.param(
            ["--author", "ada"], "there is no first message; give --body or --content-sid too", id="author of nothing"
        ),
        pytest.param(
            ["--body", "x", "--content-sid", TEMPLATE],
            "the first message is a text (--body) or a template (--content-sid), one of them",
            id="text and template",
        ),
        pytest.param(
            ["--content-sid", "HX1"],
            "'HX1' is not a SID that begins with HX and has 32 hexadecimal digits after it",
            id="template",
        ),
        pytest.param(
            ["--content-sid", TEMPLATE, "--content-variables", "Ada"],
            "the content variables are not valid JSON (Expecting value: line 1 column 1 (char 0)); "
            """write them like '{"1": "Ann"}'""",
            id="variables",
        ),
        pytest.param(
            ["--content-sid", TEMPLATE, "--content-variables", '{"1": 5}'],
            """the content variables are not a JSON object of texts; write them like '{"1": "Ann"}'""",
            id="variables that are numbers",
        ),
        pytest.param(
            ["--sms", ADA, "--proxy-address", OURS, "--body", "x" * 1601],
            "the text has 1,601 characters, "
            "and SMS and WhatsApp take 1,600; shorten it, or send it in several messages",
            id="long text",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(refused, emulator, options, sentence):
    assert refused("conversations", "create", *options) == f"Error: {sentence}\n"
    assert emulator.requests() == []


def test_more_than_fifty_phones_are_refused(refused, emulator):
    phones = [word for n in range(51) for word in ("--sms", f"+155501{n:05}")]

    assert refused("conversations", "create", *phones, "--proxy-address", OURS) == (
        "Error: 51 participants, 51 of them by SMS or WhatsApp; a conversation has at most 1,000, of them 50 by SMS "
        "or WhatsApp\n"
    )
    assert emulator.requests() == []
