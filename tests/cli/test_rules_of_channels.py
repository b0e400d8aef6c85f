"""`flask rules test` tries what a channel tells beside the text: buttons, files, profiles, metadata."""

import json

import pytest

from app import config, create_app

RULES = """
[[rule]]
name = "button"
when = { button = "Yes" }
reply = "{{ button }} {{ profile_name }}"
quota = 1

[[rule]]
name = "payload"
when = { button_payload = "slot_7" }
reply = "payload"
quota = 1

[[rule]]
name = "voice"
when = { media_type = "audio/*" }
reply = "{{ media_type }}"
quota = 1

[[rule]]
name = "forwarded"
when = { channel_metadata = { data.forwarded = true } }
reply = "forwarded"
quota = 1
"""


@pytest.fixture
def decided(tmp_path):
    """What `flask rules test --json` prints."""
    (tmp_path / "rules.toml").write_text(RULES)
    app = create_app(config.from_environment({"BOT_RULES": str(tmp_path / "rules.toml")}))
    yield lambda *arguments: json.loads(
        app.test_cli_runner().invoke(args=["rules", "test", "--json", *arguments]).output
    )
    app.extensions["parley"].db.close()


@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        (["hi"], None),
        (["--button", "Yes", "--profile-name", "Ann"], "Yes Ann"),
        (["hi", "--button-payload", "slot_7"], "payload"),
        (["--media-type", "audio/ogg; codecs=opus"], "audio/ogg"),
        (["hi", "--channel-metadata", '{"data": {"forwarded": true}}'], "forwarded"),
    ],
)
def test_each_is_tried_by_an_option(decided, arguments, reply):
    assert decided(*arguments)["reply"] == reply
