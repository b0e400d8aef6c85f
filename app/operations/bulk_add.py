"""Many participants at once: within the rate limit, past failures, and again after a crash without doubling anybody."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from app.operations.account import Account
from app.operations.participant_file import Entry
from app.operations.participants import Added, Shown, add_participant, key_of, kind_of, list_participants
from app.operations.validation import Refused
from app.twilio_api.errors import SendError, sentence

# Source: conversations-classic/conversations-limits, read 2026-11-22. 30 writes a second for each conversation: we
# stay below, because others write there too.
WRITES_PER_SECOND = 25
MOST = 1_000
MOST_NON_CHAT = 50
MOST_IN_GROUP = 10
TRIES = 3  # of one participant, when no answer came or Twilio had a fault
WAITS = 10  # of one participant, when Twilio asked to wait
LONGEST_WAIT_SECONDS = 60.0
# What would be the same for everybody: credentials, no such conversation, a closed one, a full one.
FOR_ALL = frozenset({20003, 20404, 50350, 50377, 50417})


class Pace:
    """Lets at most 25 writes begin within any second; clock and sleep may be a test's."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock, self.sleep = clock, sleep
        self._done: deque[float] = deque(maxlen=WRITES_PER_SECOND)

    def wait(self) -> None:
        """Return when one more write may begin."""
        if len(self._done) == WRITES_PER_SECOND:
            missing = 1.0 - (self._clock() - self._done[0])
            if missing > 0:
                self.sleep(missing)

    def record(self) -> None:
        """Record that a write has ended: it has arrived by now, so a second counts from here."""
        self._done.append(self._clock())


@dataclass(frozen=True)
class Failure:
    """Who could not be added, and why; `for_all`: nobody else could be either."""

    entry: Entry
    error: SendError

    @property
    def reason(self) -> str:
        """Return why, and the next step."""
        return sentence(self.error)

    @property
    def for_all(self) -> bool:
        """Whether the rest need not be tried: they would fail alike."""
        return self.error.asks_to_wait or self.error.code in FOR_ALL or self.error.status in (0, 401, 403, 404)


@dataclass(frozen=True)
class BulkAddPlan:
    """What adding comes to: who is in the conversation already, and who is missing."""

    conversation: str
    missing: tuple[Entry, ...]
    present: tuple[Added, ...] = ()


@dataclass(frozen=True)
class BulkAddOutcome:
    """What came of it. `not_tried`: the rest, after a failure that everybody would have met."""

    added: list[Added] = field(default_factory=list)
    present: list[Added] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    not_tried: list[Entry] = field(default_factory=list)


def plan(account: Account, conversation: str, entries: Sequence[Entry]) -> BulkAddPlan:
    """Return who is missing in a conversation. Raises Refused beyond Twilio's limits, and SendError.

    Only reads, so it serves a dry run; and as it looks at who is there, a command may be run again after a crash.
    """
    there = list_participants(account, conversation)
    known = {key_of(participant): participant for participant in there}
    missing = tuple(entry for entry in entries if entry.one.key not in known)
    _check_room(there, missing)
    present = tuple(_present(entry, known[entry.one.key]) for entry in entries if entry.one.key in known)
    return BulkAddPlan(conversation, missing, present)


def add_all(account: Account, planned: BulkAddPlan, *, pace: Pace | None = None) -> Iterator[Added | Failure]:
    """Add everybody who is missing and yield what came of each; ends early at a failure that all would meet."""
    pace = pace or Pace()
    for entry in planned.missing:
        result = _add(account, planned.conversation, entry, pace)
        yield result
        if isinstance(result, Failure) and result.for_all:
            return


def outcome(planned: BulkAddPlan, results: Sequence[Added | Failure]) -> BulkAddOutcome:
    """Return the results sorted by what came of them."""
    done = [result for result in results if isinstance(result, Added)]
    return BulkAddOutcome(
        added=[one for one in done if not one.already],
        present=[*planned.present, *(one for one in done if one.already)],
        failed=[result for result in results if isinstance(result, Failure)],
        not_tried=list(planned.missing[len(results) :]),
    )


def _add(account: Account, conversation: str, entry: Entry, pace: Pace) -> Added | Failure:
    """Add one; wait where Twilio asks for it, and try again what may be Twilio's fault: nobody is doubled by it."""
    waits = tries = 0
    while True:
        result = _try(account, conversation, entry, pace)
        if isinstance(result, Added):
            return result
        waits, tries = waits + result.asks_to_wait, tries + (not result.asks_to_wait)
        lasting = result.decision != "retry" or result.code in FOR_ALL or result.status in (401, 403)
        if lasting or tries >= TRIES or waits > WAITS:
            return Failure(entry, result)
        asked = result.retry_after.total_seconds() if result.retry_after else float(waits + tries)
        pace.sleep(min(asked, LONGEST_WAIT_SECONDS))


def _try(account: Account, conversation: str, entry: Entry, pace: Pace) -> Added | SendError:
    pace.wait()
    try:
        return add_participant(account, conversation, entry.one)
    except SendError as error:
        return error
    finally:
        pace.record()


def _present(entry: Entry, participant: Shown) -> Added:
    return Added(participant["sid"], kind_of(participant), entry.one.name, already=True)


def _check_room(there: Sequence[Shown], missing: Sequence[Entry]) -> None:
    """Refuse what would not fit, before the first is added."""
    kinds = [kind_of(participant) for participant in there]
    new = [entry.one.kind for entry in missing]
    phones, new_phones = len(kinds) - kinds.count("chat"), len(new) - new.count("chat")
    _check_limit("participants", len(kinds), len(new), MOST)
    _check_limit("participants by SMS, WhatsApp or group MMS", phones, new_phones, MOST_NON_CHAT)
    _check_limit("participants in a group MMS", kinds.count("group"), new.count("group"), MOST_IN_GROUP)


def _check_limit(what: str, there: int, new: int, most: int) -> None:
    if new and there + new > most:
        raise Refused(
            f"a conversation has at most {most:,} {what}; this one has {there:,} and {new:,} more are given, "
            f"so nobody was added; remove some or give {max(0, most - there):,} at most"
        )
