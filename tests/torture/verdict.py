"""What must hold when a schedule is over: nothing lost, nothing doubled, order kept, one final state for each event."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
from sqlalchemy import Table, select

from app.config import from_environment
from app.db.database import Database, DatabaseUnavailable
from app.db.notify_tables import notifications
from app.db.tables import decisions, deliveries, inbox, lanes, replies, responder_calls, rule_actions
from app.emulator.client import Emulator
from app.testing.bot_tester import TOKEN
from app.twilio_api import events, form, parsing
from tests.torture.playing import AUTHOR, Played

READ_AGAIN = 4
NAME = re.compile(r"\bt\d+x\d+\b")


@dataclass(frozen=True)
class Reply:
    """A message of ours as Twilio has it, and what its marker says."""

    sid: str
    conversation_sid: str
    reply_to: str
    n: int
    after: int
    text: str


@dataclass(frozen=True)
class End:
    """What there is in the end, here and at Twilio."""

    played: Played
    rows: Mapping[str, Sequence[Any]]
    replies: tuple[Reply, ...]
    receipts: Mapping[str, str]
    conversations: Sequence[Mapping[str, Any]]
    colleagues: Mapping[str, int]  # by ConversationSid


def faults_in(played: Played, database_url: str, emulator: Emulator) -> list[str]:
    """Return what does not hold now that a schedule is over."""
    return problems_in(_end(played, database_url, emulator))


def problems_in(end: End) -> list[str]:
    """Return what does not hold, each with its kind in front: lost, doubled, order, state, ledger, receipt ..."""
    checks = (_lost_or_doubled, _out_of_order, _not_final, _not_in_the_ledger, _receipts, _actions, _told)
    return [f"fault: {one}" for one in end.played.faults] + [one for check in checks for one in check(end)]


def _end(played: Played, database_url: str, emulator: Emulator) -> End:
    database = Database(from_environment({"DATABASE_URL": database_url}).database_url)
    tables = (inbox, lanes, replies, decisions, deliveries, rule_actions, responder_calls, notifications)
    rows = {table.name: _rows(database, table) for table in tables}
    database.close()
    written = [one for one in emulator.messages() if one["author"] == AUTHOR]
    receipts = {receipt["sid"]: receipt["status"] for one in written for receipt in one["receipts"]}
    found = _ask(emulator, "/v1/Conversations?PageSize=100")["conversations"]
    colleagues = {one["sid"]: _colleagues(emulator, one["sid"]) for one in found}
    return End(
        played,
        rows,
        tuple(_reply(one, played.marks.get(one["sid"], one["attributes"])) for one in written),
        receipts,
        found,
        colleagues,
    )


def _rows(database: Database, table: Table) -> Sequence[Any]:
    """Return what a table holds; where this process stood still for so long that its session was ended, again."""
    for _ in range(READ_AGAIN):
        with suppress(DatabaseUnavailable), database.read() as tx:
            return tx.execute(_in_order(table)).all()
    with database.read() as tx:
        return tx.execute(_in_order(table)).all()


def _in_order(table: Table) -> Any:
    return select(table).order_by(*table.primary_key.columns)


def _reply(message: Mapping[str, Any], attributes: str) -> Reply:
    marker = json.loads(attributes)["parley"]
    return Reply(
        message["sid"],
        message["conversation_sid"],
        marker["reply_to"],
        marker["n"],
        marker.get("after", 0),
        message["body"] or "",
    )


def _ask(emulator: Emulator, path: str) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(emulator.url + path, auth=("AC" + "1".zfill(32), TOKEN), timeout=20).json()


def _colleagues(emulator: Emulator, conversation_sid: str) -> int:
    found = _ask(emulator, f"/v1/Conversations/{conversation_sid}/Participants")["participants"]
    return sum(one["identity"] == "colleague" for one in found)


def _lost_or_doubled(end: End) -> Iterator[str]:
    answered = Counter(name for reply in end.replies if not reply.after for name in NAME.findall(reply.text))
    followed = Counter(name for reply in end.replies if reply.after for name in NAME.findall(reply.text))
    for text in end.played.sids:
        kind, name = text.split()
        counts = [("answer", answered[name])] + ([("follow-up", followed[name])] if kind == "wait" else [])
        for what, count in counts:
            if count != 1:
                yield f"{'doubled' if count else 'lost'}: {count} times an {what} to {text!r}"


def _customers_messages(end: End) -> list[tuple[str, int, str, str]]:
    """Return ConversationSid, Index, SID and text of the customers' messages in the order of their arrival."""
    texts = {sid: text for text, sid in end.played.sids.items()}
    found = []
    for row in end.rows["inbox"]:
        if row.event_type == "onMessageAdded":
            event = parsing.parse(form.read_form(row.method, row.target, row.body))
            if isinstance(event, events.MessageAdded) and event.message_sid in texts:
                sid = event.message_sid
                found.append((event.conversation_sid, event.index or 0, sid, texts[sid]))
    return found


