"""What we change at Twilio fires no webhook, and rules see it all the same: by command, on the page, by a rule."""

import json
import shlex

import pytest
from sqlalchemy import select, text

from app.db.tables import conversations, participants
from app.runtime.from_settings import make_conversations
from tests.support.mirror import differences
from tests.support.operator_commands import LINES, World, prepare, stage

pytestmark = pytest.mark.engines("sqlite")

GOLD = """
[[rule]]
name = "gold"
when = { attributes = { tier = "gold" } }
reply = "Welcome back, gold customer."

[[rule]]
name = "vip"
when = { participant_attributes = { vip = true } }
reply = "Hello, very important person."

[[rule]]
name = "default"
reply = "Thanks."
"""
PHONE = ("--sms", "+15550100001", "--proxy-address", "+15550100099")


@pytest.fixture
def run(flask_command):
    """Run a command with --json and return its document."""
    return lambda *arguments: json.loads(flask_command(*arguments, "--json"))


@pytest.fixture
def ada(bot):
    bot.rules(GOLD)
    return bot.customer()


@pytest.fixture
def chat(emulator, bot):
    """Let somebody write in a conversation from a chat client."""

    def says(sid, identity, body):
        written = emulator.chat(sid, identity, body)
        bot.works()
        return written["message_sid"]

    return says


def test_the_attribute_that_silences_the_bot_does_so_when_a_command_sets_it(bot, ada, emulator, run):
    ada.says("hello")
    sid = emulator.messages()[0]["conversation_sid"]
    run("conversations", "attributes", "merge", sid, '{"parley": {"bot": "off"}}')
    ada.says("are you there?")

    assert bot.replies() == ["Thanks."]
    assert "an attribute says so" in bot.reason()


def test_the_bot_speaks_again_when_a_command_sets_the_attribute_to_on(bot, ada, emulator, run):
    ada.says("hello")
    sid = emulator.messages()[0]["conversation_sid"]
    run("conversations", "attributes", "merge", sid, '{"parley": {"bot": "off"}}')
    run("conversations", "attributes", "merge", sid, '{"parley": {"bot": "on"}}')
    ada.says("are you there?")

    assert bot.replies() == ["Thanks.", "Thanks."]


def test_a_rule_matches_the_attributes_that_a_conversation_was_created_with(bot, ada, emulator, run):
    run("conversations", "create", "--attributes", '{"tier": "gold"}', *PHONE)
    ada.says("hello")

    assert bot.replies() == ["Welcome back, gold customer."]


def test_a_rule_matches_the_attributes_that_a_command_gives_a_participant(bot, ada, emulator, run):
    ada.says("hello")
    sid = emulator.messages()[0]["conversation_sid"]
    run("participants", "attributes", "set", sid, "+15550100001", '{"vip": true}')
    ada.says("hello again")

    assert bot.replies() == ["Thanks.", "Hello, very important person."]


def test_a_rule_no_longer_matches_an_attribute_that_a_command_took_away(bot, ada, emulator, run):
    run("conversations", "create", "--unique-name", "order-42", "--attributes", '{"tier": "gold"}', *PHONE)
    run("conversations", "attributes", "unset", "order-42", "tier")
    ada.says("hello")

    assert bot.replies() == ["Thanks."]


def test_a_human_agent_who_was_added_by_command_is_not_answered(bot, ada, chat, run):
    sid = run("conversations", "create")["sid"]
    run("participants", "add", sid, "--identity", "agent-1", "--attributes", '{"role": "agent"}')
    run("participants", "add", sid, "--identity", "visitor")
    from_agent = chat(sid, "agent-1", "good morning")

    assert bot.replies() == []
    assert bot.reason(from_agent) == "a human agent wrote"


def test_who_was_removed_by_command_makes_no_phone_conversation_any_more(bot, ada, chat, run):
    sid = run("conversations", "create", *PHONE, "--identity", "visitor")["sid"]
    run("participants", "remove", sid, "+15550100001", "--yes")
    chat(sid, "visitor", "hello")

    assert bot.replies() == ["Thanks."]  # else a chat user beside a phone would be an agent


def test_a_conversation_that_a_command_closed_is_known_as_closed(ada, emulator, run, app):
    ada.says("hello")
    sid = emulator.messages()[0]["conversation_sid"]
    run("conversations", "close", sid, "--yes")

    with app.extensions["parley"].db.read() as tx:
        assert tx.scalar(select(conversations.c.state)) == "closed"


def test_the_members_of_a_group_are_known_as_soon_as_it_is_created(run, app, emulator):
    created = run(
        *shlex.split("conversations create --group +15550100011 --group +15550100012 --projected-address +15550100099")
    )

    with app.extensions["parley"].db.read() as tx:
        known = set(
            tx.scalars(select(participants.c.participant_sid).where(participants.c.conversation_sid == created["sid"]))
        )
    assert known == {one["sid"] for one in run("participants", "list", created["sid"])} != set()


def test_a_database_that_takes_nothing_keeps_no_command_from_its_work(run, app, caplog):
    with app.extensions["parley"].db.write() as tx:
        tx.execute(text("ALTER TABLE conversations RENAME TO elsewhere"))
    result = app.test_cli_runner().invoke(args=["conversations", "create", "--friendly-name", "Order 42"])

    assert result.exit_code == 0
    (line,) = [one for one in caplog.records if one.getMessage() == "change.not_recorded"]
    assert "rules cannot see it yet; run `flask reconcile`" in line.hint
    assert [one["friendly_name"] for one in run("conversations", "list")] == ["Order 42"]


@pytest.fixture
def world(app, emulator, customer_writes, run_worker, tmp_path, monkeypatch):
    """An account in which everything exists that a command line may name, all of it known here."""
    message = customer_writes("hello", media=[{"content_type": "image/png", "filename": "a.png", "size": 100}])
    run_worker()
    parley = app.extensions["parley"]
    ours = make_conversations(parley.settings, parley.db).ask(lambda client: client)
    found = World(emulator, ours.conversations.v1)
    monkeypatch.chdir(tmp_path)
    stage(found, message, tmp_path)
    run_worker()
    return found


CHANGING = [line for line in LINES if line.split()[0] in ("conversations", "participants", "services", "messages")]


@pytest.mark.parametrize("line", CHANGING, ids=lambda line: line[:60])
def test_after_every_command_the_bot_knows_what_twilio_has(line, world, app, run_worker, emulator):
    parley = app.extensions["parley"]
    prepare(world, line)
    result = app.test_cli_runner().invoke(args=world.arguments(line))
    assert emulator.settle()
    run_worker()

    assert result.exit_code == 0, result.output
    assert differences(parley.db, make_conversations(parley.settings, None).ask(lambda client: client)) == []
