"""Logging set-up: one named event a line with ids and outcomes, text or JSON; never message text, numbers, secrets."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_APP = Path(__file__).resolve().parent
# These print whole URLs, with the query, at INFO or DEBUG.
_TALKATIVE = ("twilio.http_client", "urllib3", "requests", "alembic", "werkzeug")


def configure(log_format: str = "text") -> None:
    """Send log lines to standard error in `log_format` ("text" or "json"): ours, and warnings of libraries."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(log_format))
    ours = logging.getLogger("parley")
    ours.handlers[:] = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False
    others = logging.getLogger()
    others.handlers[:] = [old for old in others.handlers if not isinstance(old.formatter, JsonLines | TextLines)]
    others.addHandler(handler)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def adopt(server_log: logging.Logger, log_format: str) -> None:
    """Let a log of gunicorn's be written in our format, without what it quotes of requests."""
    for handler in server_log.handlers:
        handler.setFormatter(formatter(log_format))
        handler.addFilter(WithoutQuotes())


def formatter(log_format: str) -> logging.Formatter:
    """Return what makes the lines of a format, "text" or "json"."""
    return JsonLines() if log_format == "json" else TextLines()


class WithoutQuotes(logging.Filter):
    """Cuts out of gunicorn's lines what they quote of a request, and lets one a second pass about broken ones."""

    def __init__(self) -> None:
        super().__init__()
        self._next_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be written; shortens it where needed."""
        if record.msg.startswith("Error handling request"):
            record.msg, record.args = "Error handling request", ()
        if not record.msg.startswith(("Invalid request from ip=", "Socket error")):
            return True
        record.msg = re.sub("(ip=[^:]*): .*", r"\1", record.msg, flags=re.DOTALL)
        now = time.monotonic()
        passes = now >= self._next_at
        self._next_at = now + 1.0 if passes else self._next_at
        return passes


class Sparingly:
    """Writes errors of which each may come many times a second: the same one at most once a minute, with its number."""

    def __init__(self, log: logging.Logger, every_seconds: float = 60.0) -> None:
        self._log, self._every = log, every_seconds
        self._lock = threading.Lock()
        self._said: dict[tuple[str, ...], tuple[float, int]] = {}  # until when it is not said again, how often it came

    def error(self, event: str, **facts: str) -> None:
        """Write the line, or count it."""
        this, now = (event, *facts.values()), time.monotonic()
        with self._lock:
            until, times = self._said.get(this, (0.0, 0))
            says = now >= until
            self._said[this] = (now + self._every, 0) if says else (until, times + 1)
        if says:
            self._log.error(event, extra={**facts, "times_since_last_line": times + 1})

    def forget(self) -> None:
        """Say the next one at once: it went well in between."""
        if self._said:
            with self._lock:
                self._said.clear()


def describe_error(error: BaseException) -> str:
    """Return the kind of an error and where it was raised, without its words: they may quote a customer."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    last = frames[-1]
    return f"{type(error).__name__} at {_short(last.filename)}:{last.lineno} in {last.name}"


def _short(filename: str) -> str:
    """Return the path below app/ of a file of ours, else the file's name alone: folders may name a customer."""
    path = Path(filename)
    return str(path.relative_to(_APP)) if path.is_relative_to(_APP) else path.name


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD and value is not None}


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the facts of the step."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info and record.exc_info[1]:
            line["error"] = describe_error(record.exc_info[1])
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """The same for people: `2026-11-29T12:00:01Z info parley.worker event.processed inbox_id=3 outcome=...`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        facts = "".join(f" {key}={_quoted(value)}" for key, value in _facts(record).items())
        if record.exc_info and record.exc_info[1]:
            facts += f" error={_quoted(describe_error(record.exc_info[1]))}"
        return f"{at} {record.levelname.lower()} {record.name} {_one_line(record.getMessage())}{facts}"


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _quoted(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and " " not in text and '"' not in text
    return text if plain else json.dumps(text)
