"""What goes wrong on request: a seeded die for each webhook post and each REST request.

Nothing goes wrong unless asked for.
"""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.common.quoting import quoted

REORDER_SECONDS = 0.2
_NUMBERS = ("duplicate", "reorder", "delay", "drop", "cut_after_store", "latency", "early_receipt")
_CODES = {429: 20429, 500: 20500, 503: 20503, 404: 20404, 401: 20003}
NONE: dict[str, Any] = {
    **dict.fromkeys(_NUMBERS, 0.0),
    "fail": "",
    "reads": False,
    "fail_next": [],
    "cut_next": 0,
    "hang_next": None,
    "slow_next": None,
    "late_next": None,
    "set_up": None,
    "receipt_after_stop": False,
}


@dataclass(frozen=True)
class PostFault:
    """What happens to one webhook post; `overtaken` means it waits outside its queue."""

    dropped: bool = False
    copies: int = 1
    delay: float = 0.0
    overtaken: bool = False


@dataclass(frozen=True)
class RequestFault:
    """What happens to one REST request: an answer instead of the deed, or trouble on the way back."""

    latency: float = 0.0
    status: int | None = None
    code: int = 0
    retry_after: float | str | None = None  # seconds, or a date
    cut: bool = False
    hang_seconds: float = 0.0
    hang_stores: bool = True
    late_seconds: float = 0.0
    early_receipt: bool = False


