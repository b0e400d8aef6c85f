"""Plans a message of an operator: participants, channels, and whether all of them can receive it.

Nothing is sent or uploaded here. A plan is what messages.send() sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.db.database import Database
from app.operations import channel_limits, conversations, media, validation
from app.operations.account import Account
from app.operations.channel_limits import Channels
from app.operations.media import MediaFile
from app.operations.participants import list_participants
from app.operations.safe_download import Guard, guard_at
from app.operations.validation import Refused
from app.operations.whatsapp_window import check_window

MOST_MEDIA = 10
Document = dict[str, Any]


@dataclass(frozen=True)
class Draft:
    """What an operator wants to send; a media is a path, a URL or a media SID.

    Without an author it is `default_author`, in a group MMS our own number there.
    """

    body: str = ""
    author: str = ""
    default_author: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    subject: str = ""
    media: tuple[str, ...] = ()
    content_sid: str = ""
    content_variables: str = ""


@dataclass(frozen=True)
class Part:
    """One message to be: a text, a file, or both."""

    body: str = ""
    file: MediaFile | None = None


@dataclass(frozen=True)
class MessagePlan:
    """A draft that can be sent: where, by whom, as which messages, and what the sender should know."""

    conversation_sid: str
    service_sid: str
    author: str
    draft: Draft
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()


def plan(
    account: Account,
    conversation: str,
    draft: Draft,
    *,
    db: Database | None,
    now: datetime,
    guard: Guard | None = None,
    force: bool = False,
) -> MessagePlan:
    """Return how a draft will be sent, after looking at who is in the conversation. Raises Refused, SendError.

    `force` sends what some phone will not get: a file it cannot show, or text outside WhatsApp's window.
    """
    name = validation.conversation(conversation)
    _check(draft)
    local = {text: media.from_path(text) for text in draft.media if media.is_path(text)}
    found = conversations.fetch(account, name)
    if found["state"] == "closed":
        raise Refused(f"{found['sid']} is closed, which is final; create a new conversation")
    author, reached = _author(draft, list_participants(account, str(found["sid"])))
    ready = MessagePlan(str(found["sid"]), str(found["chat_service_sid"]), author, draft, ())
    channel_limits.check_author(reached, author)
    channel_limits.check_text(reached, draft.body)
    if not (draft.content_sid or force):
        check_window(account, ready.conversation_sid, reached.whatsapp, db=db, now=now)
    guard = guard or guard_at(account.twilio.base_url)
    guard = guard if force else replace(guard, most_bytes=min(guard.most_bytes, reached.most_bytes))
    files = [local.get(text) or _elsewhere(account, ready.service_sid, text, guard) for text in draft.media]
    parts = _parts(draft, files)
    for part in parts:
        if part.file and not force:
            channel_limits.check_file(reached, part.file, len(part.body.encode()))
    return replace(ready, parts=parts, notes=_notes(parts))


def _check(draft: Draft) -> None:
    """Raise Refused for what is wrong whoever is in the conversation."""
    if not (draft.body.strip() or draft.media or draft.content_sid):
        raise Refused("there is nothing to send; give --body, --media or --content-sid")
    if len(draft.media) > MOST_MEDIA:
        raise Refused(f"{len(draft.media)} media are too many at once; give at most {MOST_MEDIA}")
    given = [text for text in draft.media if media.is_media_sid(text)]
    if twice := {sid for sid in given if given.count(sid) > 1}:
        raise Refused(f"{min(twice)} is given twice; a media can be in one message only")
    for url in filter(media.is_url, draft.media):
        validation.web_url(url)
    for text, what in ((draft.author, "the author"), (draft.subject, "the subject")):
        if text:
            validation.name(text, what)
    validation.as_json(draft.attributes, validation.OTHER_ATTRIBUTES)
    _check_template(draft)


def _check_template(draft: Draft) -> None:
    """Raise Refused for a template that Twilio would fill in wrongly, or in place of what else was given."""
    validation.content_variables(draft.content_variables, draft.content_sid)
    if not draft.content_sid:
        return
    validation.sid("HX", draft.content_sid)
    if draft.body or draft.media:
        raise Refused(
            "a template brings its own text and media, and Twilio would drop yours; leave out --body and --media"
        )


def _author(draft: Draft, participants: list[Document]) -> tuple[str, Channels]:
    author = draft.author or draft.default_author
    reached = channel_limits.channels_of(participants, author)
    if reached.is_group and not draft.author and reached.own_name:
        author = reached.own_name
        reached = channel_limits.channels_of(participants, author)
    return author, reached


def _elsewhere(account: Account, service_sid: str, text: str, guard: Guard) -> MediaFile:
    if media.is_media_sid(text):
        return media.from_media_sid(account, service_sid, text)
    return media.from_url(text, guard)


def _parts(draft: Draft, files: list[MediaFile]) -> tuple[Part, ...]:
    """Return the messages to send: a message carries one media, and the text goes with the first.

    Source: conversations-classic/conversations-limits, read 2026-11-22: of several media in one message a phone
    gets one, and the text is dropped.
    """
    if not files:
        return (Part(draft.body),)
    return (Part(draft.body, files[0]), *(Part("", file) for file in files[1:]))


def _notes(parts: tuple[Part, ...]) -> tuple[str, ...]:
    if len(parts) < 2:
        return ()
    text = ", the text goes with the first" if parts[0].body else ""
    return (f"{len(parts)} media become {len(parts)} messages{text}: a phone gets one media with a message",)
