"""`flask trigger`: every event type through the emulator and signed by ourselves; twice, and shuffled."""

import json

import pytest

from app.cli.trigger.catalog import RECIPES
from app.twilio_api.events import EVENT_CLASSES
from app.twilio_api.parsing import is_pre_action
from tests.support.triggering import own_url, trigger

pytestmark = pytest.mark.engines("sqlite")  # one engine is enough: nothing here depends on it

__all__ = ["own_url", "trigger"]
POST_ACTIONS = [name for name in EVENT_CLASSES if not is_pre_action(name)]
PRE_ACTIONS = [name for name in EVENT_CLASSES if is_pre_action(name)]
NATURAL_ORDER = ["onConversationAdded", "onParticipantAdded", "onMessageAdded"]


@pytest.fixture
def posts(trigger):
    """Run `flask trigger --json`, which must succeed, and return what was posted."""

    def run(*arguments):
        result = trigger(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


@pytest.fixture
def stored(flask_command):
    """Return the types of the events in the inbox, oldest first."""
    return lambda: [row["event_type"] for row in reversed(json.loads(flask_command("inbox", "list", "--json")))]


def types(posted):
    return [post["event_type"] for post in posted]


def test_without_arguments_every_event_type_is_listed(flask_command):
    listed = [line.split()[0] for line in flask_command("trigger").splitlines()[1:]]

    assert sorted(listed) == sorted(EVENT_CLASSES)


@pytest.mark.parametrize("event_type", POST_ACTIONS)
def test_the_emulator_lets_every_event_happen(event_type, posts, stored):
    posted = posts(event_type)

    assert event_type in types(posted)
    assert {post["status"] for post in posted} == {204}
    assert event_type in stored()


@pytest.mark.parametrize("channel", ["whatsapp", "chat"])
@pytest.mark.parametrize("event_type", ["onMessageAdded", "onMessageUpdated", "onMessageRemoved", "onParticipantAdded"])
def test_events_happen_on_other_channels_too(event_type, channel, posts, stored):
    posts(event_type, "--channel", channel)

    assert event_type in stored()


@pytest.mark.parametrize("event_type", PRE_ACTIONS)
def test_the_emulator_asks_before_every_action(event_type, posts, stored):
    assert [(post["event_type"], post["status"]) for post in posts(event_type)] == [(event_type, 200)]
    assert stored() == []


@pytest.mark.parametrize("channel", ["sms", "whatsapp", "chat"])
@pytest.mark.parametrize("event_type", [name for name in POST_ACTIONS if name != "onDeliveryUpdated"])
def test_every_event_can_be_signed_and_posted(event_type, channel, own_url, flask_command, stored):
    flask_command("trigger", event_type, "--channel", channel, "--to", own_url)

    assert stored() == [event_type]


@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
def test_a_receipt_can_be_signed_and_posted(channel, own_url, flask_command, stored):
    flask_command("trigger", "onDeliveryUpdated", "--channel", channel, "--to", own_url)

    assert stored() == ["onDeliveryUpdated"]


@pytest.mark.parametrize("event_type", PRE_ACTIONS)
def test_every_question_can_be_signed_and_posted(event_type, own_url, flask_command):
    (posted,) = json.loads(flask_command("trigger", event_type, "--to", own_url, "--json"))

    assert posted["status"] == 200


def test_a_triggered_message_is_answered(posts, run_worker, emulator):
    posts("onMessageAdded", "--set", "Body=where is my order?")
    run_worker()

    assert emulator.replies() == ["Please send your order number."]


@pytest.mark.parametrize("channel", ["sms", "chat"])
def test_a_made_up_message_is_answered_as_well(channel, posts, run_worker, emulator):
    posts("onMessageAdded", "--set", "Body=my order", "--set", "Frequency=1", "--channel", channel)
    run_worker()

    assert emulator.replies() == ["Please send your order number."]


def test_twice_is_the_same_event_with_another_retry_count(posts, stored):
    first, second = [post for post in posts("onMessageAdded", "--twice") if post["event_type"] == "onMessageAdded"]

    assert first["MessageSid"] == second["MessageSid"]
    assert (first["retry_count"], second["retry_count"]) == (0, 1)
    assert stored().count("onMessageAdded") == 1


def test_twice_works_without_an_emulator_too(own_url, flask_command, stored):
    posted = json.loads(flask_command("trigger", "onParticipantAdded", "--twice", "--to", own_url, "--json"))

    assert [(post["status"], post["retry_count"]) for post in posted] == [(204, 0), (204, 1)]
    assert stored() == ["onParticipantAdded"]


def test_count_lets_the_customer_write_more_than_once_in_one_conversation(posts):
    written = [post for post in posts("onMessageAdded", "--count", "3") if post["event_type"] == "onMessageAdded"]

    assert len({post["MessageSid"] for post in written}) == 3
    assert len({post["ConversationSid"] for post in written}) == 1


def test_shuffled_events_belong_together_and_are_out_of_order(posts, stored):
    posted = posts("onMessageAdded", "--shuffle", "--seed", "1")

    assert sorted(types(posted)) == sorted(NATURAL_ORDER)
    assert types(posted) != NATURAL_ORDER
    assert len({post["ConversationSid"] for post in posted}) == 1
    assert stored() == types(posted)


def test_the_same_seed_gives_the_same_disorder(posts):
    first, second = (posts("onMessageRemoved", "--shuffle", "--seed", "7") for _ in range(2))

    assert types(first) == types(second)
    assert first[0]["ConversationSid"] != second[0]["ConversationSid"]


def test_shuffled_receipts_end_in_the_furthest_status(posts, run_worker, flask_command):
    posts("onDeliveryUpdated", "--channel", "whatsapp", "--shuffle", "--seed", "2")
    run_worker()

    assert [row["status"] for row in json.loads(flask_command("deliveries", "list", "--json"))] == ["read"]


def test_a_message_can_be_let_fail_at_the_carrier(posts, run_worker, flask_command):
    posts("onDeliveryUpdated", "--set", "Status=undelivered", "--set", "ErrorCode=30005")
    posts("onDeliveryUpdated")
    run_worker()

    rows = json.loads(flask_command("deliveries", "list", "--json"))
    assert sorted((row["status"], row["error_code"]) for row in rows) == [("delivered", 0), ("undelivered", 30005)]


@pytest.mark.parametrize(
    ("reason", "state", "outcome"),
    [
        ("API", "closed", "active -> closed"),
        ("API", "active", "inactive -> active"),
        ("TIMER", "inactive", "active -> inactive"),
        ("TIMER", "closed", "active -> closed"),
        ("EVENT", "active", "inactive -> active"),
    ],
)
def test_a_state_changes_for_the_reason_that_is_asked_for(reason, state, outcome, posts, run_worker, flask_command):
    posts("onConversationStateUpdated", "--set", f"Reason={reason}", "--set", f"StateTo={state}")
    run_worker()

    rows = json.loads(flask_command("inbox", "list", "--event-type", "onConversationStateUpdated", "--json"))
    assert [row["outcome"] for row in rows] == [outcome]


def test_every_recipe_says_what_happens():
    assert [recipe.name for recipe in RECIPES.values() if not recipe.line] == []
