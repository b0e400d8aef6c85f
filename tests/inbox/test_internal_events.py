"""Events of our own: they come out of the inbox as they went in, and no webhook can be one."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from app.inbox import internal_events
from app.inbox.internal_events import METHOD, FollowUpDue, TimerEnded
from app.twilio_api import events, parsing
from app.twilio_api import form as form_module

WAITING_SINCE = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
WAIT = {
    "conversation_sid": "CH" + "1" * 32,
    "chat_service_sid": "IS" + "2" * 32,
    "message_sid": "IM" + "3" * 32,
    "waiting_since": WAITING_SINCE,
    "seconds": 300,
    "was_first_contact": True,
}


@pytest.mark.parametrize("event", [TimerEnded(**WAIT), FollowUpDue(**WAIT), TimerEnded(seconds=1)], ids=repr)
def test_an_event_comes_back_as_it_was_stored(event):
    read = internal_events.read(METHOD, "", internal_events.body_of(event))

    assert (type(read), read) == (type(event), event)


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("event", [TimerEnded(**WAIT), FollowUpDue(**WAIT)], ids=lambda event: event.event_type)
def test_what_came_through_the_door_is_never_one_of_ours(method, event):
    body = internal_events.body_of(event)
    read = internal_events.read(method, "/conversations/webhook?" + body.decode(), body)

    assert isinstance(read, events.UnknownEvent)


def test_a_webhook_that_names_a_type_of_ours_takes_no_key_of_ours():
    event = TimerEnded(**WAIT)
    form = form_module.read_form("POST", "", internal_events.body_of(event))

    assert parsing.identity(form).event_key != internal_events.event_key(event)


def test_a_type_of_ours_that_is_not_there_yet_is_an_unknown_event():
    read = internal_events.read(METHOD, "", urlencode({"EventType": "parley.next_version"}).encode())

    assert isinstance(read, events.UnknownEvent)
