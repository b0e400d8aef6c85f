"""A reply of which nobody knows whether it arrived is found at Twilio, also where its marker is gone.

Whoever may change a message may overwrite its Attributes, and with them the marker: an agents' desk does.
"""

import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from app.db.tables import replies
from tests.support.agents_desk import AgentsDesk
from tests.support.arrivals import arrive

THANKS = "Thanks, we will be right back."
CONTENT = "HX" + "a" * 32
NOT_STORED = {"method": "POST", "path_contains": "/Messages", "status": 503}


@pytest.fixture
def desk(app):
    return AgentsDesk(app.extensions["parley"].settings)


@pytest.fixture
def arrives(emulator, post_webhook, run_worker):
    """Let a customer write and a worker try once to answer."""

    def write(body: str = "hello") -> dict[str, str]:
        written = arrive(emulator, post_webhook, body)
        run_worker()
        return written

    return write


@pytest.fixture
def ours(emulator):
    return lambda author="support-bot": [one for one in emulator.messages() if one["author"] == author]


@pytest.fixture
def overwritten(ours, desk):
    """Let the desk overwrite the Attributes of all that we have sent."""

    def overwrite() -> None:
        for one in ours():
            desk.overwrites(one)

    return overwrite


@pytest.fixture
def later(passes, run_worker):
    """Let so much time pass, in steps, that whatever is uncertain has been looked for and tried again."""

    def pass_by() -> None:
        for _ in range(8):
            passes(20)
            run_worker()

    return pass_by


@pytest.fixture
def ledger(app):
    def read() -> list[tuple[str, str | None]]:
        with app.extensions["parley"].db.read() as tx:
            rows = tx.execute(select(replies.c.state, replies.c.message_sid).order_by(replies.c.intended_at))
            return [tuple(row) for row in rows]

    return read


@pytest.fixture
def events(flask_command):
    return lambda: json.loads(flask_command("inbox", "list", "--json"))


def test_a_reply_whose_marker_was_overwritten_is_known_by_author_and_text(
    arrives, emulator, overwritten, later, ours, ledger
):
    emulator.faults(cut_next=1)
    arrives()
    overwritten()
    later()

    assert emulator.replies() == [THANKS]
    assert ledger() == [("sent", ours()[0]["sid"])]


@pytest.mark.parametrize("marker_is_there", [True, False])
def test_a_reply_is_known_though_we_write_under_another_name_since(
    arrives, app, emulator, overwritten, later, ours, marker_is_there
):
    emulator.faults(cut_next=1)
    arrives()
    if not marker_is_there:
        overwritten()
    runtime = app.extensions["parley"]
    runtime.settings = replace(runtime.settings, bot_author="new-name")
    later()

    assert (len(ours()), len(ours("new-name"))) == (1, 0)


def test_what_was_tried_under_one_name_is_tried_under_it_again(arrives, app, emulator, later, ours):
    emulator.faults(fail_next=[NOT_STORED], cut_next=1)
    arrives()
    runtime = app.extensions["parley"]
    runtime.settings = replace(runtime.settings, bot_author="new-name")
    later()
    arrives("hello again")

    assert (len(ours()), len(ours("new-name"))) == (1, 1)


def test_a_reply_that_a_clock_ahead_has_tried_is_known_after_the_clock_was_set_back(
    arrives, emulator, overwritten, later, clock, ours, ledger
):
    clock.set_by(3600)
    emulator.faults(cut_next=1)
    arrives()
    overwritten()
    clock.set_by(-3600)
    later()
    later()

    assert ledger() == [("sent", ours()[0]["sid"])]
    assert emulator.replies() == [THANKS]


@pytest.mark.parametrize("second_is_stored", [True, False])
def test_of_two_replies_that_say_the_same_each_is_sent_once(
    arrives, emulator, overwritten, later, ledger, second_is_stored
):
    arrives()
    emulator.faults(**({"cut_next": 1} if second_is_stored else {"fail_next": [NOT_STORED]}))
    arrives("hello again")
    overwritten()
    later()

    assert emulator.replies() == [THANKS, THANKS]
    assert [state for state, _ in ledger()] == ["sent", "sent"]
    assert len({sid for _, sid in ledger()}) == 2


def test_a_message_with_another_marker_of_ours_is_another_reply(arrives, emulator, later, desk):
    emulator.faults(fail_next=[NOT_STORED])
    sid = arrives()["conversation_sid"]
    desk.writes(sid, "support-bot", THANKS, parley={"reply_to": "IM" + "f" * 32, "n": 0})
    later()

    assert emulator.replies() == [THANKS, THANKS]


def test_what_was_there_long_before_the_try_is_no_candidate(arrives, emulator, later, desk, passes):
    sid = arrives()["conversation_sid"]
    desk.writes(sid, "support-bot", THANKS)
    passes(120)
    emulator.faults(fail_next=[NOT_STORED])
    arrives("hello again")
    later()

    assert emulator.replies() == [THANKS, THANKS, THANKS]


def test_with_two_candidates_nothing_is_sent_and_a_human_is_told(
    arrives, emulator, later, overwritten, desk, ours, events, ledger, flask_command
):
    emulator.faults(cut_next=1)
    sid = arrives()["conversation_sid"]
    overwritten()
    desk.writes(sid, "support-bot", THANKS)
    later()

    (event,) = events()
    assert emulator.replies() == [THANKS, THANKS]
    assert (event["state"], event["outcome"].startswith("uncertain: 2 messages")) == ("dead", True)
    assert all(one["sid"] in event["outcome"] for one in ours())
    assert ledger() == [("failed", None)]

    flask_command("inbox", "retry", "--all-dead")
    later()
    assert emulator.replies() == [THANKS, THANKS]
    assert events()[0]["state"] == "dead"


def test_a_file_is_known_by_its_media_sid_whatever_else_is_said(
    arrives, emulator, rules_file, overwritten, later, desk, ours
):
    (rules_file.parent / "menu.pdf").write_bytes(b"%PDF-1.7 our menu")
    rules_file.write_text('[[rule]]\nname = "menu"\nmedia = "menu.pdf"\nreply = "Our menu."\n')
    emulator.faults(cut_next=1)
    sid = arrives("menu")["conversation_sid"]
    overwritten()
    desk.writes(sid, "support-bot", "Our menu.")
    later()

    assert [len(one["media"] or ()) for one in ours()] == [1, 0]


def test_a_template_is_known_by_its_content_sid(emulator, post_webhook, bot, overwritten, ours):
    template = f'{{ content_sid = "{CONTENT}" }}'
    bot.rules(f'[[rule]]\nname = "t"\nwhen = {{ unanswered_for = "25h" }}\ntemplate = {template}\n')
    bot.customer().says("hello", channel="whatsapp")
    emulator.faults(cut_next=1)
    bot.advance(hours=25)
    overwritten()
    for _ in range(8):
        bot.advance(seconds=20)

    assert [one["content_sid"] for one in ours()] == [CONTENT]
