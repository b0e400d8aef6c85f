"""Business hours, holidays and quiet hours in the bot's time zone: open or closed, and when next open."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from app.rules.schema import BotSettings
from app.rules.values import Span

DAYS_AHEAD = 14  # how far an opening is looked for
MOST_ENDS = 6  # an opening may lie in quiet hours, whose end may lie outside the opening hours, and so on
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
WHOLE_DAY: Span = (0, 1440)


def is_open(bot: BotSettings, now: datetime) -> bool:
    """Return whether the opening hours hold at `now` (aware).

    A holiday is closed all day, and a span that would begin on it does not run on after midnight either.
    """
    local = now.astimezone(bot.timezone)
    today, minute = local.date(), local.hour * 60 + local.minute
    if bot.hours is None or today in bot.holidays:
        return today not in bot.holidays
    return any(start <= minute < end or end <= start <= minute for start, end in _spans(bot, today)) or any(
        end <= start and minute < end for start, end in _spans(bot, today - DAY)
    )


def next_opening(bot: BotSettings, now: datetime) -> datetime | None:
    """Return when closed next turns into open, in local time; None: always open, or not within two weeks."""
    if bot.hours is None and not bot.holidays:
        return None
    today = now.astimezone(bot.timezone).date()
    days = (today + n * DAY for n in range(DAYS_AHEAD + 1))
    later = (moment for day in days for moment in _openings(bot, day) if moment > now.astimezone(UTC))
    opening = next(later, None)
    return opening.astimezone(bot.timezone) if opening else None


def quiet_until(bot: BotSettings, channel: str, now: datetime) -> datetime | None:
    """Return when the quiet hours of this channel end, in local time, or None when there are none at `now`."""
    quiet = bot.quiet_hours
    if quiet is None or (quiet.channel is not None and channel not in quiet.channel):
        return None
    ends = (_end_within(span, now.astimezone(bot.timezone)) for span in quiet.between)
    return max(filter(None, ends), default=None)


def silence_ends(bot: BotSettings, channel: str, start: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield, in UTC, when quiet hours end or we open, each with why one waits for it, until neither is waited for."""
    for _ in range(MOST_ENDS):
        quiet_end = quiet_until(bot, channel, start)
        end = quiet_end or (None if is_open(bot, start) else next_opening(bot, start))
        if end is None:
            return
        start = end.astimezone(UTC)
        yield start, "quiet hours" if quiet_end else "we are closed"


def _openings(bot: BotSettings, day: date) -> list[datetime]:
    """Return the moments of a day, in UTC and in order, at which closed turns into open."""
    moments = {_moment(day, start, fold, bot.timezone) for start, _ in _spans(bot, day) for fold in (0, 1)}
    return sorted(moment for moment in moments if is_open(bot, moment) and not is_open(bot, moment - MINUTE))


def _moment(day: date, minute: int, fold: int, zone: tzinfo) -> datetime:
    """Return, in UTC, when the wall clock reaches this minute; where it jumps over it, the moment of the jump."""
    wall = datetime.combine(day, time(minute // 60, minute % 60, fold=fold))
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    while fold == 0 and (moment - MINUTE).astimezone(zone).replace(tzinfo=None) >= wall:
        moment -= MINUTE
    return moment


def _end_within(span: Span, local: datetime) -> datetime | None:
    (start, end), minute = span, local.hour * 60 + local.minute
    if start <= minute < end or (end <= start and minute < end):
        return _midnight(local) + timedelta(minutes=end)
    return _midnight(local) + DAY + timedelta(minutes=end) if end <= start <= minute else None


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _spans(bot: BotSettings, day: date) -> tuple[Span, ...]:
    if day in bot.holidays:
        return ()
    return bot.hours[day.weekday()] if bot.hours is not None else (WHOLE_DAY,)
