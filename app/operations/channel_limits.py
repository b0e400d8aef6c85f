"""What the channels of a conversation can carry, so that nothing is sent that a phone would never show.

Twilio stores such messages all the same: a chat client sees them, the phone gets nothing and nobody is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.common.quoting import quoted
from app.operations.file_types import AMR, JPG, MP3, MP4, MP4_AUDIO, PDF, PNG, VCARD, FileType
from app.operations.media import MOST_BYTES, MediaFile
from app.operations.safe_download import MEGABYTE, in_megabytes
from app.operations.validation import Refused

# Source: conversations-classic/conversations-limits, read 2026-11-22.
PHONE_CHARACTERS = 1600
CHAT_BYTES = 32 * 1024
_SMS_TYPES = (JPG, PNG, MP3, AMR, MP4, MP4_AUDIO, PDF)
_SMS_BYTES = 5 * MEGABYTE - 1  # "less than 5 MB"
# Source: docs/whatsapp/guidance-whatsapp-media-messages and messaging/guides/accepted-mime-types, read 2026-11-22.
_WHATSAPP_TYPES = (JPG, PNG, PDF, VCARD, MP3, AMR, MP4, MP4_AUDIO)
_WHATSAPP_BYTES, _WHATSAPP_IMAGE_BYTES = 16 * MEGABYTE, 5 * MEGABYTE
Participant = Mapping[str, Any]


@dataclass(frozen=True)
class Channels:
    """By which channels a conversation reaches somebody else than the author, beside the chat."""

    sms: bool = False
    whatsapp: tuple[Participant, ...] = ()
    is_group: bool = False
    names: frozenset[str] = frozenset()
    own_name: str = ""

    @property
    def has_phones(self) -> bool:
        """Whether somebody gets the message on a phone."""
        return self.sms or bool(self.whatsapp)

    @property
    def most_bytes(self) -> int:
        """Return how large a file may be that everybody gets."""
        return _SMS_BYTES if self.sms else _WHATSAPP_BYTES if self.whatsapp else MOST_BYTES


def channels_of(participants: Sequence[Participant], author: str) -> Channels:
    """Return the channels of these participants; who has the author's name gets no copy."""
    bindings = [(one, one.get("messaging_binding") or {}) for one in participants]
    others = [(one, binding) for one, binding in bindings if author not in _names(one)]
    projected = [one for one, binding in bindings if binding.get("projected_address")]
    return Channels(
        sms=any(_kind(binding) == "sms" for _, binding in others),
        whatsapp=tuple(one for one, binding in others if _kind(binding) == "whatsapp"),
        is_group=bool(projected),
        names=frozenset(name for one in participants for name in _names(one)),
        own_name=_own_name(projected[0]) if projected else "",
    )


def check_text(channels: Channels, body: str) -> None:
    """Raise Refused for a text that is too long for one of the channels."""
    if channels.has_phones and len(body) > PHONE_CHARACTERS:
        raise Refused(
            f"the text has {len(body):,} characters, and SMS and WhatsApp take {PHONE_CHARACTERS:,}; "
            "shorten it, or send it in several messages"
        )
    size = len(body.encode("utf-8", "replace"))
    if size > CHAT_BYTES:
        raise Refused(f"the text has {size:,} bytes, and a chat takes {CHAT_BYTES:,}; send it as a file with --media")


def check_author(channels: Channels, author: str) -> None:
    """Raise Refused when a group MMS does not have this author among its participants.

    Source: api/errors/50513, read 2026-11-22.
    """
    if channels.is_group and author not in channels.names:
        raise Refused(
            f"in a group MMS the author must be one of the participants, and {quoted(author)} is not; "
            f"use --author {channels.own_name or '+1...'}"
        )


def check_file(channels: Channels, file: MediaFile, text_bytes: int = 0) -> None:
    """Raise Refused for a file, or a file with the text beside it, that one of the channels does not carry."""
    if channels.sms:
        _must_be_one_of(file, _SMS_TYPES, "SMS")
        _must_be_small(file, _SMS_BYTES - text_bytes, "SMS takes less than 5 MB in total")
    if channels.whatsapp:
        _must_be_one_of(file, _WHATSAPP_TYPES, "WhatsApp")
        is_image = file.kind in (JPG, PNG)
        most = _WHATSAPP_IMAGE_BYTES if is_image else _WHATSAPP_BYTES
        _must_be_small(file, most, f"WhatsApp takes {in_megabytes(most)}{' for an image' if is_image else ''}")
    _must_be_small(file, MOST_BYTES, f"a chat takes {in_megabytes(MOST_BYTES)}")


def _must_be_one_of(file: MediaFile, kinds: Sequence[FileType], channel: str) -> None:
    if file.kind not in kinds:
        known = ", ".join(dict.fromkeys(kind.label for kind in kinds))
        what = file.kind.label if file.kind else file.content_type or "of no known type"
        raise Refused(
            f"{quoted(file.filename)} is {what}, and {channel} carries {known} only; convert it, send a "
            "link to it, or give --force if the chat alone shall have it"
        )


def _must_be_small(file: MediaFile, most: int, rule: str) -> None:
    if file.size > most:
        raise Refused(
            f"{quoted(file.filename)} has {in_megabytes(file.size)}, and {rule}; make it smaller, send a "
            "link to it, or give --force if the chat alone shall have it"
        )


def _names(participant: Participant) -> tuple[str, ...]:
    binding = participant.get("messaging_binding") or {}
    found = (participant.get("identity"), binding.get("address"), binding.get("projected_address"))
    return tuple(str(name) for name in found if name)


def _own_name(participant: Participant) -> str:
    """Return the author's name of our own number in a group: its identity, else the projected address."""
    binding = participant.get("messaging_binding") or {}
    return str(participant.get("identity") or binding.get("projected_address") or "")


def _kind(binding: Mapping[str, Any]) -> str:
    """Return the channel of a binding that has an address behind it."""
    return str(binding.get("type") or "").lower() if binding.get("address") else ""
