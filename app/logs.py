"""Sets up logging: one line per step with ids and outcomes; never message text, numbers or secrets."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# These print whole URLs, with the query, at INFO or DEBUG.
_TALKATIVE = ("twilio.http_client", "urllib3", "requests", "alembic", "werkzeug")


def configure(log_format: str = "text") -> None:
    """Send our log lines to standard error in `log_format` ("text" or "json"); once for a process."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    ours = logging.getLogger("parley")
    ours.handlers[:] = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def fault(error: BaseException) -> str:
    """Return the kind of an error and where it was raised, without its words: they may quote a customer."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    last = frames[-1]
    return f"{type(error).__name__} at {last.filename.rsplit('/', 1)[-1]}:{last.lineno} in {last.name}"


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
            line["fault"] = fault(record.exc_info[1])
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """The same for people: `12:00:01 info parley.worker finished inbox_id=3 outcome=...`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        facts = "".join(f" {key}={_quoted(value)}" for key, value in _facts(record).items())
        if record.exc_info and record.exc_info[1]:
            facts += f" fault={_quoted(fault(record.exc_info[1]))}"
        return f"{at} {record.levelname.lower()} {record.name} {record.getMessage()}{facts}"


def _quoted(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and " " not in text and '"' not in text
    return text if plain else json.dumps(text)
