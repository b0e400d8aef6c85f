"""An answer of a human that fails is told to whom [notify] names; the page shows targets that are not reached."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import RULES as ORDINARY
from tests.dashboard.conftest import Browser
from tests.support.notified import SECRET, crm

__all__ = ["crm"]
RULES = '[notify]\nhuman_answer_failed = "crm"\n' + ORDINARY


@pytest.fixture
def environ(environ, crm):
    return environ | {"BOT_NOTIFY": f"crm={crm.url('/s3cret')}", "BOT_NOTIFY_SECRET": SECRET}


@pytest.fixture
def answer(page: Browser) -> Callable[..., Any]:
    return lambda sid, text: page.submit(f"/c/{sid}", "/answer", text=text)


def test_an_answer_that_twilio_refuses_is_told_without_its_text(answer, emulator, run_worker, sid, crm):
    emulator.faults(fail_next=[{"method": "POST", "path_contains": "/Messages", "status": 400, "code": 50513}])
    assert answer(sid, "Nothing of this.").status_code == 502
    run_worker()

    (post,) = crm.posts
    assert post.document["type"] == "human_answer_failed"
    assert post.document["data"]["agent"] == "Maria"
    assert post.document["data"]["link"].endswith(f"/c/{sid}")
    assert b"Nothing of this" not in post.body


def test_an_answer_that_arrives_is_not_told(answer, run_worker, sid, crm):
    answer(sid, "I have found your parcel.")
    run_worker()

    assert crm.posts == []


def test_the_page_of_notifications_names_a_target_that_is_not_reached(page, answer, emulator, run_worker, sid, crm):
    assert "reached" in page.get("/notifications").text
    assert "not reached" not in page.get("/notifications").text

    crm.answer = lambda _path: (500, {})
    emulator.faults(fail_next=[{"method": "POST", "path_contains": "/Messages", "status": 400, "code": 50513}])
    answer(sid, "Not yet.")
    run_worker()

    shown = page.get("/notifications").text
    assert "not reached" in shown
    assert "answered 500" in shown
    assert "An answer did not reach a customer" in shown
    assert "s3cret" not in shown