class Faults:
    """The faults in force; replaced as a whole, safe from many threads."""

    def __init__(self, wanted: Mapping[str, Any], seed: int | None) -> None:
        self._lock = threading.Lock()
        self._first = dict(wanted)
        self._seed = seed or 0
        self.reset()

    def reset(self) -> None:
        """Return to the faults of the command line, with the die as it was at the start."""
        self._random = random.Random(self._seed)  # noqa: S311  a repeatable die, no secret
        self.replace(self._first)

    def replace(self, wanted: Mapping[str, Any]) -> None:
        """Put these faults in force and end all others. Raises ValueError naming what is wrong."""
        unknown = sorted(set(wanted) - set(NONE))
        if unknown:
            raise ValueError(f"unknown fault: {', '.join(unknown)}; known are {', '.join(NONE)}")
        with self._lock:
            self._wanted = NONE | {name: float(wanted[name]) for name in _NUMBERS if name in wanted}
            self._wanted["fail"] = str(wanted.get("fail") or "")
            self._wanted["receipt_after_stop"] = bool(wanted.get("receipt_after_stop"))
            self._wanted["reads"] = bool(wanted.get("reads"))
            self._wanted["cut_next"] = int(wanted.get("cut_next") or 0)
            self._wanted["fail_next"] = [_rule(rule) for rule in wanted.get("fail_next") or ()]
            self._wanted["hang_next"] = _hang(wanted.get("hang_next"))
            self._wanted["slow_next"] = _slow(wanted.get("slow_next"))
            self._wanted["late_next"] = _late(wanted.get("late_next"))
            self._wanted["set_up"] = _set_up(wanted.get("set_up"))
            self._fail_status, self._fail_chance = _read_fail(self._wanted["fail"])

    def show(self) -> dict[str, Any]:
        """Return the faults in force, with what is left of the counted ones."""
        with self._lock:
            return dict(self._wanted)

    def for_set_up(self) -> tuple[float, bool]:
        """Return how long a conversation with participants stays initializing, and whether it is closed then."""
        with self._lock:
            wanted = self._wanted["set_up"] or {"seconds": 0.0, "fails": False}
            return wanted["seconds"], wanted["fails"]

    def for_opted_out(self) -> bool:
        """Return whether a message to somebody who wrote STOP gets a receipt (21610); else nobody hears of it again."""
        with self._lock:
            return bool(self._wanted["receipt_after_stop"])

    def for_post(self) -> PostFault:
        """Throw the die for one webhook post."""
        with self._lock:
            if not any(self._wanted[name] for name in ("duplicate", "reorder", "delay", "drop")):
                return PostFault()
            return PostFault(
                dropped=self._happens(self._wanted["drop"]),
                copies=2 if self._happens(self._wanted["duplicate"]) else 1,
                delay=self._wanted["delay"],
                overtaken=self._happens(self._wanted["reorder"]),
            )

    def for_request(self, method: str, path: str) -> RequestFault:
        """Throw the die for one REST request."""
        is_write = method != "GET"
        is_send = method == "POST" and path.endswith("/Messages")
        with self._lock:
            latency = self._wanted["latency"] + (self._counted_slowness() if is_send else 0.0)
            rule = self._counted_failure(method, path)
            if rule:
                return RequestFault(latency, rule["status"], rule["code"], rule["retry_after"])
            if (is_write or self._wanted["reads"]) and self._happens(self._fail_chance):
                status = self._fail_status
                return RequestFault(latency, status, _CODES.get(status, status), 1 if status == 429 else None)
            if not is_send:
                return RequestFault(latency)
            if late := self._counted_late():
                return RequestFault(latency, late_seconds=late)
            hang = self._counted_hang()
            early = self._happens(self._wanted["early_receipt"])
            cut = self._cuts()
            return RequestFault(latency, cut=cut, hang_seconds=hang[0], hang_stores=hang[1], early_receipt=early)

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance

    def _counted_failure(self, method: str, path: str) -> dict[str, Any] | None:
        for rule in self._wanted["fail_next"]:
            if rule["method"] in ("", method) and rule["path_contains"] in path and rule["count"] > 0:
                rule["count"] -= 1
                if not rule["count"]:
                    self._wanted["fail_next"].remove(rule)
                return dict(rule)
        return None

    def _cuts(self) -> bool:
        if self._wanted["cut_next"] > 0:
            self._wanted["cut_next"] -= 1
            return True
        return self._happens(self._wanted["cut_after_store"])

    def _counted_slowness(self) -> float:
        slow, self._wanted["slow_next"] = self._wanted["slow_next"], None
        return float(slow["seconds"]) if slow else 0.0

    def _counted_late(self) -> float:
        late = self._wanted["late_next"]
        if not late:
            return 0.0
        late["count"] -= 1
        if late["count"] <= 0:
            self._wanted["late_next"] = None
        return float(late["seconds"])

    def _counted_hang(self) -> tuple[float, bool]:
        hang = self._wanted["hang_next"]
        if not hang:
            return 0.0, True
        hang["count"] -= 1
        if hang["count"] <= 0:
            self._wanted["hang_next"] = None
        return hang["seconds"], hang["stored"]


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    status = int(rule.get("status", 503))
    retry_after = rule.get("retry_after", 1 if status == 429 else None)
    return {
        "status": status,
        "code": int(rule.get("code") or _CODES.get(status, status)),
        "retry_after": retry_after,
        "method": str(rule.get("method") or "").upper(),
        "path_contains": str(rule.get("path_contains") or ""),
        "count": int(rule.get("count", 1)),
    }


def _hang(wanted: Any) -> dict[str, Any] | None:
    if not wanted:
        return None
    given = wanted if isinstance(wanted, Mapping) else {"seconds": wanted}
    return {
        "seconds": float(given.get("seconds", 1)),
        "stored": bool(given.get("stored", True)),
        "count": int(given.get("count", 1)),
    }


def _slow(wanted: Mapping[str, Any] | None) -> dict[str, float] | None:
    return {"seconds": float(wanted["seconds"])} if wanted else None


def _late(wanted: Any) -> dict[str, Any] | None:
    if not wanted:
        return None
    return {"seconds": float(wanted.get("seconds", 25)), "count": int(wanted.get("count", 1))}


def _set_up(wanted: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not wanted:
        return None
    return {"seconds": float(wanted.get("seconds", 0)), "fails": bool(wanted.get("fails"))}


def _read_fail(text: str) -> tuple[int, float]:
    if not text:
        return 0, 0.0
    status, _, chance = text.partition(":")
    if not status.isdigit() or not 400 <= int(status) <= 599:
        raise ValueError(f"fail must look like 503:0.1 (status and probability), not {quoted(text)}")
    return int(status), float(chance or 1)
