"""Reconciliation sets right what is known of conversations and participants that others changed through REST."""

import pytest

from app.runtime.from_settings import make_conversations
from tests.support.mirror import differences


@pytest.fixture
def client(app):
    """The SDK's client of a desk that nobody here hears of."""
    return make_conversations(app.extensions["parley"].settings, None).ask(lambda client: client)


@pytest.fixture
def wrong(app, client):
    return lambda: differences(app.extensions["parley"].db, client)


@pytest.fixture
def changed(client, customer_writes, run_worker, passes):
    """A conversation that is known here, and was changed by a desk in every way since."""
    written = customer_writes("hello")
    run_worker()
    passes(120)
    here = client.conversations.v1.conversations(written["conversation_sid"])
    here.update(friendly_name="Ada", unique_name="ada", attributes='{"parley": {"bot": "off"}}')
    here.participants(written["participant_sid"]).update(attributes='{"vip": true}')
    here.participants.create(identity="agent-1", attributes='{"role": "agent"}')
    return written["conversation_sid"]


def test_what_a_desk_changed_through_rest_is_known_after_a_run(changed, wrong, reconcile):
    assert len(wrong()) == 5
    report = reconcile()

    assert wrong() == []
    assert [(gap["conversation_sid"], gap["others"]) for gap in report["gaps"]] == [(changed, 3)]
    assert reconcile()["gaps"] == []


def test_a_dry_run_counts_it_and_changes_nothing(changed, wrong, reconcile):
    before = wrong()

    assert [gap["others"] for gap in reconcile("--dry-run")["gaps"]] == [3]
    assert wrong() == before


def test_the_pause_that_a_desk_wrote_holds_after_a_run(changed, reconcile, customer_writes, run_worker, emulator):
    reconcile()
    customer_writes("are you there?")
    run_worker()

    assert len(emulator.replies()) == 1


def test_who_was_removed_through_rest_is_known_to_have_left(changed, client, wrong, reconcile, passes):
    reconcile()
    here = client.conversations.v1.conversations(changed)
    agent = next(one for one in here.participants.list() if one.identity)
    here.participants(agent.sid).delete()
    passes(120)
    reconcile()

    assert wrong() == []


def test_the_name_of_somebody_who_was_erased_does_not_come_back(changed, flask_command, reconcile, client, app):
    flask_command("privacy", "erase", "+15550100001", "--yes")
    reconcile()

    db = app.extensions["parley"].db
    assert {line.split(":")[1].split(" is ")[0].strip() for line in differences(db, client)} >= {
        "friendly_name",
        "unique_name",
        "address",
    }
