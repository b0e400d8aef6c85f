"""`python -m tests.fuzz`: shoots requests at the app for a time or up to a number; keeps those that did it harm.

Example: make fuzz SECONDS=60
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fuzz.campaign import results, some_number
from tests.fuzz.shots import Shot
from tests.fuzz.target import target_app

PROGRESS_SECONDS = 5.0
MOST_FAILURES = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Shoot as the command line asks; return 1 when the app came to harm."""
    wanted = _arguments(arguments)
    return _replay(wanted.replay) if wanted.replay else _shoot(wanted)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=float, default=0.0, help="for how long (60 unless --inputs is given)")
    add("--inputs", type=int, default=0, help="up to how many requests")
    add("--seed", type=int, default=0, help="the same seed makes the same requests; else one is drawn and told")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes")
    add("--failures", type=Path, default=Path("instance/fuzz"), help="folder for the requests that did harm")
    add("--replay", type=Path, metavar="FILE", help="send one such request again")
    add("--json", action="store_true", help="end with one JSON document on standard output")
    return parser.parse_args(arguments)


def _shoot(wanted: argparse.Namespace) -> int:
    seed, started = some_number(wanted.seed), time.monotonic()
    seconds = wanted.seconds if wanted.seconds or wanted.inputs else 60.0
    statuses: Counter[int] = Counter()
    slowest, failed, last_word = 0.0, 0, started
    _say(f"seed {seed}")
    for batch in results(seed=seed, seconds=seconds, inputs=wanted.inputs, jobs=wanted.jobs):
        statuses += batch.statuses
        slowest = max(slowest, batch.slowest_seconds)
        for number, wrong, shot in batch.failures:
            failed += 1
            if failed <= MOST_FAILURES:
                _keep(shot, f"{seed}-{number}", wrong, wanted.failures)
        if time.monotonic() - last_word > PROGRESS_SECONDS:
            last_word = time.monotonic()
            _say(_summary(statuses, failed, time.monotonic() - started))
    spent = time.monotonic() - started
    _say(_summary(statuses, failed, spent) + f"; the slowest took {slowest * 1000:.0f} ms")
    if wanted.json:
        print(json.dumps(_report(statuses, failed, spent, slowest, seed)))
    return int(failed > 0)


def _keep(shot: Shot, name: str, wrong: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"wrong": wrong, "shot": shot.to_json()}, indent=1))
    _say(f"{wrong}\n    send it again: .venv/bin/python -m tests.fuzz --replay {path}")


def _replay(path: Path) -> int:
    shot = Shot.from_json(json.loads(path.read_text())["shot"])
    folder = tempfile.TemporaryDirectory(prefix="parley-fuzz-", ignore_cleanup_errors=True)
    with folder as path_of_app, target_app(Path(path_of_app)) as target:
        seen = target.take(shot)
        wrong = [seen.wrong] if seen.wrong else [one for one, _ in target.work(1)]
    _say(f"{shot.method} {shot.target[:100]}: {seen.status} after {seen.seconds * 1000:.0f} ms. {' '.join(wrong)}")
    return int(bool(wrong))


def _summary(statuses: Counter[int], failed: int, seconds: float) -> str:
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    rate = statuses.total() / seconds if seconds else 0.0
    return f"{statuses.total()} inputs in {seconds:.0f} s, {rate:.0f} a second, {failed} did harm: {answers}"


def _report(statuses: Counter[int], failed: int, seconds: float, slowest: float, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "inputs": statuses.total(),
        "seconds": round(seconds, 1),
        "inputs_a_second": round(statuses.total() / seconds) if seconds else 0,
        "failed": failed,
        "answers": {str(status): count for status, count in sorted(statuses.items())},
        "slowest_ms": round(slowest * 1000),
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped")
