"""`flask conversations create`: a conversation, who takes part and what is said first, in one go."""

import json

import pytest

from app.operations import conversation_plan, create_conversation

ADA, BOB, OURS = "+15550100001", "+15550100002", "+15550100099"


@pytest.fixture
def create(in_json):
    return lambda *options: in_json("conversations", "create", *options)


@pytest.fixture
def people(in_json):
    """Return who takes part in a conversation: address or identity, in the order of joining."""

    def names(sid):
        listed = in_json("conversations", "show", sid)["participants"]
        return [(it["messaging_binding"] or {}).get("address") or it["identity"] for it in listed]

    return names


@pytest.fixture
def create_failing(app):
    """Run a creation that fails and return what it printed."""

    def run(*options):
        result = app.test_cli_runner().invoke(args=["conversations", "create", *options])
        assert result.exit_code == 1, result.output
        return result.output

    return run


def writes(emulator):
    return [request["path"] for request in emulator.requests() if request["method"] == "POST"]


def test_everything_about_a_conversation_can_be_given(create):
    made = create(
        "--friendly-name",
        "Order 42",
        "--unique-name",
        "order-42",
        "--attributes",
        '{"order": 42}',
        "--messaging-service-sid",
        "MG" + "5".zfill(32),
        "--timers-inactive",
        "PT30M",
        "--timers-closed",
        "P1D",
    )

    assert made["sid"].startswith("CH")
    assert (made["friendly_name"], made["unique_name"], made["state"]) == ("Order 42", "order-42", "active")
    assert json.loads(made["attributes"]) == {"order": 42}
    assert made["messaging_service_sid"] == "MG" + "5".zfill(32)
    assert set(made["timers"]) == {"date_inactive", "date_closed"}


def test_it_can_be_created_inactive_and_in_another_service(create, in_json):
    service = in_json("services", "create", "--friendly-name", "Second")["sid"]
    made = create("--state", "inactive", "--service", service)

    assert (made["state"], made["chat_service_sid"]) == ("inactive", service)


def test_people_join_by_sms_whatsapp_and_chat(create, people, in_json):
    made = create("--sms", "+1 555 010 0001", "--whatsapp", BOB, "--identity", "agent-1", "--proxy-address", OURS)

    assert people(made["sid"]) == [ADA, f"whatsapp:{BOB}", "agent-1"]
    assert [(it["kind"], it["address"]) for it in made["participants"]] == [
        ("sms", ADA),
        ("whatsapp", f"whatsapp:{BOB}"),
        ("chat", "agent-1"),
    ]


def test_a_first_message_reaches_the_customer(flask_command, emulator):
    said = flask_command(
        "conversations",
        "create",
        "--sms",
        ADA,
        "--proxy-address",
        OURS,
        "--body",
        "Your parcel is here.",
        "--author",
        "support-agent",
    )

    (message,) = emulator.messages()
    assert (message["author"], message["body"]) == ("support-agent", "Your parcel is here.")
    first, second, third = said.splitlines()
    assert first.startswith("Created conversation CH")
    assert second.startswith(f"Added {ADA} (sms) as MB")
    assert third == f"Sent {message['sid']} as support-agent."


def test_the_first_message_is_the_bots_unless_an_author_is_given(create):
    made = create("--identity", "ada", "--body", "Hello!")

    assert made["message"]["author"] == "support-bot"


def test_a_dry_run_says_what_would_be_done_and_does_nothing(flask_command, in_json, emulator):
    options = ["--unique-name", "order-42", "--sms", ADA, "--proxy-address", OURS, "--body", "Hello!", "--dry-run"]
    said = flask_command("conversations", "create", *options)

    assert said.splitlines() == [
        "Would create a conversation with unique_name order-42.",
        f"Would add {ADA} by SMS through {OURS}.",
        "Would send the first message as support-bot.",
        "Nothing was changed.",
    ]
    assert len(in_json("conversations", "create", *options)["would"]) == 3
    assert writes(emulator) == []


def test_a_failure_in_the_middle_says_what_exists_and_how_to_go_on(create_failing, in_json, people, emulator):
    emulator.faults(fail_next=[{"status": 400, "code": 50407, "method": "POST", "path_contains": "/Participants"}])
    said = create_failing("--identity", "agent-1", "--sms", ADA, "--proxy-address", OURS, "--body", "Hello, Ada!")

    (found,) = in_json("conversations", "list")
    sid = found["sid"]
    assert said.splitlines() == [
        f"Created conversation {sid}.",
        f"Error: {ADA} by SMS through {OURS} could not be added: Twilio refused the request (50407); the address is "
        "not one a participant can have; give the customer's own number with + and country code, no number of "
        "Twilio's, and no projected address beside it.",
        f"Not done: add {ADA} by SMS through {OURS}.",
        "Not done: add agent-1 in the chat.",
        "Not done: send the first message.",
        "Go on with:",
        f"  flask participants add {sid} --sms {ADA} --proxy-address {OURS}",
        f"  flask participants add {sid} --identity agent-1",
        f"  flask messages send {sid} --author support-bot --body 'Hello, Ada!'",
    ]
    assert people(sid) == []
    assert emulator.messages() == []


def test_the_commands_to_go_on_with_do_the_rest(create_failing, flask_command, people, emulator):
    import shlex

    emulator.faults(fail_next=[{"status": 400, "code": 50408, "path_contains": "/Participants", "method": "POST"}])
    said = create_failing("--sms", ADA, "--proxy-address", OURS, "--identity", "agent-1", "--body", "Hello, Ada!")
    first, second, third = [line.strip() for line in said.splitlines()[-3:]]
    for_flask = [shlex.split(line)[1:] for line in (first, second, third)]
    flask_command(*for_flask[0])
    flask_command(*for_flask[1])
    flask_command(*for_flask[2])

    assert people(for_flask[0][2]) == [ADA, "agent-1"]
    assert emulator.replies() == ["Hello, Ada!"]


