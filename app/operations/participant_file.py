"""A list of people who shall join a conversation: arguments, text or CSV; every bad line is named, with its number.

Text: one address or identity a line; empty lines and those that begin with # say nothing.
CSV: a header of the columns below, in any order; separated by commas, or by semicolons as Excel does in Europe.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.operations.participant_spec import KINDS, Newcomer, newcomer
from app.operations.validation import Refused

COLUMNS = ("address", "identity", "channel", "proxy_address", "attributes")
NAMED_AT_MOST = 20  # bad lines in one refusal


@dataclass(frozen=True)
class Entry:
    """Somebody who may join, and where the list says so; `line` 0: given on the command line."""

    one: Newcomer
    line: int = 0

    @property
    def where(self) -> str:
        """Return how messages speak of this entry."""
        return f"line {self.line}, {self.one.name}" if self.line else self.one.name


def read(content: bytes, *, proxy_address: str = "", attributes: str = "", csv_only: bool = False) -> list[Entry]:
    """Return the people of a list; a line without a proxy address or attributes takes those given here.

    `csv_only`: the list is known to be CSV, so its header must be there. Raises Refused, which names all bad lines.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"the list is not UTF-8 (byte {error.start}); save it as UTF-8 and try again") from None
    default = {"proxy_address": proxy_address, "attributes": attributes}
    rows = _rows(text, csv_only=csv_only)
    entries, faults = [], []
    for line, row in rows:
        try:
            entries.append(Entry(_newcomer(row, default), line))
        except Refused as refused:
            faults.append(f"line {line}: {refused}")
    _refuse(faults, f"{len(faults)} of {len(rows)} lines cannot be used")
    return entries


def from_arguments(
    named: Mapping[str, Sequence[str]], proxy_address: str = "", projected_address: str = "", attributes: str = ""
) -> list[Entry]:
    """Return the people given by `sms`, `whatsapp`, `group` and `identity`, and our own number. Raises Refused."""
    identities = named.get("identity", ())
    if projected_address and len(identities) > 1:
        raise Refused("only one --identity can have the --projected-address; add the others with another command")
    proxies = {"sms": proxy_address, "whatsapp": proxy_address}
    ones = [
        newcomer(**{kind: name}, proxy_address=proxies.get(kind, ""), attributes=attributes)
        for kind, names in named.items()
        for name in names
        if not (kind == "identity" and projected_address)
    ]
    if projected_address:
        ones += [newcomer(identity="".join(identities), projected_address=projected_address, attributes=attributes)]
    return [Entry(one) for one in ones]


def each_once(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries without those that are there twice. Raises Refused when two differ, or nobody is named."""
    if not entries:
        raise Refused("nobody to add; give --sms, --whatsapp, --identity, --group or a --file that names somebody")
    seen: dict[tuple[str, str], Entry] = {}
    faults = []
    for entry in entries:
        first = seen.setdefault(entry.one.key, entry)
        if first.one != entry.one:
            faults.append(f"{entry.where}: given before with other values ({first.where})")
    _refuse(faults, f"{len(faults)} of {len(entries)} are given twice in different ways")
    return list(seen.values())


def _refuse(faults: list[str], summary: str) -> None:
    if not faults:
        return
    more = f"\n  and {len(faults) - NAMED_AT_MOST} more" if len(faults) > NAMED_AT_MOST else ""
    named = "".join(f"\n  {fault}" for fault in faults[:NAMED_AT_MOST])
    raise Refused(f"{summary}, so nobody was added:{named}{more}")


def _rows(text: str, *, csv_only: bool) -> list[tuple[int, dict[str, str]]]:
    """Return each line that says something, with its number, as columns; the address column alone for plain text."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = ";" if ";" in first and "," not in first else ","
    header = [name.strip().lower() for name in first.split(delimiter)]
    if not csv_only and not set(header) & {"address", "identity"}:
        lines = enumerate((line.strip() for line in text.splitlines()), start=1)
        return [(number, _plain(line)) for number, line in lines if line and not line.startswith("#")]
    _check_header(header)
    return list(_csv_rows(text, delimiter))


def _plain(line: str) -> dict[str, str]:
    return {"address": line} if line.startswith(("+", "00", "whatsapp:")) else {"identity": line}


def _check_header(header: list[str]) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if unknown:
        raise Refused(f"the CSV has a column {unknown[0][:40]!r}; the columns are {', '.join(COLUMNS)}")
    if len(set(header)) < len(header):
        raise Refused(f"the CSV names a column twice: {', '.join(header)}")
    if not set(header) & {"address", "identity"}:
        raise Refused("the CSV needs a header with a column `address` or `identity`")


def _csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    header: list[str] = []
    while True:
        number = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise Refused(f"line {number}: this is not CSV ({error}); put text with quotes into quotes") from None
        if not any(cells):
            continue
        if not header:
            header = [name.lower() for name in cells]
            continue
        if len(cells) > len(header):
            raise Refused(
                f"line {number}: {len(cells)} cells under {len(header)} columns; put JSON into quotes, "
                'with its own quotes doubled, like "{""vip"": true}"'
            )
        yield number, dict(zip(header, cells, strict=False))


def _newcomer(row: dict[str, str], default: dict[str, str]) -> Newcomer:
    address, identity = row.get("address", ""), row.get("identity", "")
    channel = row.get("channel", "").lower() or _channel_of(address)
    if channel not in KINDS:
        raise Refused(f"{channel[:40]!r} is no channel; choose one of {', '.join(KINDS)}")
    if channel == "chat" and address:
        raise Refused(f"{address[:40]!r} is an address and its channel is chat; put it into the column identity")
    if channel != "chat" and not address:
        raise Refused(f"the channel is {channel}, so the column address must not be empty")
    named = {"identity": identity} | ({channel: address} if address else {})
    proxy_address = row.get("proxy_address", "")
    if channel in ("sms", "whatsapp"):
        proxy_address = proxy_address or default["proxy_address"]
    return newcomer(**named, proxy_address=proxy_address, attributes=row.get("attributes") or default["attributes"])


def _channel_of(address: str) -> str:
    if not address:
        return "chat"
    return "whatsapp" if address.startswith("whatsapp:") else "sms"
