"""What happens in a schedule, drawn from its seed and number: who writes what, what goes wrong, where processes end."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

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


@dataclass(frozen=True)
class Written:
    """A customer's message: in which life it is written, by which customer, and its text, with a name of its own."""

    life: int
    customer: int
    text: str


@dataclass(frozen=True)
class End:
    """In front of which step a process ends: the n-th, counted from 1, of those at places that begin so; 0: of none."""

    place: str
    n: int


NO_END = End("", 0)


@dataclass(frozen=True)
class Life:
    """A time in which processes work: where each one ends, and what fails at Twilio meanwhile.

    Before it, `pause` seconds go by.
    """

    ends: tuple[End, ...]
    threads: int
    pause: float
    faults: Mapping[str, Any] = field(default_factory=dict)


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
    return Schedule(
        seed,
        number,
        DATABASES[number % 2],
        RULES.replace("[bot]\n", BURSTS) if bursts else RULES,
        tuple(_messages(die, lives - 1)),
        tuple(_life(die, last=n == lives - 1) for n in range(lives)),
    )


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


def _life(die: Random, *, last: bool) -> Life:
    processes = 1 if die.random() < 0.7 else 2
    ends = tuple(_end(die) for _ in range(processes))
    pause = die.choice([0.0, 2.5, 16.0, 16.0, 16.0, 60.0])
    return Life(ends, die.choice([1, 1, 2]), pause, {} if last else _faults(die))


def _end(die: Random) -> End:
    """Return where a process ends, at early steps more often: little is left to be done when the late ones come."""
    if die.random() < 0.1:
        return NO_END
    weights = [weight for weight, _ in PLACES.values()]
    place = die.choices(list(PLACES), weights)[0]
    return End(place, int(math.exp(die.uniform(0, math.log(PLACES[place][1] + 1)))))


def _faults(die: Random) -> dict[str, Any]:
    faults: dict[str, Any] = {}
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
