"""The emulator as a process: options, limits, speed, and a clean end."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from twilio.base.exceptions import TwilioRestException

from app.emulator.client import Emulator
from tests.support.webhook_receiver import Receiver, sdk_client

ROOT = Path(__file__).parents[2]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_cleanly(number):
    command = [sys.executable, "-m", "app.emulator", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    ready = process.stdout.readline()
    process.send_signal(number)
    rest, errors = process.communicate(timeout=60)

    assert re.fullmatch(r"Emulator ready on http://127\.0\.0\.1:\d+\n", ready)
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.slow
def test_a_thousand_conversations_are_made_and_listed():
    with Emulator.start_set_up() as emulator:
        conversations = sdk_client(emulator.url).conversations.v1.conversations
        for number in range(1000):
            conversations.create(friendly_name=str(number))

        assert len(conversations.list(page_size=100)) == 1000


def test_many_clients_at_once_lose_nothing_and_share_no_index():
    with Emulator.start_set_up() as emulator:
        sid = emulator.inbound("hello")["conversation_sid"]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: write_some(emulator.url, sid, number), range(16)))
        messages = emulator.messages(sid)

        assert [message["index"] for message in messages] == list(range(161))
        assert emulator.counts(author="support-bot")["messages"] == 160


def write_some(url: str, sid: str, number: int) -> None:
    conversation = sdk_client(url).conversations.v1.conversations(sid)
    for count in range(10):
        conversation.messages.create(author="support-bot", body=f"{number}.{count}")
        conversation.messages.list(order="desc", limit=5)


def test_faults_and_limits_can_be_given_at_the_start(receiver):
    options = {"latency": 0.05, "duplicate": 1, "rate_limit": True, "numbers": ["+15550100099"]}
    with Emulator.start_set_up(webhook_url=receiver.url, **options) as emulator:
        emulator.inbound("hello")
        emulator.settle()

        assert len(receiver.got) >= 6
        with pytest.raises(RuntimeError, match="does not belong to the account"):
            emulator.inbound("hello", to="+15550100098")


def test_beyond_thirty_writes_a_second_the_limit_answers_429(receiver):
    with Emulator.start_set_up(rate_limit=True) as emulator:
        conversation = sdk_client(emulator.url).conversations.v1.conversations.create()
        with pytest.raises(TwilioRestException) as refusal:
            for number in range(200):
                conversation.messages.create(body=str(number))

        assert (refusal.value.status, refusal.value.code) == (429, 50063)
        assert len(emulator.messages()) >= 30


def test_the_limit_counts_the_seconds_of_the_emulators_clock():
    with Emulator.start_set_up(rate_limit=True) as emulator:
        conversation = sdk_client(emulator.url).conversations.v1.conversations.create()
        for number in range(90):
            conversation.messages.create(body=str(number))
            emulator.advance(1 / 30)

        assert len(emulator.messages()) == 90


def test_two_emulators_of_one_seed_give_the_same_sids_and_unseeded_ones_do_not():
    sids = []
    for options in ({"seed": 5}, {"seed": 5}, {}):
        with Emulator.start_set_up(**options) as emulator:
            sids.append(emulator.inbound("hello")["message_sid"])

    assert sids[0] == sids[1] != sids[2]
