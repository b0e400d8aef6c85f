"""`flask conversations`: list, show, update, close, reopen, delete."""

import pytest


@pytest.fixture
def create(in_json):
    """Create a conversation and return what Twilio shows of it."""
    return lambda *options: in_json("conversations", "create", *options)


@pytest.fixture
def sids(in_json):
    """Return the SIDs that a list has."""
    return lambda *options: [one["sid"] for one in in_json("conversations", "list", *options)]


def test_the_list_is_a_table_of_the_newest_facts(create, flask_command):
    made = create("--friendly-name", "Order 42", "--unique-name", "order-42")

    title, line = flask_command("conversations", "list").splitlines()
    assert title.split() == "SID STATE FRIENDLY NAME UNIQUE NAME DATE CREATED DATE UPDATED".split()
    assert line.startswith(f"{made['sid']}  active  Order 42       order-42")


def test_an_empty_list_says_so(flask_command):
    assert flask_command("conversations", "list") == "No such conversation.\n"


def test_the_list_keeps_to_a_state_and_a_limit(create, sids):
    first, second, third = [create()["sid"] for _ in range(3)]
    inactive = create("--state", "inactive")["sid"]

    assert sids("--state", "inactive") == [inactive]
    assert sids("--state", "active", "--limit", "2") == [first, second]
    assert sids() == [first, second, third, inactive]


def test_the_list_reaches_beyond_a_page(create, sids, account):
    account.ask(lambda v1: [v1.conversations.create() for _ in range(101)])

    assert len(sids("--limit", "101")) == 101


def test_the_list_keeps_to_days(create, sids, emulator):
    today = create()
    emulator.advance(48 * 3600)
    later = create()["sid"]
    day = today["date_created"][:10]

    assert sids("--end-date", day) == [today["sid"]]
    assert sids("--start-date", day) == [today["sid"], later]
    assert sids("--start-date", "2099-01-01", "--end-date", "2099-12-31") == []


def test_whole_days_are_asked_for(sids, emulator):
    sids("--start-date", "2026-11-20", "--end-date", "2026-11-22")

    query = dict(emulator.requests()[-1]["query"])
    assert (query["StartDate"], query["EndDate"]) == ("2026-11-20T00:00:00Z", "2026-11-22T23:59:59Z")


def test_the_conversations_of_a_number_or_identity_are_found(create, flask_command, in_json, emulator):
    by_phone = emulator.inbound("hello")["conversation_sid"]
    by_chat = create("--identity", "ada", "--friendly-name", "Chat 7")["sid"]

    (found,) = in_json("conversations", "list", "--address", "+1 555 010-0001")
    assert (found["conversation_sid"], found["conversation_state"]) == (by_phone, "active")
    assert (
        flask_command("conversations", "list", "--identity", "ada")
        .splitlines()[1]
        .startswith(f"{by_chat}  active  Chat 7")
    )
    assert in_json("conversations", "list", "--address", "whatsapp:+15550100001") == []
    assert in_json("conversations", "list", "--identity", "ada", "--state", "closed") == []


def test_a_conversation_is_shown_with_people_and_the_last_message(in_json, flask_command, emulator, account):
    sid = emulator.inbound("where is my order?")["conversation_sid"]
    account.ask(lambda v1: v1.conversations(sid).messages.create(author="support-agent", body="On its way."))
    assert emulator.settle()

    shown = in_json("conversations", "show", sid)
    (person,) = shown["participants"]
    assert person["messaging_binding"]["address"] == "+15550100001"
    assert shown["last_message"]["body"] == "On its way."
    assert shown["bot"] == {"paused_until": None, "paused_why": ""}
    said = flask_command("conversations", "show", sid)
    assert said.startswith(f"{sid} (+15550100001): active\n")
    assert f"{person['sid']}  sms   +15550100001" in said
    assert said.endswith(
        f"by support-agent: On its way.\n  {shown['last_message']['sid']}, to 1 phone: sent all, delivered all\n"
    )


def test_an_empty_conversation_can_be_shown_by_its_unique_name(create, flask_command):
    sid = create("--unique-name", "order-42", "--timers-inactive", "PT30M", "--attributes", '{"vip": true}')["sid"]

    said = flask_command("conversations", "show", "order-42")
    assert said.startswith(f"{sid}: active\n  unique name          order-42\n")
    assert "  inactive at          20" in said
    assert '  attributes           {"vip":true}\n  bot                  not paused\n' in said
    assert said.endswith("Nobody takes part.\nNo message yet.\n")


