"""What a person sees of a page: its lines and links as text, without the tags."""

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser

VOID = {"br", "img", "input", "link", "meta", "hr"}


@dataclass
class Seen:
    """An element with its text as it is read; `kind` is its class."""

    tag: str
    kind: str
    id: str
    href: str
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.pieces)).strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[Seen] = []
        self.all: list[Seen] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        one = Seen(tag, given.get("class", ""), given.get("id", ""), given.get("href", ""))
        self.all.append(one)
        self.handle_data(" ")
        if tag not in VOID:
            self.open.append(one)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        for one in self.open:
            one.pieces.append(data)


def elements(html: str) -> list[Seen]:
    """Return all elements of a page, in their order; fails for tags that do not match."""
    reader = _Reader()
    reader.feed(html)
    assert not reader.open, f"<{reader.open[-1].tag}> is never closed"
    return reader.all


def lines(html: str) -> list[Seen]:
    """Return the messages of a thread."""
    return [one for one in elements(html) if one.tag == "article"]


def bubbles(html: str) -> list[str]:
    """Return what is said in a thread, oldest first."""
    return [one.text for one in elements(html) if one.kind == "bubble"]


def titles(html: str) -> list[str]:
    """Return the conversations in the list."""
    return [one.text for one in elements(html) if one.tag == "strong"]


def link(html: str, text: str) -> str:
    """Return where the link with this text goes; fails when there is none."""
    return next(one.href for one in elements(html) if one.tag == "a" and one.text == text)


def words(html: str) -> str:
    """Return what a person reads, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
