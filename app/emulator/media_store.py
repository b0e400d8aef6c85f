"""Files of media messages: kept once, used in one message each.

Source: conversations-classic/api/media-resource, read 2026-11-22.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from app.emulator.errors import TwilioError
from app.emulator.models import StoredMedia
from app.emulator.state import State

LARGEST_FILE = 150 * 1024 * 1024


def keep(state: State, service_sid: str, author: str, files: Sequence[Mapping[str, Any]]) -> tuple[StoredMedia, ...]:
    """Return stored files for descriptions with content_type, filename and size, or content in base64."""
    return tuple(
        add(
            state,
            service_sid,
            author=author,
            content_type=str(file.get("content_type") or "application/octet-stream"),
            filename=file.get("filename"),
            size=int(file.get("size") or 0),
            content=base64.b64decode(file["content"]) if file.get("content") else None,
        )
        for file in files
    )


def add(
    state: State,
    service_sid: str,
    *,
    author: str,
    content_type: str,
    filename: str | None,
    size: int = 0,
    content: bytes | None = None,
) -> StoredMedia:
    """Return a new file of a service; without content it is `size` bytes of filler."""
    size = len(content) if content is not None else size
    if size > LARGEST_FILE:
        raise TwilioError(20001, "Media is larger than 150 MB")
    with state.lock:
        now = state.clock.now()
        sid, serial = state.sid("ME"), state.serial()
        file = StoredMedia(sid, serial, service_sid, content_type, filename, size, content, now, author)
        state.media[sid] = file
    return file


def content_of(file: StoredMedia) -> bytes:
    """Return the bytes of a file."""
    return file.content if file.content is not None else b"parley " * (file.size // 7) + b"." * (file.size % 7)


def free_file(state: State, service_sid: str, sid: str) -> StoredMedia:
    """Return a file that a new message may use; raise 50507, 50510 or 50508 when it may not."""
    file = state.media.get(sid)
    if file is None:
        raise TwilioError(50507, "Media SID is unknown")
    if file.service_sid != service_sid:
        raise TwilioError(50510, "Media belongs to another service")
    if file.message_sid:
        raise TwilioError(50508, "Media is already used in another message")
    return file
