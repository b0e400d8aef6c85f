"""Reads participants to add from arguments or a text or CSV file; names every bad line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.common.quoting import quoted
from app.operations.list_format import Row, decode, of_plain, rows
from app.operations.participant_spec import KINDS, ParticipantSpec, make_spec
from app.operations.validation import Refused

NAMED_AT_MOST = 20  # bad lines in one refusal


@dataclass(frozen=True)
class Entry:
    """Somebody who may join, and where the list says so; `line` 0: given on the command line."""

    one: ParticipantSpec
    line: int = 0

    @property
    def where(self) -> str:
        """Return how messages speak of this entry."""
        return f"line {self.line}, {self.one.name}" if self.line else self.one.name


def read(content: bytes, *, proxy_address: str = "", attributes: str = "", name: str = "") -> list[Entry]:
    """Return the people of a list; a line without a proxy address or attributes takes those given here.

    `name` is what messages call the list. Raises Refused, which names all bad lines.
    """
    called = f"{name}: " if name else ""
    try:
        listed = rows(decode(content))
    except Refused as refused:
        raise Refused(f"{called}{refused}") from None
    default = {"proxy_address": proxy_address, "attributes": attributes}
    entries, problems = [], []
    for line, row in listed:
        try:
            entries.append(Entry(_spec(of_plain(row["line"]) if "line" in row else row, default), line))
        except Refused as refused:
            problems.append(f"line {line}: {refused}")
    _refuse(problems, f"{called}{len(problems)} of {len(listed)} lines cannot be used")
    if not entries:
        raise Refused(f"{called}the list names nobody: it has a header and no line below it")
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
        make_spec(**{kind: name}, proxy_address=proxies.get(kind, ""), attributes=attributes)
        for kind, names in named.items()
        for name in names
        if not (kind == "identity" and projected_address)
    ]
    if projected_address:
        ones += [make_spec(identity="".join(identities), projected_address=projected_address, attributes=attributes)]
    return [Entry(one) for one in ones]


def each_once(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries without those that are there twice. Raises Refused when two differ, or nobody is named."""
    if not entries:
        raise Refused("nobody to add; give --sms, --whatsapp, --identity, --group or a --file that names somebody")
    seen: dict[tuple[str, str], Entry] = {}
    problems = []
    for entry in entries:
        first = seen.setdefault(entry.one.key, entry)
        if first.one != entry.one:
            problems.append(f"{entry.where}: given before with other values ({first.where})")
    _refuse(problems, f"{len(problems)} of {len(entries)} are given twice in different ways")
    return list(seen.values())


def _refuse(problems: list[str], summary: str) -> None:
    if not problems:
        return
    more = f"\n  and {len(problems) - NAMED_AT_MOST} more" if len(problems) > NAMED_AT_MOST else ""
    named = "".join(f"\n  {fault}" for fault in problems[:NAMED_AT_MOST])
    raise Refused(f"{summary}, so nobody was added:{named}{more}")


def _spec(row: Row, default: Row) -> ParticipantSpec:
    address, identity = row.get("address", ""), row.get("identity", "")
    channel = row.get("channel", "").lower() or _channel_of(address)
    if channel not in KINDS:
        raise Refused(f"{quoted(channel, 40)} is no channel; choose one of {', '.join(KINDS)}")
    if channel == "chat" and address:
        raise Refused(f"{quoted(address, 40)} is an address and its channel is chat; put it into the column identity")
    if channel != "chat" and not address:
        raise Refused(f"the channel is {channel}, so the column address must not be empty")
    named = {"identity": identity} | ({channel: address} if address else {})
    proxy_address = row.get("proxy_address", "")
    if channel in ("sms", "whatsapp"):
        proxy_address = proxy_address or default["proxy_address"]
    return make_spec(**named, proxy_address=proxy_address, attributes=row.get("attributes") or default["attributes"])


def _channel_of(address: str) -> str:
    if not address:
        return "chat"
    return "whatsapp" if address.lower().startswith("whatsapp:") else "sms"
