"""`python -m tests.torture`: plays schedules on several processors, says how far it is, and what did not hold.

Example: make torture SEED=17 ONLY=412
"""

import argparse
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.torture.jobs import Result, results

PROGRESS_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what the command line asks for; return 1 when something did not hold."""
    wanted = _arguments(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started, too
    numbers = wanted.only or list(range(1, wanted.count + 1))
    found: list[Result] = []
    last_word = started = time.monotonic()
    for result in results(numbers, seed=wanted.seed, jobs=wanted.jobs, postgresql=wanted.postgresql):
        found.append(result)
        if result.faults or wanted.only:
            _tell_of(result, wanted.seed)
        if time.monotonic() - last_word > PROGRESS_SECONDS:
            last_word = time.monotonic()
            _say(_summary(found, len(numbers), started))
    _say(_summary(found, len(numbers), started))
    if wanted.json:
        print(json.dumps(_report(found)))
    return int(any(one.faults for one in found))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    add = parser.add_argument
    add("--seed", type=int, default=1, help="another seed draws other schedules")
    add("--count", type=int, default=1000, help="how many schedules, numbered from 1")
    add("--only", type=lambda text: [int(one) for one in text.split(",") if one], help="these numbers, told in detail")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="how many are played at once")
    add("--postgresql", default="", metavar="URL", help="a server to make databases on; else one is started")
    add("--json", action="store_true", help="end with one JSON document on standard output")
    return parser.parse_args(arguments)


def _tell_of(result: Result, seed: int) -> None:
    _say(f"schedule {result.number} on {result.database}: {'FAILED' if result.faults else 'holds'}")
    for line in (*result.faults, *result.story):
        _say(f"    {line}")
    if result.faults:
        _say(f"    repeat it: make torture SEED={seed} ONLY={result.number}")


def _summary(results: Sequence[Result], count: int, started: float) -> str:
    report = _report(results)
    return (
        f"{len(results)} of {count} schedules in {time.monotonic() - started:.0f} s: {report['failed']} failed, "
        f"{report['ended']} processes ended at {report['ended_at']} of {report['places']} places, "
        f"{report['messages']} messages and {report['webhooks']} webhooks; "
        + ", ".join(f"{count} {name}" for name, count in sorted(report["deeds"].items()))
    )


def _report(results: Sequence[Result]) -> dict[str, Any]:
    ended: Counter[str] = Counter()
    places: set[str] = set()
    for one in results:
        ended += one.ended
        places |= one.places | set(one.ended)
    kinds = Counter(fault.partition(":")[0] for one in results for fault in one.faults)
    return {
        "schedules": len(results),
        "failed": sum(bool(one.faults) for one in results),
        "faults": dict(kinds),
        "ended": ended.total(),
        "ended_at": len(ended),
        "places": len(places),
        "never_ended_at": sorted(places - set(ended)),
        "deeds": dict(sum((one.deeds for one in results), Counter[str]())),
        "messages": sum(one.messages for one in results),
        "webhooks": sum(one.webhooks for one in results),
        "by_database": dict(Counter(one.database for one in results)),
        "slowest_seconds": max((round(one.seconds, 2) for one in results), default=0.0),
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped")
