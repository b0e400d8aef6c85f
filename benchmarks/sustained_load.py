"""Plays Twilio for minutes: customers write at a fixed rate, replies are taken and their receipts are posted.

One process is sender and REST API at once, so that it knows when the reply to each message came. Requests are signed
while it runs. Prints one JSON document: figures of every window of seconds.
"""

import argparse
import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from time import monotonic

from benchmarks.connection import Connection
from benchmarks.load import percentile
from benchmarks.messages import Batch, inbound_sms, new_batch, receipt, signed_post
from benchmarks.slow_api import Api, ApiConnection

RECEIPTS = (("sent", 0.5), ("delivered", 1.0), ("read", 2.0))  # seconds after our message
CONNECTIONS = 32
WINDOW_SECONDS = 10.0
PATIENCE_SECONDS = 60.0  # for what is still under way at the end


@dataclass(frozen=True)
class Window:
    """The figures of some seconds; `replies` and their delays belong to the messages that were sent in it."""

    at: float
    acks: int
    ack_p50_ms: float
    ack_p99_ms: float
    replies: int
    delay_p50_ms: float
    delay_p99_ms: float


@dataclass(frozen=True)
class Sustained:
    """What a run gave, over all of it and for each window."""

    messages: int
    receipts: int
    replies: int
    doubled: int
    errors: int
    seconds: float
    ack_p50_ms: float
    ack_p99_ms: float
    ack_max_ms: float
    delay_p50_ms: float
    delay_p99_ms: float
    delay_max_ms: float
    windows: list[Window]


@dataclass
class Play:
    """What has happened so far; times on the monotonic clock, `acks` and `delays` as (when it began, milliseconds)."""

    batch: Batch
    started_at: float
    pool: asyncio.Queue[Connection] = field(default_factory=asyncio.Queue)
    acks: list[tuple[float, float]] = field(default_factory=list)
    delays: list[tuple[float, float]] = field(default_factory=list)
    unanswered: dict[str, float] = field(default_factory=dict)
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    messages: int = 0
    receipts: int = 0
    doubled: int = 0
    errors: int = 0

    def post(self, form: dict[str, str], intended_at: float) -> None:
        """Post a webhook as soon as a connection is free; its time runs from when it was meant to leave."""
        task = asyncio.get_running_loop().create_task(self._post(form, intended_at))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def _post(self, form: dict[str, str], intended_at: float) -> None:
        connection = await self.pool.get()
        status = await connection.exchange(signed_post(form))
        self.pool.put_nowait(connection)
        self.acks.append((intended_at, (connection.answered_at - intended_at) * 1000))
        self.errors += status != 204

    def replied(self, message_sid: str, conversation_sid: str) -> None:
        """Note a reply, and let its receipts come."""
        asked_at = self.unanswered.pop(conversation_sid, None)
        if asked_at is None:
            self.doubled += 1
            return
        self.delays.append((asked_at, (monotonic() - asked_at) * 1000))
        loop = asyncio.get_running_loop()
        for status, seconds in RECEIPTS:
            due_at = monotonic() + seconds * random.uniform(0.8, 1.2)
            loop.call_at(
                loop.time() + due_at - monotonic(), self._receipt, message_sid, conversation_sid, status, due_at
            )

    def _receipt(self, message_sid: str, conversation_sid: str, status: str, due_at: float) -> None:
        self.receipts += 1
        self.post(receipt(message_sid, conversation_sid, status), due_at)

    def is_over(self) -> bool:
        """Return whether every message has its reply and every reply its receipts."""
        return not self.unanswered and self.receipts == len(self.delays) * len(RECEIPTS) and not self.under_way


async def play(
    port: int, api_port: int, *, rate: float, seconds: float, latency: float, patience: float = PATIENCE_SECONDS
) -> Sustained:
    """Return what came of `rate` webhooks per second for `seconds`, each message followed by its receipts."""
    loop = asyncio.get_running_loop()
    each = (1 + len(RECEIPTS)) / rate
    count = int(seconds / each)
    play = Play(new_batch(count), monotonic() + 0.1)
    for _ in range(CONNECTIONS):
        play.pool.put_nowait(Connection(port))
    api = Api(latency, created=play.replied)
    server = await loop.create_server(lambda: ApiConnection(api), "127.0.0.1", api_port)
    for number in range(count):
        intended_at = play.started_at + number * each
        await asyncio.sleep(intended_at - monotonic())
        play.unanswered[play.batch.conversation_sid(number)] = intended_at
        play.messages += 1
        play.post(inbound_sms(play.batch, number), intended_at)
    ended_at = monotonic()
    while not play.is_over() and monotonic() < ended_at + patience:
        await asyncio.sleep(0.1)
    server.close()
    return summarize(play, ended_at - play.started_at)


def summarize(play: Play, seconds: float) -> Sustained:
    """Return the figures of a play that is over."""
    acks, delays = sorted(ms for _, ms in play.acks), sorted(ms for _, ms in play.delays)
    return Sustained(
        messages=play.messages,
        receipts=play.receipts,
        replies=len(play.delays),
        doubled=play.doubled,
        errors=play.errors,
        seconds=seconds,
        ack_p50_ms=percentile(acks, 0.5),
        ack_p99_ms=percentile(acks, 0.99),
        ack_max_ms=acks[-1] if acks else 0.0,
        delay_p50_ms=percentile(delays, 0.5),
        delay_p99_ms=percentile(delays, 0.99),
        delay_max_ms=delays[-1] if delays else 0.0,
        windows=windows(play.acks, play.delays, play.started_at, seconds),
    )


def windows(
    acks: Sequence[tuple[float, float]], delays: Sequence[tuple[float, float]], started_at: float, seconds: float
) -> list[Window]:
    """Return the figures of each whole window of the time in which messages were sent."""
    found = []
    for number in range(max(1, int(seconds / WINDOW_SECONDS))):
        begin = started_at + number * WINDOW_SECONDS
        ours = _within(acks, begin)
        theirs = _within(delays, begin)
        found.append(
            Window(
                at=number * WINDOW_SECONDS,
                acks=len(ours),
                ack_p50_ms=percentile(ours, 0.5),
                ack_p99_ms=percentile(ours, 0.99),
                replies=len(theirs),
                delay_p50_ms=percentile(theirs, 0.5),
                delay_p99_ms=percentile(theirs, 0.99),
            )
        )
    return found


def _within(measured: Sequence[tuple[float, float]], begin: float) -> list[float]:
    return sorted(ms for at, ms in measured if begin <= at < begin + WINDOW_SECONDS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sustained_load", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of Parley, on 127.0.0.1")
    parser.add_argument("--api-port", type=int, required=True, help="where to be the REST API")
    parser.add_argument("--rate", type=float, default=500, help="webhooks per second, messages and receipts")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that REST takes")
    options = parser.parse_args()
    run = play(options.port, options.api_port, rate=options.rate, seconds=options.seconds, latency=options.latency)
    print(json.dumps(asdict(asyncio.run(run))))
