"""When we are open, when we next open, and quiet hours, by the clock on the wall, also when the clocks change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.business_hours import is_open, next_opening, quiet_until
from app.rules.loader import load

BERLIN = '[bot]\ntimezone = "Europe/Berlin"\n'
RULES = load(
    BERLIN + 'hours = { mon-fri = "09:00-17:30", sat = "10:00-12:00,13:00-14:00", sun = "22:00-06:00" }\n'
    'holidays = ["2026-12-25"]\n'
)

BERLIN_HOURS = [
    pytest.param("2026-11-23T07:59:59Z", False, id="a second before we open"),
    pytest.param("2026-11-23T08:00:00Z", True, id="winter morning, 09:00 is 08:00 UTC"),
    pytest.param("2026-07-06T07:00:00Z", True, id="summer morning, 09:00 is 07:00 UTC"),
    pytest.param("2026-07-06T15:30:00Z", False, id="summer evening, closed from 17:30 sharp"),
    pytest.param("2026-11-28T11:30:00Z", False, id="between two spans of a Saturday"),
    pytest.param("2026-11-28T12:30:00Z", True, id="second span of a Saturday"),
    pytest.param("2026-11-22T21:00:00Z", True, id="Sunday night before midnight"),
    pytest.param("2026-11-23T04:59:00Z", True, id="Sunday's night goes on into Monday"),
    pytest.param("2026-11-23T05:00:00Z", False, id="Sunday's night is over"),
    pytest.param("2026-12-25T11:00:00Z", False, id="holiday at noon"),
    pytest.param("2026-12-24T23:30:00Z", False, id="holiday begins at local midnight"),
    pytest.param("2026-03-29T20:00:00Z", True, id="clocks went forward: 22:00 is 20:00 UTC"),
    pytest.param("2026-03-29T19:59:00Z", False, id="clocks went forward: 21:59"),
    pytest.param("2026-10-25T20:59:00Z", False, id="clocks went back: 21:59"),
    pytest.param("2026-10-25T21:00:00Z", True, id="clocks went back: 22:00 is 21:00 UTC"),
]


@pytest.mark.parametrize(("moment", "opened"), BERLIN_HOURS)
def test_opening_hours_follow_the_clock_on_the_wall(moment, opened):
    assert is_open(RULES.bot, datetime.fromisoformat(moment)) is opened


NIGHT_SHIFT = load('[bot]\ntimezone = "Europe/Berlin"\nhours = { sat = "22:00-04:00" }\nholidays = ["2026-06-06"]')


@pytest.mark.parametrize(
    ("moment", "opened"),
    [
        pytest.param("2026-03-29T01:59:00Z", True, id="forward: 03:59 comes an hour early"),
        pytest.param("2026-03-29T02:00:00Z", False, id="forward: 04:00"),
        pytest.param("2026-10-25T01:30:00Z", True, id="back: 02:30 for the second time"),
        pytest.param("2026-10-25T02:59:00Z", True, id="back: 03:59 comes an hour late"),
        pytest.param("2026-10-25T03:00:00Z", False, id="back: 04:00"),
        pytest.param("2026-06-07T01:00:00Z", False, id="a shift of a holiday does not run on after midnight"),
    ],
)
def test_a_night_shift_ends_by_the_wall_clock_when_the_clocks_change(moment, opened):
    assert is_open(NIGHT_SHIFT.bot, datetime.fromisoformat(moment)) is opened


OPENINGS = [
    pytest.param("2026-11-23T07:00:00Z", "2026-11-23T09:00:00+01:00", id="in an hour"),
    pytest.param("2026-11-23T08:00:00Z", "2026-11-24T09:00:00+01:00", id="open now: the next one"),
    pytest.param("2026-11-27T17:00:00Z", "2026-11-28T10:00:00+01:00", id="after Friday"),
    pytest.param("2026-11-28T11:30:00Z", "2026-11-28T13:00:00+01:00", id="after lunch"),
    pytest.param("2026-11-28T14:00:00Z", "2026-11-29T22:00:00+01:00", id="Sunday night"),
    pytest.param("2026-12-24T17:00:00Z", "2026-12-26T10:00:00+01:00", id="after a holiday"),
    pytest.param("2026-03-28T20:00:00Z", "2026-03-29T22:00:00+02:00", id="clocks go forward in between"),
    pytest.param("2026-10-24T20:00:00Z", "2026-10-25T22:00:00+01:00", id="clocks go back in between"),
]


@pytest.mark.parametrize(("moment", "opening"), OPENINGS)
def test_the_next_opening_is_known(moment, opening):
    found = next_opening(RULES.bot, datetime.fromisoformat(moment))

    assert found is not None
    assert found.isoformat() == opening


@pytest.mark.parametrize(
    ("bot", "opening"),
    [
        pytest.param("", None, id="always open"),
        pytest.param('holidays = ["2026-11-23"]', "2026-11-24T00:00:00+01:00", id="open again after a holiday"),
        pytest.param('hours = { mon-sun = "00:00-24:00" }', None, id="open day and night"),
        pytest.param(
            'hours = { mon = "00:00-24:00", tue = "00:00-09:00" }', "2026-11-30T00:00:00+01:00", id="one span"
        ),
        pytest.param(
            'hours = { mon = "09:00-10:00" }\nholidays = ["2026-11-23", "2026-11-30", "2026-12-07"]',
            None,
            id="not within two weeks",
        ),
    ],
)
def test_the_next_opening_can_be_far_or_never(bot, opening):
    found = next_opening(load(BERLIN + bot).bot, datetime(2026, 11, 23, 11, tzinfo=UTC))

    assert (found and found.isoformat()) == opening


def test_an_opening_that_the_clocks_jump_over_is_the_jump():
    bot = load(BERLIN + 'hours = { sun = "02:30-12:00" }').bot

    found = next_opening(bot, datetime(2026, 3, 28, 12, tzinfo=UTC))

    assert found == datetime(2026, 3, 29, 1, tzinfo=UTC)


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
NIGHTS = load(BERLIN + 'hours = { mon-sun = "02:15-02:45,23:30-01:30" }')


@given(MOMENTS, st.sampled_from([RULES, NIGHTS]))
def test_we_are_open_at_the_next_opening_and_closed_just_before(moment, rules):
    opening = next_opening(rules.bot, moment)

    assert opening is not None
    assert opening > moment
    assert is_open(rules.bot, opening)
    assert not is_open(rules.bot, opening.astimezone(UTC) - timedelta(seconds=1))


QUIET = [
    pytest.param("2026-11-23T20:59:59Z", "sms", None, id="a second before"),
    pytest.param("2026-11-23T21:00:00Z", "sms", "2026-11-24T07:00:00+01:00", id="22:00"),
    pytest.param("2026-11-23T21:00:00Z", "chat", None, id="another channel"),
    pytest.param("2026-11-24T05:59:59Z", "whatsapp", "2026-11-24T07:00:00+01:00", id="06:59"),
    pytest.param("2026-11-24T06:00:00Z", "sms", None, id="07:00"),
    pytest.param("2026-11-23T12:10:00Z", "sms", "2026-11-23T13:30:00+01:00", id="at noon"),
    pytest.param("2026-12-25T12:10:00Z", "sms", "2026-12-25T13:30:00+01:00", id="on a holiday as well"),
    pytest.param("2026-03-28T21:00:00Z", "sms", "2026-03-29T07:00:00+02:00", id="clocks go forward: an hour less"),
    pytest.param("2026-03-29T04:59:59Z", "sms", "2026-03-29T07:00:00+02:00", id="clocks went forward: 06:59"),
    pytest.param("2026-03-29T05:00:00Z", "sms", None, id="clocks went forward: 07:00"),
    pytest.param("2026-10-24T20:00:00Z", "sms", "2026-10-25T07:00:00+01:00", id="clocks go back: an hour more"),
    pytest.param("2026-10-25T00:30:00Z", "sms", "2026-10-25T07:00:00+01:00", id="clocks go back: 02:30"),
    pytest.param("2026-10-25T01:30:00Z", "sms", "2026-10-25T07:00:00+01:00", id="clocks go back: 02:30 again"),
    pytest.param("2026-10-25T05:59:59Z", "sms", "2026-10-25T07:00:00+01:00", id="clocks went back: 06:59"),
    pytest.param("2026-10-25T06:00:00Z", "sms", None, id="clocks went back: 07:00"),
]


@pytest.mark.parametrize(("moment", "channel", "end"), QUIET)
def test_quiet_hours_follow_the_clock_on_the_wall(moment, channel, end):
    quiet = 'quiet_hours = { between = "22:00-07:00,13:00-13:30", channel = ["sms", "WhatsApp"] }'

    found = quiet_until(load(BERLIN + quiet).bot, channel, datetime.fromisoformat(moment))

    assert (found and found.isoformat()) == end


def test_quiet_hours_without_a_channel_hold_for_all():
    bot = load('[bot]\nquiet_hours = { between = "00:00-24:00" }').bot

    assert quiet_until(bot, "chat", datetime(2026, 11, 23, 12, tzinfo=UTC)) == datetime(2026, 11, 24, tzinfo=UTC)
