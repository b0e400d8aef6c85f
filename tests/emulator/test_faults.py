"""The emulator's faults: each goes wrong in the way asked for, and nothing goes wrong unasked."""

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from tests.support.eventually import eventually


def test_a_duplicated_post_comes_twice_with_the_same_token(emulator, receiver):
    emulator.faults(duplicate=1)
    emulator.inbound("hello")
    emulator.settle()

    tokens = [got.headers["I-Twilio-Idempotency-Token"] for got in receiver.got]
    assert receiver.events()[-2:] == ["onMessageAdded", "onMessageAdded"]
    assert (len(tokens), len(set(tokens))) == (6, 3)


def test_a_dropped_post_never_comes_and_is_noted(emulator, receiver):
    emulator.faults(drop=1)
    emulator.inbound("hello")
    emulator.settle()

    assert receiver.got == []
    assert [post["error"] for post in emulator.webhooks()] == ["dropped on request"] * 3


def second_comes_first(emulator, receiver, **fault):
    """Whether the second of two posts overtakes the first; on a busy machine it may itself be late."""
    emulator.faults(**fault)
    emulator.inbound("first")
    emulator.faults()
    emulator.inbound("second")
    assert emulator.settle()
    return [form["Body"] for form in receiver.forms("onMessageAdded")][-2:] == ["second", "first"]


def test_a_delayed_post_comes_later(emulator, receiver, conversation):
    assert eventually(lambda: second_comes_first(emulator, receiver, delay=1.0))


def test_a_reordered_post_is_overtaken_by_a_later_one(emulator, receiver, conversation):
    assert eventually(lambda: second_comes_first(emulator, receiver, reorder=1))


def test_the_same_seed_throws_the_same_die(emulator, receiver, conversation):
    def outcomes() -> list[str]:
        emulator.reset()
        emulator.faults(drop=0.5)
        answers = [emulator.inbound(str(number)) for number in range(20)]
        emulator.settle()
        return [post["error"] for post in emulator.webhooks() if answers]

    first, second = outcomes(), outcomes()
    assert sorted(first) == sorted(second)
    assert 0 < first.count("dropped on request") < len(first)


@pytest.mark.parametrize(
    ("status", "code", "retry_after"),
    [
        pytest.param(429, 20429, "1", id="too many requests"),
        pytest.param(503, 20503, None, id="unavailable"),
        pytest.param(500, 20500, None, id="internal error"),
    ],
)
def test_a_refused_write_does_nothing(emulator, conversation, twilio, status, code, retry_after):
    emulator.faults(fail=f"{status}:1")
    with pytest.raises(TwilioRestException) as refusal:
        conversation.messages.create(body="hi")

    response = twilio.http_client._test_only_last_response
    assert (refusal.value.status, refusal.value.code) == (status, code)
    assert response.headers.get("Retry-After") == retry_after
    assert [message["body"] for message in emulator.messages()] == ["hello"]


def test_reads_are_spared_unless_asked_for(emulator, conversation):
    emulator.faults(fail="503:1")
    assert conversation.fetch().state == "active"

    emulator.faults(fail="503:1", reads=True)
    with pytest.raises(TwilioRestException):
        conversation.fetch()


def test_the_next_matching_requests_fail_exactly_as_told(emulator, conversation):
    told = {"status": 429, "code": 50063, "retry_after": 2, "method": "POST", "path_contains": "/Messages", "count": 2}
    emulator.faults(fail_next=[told])
    codes = []
    for body in ("one", "two", "three"):
        try:
            conversation.messages.create(author="support-bot", body=body)
            codes.append(201)
        except TwilioRestException as refusal:
            codes.append(refusal.code)

    assert codes == [50063, 50063, 201]
    assert emulator.replies() == ["three"]


def test_a_cut_connection_leaves_the_message_stored(emulator, conversation):
    emulator.faults(cut_next=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        conversation.messages.create(author="support-bot", body="once")
    found = conversation.messages.list(order="desc", limit=1)

    assert [message.body for message in found] == ["once"]
    sent, path = emulator.requests()[-2], f"/v1/Conversations/{found[0].conversation_sid}/Messages"
    assert (sent["method"], sent["path"], sent["status"], sent["cut"]) == ("POST", path, 0, True)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [pytest.param(True, ["late"], id="stored"), pytest.param(False, [], id="not stored")],
)
def test_a_hanging_request_times_out_at_the_client(emulator, conversation, twilio, stored, expected):
    twilio.http_client.timeout = 0.2
    emulator.faults(hang_next={"seconds": 0.4, "stored": stored})
    with pytest.raises(requests.exceptions.ReadTimeout):
        conversation.messages.create(author="support-bot", body="late")

    assert emulator.replies() == expected


def test_a_message_that_is_stored_slowly_is_not_there_before(emulator, conversation, twilio):
    twilio.http_client.timeout = 0.2
    emulator.faults(slow_next={"seconds": 0.6})
    with pytest.raises(requests.exceptions.ReadTimeout):
        conversation.messages.create(author="support-bot", body="slow")
    before = emulator.replies()

    assert (before, emulator.faults_in_force()["slow_next"]) == ([], None)
    assert eventually(emulator.replies)


def test_latency_slows_every_request(emulator, conversation, twilio):
    twilio.http_client.timeout = 0.2
    emulator.faults(latency=0.6)

    with pytest.raises(requests.exceptions.ReadTimeout):
        conversation.fetch()


def test_unknown_faults_are_refused_by_name(emulator):
    with pytest.raises(RuntimeError, match="unknown fault: explode"):
        emulator.faults(explode=1)


def test_a_reset_ends_all_faults(emulator, receiver):
    emulator.faults(drop=1, fail="503:1")
    emulator.reset()
    emulator.inbound("hello")
    emulator.settle()

    assert len(receiver.got) == 3


@pytest.mark.parametrize(("fails", "after"), [(False, "active"), (True, "closed")], ids=["works", "fails"])
def test_a_conversation_with_participants_can_take_its_time(emulator, twilio, fails, after):
    emulator.faults(set_up={"seconds": 0.2, "fails": fails})
    member = '{"identity": "ada"}'
    created = twilio.conversations.v1.conversation_with_participants.create(participant=[member])
    at_first = twilio.conversations.v1.conversations(created.sid).fetch().state
    assert emulator.settle()

    assert at_first == "initializing"
    assert twilio.conversations.v1.conversations(created.sid).fetch().state == after


def test_a_late_message_is_not_answered_and_is_stored_when_its_time_has_come(emulator, conversation):
    emulator.faults(late_next={"seconds": 25})
    with pytest.raises(requests.ConnectionError):
        conversation.messages.create(body="late")
    emulator.advance(24)
    assert "late" not in [message["body"] for message in emulator.messages()]
    emulator.advance(2)

    assert [message["body"] for message in emulator.messages()][-1] == "late"
