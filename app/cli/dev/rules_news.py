"""Prints in the terminal of `flask dev` when an edit of the rules file takes effect, and when it is broken."""

from __future__ import annotations

import logging
from pathlib import Path

from app.rules.reload import WatchedRules


class RulesNews:
    """Watches the file as the worker does, whose own log is in another place."""

    def __init__(self, path: Path) -> None:
        silent = logging.Logger("silent")
        silent.addHandler(logging.NullHandler())
        self._name = path.name
        self._watched = WatchedRules(path, log=silent)
        self._known = (self._watched.current(), "")

    def look(self) -> str:
        """Return what is new about the file, or nothing."""
        now = (self._watched.current(), self._watched.fault())
        if now == self._known:
            return ""
        self._known = now
        rules, fault = now
        if fault:
            return f"{self._name} is broken, so the rules from before stay in force:\n{fault}"
        return f"{self._name} is reloaded: {len(rules.rules)} rules are in force."
