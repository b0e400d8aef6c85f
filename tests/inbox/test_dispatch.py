"""Events find their one handler by class."""

from dataclasses import dataclass

import pytest

from app.inbox.dispatch import Handler, dispatch, handler_for, handles


@dataclass(frozen=True)
class DoorOpened:
    room: str


class GardenDoorOpened(DoorOpened):
    pass


@pytest.fixture
def registry() -> dict[type, Handler]:
    return {}


def test_an_event_is_answered_by_the_handler_of_its_class(registry):
    @handles(DoorOpened, registry)
    def switch_light_on(event: DoorOpened, bot: str) -> str:
        return f"{bot}: light on in {event.room}"

    assert dispatch(DoorOpened("attic"), "house", registry) == "house: light on in attic"
    assert handler_for(DoorOpened("attic"), registry) is switch_light_on


def test_an_event_without_a_handler_gets_none(registry):
    assert dispatch(DoorOpened("attic"), "house", registry) is None
    assert handler_for(DoorOpened("attic"), registry) is None


def test_a_subclass_does_not_inherit_a_handler(registry):
    @handles(DoorOpened, registry)
    def switch_light_on(event: DoorOpened, bot: str) -> str:
        return "on"

    assert dispatch(GardenDoorOpened("garden"), "house", registry) is None


def test_a_second_handler_for_a_class_is_an_error_that_names_both(registry):
    @handles(DoorOpened, registry)
    def switch_light_on(event: DoorOpened, bot: str) -> str:
        return "on"

    def ring_bell(event: DoorOpened, bot: str) -> str:
        return "ding"

    with pytest.raises(ValueError, match=r"DoorOpened has two handlers: .*switch_light_on and .*ring_bell"):
        handles(DoorOpened, registry)(ring_bell)

    assert dispatch(DoorOpened("attic"), "house", registry) == "on"


def test_what_a_handler_raises_reaches_the_caller(registry):
    @handles(DoorOpened, registry)
    def trip(event: DoorOpened, bot: str) -> str:
        raise OSError("the lamp is gone")

    with pytest.raises(OSError, match="the lamp is gone"):
        dispatch(DoorOpened("attic"), "house", registry)


def test_a_handler_with_a_registry_of_its_own_is_unknown_to_everyone_else(registry):
    @handles(DoorOpened, registry)
    def switch_light_on(event: DoorOpened, bot: str) -> str:
        return "on"

    assert handler_for(DoorOpened("attic")) is None
