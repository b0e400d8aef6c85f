"""A thousand chat participants, as the command adds them in real time: within the limit, past a crash and a 429.

Slow, because Twilio's limit is kept in real time; tests/operations has sixty in the emulator's time.
"""

import re

import pytest

from app.emulator.client import Emulator
from tests.support.live_command import LiveCommand, joined, progress_of, writes
from tests.support.webhook_receiver import sdk_client

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite")]
PEOPLE = [f"user-{number:04d}" for number in range(1000)]


@pytest.fixture
def emulator():
    """An emulator that takes 30 writes in a second, as Twilio does."""
    with Emulator.start_set_up(rate_limit=True) as emulator:
        yield emulator


def test_a_thousand_are_added_once_past_a_crash_and_a_429(emulator, environ, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("identity,attributes\n" + "".join(f'{name},"{{""n"": 1}}"\n' for name in PEOPLE))
    conversation = sdk_client(emulator.url).conversations.v1.conversations.create().sid
    arguments = ["participants", "add", conversation, "--file", str(path)]
    first = LiveCommand(environ, *arguments, terminal=True)
    first.kill_when(lambda: len(writes(emulator)) >= 400)
    after_the_crash = len(joined(emulator, conversation))
    emulator.advance(1)
    rule = {"method": "POST", "path_contains": "/Participants", "status": 429, "code": 50063, "retry_after": 3}
    emulator.faults(fail_next=[rule])
    code, said = LiveCommand(environ, *arguments, terminal=True).ended()

    assert 399 <= after_the_crash < 1000
    assert code == 0
    assert joined(emulator, conversation) == PEOPLE
    assert [it["status"] for it in writes(emulator) if it["status"] != 201] == [429]
    assert progress_of(said)[-1] == f"{1000 - after_the_crash}/{1000 - after_the_crash}"
    assert "Twilio asks to wait 3 s." in said
    assert re.search(rf"Added {1000 - after_the_crash}\.\nThere already: {after_the_crash}\.", said)