def _out_of_order(end: End) -> Iterator[str]:
    """A burst is answered in the place of the message that came first, with its texts in the order of writing."""
    arrived = _customers_messages(end)
    burst_of = {row.message_sid: row.burst_of or row.message_sid for row in end.rows["decisions"]}
    parts = Counter(row.reply_to for row in end.rows["replies"] if not row.timer_seconds)
    for conversation in {one[0] for one in arrived}:
        here = [one for one in arrived if one[0] == conversation]
        firsts = [sid for _, _, sid, _ in here if burst_of.get(sid) == sid]
        wanted = [(sid, n) for sid in firsts for n in range(parts[sid])]
        ours = [one for one in end.replies if one.conversation_sid == conversation and not one.after]
        if [(one.reply_to, one.n) for one in ours] != wanted:
            yield f"order: in {conversation} the answers are to {[one.reply_to for one in ours]}, not to {firsts}"
        bursts = [sorted(one for one in here if burst_of.get(one[2]) == sid) for sid in firsts]
        names = [text.split()[1] for burst in bursts for *_, text in burst]
        said = [name for one in ours for name in NAME.findall(one.text)]
        if said != names:
            yield f"order: in {conversation} we spoke of {said}, not of {names}"


def _not_final(end: End) -> Iterator[str]:
    for row in end.rows["inbox"]:
        if row.state not in ("processed", "ignored") or row.finished_at is None:
            yield f"state: event {row.id} ({row.event_type}) is {row.state}: {row.outcome}"
    for row in end.rows["lanes"]:
        if row.ready_at or row.lease_until or row.lease_token:
            yield f"state: the lane {row.lane} is not idle"
    if end.rows["responder_calls"]:
        yield f"state: {len(end.rows['responder_calls'])} questions to the responder are kept"
    told = sum(row.source != "" or bool(row.target) for row in end.rows["inbox"])
    if told != end.played.webhooks:
        kind = "lost" if told < end.played.webhooks else "doubled"
        yield f"{kind}: of {end.played.webhooks} webhooks {told} are stored"
    decided = {row.message_sid for row in end.rows["decisions"]}
    for text, sid in end.played.sids.items():
        if sid not in decided:
            yield f"lost: nothing was decided about {text!r}"


def _not_in_the_ledger(end: End) -> Iterator[str]:
    rows = end.rows["replies"]
    ledger = sorted((row.message_sid or "", row.reply_to, row.timer_seconds, row.n, row.state) for row in rows)
    sent = sorted((one.sid, one.reply_to, one.after, one.n, "sent") for one in end.replies)
    if ledger != sent:
        yield f"ledger: only here {sorted({*ledger} - {*sent})}, only at Twilio {sorted({*sent} - {*ledger})}"


def _receipts(end: End) -> Iterator[str]:
    known = {row.delivery_receipt_sid: row.status for row in end.rows["deliveries"]}
    if known != end.receipts:
        yield f"receipt: known are {known}, not {dict(end.receipts)}"


def _actions(end: End) -> Iterator[str]:
    for row in end.rows["rule_actions"]:
        if row.state != "done":
            yield f"action: {row.kind} is {row.state}: {row.reason}"
    wanted = Counter((row.conversation_sid, row.kind) for row in end.rows["rule_actions"])
    late = {row.conversation_sid for row in end.rows["rule_actions"] if row.timer_seconds}
    for one in end.conversations:
        sid = one["sid"]
        if end.colleagues[sid] != bool(wanted[sid, "add_participant"]):
            yield f"action: {end.colleagues[sid]} colleagues are in {sid}"
        if (one["state"] == "closed") != bool(wanted[sid, "close"]):
            yield f"action: {sid} is {one['state']}"
        attributes = {"late": True} if sid in late else {"seen": True} if wanted[sid, "set_attributes"] else {}
        if json.loads(one["attributes"]) != attributes:
            yield f"action: the attributes of {sid} are {one['attributes']}, not {attributes}"


def _told(end: End) -> Iterator[str]:
    """Each hand-over is to be told once, under an id of its own, and nothing else is."""
    handed_over = Counter(row.message_sid for row in end.rows["rule_actions"] if row.kind == "hand_over")
    rows = [row for row in end.rows["notifications"] if row.kind == "hand_over"]
    told = Counter(row.payload["message_sid"] for row in rows)
    if told != handed_over:
        yield f"told: of {dict(told)}, not of the hand-overs {dict(handed_over)}"
    if len({row.webhook_id for row in rows}) != len(rows):
        yield "told: two hand-overs have one id"
