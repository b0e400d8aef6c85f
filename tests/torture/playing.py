"""Plays a schedule: customers write, Twilio fails, processes are forked and end; then all is quiet until it is done."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Self

from app.emulator.client import Emulator
from app.inbox.worker import Worker
from app.testing.bot_tester import ORIGIN
from app.twilio_api.errors import SendError
from tests.support.agents_desk import AgentsDesk
from tests.support.eventually import eventually
from tests.torture.installation import Installation
from tests.torture.life import Order, Steps, live, work_through
from tests.torture.network import Network
from tests.torture.schedules import DATABASES, KINDS, NO_END, RULES, End, Life, Schedule, Written, draw

MOST_LIVES = 60
QUIET = Life((NO_END,), 1, 400.0)  # longer than a follow-up waits, and most back-offs
OPEN_STATES = ("pending", "scheduled", "processing")
AUTHOR = "support-bot"
NO_POSTS = {"drop": 1.0}  # the emulator keeps what it would post; the network brings it


@dataclass
class Played:
    """What happened: the SIDs of the customers' messages, what each process said at its end, and what went wrong."""

    schedule: Schedule
    sids: dict[str, str] = field(default_factory=dict)  # text -> MessageSid
    conversations: dict[str, str] = field(default_factory=dict)  # text -> ConversationSid
    story: list[str] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    places: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    requests: int = 0
    webhooks: int = 0
    deeds: Counter[str] = field(default_factory=Counter)  # what was done to processes, clocks and messages, by name
    marks: dict[str, str] = field(default_factory=dict)  # MessageSid -> Attributes before they were overwritten
    open_events: int = 1
    seconds: float = 0.0


def play(schedule: Schedule, installation: Installation, emulator: Emulator) -> Played:
    """Return what happened when the schedule was played to its end on an emptied installation."""
    started = time.monotonic()
    _point_nowhere(emulator)
    stage = _Stage(installation, emulator, Network(emulator, schedule.die), Played(schedule))
    try:
        _play(stage, installation.emptied_for(schedule))
    finally:
        stage.end_the_frozen()
    stage.played.webhooks = stage.network.count
    stage.played.seconds = time.monotonic() - started
    return stage.played


def _play(stage: "_Stage", worker: Worker) -> None:
    lives = stage.played.schedule.lives
    for number, life in enumerate(lives):
        stage.let_write(number)
        stage.let_live(number, life, worker, calm=False)
    number = len(lives)
    stage.let_live(number, QUIET, worker, calm=True)
    while not stage.is_over and number < MOST_LIVES:
        number += 1
        stage.let_live(number, QUIET, worker, calm=True)
    if not stage.is_over:
        stage.played.faults.append(f"it does not come to its end: {stage.played.open_events} events are open")


def rehearse(installation: Installation, emulator: Emulator) -> None:
    """Play something of everything without a fork, so that each fork finds modules loaded and statements compiled.

    In a thread of its own, whose connection to Twilio ends with it; those to the database are closed.
    """
    schedule = draw(0, DATABASES.index(installation.database))
    texts = tuple(Written(0, n, f"{kind} t{n}x0") for n, kind in enumerate(KINDS))
    played = Played(replace(schedule, messages=texts, rules=RULES))
    stage = _Stage(installation, emulator, Network(emulator, schedule.die), played)
    _point_nowhere(emulator)
    worker = installation.emptied_for(played.schedule)
    stage.let_write(0)
    for _ in range(3):
        orders, steps = stage.network.orders(calm=True), Steps(NO_END, lambda *_said: None)
        rehearsal = threading.Thread(target=work_through, args=(installation.app, worker, orders, steps))
        rehearsal.start()
        rehearsal.join()
        installation.clock.advance(QUIET.pause)
        emulator.settle()
    installation.app.extensions["parley"].db.close()


def _point_nowhere(emulator: Emulator) -> None:
    emulator.reset()
    emulator.faults(**NO_POSTS)
    emulator.point_at("http://127.0.0.1:9/conversations/webhook", ORIGIN)


