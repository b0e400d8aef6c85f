"""How it is sent: signed, again until it arrived, under one id, to nobody private; one target holds up no other."""

import threading
from datetime import timedelta
from ipaddress import ip_address

import pytest
from sqlalchemy import select, update
from standardwebhooks.webhooks import Webhook

from app.common.checked_http import is_public
from app.common.setting_addresses import notify_secret
from app.db.notify_tables import notifications
from app.notify.posting import Poster
from app.notify.recording import NotificationCause, Recorder
from app.notify.sender import Sender
from app.notify.targets import targets_of
from app.rules.notices import NOTHING, Notice, Notify
from app.store import notifications as rows
from tests.support.eventually import eventually
from tests.support.loopback_site import resolving
from tests.support.notified import SECRET, listening

KEY = notify_secret(SECRET)


@pytest.fixture
def another():
    yield from listening()


@pytest.fixture
def happened(db):
    """Write down that something happened, for "crm" unless another is named."""

    def record(key="1", *targets, kind="dead_events", reason="it failed"):
        names = targets or ("crm",)
        with db.write() as tx:
            recorder = Recorder(frozenset(names))
            recorder.record(tx, Notice(to=list(names)), NotificationCause(kind, key, reason), db.now(tx))

    return record


@pytest.fixture
def sender(db, crm):
    """Return what sends to "crm", or to other addresses, with the given limits."""

    def make(addresses=None, asked=NOTHING, **limits):
        poster = Poster(KEY, **{"may_be_here": True, **limits})
        addresses = addresses or {"crm": crm.url()}
        return Sender(db, addresses, Recorder(frozenset(addresses)), poster, lambda: asked)

    return make


def reasons(stored):
    return [(row.state, row.reason) for row in stored()]


def test_a_post_is_verified_by_the_library_of_standard_webhooks(happened, sender, crm):
    happened()
    sender().send_due()

    (post,) = crm.posts
    assert Webhook(SECRET).verify(post.body, post.headers) == {
        "type": "dead_events",
        "timestamp": post.document["timestamp"],
        "data": {"title": "An event could not be worked off", "text": post.document["data"]["text"], "link": ""},
    }
    assert post.document["data"]["text"] == "An event could not be worked off: it failed"


def test_what_was_answered_with_500_comes_again_with_the_same_id_and_body(happened, sender, crm, clock, stored):
    crm.answer = lambda _path: (500, {})
    happened()
    sender().send_due()
    assert reasons(stored) == [("waiting", "answered 500")]
    sender().send_due()
    assert len(crm.posts) == 1  # not at once

    crm.answer = lambda _path: (200, {})
    clock.advance(6)
    sender().send_due()

    assert reasons(stored) == [("sent", "")]
    assert crm.ids[0] == crm.ids[1]
    assert crm.posts[0].body == crm.posts[1].body
    assert Webhook(SECRET).verify(crm.posts[1].body, crm.posts[1].headers)


def test_a_target_that_hangs_is_cut_off(happened, sender, crm, stored):
    crm.held = threading.Event()
    happened()
    sender(seconds=0.5).send_due()

    assert reasons(stored) == [("waiting", "no answer within 0.5 s")]


def test_a_target_that_hangs_holds_up_no_other(happened, sender, crm, another):
    crm.held = threading.Event()
    happened("1", "slow", "quick")
    threads = sender({"slow": crm.url(), "quick": another.url()})
    threads.start()

    assert eventually(lambda: another.posts and crm.posts, seconds=60)
    assert not crm.held.is_set()
    crm.held.set()
    assert threads.stop(60)


def test_a_redirect_is_not_followed(happened, sender, crm, stored):
    crm.answer = lambda path: (302, {"Location": crm.url("/elsewhere")}) if path == "/hook" else (200, {})
    happened()
    sender().send_due()

    assert [one.path for one in crm.posts] == ["/hook"]
    assert stored()[0].state == "waiting"
    assert "redirects are not followed" in stored()[0].reason


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00::1"])
def test_a_name_that_leads_to_a_private_address_is_not_reached(happened, sender, crm, stored, address):
    assert not is_public(ip_address(address))
    limits = {"may_be_here": False, "resolve": resolving(address)}
    happened()
    sender({"crm": f"https://crm.example.com:{crm.port}/hook"}, **limits).send_due()

    assert crm.posts == []
    assert reasons(stored) == [
        ("waiting", "its host leads to an address that is not public, so nothing was sent there")
    ]


def test_a_target_whose_port_is_closed_is_tried_again(happened, sender, free_port, stored):
    happened()
    sender({"crm": f"http://127.0.0.1:{free_port()}/hook"}).send_due()

    assert reasons(stored) == [("waiting", "cannot be reached (Connection refused)")]


def test_a_target_whose_name_is_gone_is_tried_again(happened, sender, stored):
    happened()
    sender({"crm": "https://crm.example.com/hook"}, resolve=lambda *_, **__: []).send_due()

    assert reasons(stored) == [("waiting", "its host is not known")]


