"""Events find their one handler by class."""

from dataclasses import dataclass

import pytest

from app.inbox.dispatch import dispatch


@dataclass(frozen=True)
class DoorOpened:
    room: str


class GardenDoorOpened(DoorOpened):
    pass


def switch_light_on(event: DoorOpened, bot: str) -> str:
    return f"{bot}: light on in {event.room}"


def trip(event: DoorOpened, bot: str) -> str:
    raise OSError(f"the lamp in the {event.room} is gone")


def test_an_event_is_answered_by_the_handler_of_its_class():
    handlers = {GardenDoorOpened: trip, DoorOpened: switch_light_on}

    assert dispatch(DoorOpened("attic"), "house", handlers) == "house: light on in attic"


def test_an_event_without_a_handler_gets_none():
    assert dispatch(DoorOpened("attic"), "house", {}) is None


def test_a_subclass_does_not_inherit_a_handler():
    assert dispatch(GardenDoorOpened("garden"), "house", {DoorOpened: switch_light_on}) is None


def test_what_a_handler_raises_reaches_the_caller():
    with pytest.raises(OSError, match="the lamp in the attic is gone"):
        dispatch(DoorOpened("attic"), "house", {DoorOpened: trip})
