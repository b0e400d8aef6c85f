"""Acting on a conversation: pause, resume, close, send again; seen at Twilio and in the log of actions."""

import json
from collections.abc import Callable
from typing import Any

import pytest

SEND = {"method": "POST", "path_contains": "/Messages"}
REPLY = "Thanks, we will be right back."


@pytest.fixture
def in_twilio(flask_command: Callable[..., str]) -> Callable[[str], str]:
    """Return the state of a conversation at Twilio."""
    return lambda sid: str(json.loads(flask_command("conversations", "show", sid, "--json"))["state"])


@pytest.fixture
def failed(
    emulator: Any, customer_writes: Callable[..., dict[str, Any]], run_worker: Callable[[], None]
) -> Callable[..., dict[str, Any]]:
    """Let a reply of the bot come to nothing, and return the message that it answers."""

    def fail(**fault: Any) -> dict[str, Any]:
        emulator.faults(fail_next=[SEND | fault])
        message = customer_writes("hello")
        run_worker()
        assert emulator.replies() == []
        return message

    return fail


@pytest.mark.parametrize(
    ("length", "said", "seconds"),
    [("30m", "until 2", 1801), ("2h", "until 2", 7201), ("open", "until somebody resumes it", 0)],
)
def test_the_bot_is_silent_for_as_long_as_it_is_paused(
    page, thread, emulator, customer_writes, run_worker, clock, actions, sid, length, said, seconds
):
    fields = page.form(f"/c/{sid}", "/pause")
    assert page.post(f"/c/{sid}/pause", fields | {"length": length}).location == f"/c/{sid}"
    assert f"The bot is silent here {said}" in thread(sid)
    assert "Bot: paused" in thread(sid)

    clock.advance(seconds - 10)
    customer_writes("order, please")
    run_worker()
    assert emulator.replies() == [REPLY]
    assert actions() == [("Maria", "paused the bot")]


def test_a_resumed_bot_answers_again(page, thread, emulator, customer_writes, run_worker, actions, sid):
    page.submit(f"/c/{sid}", "/pause")
    page.submit(f"/c/{sid}", "/resume")
    assert "The bot answers here again." in thread(sid)
    customer_writes("order, please")
    run_worker()

    assert emulator.replies() == [REPLY, "Please send your order number."]
    assert actions() == [("Maria", "paused the bot"), ("Maria", "resumed the bot")]


def test_a_pause_of_no_known_length_is_refused(page, actions, sid):
    assert page.post(f"/c/{sid}/pause", page.form(f"/c/{sid}", "/pause") | {"length": "9y"}).status_code == 400
    assert actions() == []


def test_closing_asks_first(page, emulator, actions, sid):
    html = page.get(f"/c/{sid}/close").text

    assert "Close this conversation?" in html
    assert [one for one in emulator.requests() if "State" in str(one["form"])] == []
    assert actions() == []


def test_a_closed_conversation_is_closed_at_twilio_and_here(page, thread, emulator, newest_action, in_twilio, sid):
    assert page.submit(f"/c/{sid}/close").location == f"/c/{sid}"

    assert in_twilio(sid) == "closed"
    assert "This conversation is closed" in thread(sid)
    row = newest_action()
    assert (row.actor, row.action, row.conversation_sid, row.detail) == ("Maria", "closed", sid, {"state": "done"})


def test_a_close_that_twilio_refuses_is_told_and_logged(page, thread, emulator, newest_action, in_twilio, sid):
    emulator.faults(fail_next=[{"method": "POST", "path_contains": f"/{sid}", "status": 503}])
    page.submit(f"/c/{sid}/close")

    assert "Not closed: Twilio has a fault" in thread(sid)
    assert newest_action().detail["state"] == "failed"
    assert in_twilio(sid) == "active"


@pytest.mark.parametrize(
    ("fault", "state"),
    [({"status": 400, "code": 50513}, "failed"), ({"status": 400, "code": 63016}, "suppressed")],
    ids=["failed", "suppressed"],
)
def test_a_reply_that_came_to_nothing_is_sent_again_once(
    page, emulator, run_worker, clock, failed, newest_action, fault, state
):
    message = failed(**fault)
    clock.advance(3)
    path = f"/c/{message['conversation_sid']}/resend/{message['message_sid']}"
    asked = page.get(path).text
    assert REPLY in asked
    assert f"{state}: " in asked

    page.submit(path)
    page.post(path, page.form("/audit", "/logout"))
    run_worker()

    assert emulator.replies() == [REPLY]
    row = newest_action()
    assert (row.action, row.subject, row.detail["was"]) == ("sent again", message["message_sid"], state)


def test_the_thread_leads_to_sending_a_failed_reply_again(thread, failed):
    message = failed(status=400, code=50513)

    assert f"/c/{message['conversation_sid']}/resend/{message['message_sid']}" in thread(message["conversation_sid"])


def test_a_reply_that_was_sent_is_not_sent_again(page, thread, emulator, actions, customer_writes, run_worker):
    message = customer_writes("hello")
    run_worker()
    sid = message["conversation_sid"]

    assert page.get(f"/c/{sid}/resend/{message['message_sid']}").status_code == 303
    assert "nothing of this reply is left to be sent" in thread(sid)
    assert actions() == []


def test_while_the_bot_is_paused_a_reply_is_not_sent_again(page, thread, failed, emulator, run_worker):
    message = failed(status=400, code=50513)
    sid = message["conversation_sid"]
    page.submit(f"/c/{sid}", "/pause")
    page.get(f"/c/{sid}/resend/{message['message_sid']}")
    run_worker()

    assert "let it speak again first" in thread(sid)
    assert emulator.replies() == []


def test_a_reply_of_another_conversation_is_not_found(page, failed, customer_writes, run_worker):
    message = failed(status=400, code=50513)
    elsewhere = customer_writes("hello", sender="+15550100002")["conversation_sid"]
    run_worker()

    assert page.get(f"/c/{elsewhere}/resend/{message['message_sid']}").status_code == 404


@pytest.mark.parametrize("path", ["answer", "pause", "resume", "close", "resend/IM1"])
@pytest.mark.parametrize("sid", ["CH" + "0" * 32, "..", "CH1%2f..%2fServices", "<script>", "CH%00"])
def test_in_a_conversation_that_is_not_known_nothing_can_be_done(page, emulator, actions, path, sid):
    token = page.form("/audit", "/logout")
    before = len(emulator.requests())

    answer = page.post(f"/c/{sid}/{path}", token | {"text": "x", "form": "0" * 32, "length": "30m"})

    assert answer.status_code in (404, 405)
    assert (len(emulator.requests()), actions()) == (before, [])


def test_what_was_done_is_shown_below_the_thread_and_in_the_log(page, thread, sid):
    page.submit(f"/c/{sid}", "/pause")
    page.submit(f"/c/{sid}", "/resume")

    assert thread(sid).index("resumed the bot") < thread(sid).index("paused the bot")
    log = page.get("/audit").text
    assert sid in log
    assert log.index("resumed the bot") < log.index("paused the bot") < log.index("logged in")
