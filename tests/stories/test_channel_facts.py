"""A button on WhatsApp, from the signed webhook to the reply, its follow-up and its burst."""

import json

import pytest

BUTTON = {
    "Author": "whatsapp:+15550100001",
    "Source": "WHATSAPP",
    "Body": "Yes",
    "ButtonPayload": "slot_7_monday",
    "ButtonText": "Yes",
    "ChannelMetadata": json.dumps({"type": "whatsapp", "data": {"context": {"ProfileName": "Ann"}}}),
}
RULES = """
[bot]
{bot}

[[rule]]
name = "monday"
when = {{ button_payload = "slot_7_monday" }}
reply = "{{{{ profile_name }}}}: {{{{ button }}}}, {{{{ button_payload }}}}"

[[rule]]
name = "nobody came"
when = {{ unanswered_for = "5m", button = "yes" }}
reply = "Sorry, {{{{ profile_name }}}}."

[[rule]]
name = "voice"
when = {{ media_type = "audio/*" }}
reply = "A {{{{ media_type }}}}."
"""


@pytest.fixture
def rules_file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES.format(bot=""))
    return path


def test_a_rule_for_the_payload_of_a_button_answers_with_its_text_and_the_profiles_name(
    post_webhook, run_worker, emulator
):
    post_webhook("onMessageAdded__sms_text", BUTTON)
    run_worker()

    assert emulator.replies() == ["Ann: Yes, slot_7_monday"]


def test_a_follow_up_knows_the_button_still(post_webhook, run_worker, emulator, clock):
    post_webhook("onMessageAdded__sms_text", BUTTON)
    run_worker()
    clock.advance(301)
    run_worker()

    assert emulator.replies()[1:] == ["Sorry, Ann."]


def test_in_a_burst_the_button_counts_though_more_was_written(post_webhook, run_worker, emulator, clock, rules_file):
    rules_file.write_text(RULES.format(bot='coalesce = "2s"'))
    post_webhook("onMessageAdded__sms_text", BUTTON)
    post_webhook(
        "onMessageAdded__sms_text",
        BUTTON | {"ButtonPayload": None, "ButtonText": None},
        MessageSid="IM" + "8" * 32,
        Body="at nine",
        Index="9",
    )
    clock.advance(3)
    run_worker()

    assert emulator.replies() == ["Ann: Yes, slot_7_monday"]


def test_a_voice_message_is_known_by_its_type_whatever_its_codec(post_webhook, run_worker, emulator):
    media = json.dumps([{"sid": "ME" + "1" * 32, "content_type": "audio/ogg; codecs=opus", "filename": "", "size": 9}])
    post_webhook("onMessageAdded__sms_text", Body=None, Media=media)
    run_worker()

    assert emulator.replies() == ["A audio/ogg."]
