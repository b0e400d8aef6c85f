"""Which files can be sent: known by their content, and named accordingly; it reads no file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.common.quoting import quoted
from app.operations.validation import Refused


@dataclass(frozen=True)
class FileType:
    """A kind of file; `label` is what people call it, `endings` how names of such files end."""

    label: str
    content_type: str
    endings: tuple[str, ...]


JPG = FileType("JPG", "image/jpeg", (".jpg", ".jpeg"))
PNG = FileType("PNG", "image/png", (".png",))
GIF = FileType("GIF", "image/gif", (".gif",))
PDF = FileType("PDF", "application/pdf", (".pdf",))
VCARD = FileType("vCard", "text/vcard", (".vcf", ".vcard"))
MP3 = FileType("MP3", "audio/mpeg", (".mp3",))
AMR = FileType("AMR", "audio/amr", (".amr",))
MP4 = FileType("MP4", "video/mp4", (".mp4", ".m4v"))
MP4_AUDIO = FileType("MP4", "audio/mp4", (".m4a", ".mp4"))
ALL = (JPG, PNG, GIF, PDF, VCARD, MP3, AMR, MP4, MP4_AUDIO)
# What people send by WhatsApp, MMS and Messenger beside those. Source: WhatsApp's list of supported media types and
# Twilio's of accepted content types for media, read 2026-11-29.
_ENDINGS = {
    "audio/ogg": ".ogg",
    "audio/opus": ".opus",
    "audio/aac": ".aac",
    "audio/3gpp": ".3gp",
    "audio/3gpp2": ".3g2",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "audio/webm": ".weba",
    "audio/mp3": ".mp3",
    "audio/amr-wb": ".awb",
    "audio/x-m4a": ".m4a",
    "image/jpg": ".jpg",
    "image/webp": ".webp",
    "image/heic": ".heic",
    "image/heif": ".heif",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
    "video/3gpp": ".3gp",
    "video/3gpp2": ".3g2",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/mpeg": ".mpg",
    "video/ogg": ".ogv",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "text/calendar": ".ics",
    "text/x-vcard": ".vcf",
    "text/directory": ".vcf",
    "application/zip": ".zip",
    "application/rtf": ".rtf",
    "application/msword": ".doc",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
}
LABELS = tuple(dict.fromkeys(kind.label for kind in ALL))

# MPEG audio, layer III: eleven set bits, a version, the layer; no free bit rate.
_MP3_FRAME = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]", re.DOTALL)
_VCARD = re.compile(rb"\s*BEGIN:VCARD\s.*END:VCARD", re.DOTALL | re.IGNORECASE)
_STARTS = (
    (b"\xff\xd8\xff", JPG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"%PDF-", PDF),
    (b"ID3", MP3),
    (b"#!AMR\n", AMR),
    (b"#!AMR-WB\n", AMR),
)
_MP4_BRANDS = (
    b"isom",
    b"iso2",
    b"iso3",
    b"iso4",
    b"iso5",
    b"iso6",
    b"mp41",
    b"mp42",
    b"avc1",
    b"M4V ",
    b"dash",
    b"MSNV",
)
_MP4_AUDIO_BRANDS = (b"M4A ", b"M4B ")


def recognize(content: bytes, name: str) -> FileType:
    """Return what a file is by its first bytes. Raises Refused for what cannot be sent."""
    found = _by_content(content)
    if found is None:
        what = "is empty" if not content else f"is none of {', '.join(LABELS)}"
        raise Refused(f"{quoted(name)} {what}; look at the file, convert it, or send a link to it")
    return found


def must_fit(name: str, found: FileType) -> None:
    """Raise Refused when a file's name says that it is something else than it is."""
    claimed = [kind for kind in ALL if _ending(name) in kind.endings]
    if claimed and found not in claimed:
        raise Refused(
            f"{quoted(name)} is named like a {claimed[0].label} but holds a {found.label}; "
            "check that it is the right file, or rename it"
        )


def fitting_name(name: str, found: FileType) -> str:
    """Return a file's name without its folders, ending as files of its type do."""
    plain = "".join(char for char in PurePosixPath(name.replace("\\", "/")).name if char.isprintable()).strip(" .")
    stem = plain or "file"
    if _ending(stem) in found.endings:
        return stem[-200:]
    claims_other = any(_ending(stem) in kind.endings for kind in ALL)
    stem = PurePosixPath(stem).stem if claims_other else stem
    return stem[-190:] + found.endings[0]


def of_content_type(content_type: str) -> FileType | None:
    """Return the type that a media is stored with, or None when it is another one."""
    plain = content_type.partition(";")[0].strip().lower()
    return next((kind for kind in ALL if kind.content_type == plain), None)


def ending_of(content_type: str) -> str:
    """Return how names of files of a content type end, whatever its parameters: ".ogg" for "audio/ogg; codecs=opus".

    "" for a type that is not known, or that says nothing.
    """
    if (kind := of_content_type(content_type)) is not None:
        return kind.endings[0]
    plain = content_type.partition(";")[0].strip().lower()
    return _ENDINGS.get(plain, "")


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _by_content(content: bytes) -> FileType | None:
    for start, kind in _STARTS:
        if content.startswith(start):
            return kind
    if content[4:8] == b"ftyp" and content[8:12] in (*_MP4_BRANDS, *_MP4_AUDIO_BRANDS):
        return MP4 if content[8:12] in _MP4_BRANDS else MP4_AUDIO
    if _MP3_FRAME.match(content):
        return MP3
    return VCARD if _VCARD.match(content.removeprefix(b"\xef\xbb\xbf")) else None