@dataclass
class _Stage:
    installation: Installation
    emulator: Emulator
    network: Network
    played: Played
    emulator_ahead: float = 0.0
    frozen: list["_Process"] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.played.open_events == 0 and self.network.is_done

    def let_write(self, life: int) -> None:
        """Let the customers write what they do before this life."""
        for written in self.played.schedule.messages:
            if written.life == life:
                message = self.emulator.inbound(written.text, sender=f"+1555010{1000 + written.customer}")
                self.played.sids[written.text] = message["message_sid"]
                self.played.conversations[written.text] = message["conversation_sid"]

    def let_live(self, number: int, life: Life, worker: Worker, *, calm: bool) -> None:
        """Let time pass, fork the processes of this life, and wait until each has come to its end or is frozen."""
        self.installation.clock.advance(life.pause)
        self._keep_twilio_in_time()
        self._set_clock(life.set_by)
        if life.overwrites:
            self._overwrite()
        self.emulator.faults(**NO_POSTS, **life.faults)
        thawed = self._thaw() if life.thaws_first else []
        if calm:  # who counts what is open must be the last
            self._hear_all(thawed)
        orders = self.network.orders(calm=calm)
        shares = [orders[n :: len(life.ends)] for n in range(len(life.ends))]
        self.played.story.append(f"life {number}: {len(orders)} webhooks, after {life.pause:g} s, {dict(life.faults)}")
        running = [
            self._fork(worker, share, life, end, seed=f"{self.played.schedule.number}:{number}:{n}")
            for n, (share, end) in enumerate(zip(shares, life.ends, strict=True))
        ]
        still_frozen, self.frozen = self.frozen, []
        self._hear_all(running if calm else [*thawed, *running])
        self._hear_all([one.thawed() for one in still_frozen])
        self._wait_for_twilio()
        self._keep_twilio_in_time()
        self._count_late_stores(life)

    def end_the_frozen(self) -> None:
        """Leave no process behind."""
        for one in self.frozen:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
            one.said.close()

    def _keep_twilio_in_time(self) -> None:
        ahead = self.installation.clock.ahead
        self.emulator.advance(ahead - self.emulator_ahead)
        self.emulator_ahead = ahead

    def _set_clock(self, seconds: float) -> None:
        if seconds:
            self.installation.clock.set_by(seconds)
            self.played.deeds["clock steps"] += 1
            self.played.story.append(f"the clock is set by {seconds:+g} s")

    def _overwrite(self) -> None:
        """Let an agents' desk overwrite Attributes of messages that we have sent."""
        desk = AgentsDesk(self.installation.app.extensions["parley"].settings)
        for message in self.emulator.messages():
            if message["author"] == AUTHOR and message["sid"] not in self.played.marks:
                self.played.marks[message["sid"]] = message["attributes"]
                with suppress(SendError):  # the conversation is closed
                    desk.overwrites(message)
                    self.played.deeds["overwritten"] += 1

    def _count_late_stores(self, life: Life) -> None:
        if "late_next" in life.faults and not self.emulator.faults_in_force()["late_next"]:
            self.played.deeds["late stores"] += 1
            self.played.story.append("  a message is stored late")

    def _thaw(self) -> list["_Process"]:
        thawed, self.frozen = [one.thawed() for one in self.frozen], []
        return thawed

    def _fork(self, worker: Worker, orders: Sequence[Order], life: Life, end: End, *, seed: str) -> "_Process":
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(reading)
            live(self.installation, worker, orders, end=end, threads=life.threads, seed=seed, pipe=writing)
        os.close(writing)
        return _Process(process, os.fdopen(reading, "rb"))

    def _hear_all(self, processes: Sequence["_Process"]) -> None:
        self.frozen += [one for one in processes if not self._hear(one)]

    def _hear(self, process: "_Process") -> bool:
        """Listen to a process until it has ended; False: it is frozen."""
        words = []
        for line in process.said:
            what, *more = json.loads(line)
            _HEARING[what](self, *more)
            words += [what] if what in LAST_WORDS else []
            if what in WORDS:
                self.played.story.append(f"  process {process.pid} {what}: {more[0]} {more[-1]}")
            if what == "frozen":
                os.waitpid(process.pid, os.WUNTRACED)
                return False
        process.said.close()
        _, status = os.waitpid(process.pid, 0)
        if not words:
            self.played.faults.append(f"a process ended without a word, status {status}")
        return True

    def _acknowledged(self, key: int) -> None:
        self.network.acknowledge(key)

    def _asks(self) -> None:
        self.played.requests += 1

    def _refrains(self) -> None:
        self.played.requests -= 1
        self.played.deeds["stopped by the fence"] += 1

    def _ended(self, _steps: int, place: str) -> None:
        self.played.ended[place] += 1

    def _frozen(self, _steps: int, _place: str) -> None:
        self.played.deeds["frozen"] += 1

    def _slept(self, _steps: int, _place: str) -> None:
        self.played.deeds["slept"] += 1

    def _done(self, _steps: int, places: list[str], counts: dict[str, int]) -> None:
        self.played.places |= set(places)
        self.played.open_events = sum(counts[state] for state in OPEN_STATES)

    def _fault(self, what: str) -> None:
        self.played.faults.append(what)

    def _wait_for_twilio(self) -> None:
        """Wait until no request is on its way any more: the clock goes on by more than Twilio would take for one."""
        asked = self.played.requests
        eventually(lambda: self.emulator.counts()["requests"] >= asked, seconds=2.0, pause=0.005)
        self.played.requests = self.emulator.counts()["requests"]
        self.emulator.settle()


@dataclass(frozen=True)
class _Process:
    """A forked process, and what it says."""

    pid: int
    said: BinaryIO

    def thawed(self) -> Self:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)
        return self


LAST_WORDS = ("ended", "done", "unavailable")
WORDS = (*LAST_WORDS, "frozen", "slept", "fault")
_HEARING: dict[str, Any] = {
    "acknowledged": _Stage._acknowledged,
    "asks": _Stage._asks,
    "refrains": _Stage._refrains,
    "frozen": _Stage._frozen,
    "slept": _Stage._slept,
    "ended": _Stage._ended,
    "done": _Stage._done,
    "fault": _Stage._fault,
    "unavailable": lambda _stage, *_why: None,
}