def test_a_failure_is_one_document_in_json(create_failing, emulator):
    emulator.faults(fail_next=[{"status": 400, "code": 50504, "method": "POST", "path_contains": "/Messages"}])
    said = create_failing("--identity", "ada", "--body", "Hello!", "--json")

    document = json.loads(said[: said.index("\nError: ")])
    assert [it["address"] for it in document["participants"]] == ["ada"]
    assert document["message"] is None
    assert document["problem"].startswith("the first message was not sent: ")
    assert document["not_done"] == ["send the first message"]


def test_an_answer_that_never_came_is_not_taken_for_a_failure(create_failing, emulator):
    emulator.faults(cut_next=1)
    said = create_failing("--identity", "ada", "--body", "Hello!")

    assert "Not done: send the first message (no answer came: it may have been done all the same).\n" in said
    assert "Go on with:\n  flask conversations show CH" in said


def test_a_creation_without_an_answer_says_where_to_look(create_failing, emulator):
    emulator.faults(fail_next=[{"status": 500, "method": "POST"}])

    assert create_failing("--unique-name", "order-42") == (
        "Error: Twilio has a fault (20500); the conversation may exist all the same, so look with `flask conversations "
        "show order-42` before you try again\n"
    )


def test_a_limit_is_waited_for(account, emulator):
    emulator.faults(
        fail_next=[{"status": 429, "code": 50063, "retry_after": 2, "method": "POST", "path_contains": "/Participants"}]
    )
    waits = []
    planned = conversation_plan.plan(people=conversation_plan.invited(identities=["ada", "bob"]))
    made = create_conversation.create(account, planned, sleep=waits.append)

    assert [it["address"] for it in made.participants] == ["ada", "bob"]
    assert (waits, made.problem) == ([2.0], "")


def test_a_limit_of_an_hour_is_not_waited_for(account, emulator):
    emulator.faults(
        fail_next=[
            {"status": 429, "code": 20429, "retry_after": 3600, "method": "POST", "path_contains": "/Participants"}
        ]
    )
    planned = conversation_plan.plan(people=conversation_plan.invited(identities=["ada"]))
    made = create_conversation.create(account, planned, sleep=pytest.fail)

    assert made.problem.startswith("ada in the chat could not be added: too many requests for the account (20429)")


def test_an_interruption_says_what_exists(account, emulator):
    def interrupt(_seconds):
        raise KeyboardInterrupt

    emulator.faults(fail_next=[{"status": 429, "code": 50063, "method": "POST", "path_contains": "/Participants"}])
    planned = conversation_plan.plan(people=conversation_plan.invited(identities=["ada", "bob"]))
    made = create_conversation.create(account, planned, sleep=interrupt)

    assert made.problem == "ada in the chat could not be added: interrupted"
    assert made.go_on[0] == f"flask conversations show {made.conversation['sid']}"


def test_more_people_than_fit_into_a_second_all_join(create, people):
    names = [f"guest-{n}" for n in range(45)]
    made = create(*(word for name in names for word in ("--identity", name)))

    assert people(made["sid"]) == names


def test_a_closed_conversation_is_no_obstacle(create, flask_command, people, emulator):
    flask_command("conversations", "close", emulator.inbound("hello")["conversation_sid"], "--yes")

    assert people(create("--sms", ADA, "--proxy-address", OURS)["sid"]) == [ADA]


def test_a_unique_name_that_is_taken_is_refused_by_twilio(create, create_failing):
    create("--unique-name", "order-42")

    assert create_failing("--unique-name", "order-42") == (
        "Error: Twilio refused the request (50353); choose another unique name, or show the conversation that has "
        "this one\n"
    )


def test_on_whatsapp_a_text_is_taken_while_the_window_is_open(create, flask_command, emulator):
    wrote = emulator.inbound("hi", channel="whatsapp", sender=f"whatsapp:{ADA}", to=f"whatsapp:{OURS}")
    flask_command("conversations", "close", wrote["conversation_sid"], "--yes")

    made = create("--whatsapp", ADA, "--proxy-address", OURS, "--body", "Hello again!")
    assert made["message"]["body"] == "Hello again!"


def test_all_of_it_happens_in_the_service_that_is_named(in_json, create, emulator):
    service = in_json("services", "create", "--friendly-name", "Second")["sid"]
    group = create("--group", ADA, "--group", BOB, "--projected-address", OURS, "--body", "Hi!", "--service", service)
    chat = create("--identity", "ada", "--body", "Hi!", "--service", service)

    assert (group["chat_service_sid"], chat["chat_service_sid"]) == (service, service)
    (found,) = in_json("conversations", "list", "--identity", "ada", "--service", service)
    assert found["conversation_sid"] == chat["sid"]
    assert in_json("conversations", "list", "--identity", "ada") == []
    assert emulator.replies(OURS) == ["Hi!"]


def test_the_commands_to_go_on_with_name_the_service(in_json, create_failing, emulator):
    service = in_json("services", "create", "--friendly-name", "Second")["sid"]
    emulator.faults(fail_next=[{"status": 400, "code": 50433, "method": "POST", "path_contains": "/Messages"}])

    said = create_failing("--identity", "ada", "--body", "Hi!", "--service", service)
    assert said.endswith(f" --author support-bot --body 'Hi!' --service {service}\n")
