"""`flask conversations create --group`: a group MMS is made with its members in one request."""

import pytest

from app.operations import conversation_plan, create_conversation
from app.twilio_api.errors import SendError

ADA, BOB, OURS = "+15550100001", "+15550100002", "+15550100099"


@pytest.fixture
def create(in_json):
    return lambda *options: in_json("conversations", "create", *options)


@pytest.fixture
def group():
    people = conversation_plan.invited(group=[ADA, BOB], projected_address=OURS)
    message = conversation_plan.FirstMessage(OURS, "Hello, you two!")
    return conversation_plan.plan(people=people, message=message)


def writes(emulator):
    return [request["path"] for request in emulator.requests() if request["method"] == "POST"]


def test_a_group_is_made_in_one_request_and_spoken_to_with_our_number(create, emulator):
    made = create("--group", ADA, "--group", BOB, "--projected-address", OURS, "--body", "Hello, you two!")

    assert writes(emulator) == ["/v1/ConversationWithParticipants", f"/v1/Conversations/{made['sid']}/Messages"]
    assert made["state"] == "active"
    assert [(it["kind"], it["address"]) for it in made["participants"]] == [
        ("group", ADA),
        ("group", BOB),
        ("group", OURS),
    ]
    assert emulator.messages()[0]["author"] == OURS


def test_a_group_can_have_an_identity_behind_our_number(create, emulator):
    create("--group", ADA, "--group", BOB, "--projected-address", OURS, "--identity", "agent-1", "--body", "Hi!")

    assert emulator.messages()[0]["author"] == "agent-1"


def test_the_message_to_a_group_waits_until_it_is_set_up(account, group, emulator):
    emulator.faults(set_up={"seconds": 0.1})
    waits = []
    made = create_conversation.create(account, group, sleep=lambda _seconds: waits.append(emulator.settle()))

    assert waits == [True]
    assert (made.conversation["state"], made.problem, made.message["body"]) == ("active", "", "Hello, you two!")


def test_a_group_that_could_not_be_set_up_is_reported(account, group, emulator):
    emulator.faults(set_up={"seconds": 0, "fails": True})
    made = create_conversation.create(account, group)

    assert made.problem == (
        "Twilio could not add everybody and closed it (50427); check the numbers, then create it again"
    )
    assert made.not_done[-1] == "send the first message"
    assert emulator.messages() == []


def test_a_group_that_takes_too_long_is_left_alone(account, group, emulator):
    emulator.faults(set_up={"seconds": 600})
    waits = []
    made = create_conversation.create(account, group, sleep=waits.append)

    assert sum(waits) == create_conversation.SET_UP_SECONDS
    assert made.problem == "Twilio is still setting it up; look again in a minute"
    assert made.go_on == [f"flask conversations show {made.conversation['sid']}"]


def test_a_group_that_exists_already_is_told_by_its_code(account, emulator):
    emulator.faults(fail_next=[{"status": 400, "code": 50438, "method": "POST"}])
    people = conversation_plan.invited(group=[ADA, BOB], projected_address=OURS)

    with pytest.raises(SendError) as failure:
        create_conversation.create(account, conversation_plan.plan(people=people))
    assert failure.value.code == 50438
