"""The files of messages: read from disk or a URL to be sent, and fetched from Twilio to be kept."""

from __future__ import annotations

import re
import secrets
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from app.common import private_files
from app.common.quoting import quoted
from app.operations import validation as checks
from app.operations.account import Account, must_exist
from app.operations.file_types import FileType, ending_of, fitting_name, must_fit, of_content_type, recognize
from app.operations.safe_download import MEGABYTE, Guard, fetch, in_megabytes
from app.operations.validation import Refused
from app.twilio_api import media as media_service
from app.twilio_api.form import is_sid

MOST_BYTES = 150 * MEGABYTE  # Source: conversations-classic/conversations-limits, read 2026-11-22


@dataclass(frozen=True)
class MediaFile:
    """A file to be sent. `media_sid` is set when Twilio has it already; then `content` is empty."""

    filename: str
    content_type: str
    size: int
    kind: FileType | None
    content: bytes = b""
    media_sid: str = ""


def is_url(text: str) -> bool:
    """Return whether a media is given by its URL."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text))


def is_media_sid(text: str) -> bool:
    """Return whether a media is given by its SID; a file of such a name is written ./ME..."""
    return is_sid(text, "ME")


def is_path(text: str) -> bool:
    """Return whether a media is given by the path of a file."""
    return not (is_url(text) or is_media_sid(text))


def from_path(text: str) -> MediaFile:
    """Return a file of this machine, known by its content. Raises Refused."""
    path = Path(text)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{quoted(text, 200)} is not a file; give the path of one, a URL or a media SID (ME...)")
        if status.st_size > MOST_BYTES:
            raise Refused(
                f"{quoted(text, 200)} has {in_megabytes(status.st_size)}; Twilio takes {in_megabytes(MOST_BYTES)}"
            )
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, Refused):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise Refused(
            f"{quoted(text, 200)} cannot be read ({reason}); give the path of a file, a URL or ME..."
        ) from error
    kind = recognize(content, path.name)
    must_fit(path.name, kind)
    return _made(content, path.name, kind)


def from_url(url: str, guard: Guard) -> MediaFile:
    """Return the file at a public URL; its content says what it is. Raises Refused."""
    fetched = fetch(url, replace(guard, most_bytes=min(guard.most_bytes, MOST_BYTES)))
    name = unquote(urlsplit(url).path.rpartition("/")[2]) or "file"
    return _made(fetched.content, name, recognize(fetched.content, name))


def from_media_sid(account: Account, service_sid: str, media_sid: str) -> MediaFile:
    """Return a file that Twilio has already and no message uses. Raises Refused, SendError."""
    found = describe(account, service_sid, media_sid)
    if found.get("message_sid"):
        raise Refused(
            f"{media_sid} is in message {found['message_sid']} already; a media can be in one message only, "
            "so upload it again"
        )
    content_type = str(found.get("content_type") or "")
    name = str(found.get("filename") or found.get("file_name") or media_sid)
    return MediaFile(name, content_type, int(found.get("size") or 0), of_content_type(content_type), b"", media_sid)


def stored(account: Account, service_sid: str, file: MediaFile) -> str:
    """Return the media SID of a file, uploaded now unless Twilio has it. Raises SendError."""
    return file.media_sid or media_service.upload(
        account.twilio, service_sid, file.content, file.content_type, file.filename
    )


def describe(account: Account, service_sid: str, media_sid: str) -> Mapping[str, Any]:
    """Return what Twilio knows of a media, with its links. Raises Refused, SendError."""
    url = f"{media_service.ORIGIN}/v1/Services/{checks.sid('IS', service_sid)}/Media/{checks.sid('ME', media_sid)}"
    with must_exist(f"media {media_sid} in {service_sid}", "upload it again, or see which service it belongs to"):
        found = account.twilio.ask(lambda client: _document(client, url))
    if not isinstance(found, dict):
        raise Refused(f"the media store said nothing of {media_sid}; try again later")
    return found


def download(
    account: Account,
    service_sid: str,
    media: Mapping[str, Any],
    folder: Path,
    guard: Guard,
    tell: Callable[[str], None] = lambda _path: None,
) -> Path:
    """Save a message's media and return where: its name begins with the media SID, so no two are alike.

    Its temporary link is a secret of its own: it is asked without our credentials, wherever it leads.
    Source: conversations-classic/api/media-resource, read 2026-11-22. Raises Refused, SendError.
    """
    media_sid = checks.sid("ME", str(media["sid"]))
    links = describe(account, service_sid, media_sid).get("links") or {}
    link = str(links.get("content_direct_temporary") or "")
    if not link:
        raise Refused(f"Twilio gives no link to {media_sid}; it may still be uploading, so try again later")
    content = fetch(link, replace(guard, most_bytes=MOST_BYTES)).content
    path = folder / f"{media_sid}{_safe_ending(str(media.get('filename') or ''), str(media.get('content_type') or ''))}"
    _write(path, content)
    tell(str(path))
    return path


def _made(content: bytes, name: str, kind: FileType) -> MediaFile:
    return MediaFile(fitting_name(name, kind), kind.content_type, len(content), kind, content)


def _document(client: Any, url: str) -> Any:
    """Return the document at a URL of the media store; raise what the SDK raises for a refusal."""
    return media_service.document_of(client.request("GET", url), "GET", url)


def _safe_ending(filename: str, content_type: str) -> str:
    """Return what follows the media SID in the name of a saved file; the sender chose `filename`."""
    plain = re.sub(r"[^\w.-]", "_", filename.replace("\\", "/").rpartition("/")[2]).strip("._")
    if plain:
        return f"-{plain[-80:]}"
    return ending_of(content_type)


def _write(path: Path, content: bytes) -> None:
    """Write a file in one piece: whoever sees it sees all of it."""
    part = path.with_name(f".{path.name[:60]}.{secrets.token_hex(4)}.part")
    try:
        private_files.make_folder(path.parent)
        private_files.write(part, content)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise Refused(f"{quoted(str(path), 200)} cannot be written ({error.strerror}); choose another --out") from error
