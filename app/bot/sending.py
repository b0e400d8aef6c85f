"""Sends the replies that are written down, each once, in their order; it decides none of them."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from app.bot.context import Bot
from app.bot.facts_loader import Occasion, Silence, silence
from app.inbox.job import Postponed
from app.store import actions, rate_limits, replies
from app.store.replies import Reply
from app.twilio_api import media
from app.twilio_api.errors import SendError
from app.twilio_api.look_up import MARKER, Sought

LOOK_UP_AFTER = timedelta(seconds=2)  # after a request without an answer, Twilio may need this long to store it
GATE_CLOSED_FOR = timedelta(seconds=1)  # after a 429 without Retry-After
_BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)  # where the clock was set back, what is newer than the message counts
# The recipient opted out, the conversation is closed or gone: nothing else is to be done either.
NOBODY_THERE = (21610, 50377, 20404, 50350)


def send_replies(occasion: Occasion, bot: Bot, *, met_again: bool) -> list[str]:
    """Send what is written down and not yet sent; return one line for each, saying what became of it.

    A reply that an earlier attempt may have sent is first looked for at Twilio. Raises SendError, Postponed.
    """
    sid, after = occasion.message.message_sid, occasion.timer_seconds
    lines = []
    for reply in replies.open_replies(bot.tx, sid, timer_seconds=after):
        sent, line = _settle(reply, occasion, bot, met_again=met_again)
        lines.append(line)
        if not sent:
            break  # the parts that would follow are not sent either
    return lines


def _settle(reply: Reply, occasion: Occasion, bot: Bot, *, met_again: bool) -> tuple[bool, str]:
    """Send a reply, unless it was sent already or must not be sent any more; return whether it is sent, and a line."""
    try:
        if met_again and (sid := _look_up(reply, occasion, bot)):
            replies.note_sent(bot.tx, reply, sid, bot.work.now())
            return True, f"rule {reply.rule} -> {sid}, sent by an earlier attempt"
        if stop := silence(occasion, bot):
            return False, _suppress_all(stop, reply, occasion, bot)
        wait_for_gate(occasion.conversation_sid, bot)
        media_sid = _media_sid(reply, occasion, bot)
        if media_sid != reply.media and (stop := silence(occasion, bot)):  # the upload took its time
            return False, _suppress_all(stop, reply, occasion, bot)
        return True, f"rule {reply.rule} -> {_send(reply, media_sid, occasion, bot)}"
    except SendError as error:
        return False, _write_down(error, reply, occasion, bot)


def wait_for_gate(conversation_sid: str, bot: Bot) -> None:
    """Raise Postponed while Twilio wants no request about this conversation."""
    if opens_at := rate_limits.opens_at(bot.tx, conversation_sid, bot.work.now()):
        raise Postponed(opens_at, "Twilio asked us to wait")


def _send(reply: Reply, media_sid: str, occasion: Occasion, bot: Bot) -> str:
    author = _author(reply, bot)
    replies.note_try(bot.tx, reply, bot.work.now(), author=author)
    bot.work.commit()  # on disk before Twilio hears of it
    with bot.work.away():
        sid = bot.twilio.send_message(
            occasion.conversation_sid,
            occasion.chat_service_sid,
            author=author,
            marker=_marker(reply),
            body=reply.body,
            media_sid=media_sid,
            content_sid=reply.content_sid,
            content_variables=reply.content_variables,
        )
    replies.note_sent(bot.tx, reply, sid, bot.work.now())
    return sid


def _author(reply: Reply, bot: Bot) -> str:
    """Return the name to write under: that of an earlier try which may still arrive, so that one look-up finds both."""
    return reply.author if reply.author and reply.state == "sending" else bot.policy.bot_author


def _media_sid(reply: Reply, occasion: Occasion, bot: Bot) -> str:
    """Return the media SID of a reply's file, "" for none; uploads it when no earlier attempt has."""
    if not reply.media or re.fullmatch("ME[0-9a-fA-F]{32}", reply.media):
        return reply.media
    path = bot.folder / reply.media
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SendError(f"the file {path.name} cannot be read ({type(error).__name__})", "give up") from error
    bot.work.commit()
    with bot.work.away():
        sid = media.upload(bot.twilio, occasion.chat_service_sid, content, content_type, path.name)
    replies.note_uploaded(bot.tx, reply, sid)
    return sid