def test_of_many_participants_the_first_are_shown(create, flask_command, account):
    sid = create()["sid"]
    account.ask(lambda v1: [v1.conversations(sid).participants.create(identity=f"guest-{n}") for n in range(51)])

    said = flask_command("conversations", "show", sid)
    assert "guest-49" in said
    assert "guest-50" not in said
    assert f"... and more; `flask participants list {sid} --limit 1000` shows all\n" in said


def test_a_conversation_of_another_service_is_found_there(in_json, refused):
    service = in_json("services", "create", "--friendly-name", "Second")["sid"]
    sid = in_json("conversations", "create", "--service", service)["sid"]

    assert in_json("conversations", "show", sid, "--service", service)["chat_service_sid"] == service
    assert refused("conversations", "show", sid) == (
        f"Error: there is no conversation {sid} (20404); it was looked for in the default service; `--service IS...` "
        "says where else to look\n"
    )


def test_names_and_timers_can_be_changed(create, flask_command, in_json, emulator):
    sid = create()["sid"]
    said = flask_command(
        "conversations",
        "update",
        sid,
        "--friendly-name",
        "Order 42",
        "--unique-name",
        "order-42",
        "--timers-inactive",
        "PT30M",
        "--timers-closed",
        "P1D",
        "--messaging-service-sid",
        "MG" + "5".zfill(32),
    )

    shown = in_json("conversations", "show", "order-42")
    assert said == f"Updated {sid} (Order 42).\n"
    assert (shown["friendly_name"], shown["messaging_service_sid"]) == ("Order 42", "MG" + "5".zfill(32))
    emulator.advance(31 * 60)
    emulator.settle()
    assert in_json("conversations", "show", sid)["state"] == "inactive"


def test_a_timer_can_be_taken_away(create, in_json):
    sid = create("--timers-closed", "PT10M")["sid"]

    assert in_json("conversations", "update", sid, "--timers-closed", "PT0S")["timers"] == {}


def test_a_conversation_is_closed_when_the_question_is_answered(app, create, in_json):
    sid = create("--friendly-name", "Order 42")["sid"]
    question = f"Close {sid} (Order 42)? It cannot be opened again. [y/N]: "

    no = app.test_cli_runner().invoke(args=["conversations", "close", sid], input="n\n")
    before = in_json("conversations", "show", sid)["state"]
    yes = app.test_cli_runner().invoke(args=["conversations", "close", sid], input="y\n")

    assert (no.exit_code, before) == (1, "active")
    assert yes.output == f"{question}y\n{sid} (Order 42) is closed.\n"
    assert in_json("conversations", "show", sid)["state"] == "closed"


def test_closing_twice_is_no_error(create, in_json):
    sid = create()["sid"]

    assert in_json("conversations", "close", sid, "--yes")["state"] == "closed"
    assert in_json("conversations", "close", sid, "--yes")["state"] == "closed"


def test_an_inactive_conversation_is_opened_again(create, flask_command, in_json):
    sid = create("--state", "inactive")["sid"]

    assert flask_command("conversations", "reopen", sid) == f"{sid} is active.\n"
    assert in_json("conversations", "reopen", sid)["state"] == "active"


def test_a_closed_conversation_is_not_opened_again(create, flask_command, refused):
    sid = create()["sid"]
    flask_command("conversations", "close", sid, "--yes")

    assert refused("conversations", "reopen", sid) == (
        f"Error: {sid} is closed, and closed is final; make a new one with `flask conversations create`\n"
    )


def test_a_closed_conversation_takes_no_change_and_says_why(app, create, flask_command):
    sid = create()["sid"]
    flask_command("conversations", "close", sid, "--yes")

    result = app.test_cli_runner().invoke(args=["conversations", "update", sid, "--friendly-name", "x"])
    assert (result.exit_code, result.output) == (
        1,
        "Error: the conversation is closed (50377); a closed conversation is final; create a new one\n",
    )


def test_a_conversation_is_deleted_when_the_question_is_answered(app, create, sids):
    sid = create("--friendly-name", "Order 42")["sid"]

    no = app.test_cli_runner().invoke(args=["conversations", "delete", sid], input="n\n")
    kept = sids()
    yes = app.test_cli_runner().invoke(args=["conversations", "delete", sid], input="y\n")

    assert (no.exit_code, kept) == (1, [sid])
    assert yes.output.endswith(f"y\nDeleted {sid} (Order 42).\n")
    assert sids() == []


def test_scripts_delete_without_a_question(create, in_json):
    sid = create()["sid"]

    assert in_json("conversations", "delete", sid, "--yes") == {"sid": sid, "deleted": True}
