"""What happens in a schedule, drawn from seed and number: who writes what, what goes wrong, where processes stop."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal

DATABASES = ("sqlite", "postgresql")
RULES = Path(__file__).with_name("rules.toml").read_text()
BURSTS = '[bot]\ncoalesce = "2s"\n'
TALK = ("echo", "echo", "long", "act", "picture", "ask")
KINDS = tuple(sorted({*TALK, "close", "wait"}))
# Where processes end, how often one is drawn, and the latest step of that kind: most lives have no more of them.
PLACES = {
    "arriving": (2, 60),
    "working": (3, 160),
    "working: INSERT": (2, 30),
    "working: UPDATE": (2, 40),
    "working: DELETE": (1, 5),
    "working: COMMIT": (2, 40),
    "working: GET": (2, 5),
    "working: POST": (5, 12),
}
# Where processes are frozen: nowhere with a transaction open, which would hold all others up until they give up.
FREEZING = ("working: GET", "working: POST", "working: POST")
FREEZING_MOST = 4
BACK, FORWARD = (-3600.0, -60.0), (60.0, 3600.0)


@dataclass(frozen=True)
class Written:
    """A customer's message: in which life it is written, by which customer, and its text, with a name of its own."""

    life: int
    customer: int
    text: str


@dataclass(frozen=True)
class End:
    """In front of which step what happens: the n-th, counted from 1, of those at places that begin so; 0: of none.

    The process ends, is frozen until it is thawed in a later life, or its machine sleeps for longer than a lease.
    """

    place: str
    n: int
    how: Literal["ended", "frozen", "slept"] = "ended"


NO_END = End("", 0)


@dataclass(frozen=True)
class Life:
    """A time in which processes work: where each one ends, and what fails at Twilio meanwhile.

    Before it, `pause` seconds go by, the clock is set by `set_by` seconds, and a desk overwrites Attributes of what we
    have sent if it `overwrites`. Who was frozen before is thawed before it, or after it.
    """

    ends: tuple[End, ...]
    threads: int
    pause: float
    faults: Mapping[str, Any] = field(default_factory=dict)
    set_by: float = 0.0
    overwrites: bool = False
    thaws_first: bool = True


@dataclass(frozen=True)
class Trouble:
    """What goes wrong in a schedule beside what goes wrong in any: by how much its clock may be set is a choice."""

    frozen: bool
    slept: bool
    late: bool
    overwritten: bool
    clock_steps: tuple[float, ...]


@dataclass(frozen=True)
class Schedule:
    """One way for things to happen; `die` decides on the way which webhooks come twice, late or in another order."""

    seed: int
    number: int
    database: str
    rules: str
    messages: tuple[Written, ...]
    lives: tuple[Life, ...]

    @property
    def die(self) -> Random:
        return Random(f"{self.seed}:{self.number}:network")


def draw(seed: int, number: int) -> Schedule:
    """Return the schedule with this number: the same one each time."""
    die = Random(f"{seed}:{number}")
    lives = die.randint(3, 6)
    bursts = die.random() < 0.4
    database = DATABASES[number % 2]
    trouble = _trouble(die, database)
    return Schedule(
        seed,
        number,
        database,
        RULES.replace("[bot]\n", BURSTS) if bursts else RULES,
        tuple(_messages(die, lives - 1)),
        tuple(_life(die, trouble, last=n == lives - 1) for n in range(lives)),
    )


def _trouble(die: Random, database: str) -> Trouble:
    """Return what may go wrong together; the rest stands in docs/security.md, "what can still double".

    What Twilio stores late is waited for by our clock, which shall not jump forward meanwhile, and whose message it is
    without a marker is told by its time. On PostgreSQL leases are measured with the clock of the database.
    """
    late, overwritten = die.random() < 0.3, die.random() < 0.25
    frozen, slept = die.random() < 0.4, not late and die.random() < 0.3
    steps = BACK if late or overwritten else (*BACK, *FORWARD)
    is_set = die.random() < 0.4 and not (frozen and database == "postgresql")
    return Trouble(frozen, slept, late, overwritten, steps if is_set else ())


def _messages(die: Random, lives: int) -> list[Written]:
    found = []
    for customer in range(die.randint(1, 3)):
        manner = die.choices(["talk", "close", "wait"], [6, 1, 1])[0]
        kinds = die.choices(TALK, k=die.randint(1, 4)) if manner == "talk" else [manner]
        times = sorted(die.randrange(lives) for _ in kinds)
        found += [
            Written(life, customer, f"{kind} t{customer}x{n}")
            for n, (life, kind) in enumerate(zip(times, kinds, strict=True))
        ]
    return sorted(found, key=lambda one: one.life)


def _life(die: Random, trouble: Trouble, *, last: bool) -> Life:
    processes = 1 if die.random() < 0.7 else 2
    ends = [_end(die) for _ in range(processes)]
    if trouble.frozen and die.random() < 0.5:
        ends[-1] = End(die.choice(FREEZING), die.randint(1, FREEZING_MOST), "frozen")
    elif trouble.slept and die.random() < 0.5:  # one at most: while time jumps, Twilio's answers take as long
        ends[-1] = _earlyish(die, ends[-1].place or "working", "slept")
    return Life(
        tuple(ends),
        1 if ends[-1].how == "frozen" else die.choice([1, 1, 2]),
        die.choice([0.0, 2.5, 16.0, 16.0, 16.0, 60.0]),
        {} if last else _faults(die, late=trouble.late),
        set_by=die.choice(trouble.clock_steps) if trouble.clock_steps and die.random() < 0.5 else 0.0,
        overwrites=trouble.overwritten and die.random() < 0.7,
        thaws_first=die.random() < 0.5,
    )


def _end(die: Random) -> End:
    """Return where a process ends, at early steps more often: little is left to be done when the late ones come."""
    if die.random() < 0.1:
        return NO_END
    weights = [weight for weight, _ in PLACES.values()]
    return _earlyish(die, die.choices(list(PLACES), weights)[0], "ended")


def _earlyish(die: Random, place: str, how: Literal["ended", "frozen", "slept"]) -> End:
    return End(place, int(math.exp(die.uniform(0, math.log(PLACES[place][1] + 1)))), how)


def _faults(die: Random, *, late: bool) -> dict[str, Any]:
    faults: dict[str, Any] = {}
    if late and die.random() < 0.8:
        faults["late_next"] = {"seconds": die.choice([5.0, 25.0])}
    if die.random() < 0.4:
        faults["fail_next"] = [_refusal(die) for _ in range(die.randint(1, 3))]
    if die.random() < 0.25:
        faults["cut_next"] = die.randint(1, 2)
    elif die.random() < 0.1:
        faults["hang_next"] = {"seconds": 0.8, "stored": die.random() < 0.5}  # longer than life.PATIENCE
    return faults


def _refusal(die: Random) -> dict[str, Any]:
    status, code = die.choice([(429, 20429), (429, 50063), (503, 20503), (500, 20500), (502, 502)])
    method = die.choice(["", "POST", "POST", "GET"])
    return {"status": status, "code": code, "method": method, "count": die.randint(1, 2)}
