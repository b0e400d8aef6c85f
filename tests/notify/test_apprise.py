"""Through Apprise: at most once, gathered for five minutes, on one line in subjects; what is unsure is not repeated."""

import importlib.util
import io
import logging
import threading

import pytest
from sqlalchemy import delete

from app.common.setting_addresses import notify_secret
from app.db.notify_tables import notifications
from app.notify import through_apprise, words
from app.notify.posting import Poster
from app.notify.recording import NotificationCause, Recorder
from app.notify.sender import GIVE_UP_AFTER, Sender
from app.notify.targets import NotifyTarget
from app.rules.notices import NOTHING, Notice
from app.store import notifications as rows
from tests.support.notified import SECRET

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("apprise"), reason="needs apprise: the extra notify")


@pytest.fixture
def happened(db):
    def record(key, kind="dead_events", reason="it failed"):
        with db.write() as tx:
            Recorder(frozenset(["team"])).record(
                tx, Notice(to="team"), NotificationCause(kind, key, reason), db.now(tx)
            )

    return record


@pytest.fixture
def team(db, crm):
    """Return what sends to "team": Apprise's own JSON, which any web server can take."""

    def make(port=None):
        address = f"json://127.0.0.1:{port or crm.port}/team"
        recorder = Recorder(frozenset(["team"]))
        return Sender(db, {"team": address}, recorder, Poster(notify_secret(SECRET)), lambda: NOTHING)

    return make


def states(stored):
    return [row.state for row in stored()]


def test_people_get_a_title_and_a_text(happened, team, crm, stored):
    happened("1")
    team().send_due()

    (post,) = crm.posts
    assert post.document["title"] == "An event could not be worked off"
    assert post.document["message"] == "An event could not be worked off: it failed"
    assert states(stored) == ["sent"]


def test_what_follows_within_five_minutes_is_told_together(happened, team, crm, clock, stored):
    happened("1")
    team().send_due()
    happened("2", reason="the second")
    clock.advance(60)
    happened("3", reason="the third")
    team().send_due()
    assert len(crm.posts) == 1

    clock.advance(241)
    team().send_due()

    assert crm.posts[1].document["title"] == "An event could not be worked off (2 times)"
    assert "the second" in crm.posts[1].document["message"]
    assert "the third" in crm.posts[1].document["message"]
    assert states(stored) == ["sent", "sent", "gathered"]


def test_another_kind_is_not_held(happened, team, crm):
    happened("1")
    team().send_due()
    happened("2", kind="outage")
    team().send_due()

    assert len(crm.posts) == 2


def test_what_may_have_been_sent_is_uncertain_and_not_repeated(happened, team, crm, clock, stored):
    crm.answer = lambda _path: (500, {})
    happened("1")
    team().send_due()
    clock.advance(3600)
    team().send_due()

    assert states(stored) == ["uncertain"]
    assert len(crm.posts) == 1


def test_what_the_process_was_sending_when_it_died_is_uncertain(happened, team, db, crm, clock, stored):
    happened("1")
    with db.write() as tx:
        assert rows.claim_group(tx, "team", "token", db.now(tx))
    clock.advance(rows.LEASE.total_seconds() + 1)
    team().send_due()

    assert states(stored) == ["uncertain"]
    assert crm.posts == []


def test_what_certainly_was_not_sent_is_tried_again(happened, team, crm, clock, stored, free_port):
    happened("1")
    team(free_port()).send_due()
    assert [(row.state, row.reason) for row in stored()] == [
        ("waiting", "the service cannot be reached; nothing was sent")
    ]

    clock.advance(10)
    team().send_due()

    assert states(stored) == ["sent"]
    assert len(crm.posts) == 1


def test_what_was_gathered_with_one_that_is_erased_is_told_all_the_same(happened, team, db, crm, clock, free_port):
    for key, reason in (("1", "the first"), ("2", "the second"), ("3", "the third")):
        happened(key, reason=reason)
    team(free_port()).send_due()
    with db.write() as tx:
        tx.execute(delete(notifications).where(notifications.c.webhook_id == rows.webhook_id("1", "team")))

    clock.advance(10)
    team().send_due()

    (post,) = crm.posts
    assert "the second" in post.document["message"]
    assert "the third" in post.document["message"]


def test_what_was_gathered_with_one_that_is_given_up_is_told_all_the_same(
    happened, team, crm, clock, stored, free_port
):
    happened("1", reason="the old one")
    team(free_port()).send_due()
    clock.advance(GIVE_UP_AFTER.total_seconds())
    happened("2", reason="the new one")
    team(free_port()).send_due()
    assert states(stored) == ["failed", "waiting"]

    clock.advance(10)
    team().send_due()

    assert "the new one" in crm.posts[0].document["message"]
    assert states(stored) == ["failed", "sent"]


def test_what_was_gathered_with_one_that_may_have_been_sent_stays_with_it(happened, team, db, clock, stored):
    happened("1")
    happened("2")
    with db.write() as tx:
        told = rows.claim_group(tx, "team", "token", db.now(tx))
    clock.advance(rows.LEASE.total_seconds() + 1)
    team().send_due()
    with db.write() as tx:  # the process that seemed dead comes back and says that nothing was sent
        rows.release_gathered(tx, told, "late", db.now(tx))

    assert states(stored) == ["uncertain", "gathered"]


def test_what_the_service_refuses_has_failed(happened, team, crm, stored):
    crm.answer = lambda _path: (403, {})
    happened("1")
    team().send_due()

    assert [(row.state, row.reason) for row in stored()] == [("failed", "the service refused it with 403")]


def test_a_service_that_hangs_is_not_waited_for(crm):
    crm.held = threading.Event()
    outcome = through_apprise.send(NotifyTarget("team", f"json://127.0.0.1:{crm.port}/"), "a", "b", seconds=0.5)

    assert (outcome.result, "may have been sent" in outcome.reason) == ("uncertain", True)


def test_an_address_that_apprise_does_not_know_has_failed():
    outcome = through_apprise.send(NotifyTarget("team", "nosuchservice://secret"), "a", "b")

    assert outcome.result == "failed"
    assert "secret" not in outcome.reason


def test_nothing_of_an_address_reaches_the_log(crm):
    crm.answer = lambda _path: (500, {})
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    try:
        through_apprise.send(NotifyTarget("team", f"json://user:tops3cret@127.0.0.1:{crm.port}/tok3n"), "a", "b")
    finally:
        logging.getLogger().removeHandler(handler)

    assert len(crm.posts) == 1
    assert "tops3cret" not in written.getvalue()
    assert "tok3n" not in written.getvalue()


def test_line_breaks_in_a_subject_are_removed():
    payload = {"title": "One\r\nBcc: everybody@example.com\x00\u2028two", "text": "", "link": ""}

    assert words.subject(payload) == "One Bcc: everybody@example.com two"


def test_of_very_many_the_first_are_told_and_the_rest_counted():
    one = {"title": "t", "text": "x", "link": ""}

    assert words.body(one, [one] * 30).count("x") == words.MOST_LISTED
    assert words.body(one, [one] * 30).endswith("and 11 more")
