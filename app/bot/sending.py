"""Sends the replies that are recorded, each once and in order; it decides none of them."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from datetime import timedelta

from app.bot import gates
from app.bot.context import HandlerContext
from app.bot.facts_loader import ReplyContext
from app.bot.recheck import Suppression, recheck_guards
from app.inbox.job import Reschedule
from app.store import actions, replies
from app.store.replies import StoredReply
from app.twilio_api import media
from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError
from app.twilio_api.form import is_sid
from app.twilio_api.look_up import MARKER, Sought

LOOK_UP_AFTER = timedelta(seconds=2)  # after a request without an answer, Twilio may need this long to store it
LEAVES_WITHIN = 15.0  # seconds after it was written down; the next try is at least twice as long after that
ON_ITS_WAY = "the earlier request may still be on its way"
# The recipient opted out, the conversation is closed or gone: nothing else is to be done either.
NOBODY_THERE = (21610, 50377, 20404, 50350)


def send_replies(occasion: ReplyContext, context: HandlerContext, *, is_retry: bool) -> list[str]:
    """Send what is written down and not yet sent; return one line for each, saying what became of it.

    A reply that an earlier attempt may have sent is first looked for at Twilio. Raises SendError, Reschedule.
    """
    lines = []
    for reply in replies.open_replies(context.tx, occasion.key):
        sent, line = _settle(reply, occasion, context, is_retry=is_retry)
        lines.append(line)
        if not sent:
            break  # the parts that would follow are not sent either
    return lines


def _settle(reply: StoredReply, occasion: ReplyContext, context: HandlerContext, *, is_retry: bool) -> tuple[bool, str]:
    """Send a reply, unless it was sent already or must not be sent any more; return whether it is sent, and a line."""
    try:
        if is_retry and (sid := _look_up(reply, occasion, context)):
            replies.record_sent(context.tx, reply, sid, context.job.now())
            return True, f"rule {reply.rule} -> {sid}, sent by an earlier attempt"
        if stop := recheck_guards(occasion, context):
            return False, _suppress_all(stop, reply, occasion, context)
        media_sid = _media_sid(reply, occasion, context)
        if media_sid != reply.media and (stop := recheck_guards(occasion, context)):  # the upload took its time
            return False, _suppress_all(stop, reply, occasion, context)
        return True, f"rule {reply.rule} -> {_send(reply, media_sid, occasion, context)}"
    except SendError as error:
        return False, _write_down(error, reply, occasion, context)


def _send(reply: StoredReply, media_sid: str, occasion: ReplyContext, context: HandlerContext) -> str:
    author = _author(reply, context)

    def request(twilio: Conversations) -> str:
        return twilio.send_message(
            occasion.conversation_sid,
            occasion.chat_service_sid,
            author=author,
            marker=_marker(reply),
            body=reply.body,
            media_sid=media_sid,
            content_sid=reply.content_sid,
            content_variables=reply.content_variables,
        )

    def failed(error: SendError) -> None:
        if not error.may_come_late:
            replies.record_refused(context.tx, reply)

    sid = gates.ask(
        request,
        occasion.conversation_sid,
        context,
        before=lambda: replies.record_try(context.tx, reply, context.job.now(), author=author),
        failed=failed,
        within=LEAVES_WITHIN,
    )
    replies.record_sent(context.tx, reply, sid, context.job.now())
    return sid


def _author(reply: StoredReply, context: HandlerContext) -> str:
    """Return the name to write under: that of an earlier try which may still arrive, so that one look-up finds both."""
    return reply.author if reply.author and reply.state == "sending" else context.policy.bot_author


def _media_sid(reply: StoredReply, occasion: ReplyContext, context: HandlerContext) -> str:
    """Return the media SID of a reply's file, "" for none; uploads it when no earlier attempt has."""
    if not reply.media or is_sid(reply.media, "ME"):
        return reply.media
    path = context.folder / reply.media
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SendError(f"the file {path.name} cannot be read ({error.strerror})", "give up") from error
    sid = gates.ask(
        lambda twilio: media.upload(twilio, occasion.chat_service_sid, content, content_type, path.name),
        occasion.conversation_sid,
        context,
    )
    replies.record_uploaded(context.tx, reply, sid)
    return sid


