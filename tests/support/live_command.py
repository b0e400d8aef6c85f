"""A `flask` command as a process of its own, that can be killed in the middle; and what it did to the emulator."""

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from app.emulator.client import Emulator
from tests.support.eventually import eventually
from tests.support.webhook_receiver import sdk_client

ROOT = Path(__file__).parents[2]


class LiveCommand:
    """A running command; with `terminal` what it prints goes to one."""

    def __init__(self, environ: Mapping[str, str], *arguments: str, terminal: bool = False) -> None:
        reading, writing = pty.openpty() if terminal else os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "TERM": "xterm", **environ},
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
        )
        os.close(writing)
        self._said: list[bytes] = []
        self._reader = threading.Thread(target=self._read, args=[reading])
        self._reader.start()

    def signal_when(self, happened: Callable[[], object], number: int) -> None:
        """Send a signal once something has happened."""
        in_time = eventually(happened, seconds=60)
        self.process.send_signal(number if in_time else signal.SIGKILL)
        assert in_time

    def kill_when(self, happened: Callable[[], object]) -> None:
        """End it at once, as `kill -9` does, once something has happened."""
        self.signal_when(happened, signal.SIGKILL)
        self.ended()

    def ended(self, seconds: float = 100) -> tuple[int, str]:
        """Wait until it ends and return its exit code and what it said."""
        code = self.process.wait(timeout=seconds)
        self._reader.join()
        return code, b"".join(self._said).decode().replace("\r\n", "\n")

    def _read(self, reading: int) -> None:
        with open(reading, "rb", buffering=0) as output:
            try:
                while said := output.read(4096):
                    self._said.append(said)
            except OSError:  # how a terminal says that nobody writes to it any more
                return


def writes(emulator: Emulator) -> list[dict[str, object]]:
    """Return the requests that asked for a participant."""
    return [it for it in emulator.requests() if it["method"] == "POST" and it["path"].endswith("/Participants")]


def joined(emulator: Emulator, conversation: str) -> list[str]:
    """Return who takes part in a conversation, in the order of joining, as the unmodified SDK lists them."""
    listed = sdk_client(emulator.url).conversations.v1.conversations(conversation).participants.list(page_size=100)
    return [it.identity or it.messaging_binding["address"] for it in listed]


def progress_of(said: str) -> list[str]:
    """Return the counts that a progress bar went through."""
    return re.findall(r"\d+/\d+", said)
