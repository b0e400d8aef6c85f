"""Logs and keeps why the last requests were rejected, in a file that all processes share; never what they said."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from app.common import private_files
from app.logs import describe_error
from app.receiver.candidates import Received, plain_name
from app.receiver.diagnosis import Explanation, explain, explain_path
from app.twilio_api.signature import Keys

FILE = "refused.jsonl"
KEPT = 100
LOCK_SECONDS = 1.0
LARGEST_FILE = 1024 * 1024  # bytes; ours is far smaller, somebody else's is not read to its end
MOST_NAMES = 30
MOST_WAITING = 30
MOST_KINDS = 50  # of requests; each is explained once a second
WRONG_PATH = "wrong path"

log = logging.getLogger("parley.webhooks")


@dataclass(frozen=True)
class Refusal:
    """One refused request: when, at which address, and what explains it. `refused` counts those since the last one."""

    at: datetime
    method: str
    checked_url: str
    query_names: tuple[str, ...]
    reason: str
    explanations: tuple[Explanation, ...]
    refused: int = 1
    names_our_account: bool = False

    @property
    def kind(self) -> tuple[str, str, bool]:
        """Return what one of is always kept."""
        return self.reason, self.mismatch, self.names_our_account

    @property
    def mismatch(self) -> str:
        """Return the mismatches in a word."""
        return "+".join(one.mismatch for one in self.explanations)


class Refusals:
    """Explains, logs and keeps refused requests: of each kind one a second, so that a flood of forgeries costs little.

    What names our account is of another kind than what does not: a flood hides no webhook of Twilio's.
    """

    def __init__(
        self,
        keys: Keys,
        public_url: str,
        file: Path,
        account_sid: str = "",
        *,
        told: Callable[[int, str], None] = lambda _count, _reason: None,
    ) -> None:
        self._keys, self._public_url, self._file, self._account_sid = keys, public_url, file, account_sid
        self._told_of = told
        self._lock = threading.Lock()
        self._gates: dict[tuple[str, ...], _Gate] = {}
        self._waiting: SimpleQueue[tuple[str, str, Received, int]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def record(self, url: str, reason: str, received: Received) -> None:
        """Hand a request to the thread that explains: the answer waits for nothing."""
        with self._lock:
            count = self._gate(reason, received).pass_through(time.monotonic())
            if not count:
                return
            if self._thread is None:
                self._thread = _started(self._work)
        if self._waiting.qsize() < MOST_WAITING:
            self._waiting.put((url, reason, received, count))

    def _gate(self, reason: str, received: Received) -> _Gate:
        """Return the gate for requests like this one; of those in use the oldest gives way to one too many."""
        kind: tuple[str, ...] = (reason,)
        if received.names_account(self._account_sid):
            kind = (reason, received.method, received.target.partition("?")[0], received.header("Host"))
        gate = self._gates.setdefault(kind, _Gate())
        if len(self._gates) > MOST_KINDS:
            del self._gates[next(iter(self._gates))]
        return gate

    def _work(self) -> None:
        while True:
            self._tell(*self._waiting.get())

    def _tell(self, url: str, reason: str, received: Received, count: int) -> None:
        """Write the log line, with the URL that the signature was checked against but for its query, and keep it."""
        try:
            explainer = explain_path if reason == WRONG_PATH else explain
            explanations = tuple(explainer(received, self._keys, self._public_url, self._account_sid))
        except Exception as error:  # noqa: BLE001 - a request that we fail to explain is still to be logged
            explanations = (Explanation("unexplained", f"the diagnosis failed: {describe_error(error)}"),)
        checked = re.sub("//[^/@]*@", "//", url.partition("?")[0])[:300]  # without user:password@
        refusal = Refusal(
            datetime.now(UTC),
            received.method,
            checked,
            query_names(received.target),
            reason,
            explanations,
            count,
            received.names_account(self._account_sid),
        )
        facts = {"reason": reason, "diagnosis": refusal.mismatch, "checked_url": checked}
        log.warning("webhook.rejected", extra={**facts, "times_since_last_line": count})
        with contextlib.suppress(OSError, ValueError):
            keep(self._file, refusal)
        if reason != WRONG_PATH:
            self._told_of(count, reason)


class _Gate:
    """Lets one request a second pass and counts the others."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._untold = 0

    def pass_through(self, now: float) -> int:
        """Return how many came since the last one that passed, this one too; 0: it does not pass."""
        self._untold += 1
        if now < self._next_at:
            return 0
        count, self._untold, self._next_at = self._untold, 0, now + 1.0
        return count


