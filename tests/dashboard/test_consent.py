"""Consent on the page: who may want to opt out is shown, and somebody decides, with name, time and reason."""

import pytest
from sqlalchemy import select

from app.db.consent_tables import consent_ledger

WISH = "please stop texting me"
REPLY = "Thanks, we will be right back."


@pytest.fixture
def changes(app):
    """Return the ledger, oldest first: what, by whom, why."""

    def read():
        with app.extensions["parley"].db.read() as tx:
            rows = tx.execute(select(consent_ledger).order_by(consent_ledger.c.id)).all()
        return [(row.change, row.actor, row.why) for row in rows]

    return read


@pytest.fixture
def wishes(sid, customer_writes, run_worker):
    """Let the customer say something that may be a wish to opt out."""
    customer_writes(WISH)
    run_worker()


def test_a_wish_is_shown_in_the_list_and_in_the_thread(page, wishes, sid):
    assert "may want to opt out" in page.get("/?only=undecided").text
    thread = page.get(f"/c/{sid}").text
    assert "may want to opt out: the bot sends nothing until one of you decides or they write again" in thread
    assert f'href="/c/{sid}/consent"' in thread
    assert "may want to opt out" in page.get(f"/fragments/c/{sid}").text


def test_until_then_nobody_waits_for_a_decision(page, sid):
    assert sid not in page.get("/?only=undecided").text
    assert '<span class="tag bad">may want' not in page.get(f"/c/{sid}").text


def test_who_is_opted_out_gets_no_answer(page, wishes, sid, customer_writes, run_worker, emulator, changes, actions):
    before = emulator.replies()
    told = page.submit(f"/c/{sid}/consent", "", decision="out", why="said so on the telephone")
    assert "Opted out. Nothing automatic" in page.get(told.location).text
    customer_writes("order, please")
    run_worker()

    assert emulator.replies() == before
    assert changes()[-1] == ("opted out", "Maria", "said so on the telephone")
    assert actions() == [("Maria", "opted a person out")]
    assert sid not in page.get("/?only=undecided").text


def test_who_is_opted_in_is_answered(page, wishes, sid, customer_writes, run_worker, emulator, changes):
    before = emulator.replies()
    page.submit(f"/c/{sid}/consent", "", decision="in", why="meant the parcel")
    customer_writes("order, please")
    run_worker()

    assert len(emulator.replies()) == len(before) + 1
    assert changes()[-1] == ("opted in", "Maria", "meant the parcel")


def test_what_was_said_and_done_is_shown_with_the_person(page, wishes, sid):
    page.submit(f"/c/{sid}/consent", "", decision="out", why="said <so>")
    shown = page.get(f"/c/{sid}/consent").text

    assert "<q>stop</q>" in shown
    assert "<strong>Maria</strong>" in shown
    assert "said &lt;so&gt;" in shown
    assert 'value="in"' in shown and 'value="out"' not in shown


@pytest.mark.parametrize("why", ["", "   ", "x" * 301, "a\x00b"])
def test_without_a_reason_nothing_is_changed(page, wishes, sid, changes, why):
    before = changes()
    told = page.submit(f"/c/{sid}/consent", "", decision="out", why=why)

    assert "Nothing was changed: say why" in page.get(told.location).text
    assert changes() == before


def test_nobody_decides_for_our_own_agents(page, sid, emulator, webhooks_arrive, run_worker):
    emulator.chat(sid, "support-agent", "hello, how can I help?")
    assert emulator.settle()
    run_worker()

    assert "support-agent" not in page.get(f"/c/{sid}/consent").text
    assert len(page.get(f"/c/{sid}/consent").text.split('name="why"')) == 2


def test_no_other_decision_and_nobody_else_can_be_named(page, wishes, sid, changes):
    before = changes()
    fields = page.form(f"/c/{sid}/consent") | {"why": "x"}

    assert page.post(f"/c/{sid}/consent/MB404", fields | {"decision": "out"}).status_code == 404
    assert page.post("/c/CH404/consent/MB404", fields | {"decision": "out"}).status_code == 404
    assert page.submit(f"/c/{sid}/consent", "", decision="maybe", why="x").status_code == 400
    assert page.get("/c/CH404/consent").status_code == 404
    assert changes() == before


def test_a_form_without_its_token_changes_nothing(page, wishes, sid, changes):
    before = changes()
    page.post(f"/c/{sid}/consent/MB1", {"decision": "out", "why": "x"})

    assert changes() == before