def _look_up(reply: StoredReply, occasion: ReplyContext, context: HandlerContext) -> str | None:
    """Return the MessageSid of a reply that an earlier attempt has sent, or None when another may be sent.

    Raises Reschedule while Twilio may still be storing it: each look waits for twice as long as the one before.
    """
    _wait_for_the_try(reply, context)
    conversation, sought = (occasion.conversation_sid, occasion.chat_service_sid), _sought(reply)
    found = gates.ask(
        lambda twilio: twilio.find_message(*conversation, sought, back_to=reply.reply_to),
        occasion.conversation_sid,
        context,
        only_reads=True,
    )
    sid = found.sid or _the_candidate(found.candidates, context)
    now = context.job.now()
    if sid is None and reply.tried_at and reply.not_again_before and now < reply.not_again_before:
        raise Reschedule(min(reply.not_again_before, now + (now - reply.tried_at)), ON_ITS_WAY)
    return sid


def _wait_for_the_try(reply: StoredReply, context: HandlerContext) -> None:
    """Raise Reschedule right after a try; Twilio needs a moment, and a human's message may come meanwhile."""
    if reply.tried_at is None:
        return
    now = context.job.now()
    if reply.tried_at > now + LOOK_UP_AFTER:
        replies.record_clock_set_back(context.tx, reply, now)
        raise Reschedule(now + LOOK_UP_AFTER, f"{ON_ITS_WAY}; the clock was set back")
    if now < reply.tried_at + LOOK_UP_AFTER:
        raise Reschedule(reply.tried_at + LOOK_UP_AFTER, ON_ITS_WAY)


def _sought(reply: StoredReply) -> Sought:
    return Sought(
        mark=(MARKER, _marker(reply)),
        author=reply.author,
        tried_at=reply.first_tried_at,
        body=reply.body,
        media_sid=reply.media,
        content_sid=reply.content_sid,
    )


def _the_candidate(candidates: Sequence[str], context: HandlerContext) -> str | None:
    """Return the only message that may be the reply, or None. Raises SendError for several: a human has to look."""
    known = replies.sent_as(context.tx, candidates) if candidates else set()
    unknown = [sid for sid in candidates if sid not in known]
    if len(unknown) > 1:
        raise SendError(
            f"uncertain: {len(unknown)} messages at Twilio may be this reply ({', '.join(unknown[:3])}), so it was not "
            "sent again; look at the thread and answer yourself if none of them is",
            "give up",
        )
    return unknown[0] if unknown else None


def _marker(reply: StoredReply) -> dict[str, object]:
    marker: dict[str, object] = {"reply_to": reply.reply_to, "n": reply.n}
    return marker | {"after": reply.timer_seconds} if reply.timer_seconds else marker


def _suppress_all(stop: Suppression, reply: StoredReply, occasion: ReplyContext, context: HandlerContext) -> str:
    """Write down that this reply and its further parts must not be sent, and whether the actions go with them."""
    for part in replies.open_replies(context.tx, occasion.key):
        replies.suppress(context.tx, part, stop.reason)
    if stop.human:
        actions.skip(context.tx, occasion.key, stop.reason)
    return f"rule {reply.rule} not sent: {stop.reason}"


def _write_down(error: SendError, reply: StoredReply, occasion: ReplyContext, context: HandlerContext) -> str:
    """Store what became of a reply that Twilio did not take; raises the error again where it is not final."""
    if error.decision == "suppress":
        return _suppress_all(Suppression(error.reason, error.code in NOBODY_THERE), reply, occasion, context)
    if is_final(error, context):
        replies.record_failed(context.tx, reply, error.reason)
    context.job.commit()
    raise error


def is_final(error: SendError, context: HandlerContext) -> bool:
    """Return whether this is the last attempt, until a person asks for another."""
    return error.decision == "give up" or (
        context.job.is_last_attempt and context.job.counts_as_attempt(error.asks_to_wait)
    )