def _started(work: Callable[[], None]) -> threading.Thread | None:
    """Return a thread that works, or None if none is to be had; begun late, so after gunicorn's fork."""
    thread = threading.Thread(target=work, name="refusals", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


def query_names(target: str) -> tuple[str, ...]:
    """Return the names of a query's parameters, never their values."""
    query = target.partition("#")[0].partition("?")[2][:10_000]
    return tuple(plain_name(part.partition("=")[0]) for part in query.split("&")[:MOST_NAMES] if part)


def keep(file: Path, refusal: Refusal) -> None:
    """Add a refusal to the file; beyond KEPT drop the oldest, but the last of its kind.

    Raises OSError, also when others hold it too long.
    """
    private_files.make_folder(file.parent)
    with _locked(file.with_suffix(".lock")):
        lines = _worth_keeping([*_lines(file), json.dumps(asdict(refusal), default=str)])
        draft = file.with_suffix(".draft")
        private_files.write(draft, "\n".join([*lines, ""]).encode())
        draft.replace(file)


def _worth_keeping(lines: list[str]) -> list[str]:
    """Return the newest line of each kind, and of the others the newest, KEPT in all."""
    newest_first = [(line, refusal) for line in reversed(lines) if (refusal := _parsed(line))]
    last_of_kind = {refusal.kind: place for place, (_, refusal) in reversed(list(enumerate(newest_first)))}
    kept = sorted(last_of_kind.values())[:MOST_KINDS]
    others = [place for place in range(len(newest_first)) if place not in kept]
    return [newest_first[place][0] for place in sorted(kept + others[: KEPT - len(kept)], reverse=True)]


def read(file: Path) -> list[Refusal]:
    """Return the kept refusals, newest first; what cannot be understood is left out."""
    return [refusal for refusal in map(_parsed, reversed(_lines(file))) if refusal]


def forget(file: Path, speaks: Callable[[str], bool], *, dry_run: bool = False) -> int:
    """Drop the kept refusals that speak of somebody and return how many. Raises OSError."""
    if not file.exists():
        return 0
    with _locked(file.with_suffix(".lock")):
        lines = _lines(file)
        others = [line for line in lines if not speaks(line)]
        if len(others) < len(lines) and not dry_run:
            draft = file.with_suffix(".draft")
            private_files.write(draft, "".join(f"{line}\n" for line in others).encode())
            draft.replace(file)
        return len(lines) - len(others)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    deadline = time.monotonic() + LOCK_SECONDS
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        yield
    finally:
        os.close(lock)


def _lines(file: Path) -> list[str]:
    try:
        with file.open("rb") as kept:
            return kept.read(LARGEST_FILE).decode("utf-8", "replace").splitlines()[-KEPT:]
    except OSError:
        return []


def _parsed(line: str) -> Refusal | None:
    try:
        said: dict[str, Any] = json.loads(line)
        return Refusal(
            at=datetime.fromisoformat(said["at"]),
            method=str(said["method"]),
            checked_url=str(said["checked_url"]),
            query_names=tuple(str(name) for name in said["query_names"]),
            reason=str(said["reason"]),
            explanations=tuple(Explanation(str(one["mismatch"]), str(one["fix"])) for one in said["explanations"]),
            refused=int(said["refused"]),
            names_our_account=bool(said.get("names_our_account")),
        )
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
