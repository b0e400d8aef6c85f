"""Reloads the rules file when it changes, and keeps the old rules when the new file is broken."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.rules.loader import RulesError, load, read
from app.rules.schema import Rules

LOOK_SECONDS = 1.0
SETTLED_SECONDS = 0.1  # a file that changed this moment may still be half written

Stamp = tuple[int, int, int] | None  # when it was changed, how long it is, which file; None: it cannot be looked at

log = logging.getLogger("parley.rules")


class WatchedRules:
    """The rules of one file, loaded at once and again after each change; may be asked by many threads.

    Each change is logged to `log`. Raises RulesError or OSError when the file cannot be used at the start.
    """

    def __init__(
        self,
        path: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        log: logging.Logger = log,
    ) -> None:
        self._path, self._monotonic, self._wall, self._log = path, monotonic, wall, log
        self._looking = threading.Lock()
        self._fault = ""
        self._seen = _stamp(path)
        self._rules = load(read(path))
        self._look_at = monotonic() + LOOK_SECONDS

    def current(self) -> Rules:
        """Return the rules in force; looks at the file at most once a second, and reads it when it has changed."""
        if self._monotonic() >= self._look_at and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._rules

    def fault(self) -> str:
        """Return why the file as it is now is not in force; empty when it is."""
        self.current()
        return self._fault

    def _look(self) -> None:
        stamp = _stamp(self._path)
        if stamp != self._seen and self._is_being_written(stamp):
            self._look_at = self._monotonic() + SETTLED_SECONDS
            return
        self._look_at = self._monotonic() + LOOK_SECONDS
        if stamp != self._seen:
            self._seen = stamp
            self._reload()

    def _is_being_written(self, stamp: Stamp) -> bool:
        return stamp is not None and 0 <= self._wall() - stamp[0] / 1e9 < SETTLED_SECONDS

    def _reload(self) -> None:
        was_broken, file = bool(self._fault), self._path.name
        try:
            rules = load(read(self._path))
        except Exception as error:  # noqa: BLE001 - whatever the edit did, the bot goes on by the old rules
            self._fault = _words(error)
            self._log.error("rules.not_reloaded", extra={"file": file, "problems": self._fault})
            return
        if was_broken or rules != self._rules:
            facts = {"file": file, "rules": len(rules.rules), "after_failure": was_broken}
            self._log.info("rules.reloaded", extra=facts)
        self._rules, self._fault = rules, ""


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _words(error: Exception) -> str:
    if isinstance(error, RulesError):
        return str(error)
    return getattr(error, "strerror", None) or "it is no UTF-8 text"
