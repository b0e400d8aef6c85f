"""The pages of conversations: the list, one as a chat, and the details of a decision; the first two poll for news."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from app.dashboard import conversation_list, thread_queries, threads
from app.dashboard.conversation_list import ListRows
from app.dashboard.fragments import fragment
from app.dashboard.request_context import keeps_channels_apart, reading
from app.dashboard.thread_queries import ThreadRows
from app.store.decision_trace import trace_of
from app.store.deliveries import NO_RECEIPT_AFTER

LINES, CONVERSATIONS = 50, 30
MORE_LINES = 200  # then there are pages
MOST_CONVERSATIONS = 300


@dataclass(frozen=True)
class ListRequest:
    """What the list shall show."""

    only: str
    search: str
    limit: int

    def keeping(self, **more: Any) -> dict[str, Any]:
        """Return the parameters of an address that shows the same list."""
        limit = self.limit if self.limit != CONVERSATIONS else None
        return {"only": self.only or None, "search": self.search or None, "limit": limit, **more}


def conversations() -> ResponseReturnValue:
    """Show the list, the newest conversation first."""
    with reading() as (tx, now):
        found = _list_rows(tx, now)
    return render_template("conversations.html", **_list(found), thread=None, sid="")


def conversation(sid: str) -> ResponseReturnValue:
    """Show one conversation beside the list."""
    with reading() as (tx, now):
        found, here = _list_rows(tx, now), _thread_rows(tx, sid)
    return render_template("conversations.html", **_list(found), **_thread(here, now), sid=sid)


def message(message_sid: str) -> ResponseReturnValue:
    """Go to a message, wherever it is."""
    with reading() as (tx, _now):
        found = thread_queries.place_of(tx, _plain(message_sid))
        if found is None:
            abort(404, f"No message {message_sid} is stored here.")
        sid, noted_at = found
        rows = thread_queries.read(tx, sid, before=None, limit=LINES)
    place: dict[str, Any] = {"sid": sid, "_anchor": f"m-{message_sid}"}
    if rows and any(row.message_sid == message_sid for row in (*rows.written, *rows.answers)):
        return redirect(url_for("page.conversation", **place))
    return redirect(url_for("page.conversation", **place, before=(noted_at + timedelta(microseconds=1)).isoformat()))


def why(message_sid: str) -> ResponseReturnValue:
    """Show every rule that was tried on a message, and all that followed."""
    with reading() as (tx, _now):
        trace = trace_of(tx, _plain(message_sid))
        found = thread_queries.place_of(tx, _plain(message_sid))
    if not trace or found is None:
        abort(404, f"No decision is stored for message {message_sid}.")
    return render_template("why.html", trace=trace, message_sid=message_sid, sid=found[0])


def list_fragment() -> ResponseReturnValue:
    """Give the list alone, or 304 when it is what the page shows already."""
    with reading() as (tx, now):
        found = _list_rows(tx, now)
    sid = request.args.get("open", "")
    return fragment("conversation_list.html", found.fingerprint, lambda: {**_list(found), "sid": sid})


def thread_fragment(sid: str) -> ResponseReturnValue:
    """Give the lines of one conversation and what changes around them, or 304."""
    with reading() as (tx, now):
        rows = _thread_rows(tx, sid)
    is_paused = _is_paused(rows, now)
    return fragment(
        "thread_news.html", (rows.fingerprint, is_paused), lambda: {**_thread(rows, now), "asked": _asked(), "sid": sid}
    )


def _list_rows(tx: Connection, now: datetime) -> ListRows:
    asked = _asked()
    return conversation_list.read(tx, now, only=asked.only, search=asked.search, limit=asked.limit + 1)


def _list(rows: ListRows) -> dict[str, Any]:
    asked, found = _asked(), conversation_list.arrange(rows)
    more = len(found) > asked.limit
    return {
        "summaries": found[: asked.limit],
        "next_limit": min(asked.limit * 2, MOST_CONVERSATIONS) if more and asked.limit < MOST_CONVERSATIONS else 0,
        "is_cut": more and asked.limit >= MOST_CONVERSATIONS,
        "asked": asked,
        "counts": rows.counts,
    }


def _asked() -> ListRequest:
    only = request.args.get("only", "")
    limit = request.args.get("limit", CONVERSATIONS, type=int)
    return ListRequest(
        only if only in conversation_list.FILTERS else "",
        request.args.get("search", "").replace("\0", "").strip()[:200],
        min(max(limit, 1), MOST_CONVERSATIONS),
    )


def _thread_rows(tx: Connection, sid: str) -> ThreadRows:
    lines, before = _lines_asked()
    rows = thread_queries.read(tx, _plain(sid), before=before, limit=lines, per_channel=keeps_channels_apart())
    if rows is None:
        abort(404, f"No webhook has mentioned conversation {sid}.")
    return rows


def _thread(rows: ThreadRows, now: datetime) -> dict[str, Any]:
    """Return a thread and how to see more of it: first longer, then page by page."""
    lines, before = _lines_asked()
    older: dict[str, Any] | None = None
    if rows.older_than and lines < MORE_LINES and not before:
        older = {"lines": MORE_LINES}
    elif rows.older_than:
        older = {"lines": lines, "before": rows.older_than.isoformat()}
    thread = threads.arrange(rows)
    return {
        "thread": thread,
        "lines": lines,
        "before": before,
        "older": older,
        "now": now,
        "no_receipt_before": now - NO_RECEIPT_AFTER,
        "is_paused": _is_paused(rows, now),
    }


def _lines_asked() -> tuple[int, datetime | None]:
    lines = min(max(request.args.get("lines", LINES, type=int), 1), MORE_LINES)
    return lines, _time(request.args.get("before", ""))


def _is_paused(rows: ThreadRows, now: datetime) -> bool:
    return bool(rows.conversation.paused_until and rows.conversation.paused_until > now)


def _plain(sid: str) -> str:
    """Return what a database can look for."""
    return sid.replace("\0", "")


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