def _look_up(reply: Reply, occasion: Occasion, bot: Bot) -> str | None:
    """Return the MessageSid of a reply that an earlier attempt has sent, or None."""
    if reply.tried_at and bot.work.now() < reply.tried_at + LOOK_UP_AFTER:
        raise Postponed(reply.tried_at + LOOK_UP_AFTER, "the earlier request may still be on its way")
    bot.work.commit()
    with bot.work.away():
        found = bot.twilio.find_message(
            occasion.conversation_sid, occasion.chat_service_sid, _sought(reply, bot.work.now()), back_to=reply.reply_to
        )
    return found.sid or _the_candidate(found.candidates, bot)


def _sought(reply: Reply, now: datetime) -> Sought:
    return Sought(
        mark=(MARKER, _marker(reply)),
        author=reply.author,
        tried_at=_BEFORE_ALL if reply.first_tried_at and reply.first_tried_at > now else reply.first_tried_at,
        body=reply.body,
        media_sid=reply.media,
        content_sid=reply.content_sid,
    )


def _the_candidate(candidates: Sequence[str], bot: Bot) -> str | None:
    """Return the only message that may be the reply, or None. Raises SendError for several: a human has to look."""
    known = replies.sent_as(bot.tx, candidates) if candidates else set()
    unknown = [sid for sid in candidates if sid not in known]
    if len(unknown) > 1:
        raise SendError(
            f"uncertain: {len(unknown)} messages at Twilio may be this reply ({', '.join(unknown[:3])}), so it was not "
            "sent again; look at the thread and answer yourself if none of them is",
            "give up",
        )
    return unknown[0] if unknown else None


def _marker(reply: Reply) -> dict[str, object]:
    marker: dict[str, object] = {"reply_to": reply.reply_to, "n": reply.n}
    return marker | {"after": reply.timer_seconds} if reply.timer_seconds else marker


def _suppress_all(stop: Silence, reply: Reply, occasion: Occasion, bot: Bot) -> str:
    """Write down that this reply and its further parts must not be sent, and whether the actions go with them."""
    sid, after = occasion.message.message_sid, occasion.timer_seconds
    for part in replies.open_replies(bot.tx, sid, timer_seconds=after):
        replies.suppress(bot.tx, part, stop.reason)
    if stop.human:
        actions.skip(bot.tx, sid, stop.reason, timer_seconds=after)
    return f"rule {reply.rule} not sent: {stop.reason}"


def _write_down(error: SendError, reply: Reply, occasion: Occasion, bot: Bot) -> str:
    """Store what became of a reply that Twilio did not take; raises the error again where it is not final."""
    if error.decision == "suppress":
        return _suppress_all(Silence(error.reason, error.code in NOBODY_THERE), reply, occasion, bot)
    if is_final(error, bot):
        replies.note_failed(bot.tx, reply, error.reason)
    close_gate(error, occasion.conversation_sid, bot)
    bot.work.commit()
    raise error


def is_final(error: SendError, bot: Bot) -> bool:
    """Return whether this is the last attempt, until a person asks for another."""
    return error.decision == "give up" or (bot.work.is_last_attempt and bot.work.is_spent_by(error.asks_to_wait))


def close_gate(error: SendError, conversation_sid: str, bot: Bot) -> None:
    """Let nobody send there, or for the account, until the time that Twilio asked for, if it did."""
    if error.scope:
        scope = rate_limits.ACCOUNT if error.scope == "account" else conversation_sid
        rate_limits.close(bot.tx, scope, error.retry_after or GATE_CLOSED_FOR, bot.work.now())
