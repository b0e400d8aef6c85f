"""WriterLock: processes that write alternate, nobody waits for ever, and the dead hold nothing."""

import fcntl
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from app.db.writer_lock import LockTimeout, WriterLock
from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
HOLD = """
    turns.acquire(5)
    print("taken", flush=True)
    sys.stdin.readline()
"""
WRITE_ONE_LETTER_A_TURN = """
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(200):
        turns.acquire(5)
        with open(sys.argv[2], "a") as file:
            file.write(sys.argv[3])
        time.sleep(0.001)
        turns.release()
"""


WRITE_WHEN_IT_MAY = """
    print("ready", flush=True)
    sys.stdin.readline()
    turns.acquire(5)
    with open(sys.argv[2], "a") as file:
        file.write("patient ")
    turns.release()
"""


def write_with_priority(turns: WriterLock, written: Path) -> None:
    turns.acquire(5, priority=True)
    with written.open("a") as file:
        file.write("priority ")
    turns.release()


def is_locked(path: Path, *, looks: int = 20) -> bool:
    """Return whether somebody holds a lock for as long as we look: a patient process tries it for a moment only."""
    with path.open() as file:
        for _ in range(looks):
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
            time.sleep(0.001)
    return True


def write_with_priority_until(stopping: threading.Event, turns: WriterLock) -> None:
    while not stopping.is_set():
        turns.acquire(5, priority=True)
        turns.release()


def other_process(program: str, database: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python of its own that has `turns`; return it once it has said its first word."""
    head = "import sys, time; from pathlib import Path; "
    head += "from app.db.writer_lock import WriterLock; turns = WriterLock(Path(sys.argv[1]))\n"
    command = [sys.executable, "-c", head + textwrap.dedent(program), str(database), *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline()
    return process


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.fixture
def turns(tmp_path):
    turns = WriterLock(tmp_path / "parley.db")
    yield turns
    turns.close()


def test_two_processes_that_write_all_the_time_alternate(tmp_path):
    written = tmp_path / "written"
    pair = [other_process(WRITE_ONE_LETTER_A_TURN, tmp_path / "parley.db", str(written), name) for name in "ab"]
    for process in pair:
        go_on(process)
    ends = [process.wait(timeout=30) for process in pair]
    text = written.read_text()
    while_both_wrote = text[: 1 + min(text.rindex("a"), text.rindex("b"))].lstrip(text[0])
    longest_run = max(map(len, while_both_wrote.replace("ab", "a b").replace("ba", "b a").split()))

    assert ends == [0, 0]
    assert (text.count("a"), text.count("b")) == (200, 200)
    assert longest_run <= 20


def test_those_with_priority_go_before_the_others_of_every_process(tmp_path, turns):
    """A patient process waits first, a thread with priority here comes later; the priority one writes first."""
    written = tmp_path / "written"
    holder = other_process(HOLD, tmp_path / "parley.db")
    patient = other_process(WRITE_WHEN_IT_MAY, tmp_path / "parley.db", str(written))
    go_on(patient)
    assert eventually((tmp_path / "parley.db.patient").exists)
    priority = threading.Thread(target=write_with_priority, args=(turns, written))
    priority.start()
    assert eventually(lambda: is_locked(tmp_path / "parley.db.queue"))
    go_on(holder)
    priority.join(timeout=60)
    ends = [process.wait(timeout=60) for process in (holder, patient)]

    assert ends == [0, 0]
    assert written.read_text() == "priority patient "


def test_no_load_of_writers_with_priority_stops_the_others(tmp_path, turns):
    stopping = threading.Event()
    others = WriterLock(tmp_path / "parley.db")  # as another process has it: files of its own
    loads = [threading.Thread(target=write_with_priority_until, args=(stopping, one)) for one in (turns, turns, others)]
    for load in loads:
        load.start()
    for _ in range(20):
        turns.acquire(2)
        turns.release()
    stopping.set()
    for load in loads:
        load.join(timeout=60)
    others.close()

    assert not any(load.is_alive() for load in loads)


def test_waiting_for_another_process_ends_with_an_error(tmp_path, turns):
    holder = other_process(HOLD, tmp_path / "parley.db")
    with pytest.raises(LockTimeout, match="another process"):
        turns.acquire(0.1)
    go_on(holder)
    holder.wait(timeout=60)

    turns.acquire(0.1)
    turns.release()


def test_waiting_for_another_thread_ends_with_an_error(turns):
    turns.acquire(0.1)
    refusals = []

    def wait() -> None:
        with pytest.raises(LockTimeout, match="thread") as refusal:
            turns.acquire(0.05)
        refusals.append(refusal.value)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    turns.release()

    assert len(refusals) == 1


def test_a_killed_process_gives_its_turn_back(tmp_path, turns):
    holder = other_process(HOLD, tmp_path / "parley.db")
    holder.kill()
    holder.wait(timeout=60)

    turns.acquire(1)
    turns.release()


def test_a_turn_not_given_leaves_the_queue_free_for_the_next(tmp_path, turns):
    holder = other_process(HOLD, tmp_path / "parley.db")
    with pytest.raises(LockTimeout):
        turns.acquire(0.05)
    waiting = threading.Thread(target=turns.acquire, args=(5,))
    waiting.start()
    go_on(holder)
    waiting.join(timeout=60)
    holder.wait(timeout=60)

    assert not waiting.is_alive()
    turns.release()