def test_a_target_that_says_that_it_is_gone_is_not_asked_again(happened, sender, crm, stored):
    crm.answer = lambda _path: (410, {})
    happened()
    sender().send_due()

    assert stored()[0].state == "failed"
    assert "answered 410" in stored()[0].reason


def test_after_three_days_it_is_given_up_and_says_why(happened, sender, crm, clock, stored):
    crm.answer = lambda _path: (503, {})
    happened()
    sender().send_due()
    clock.advance(timedelta(days=3).total_seconds() + 1)
    sender().send_due()

    assert reasons(stored) == [("failed", "given up after 3 days: answered 503")]


def test_what_asks_to_wait_is_waited_for(happened, sender, crm, clock, stored):
    crm.answer = lambda _path: (429, {"Retry-After": "600"})
    happened()
    sender().send_due()

    (row,) = stored()
    assert row.due_at >= row.tried_at + timedelta(seconds=600)


def test_a_cause_is_written_down_once_for_each_target(happened, sender, crm, stored):
    happened("1", "crm", "team")
    happened("1", "crm", "team")

    assert [row.target for row in stored()] == ["crm", "team"]
    assert len({row.webhook_id for row in stored()}) == 2


def test_what_a_process_was_sending_when_it_died_comes_again_with_the_same_id(happened, sender, db, crm, clock):
    happened()
    with db.write() as tx:
        died_with = rows.claim(tx, "crm", "token", db.now(tx))
    sender().send_due()
    assert crm.posts == []

    clock.advance(rows.LEASE.total_seconds() + 1)
    sender().send_due()

    assert crm.ids == [died_with.webhook_id]


def test_who_comes_back_late_changes_nothing(happened, sender, db, crm, clock, stored):
    happened()
    with db.write() as tx:
        late = rows.claim(tx, "crm", "token", db.now(tx))
    clock.advance(rows.LEASE.total_seconds() + 1)
    sender().send_due()
    with db.write() as tx:
        assert not rows.record_end(tx, late, rows.FAILED, "", db.now(tx))

    assert reasons(stored) == [("sent", "")]


def test_a_clock_that_was_set_back_delays_for_an_hour_at_most(happened, sender, db, crm, clock, stored):
    happened()
    clock.set_by(-7 * 24 * 3600)
    sender().send_due()

    assert reasons(stored) == [("sent", "")]


def test_many_at_once_are_sent_by_two_senders_each_once(happened, sender, crm):
    for number in range(40):
        happened(str(number))
    both = [threading.Thread(target=sender().send_due) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert len(crm.ids) == len(set(crm.ids)) == 40


def test_what_was_recorded_without_rules_is_told_to_whom_they_name(db, sender, crm, states):
    with db.write() as tx:
        cause = NotificationCause("storage_refusals", "1", "3 webhooks were refused", facts={"count": 3})
        Recorder(frozenset(["crm"])).record_unrouted(tx, cause, db.now(tx))
    words = {"to": "crm", "text": "{{ count }} lost: {{ reason }}"}
    sender(asked=Notify(storage_refusals=words)).send_due()

    assert crm.posts[0].document["data"]["text"] == "3 lost: 3 webhooks were refused"
    assert states() == [("storage_refusals", "crm", "sent")]


def test_what_was_recorded_without_rules_and_nobody_asks_for_is_forgotten(db, sender, crm, stored):
    with db.write() as tx:
        Recorder(frozenset(["crm"])).record_unrouted(tx, NotificationCause("storage_refusals", "1", "lost"), db.now(tx))
    sender().send_due()

    assert (crm.posts, stored()) == ([], [])


def test_what_waits_for_a_target_that_was_taken_away_is_given_up(happened, sender, db, crm, clock, stored):
    happened("1", "team")
    clock.advance(3700)
    sender().send_due()

    assert reasons(stored) == [("failed", "BOT_NOTIFY names no such target any more")]


def test_lines_in_a_reason_are_posted_as_they_are(happened, sender, crm):
    happened(reason="one\r\nBcc: two")
    sender().send_due()

    assert crm.posts[0].document["data"]["text"].endswith("one\r\nBcc: two")


def test_targets_are_shown_without_their_secrets():
    addresses = {"team": "slack://TokenA/TokenB", "crm": "https://crm.example.com/hook/secret?key=secret"}

    assert [one.shown for one in targets_of(addresses)] == ["https://crm.example.com/...", "slack://..."]
    assert "secret" not in repr(targets_of(addresses))


def test_how_it_is_with_a_target_is_told(happened, sender, db, crm, clock):
    crm.answer = lambda _path: (500, {})
    happened("1")
    sender().send_due()
    with db.write() as tx:
        (found,) = rows.standings(tx, ["crm"])
        tried_at = tx.scalar(select(notifications.c.tried_at))
    assert (found.waiting, found.failed, found.reason, found.failing_since) == (1, 0, "answered 500", tried_at)

    crm.answer = lambda _path: (204, {})
    clock.advance(10)
    sender().send_due()
    with db.write() as tx:
        tx.execute(update(notifications).values(reason=""))
        (found,) = rows.standings(tx, ["crm"])
    assert (found.waiting, found.failing_since) == (0, None)
