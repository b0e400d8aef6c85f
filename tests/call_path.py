"""Follows one message through the code: which files of app/ it crosses as it arrives, and as it is answered.

Usage: python -m tests.call_path [--write]. A signed webhook goes through the real route and is worked off at once, with
the interpreter's profiler hook as witness; who writes and where is known from the webhooks before, as it is at Twilio.
Clock and rules are fixed. With --write the picture in README.md is drawn anew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from flask import Flask

from app import config, create_app
from app.db.database import Database
from app.db.schema import migrate
from app.emulator.client import Emulator
from app.recordings import files
from app.recordings.files import RecordedRequest
from app.runtime.worker import make_worker
from app.testing.bot_tester import ORIGIN, TOKEN
from app.twilio_api.form import webhook_date
from tests.support import webhook_fixtures

ROOT = Path(__file__).parents[1]
APP = f"{ROOT / 'app'}/"
README = ROOT / "README.md"
BEGIN, END = "<!-- written by: python -m tests.call_path --write -->\n", "<!-- until here -->\n"
NOW = datetime(2026, 8, 11, 13, 5, tzinfo=UTC)
RULES = '[[rule]]\nname = "help"\nwhen = { keywords = ["help"] }\nreply = "What can we do for you?"\n'
REPLY = "What can we do for you?"
INDENT = " " * 19


@dataclass
class CallPath:
    """The calls of functions of app/ while they were followed, by file and function."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def files(self) -> list[str]:
        """The files below app/, in the order of their first call."""
        return list(dict.fromkeys(file for file, _ in self.calls))

    @property
    def packages(self) -> dict[str, list[str]]:
        """The files of each package, both in the order of their first call; a file of the root is one of `app`."""
        found: dict[str, list[str]] = {}
        for file in self.files:
            package, _, name = file.rpartition("/")
            found.setdefault(package or "app", []).append(name.removesuffix(".py"))
        return found

    def count(self, frame: FrameType, event: str, _argument: object) -> None:
        """Count a call; a hook for sys.setprofile."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(APP) and code.co_name != "<module>":
            self.calls[code.co_filename.removeprefix(APP), code.co_qualname] += 1


@contextmanager
def followed() -> Iterator[CallPath]:
    """Follow what this thread, and those that it starts, run until the end of the block."""
    path = CallPath()
    before = sys.getprofile()
    threading.setprofile(path.count)
    sys.setprofile(path.count)
    try:
        yield path
    finally:
        sys.setprofile(before)
        threading.setprofile(None)  # type: ignore[arg-type]


def play(emulator: Emulator, folder: Path) -> tuple[CallPath, CallPath]:
    """Return what one message crosses as it arrives and as it is answered. Raises AssertionError when it is not."""
    app = _app(emulator, folder)
    parley = app.extensions["parley"]
    worker = make_worker(parley.settings, parley.db)
    parley.stored = worker.wake  # as in a process that works the inbox off; here we say when it does
    try:
        for told in ("onConversationAdded__whatsapp", "onParticipantAdded__sms"):
            post(app, _recorded(told, ConversationSid=f"CH{3:0>32}"))
        while worker.work_once():
            pass
        message = _recorded("onMessageAdded__sms_text")
        emulator.adopt(dict(files.form_of(message)))
        with followed() as arriving:
            post(app, message)
        with followed() as answered:
            worker.work_once()
    finally:
        parley.db.close()
    assert emulator.replies() == [REPLY]
    return arriving, answered


def _app(emulator: Emulator, folder: Path) -> Flask:
    database = Database(f"sqlite:///{folder / 'parley.db'}")
    migrate(database)
    database.close()
    (folder / "rules.toml").write_text(RULES)
    environ = {
        "TWILIO_ACCOUNT_SID": f"AC{1:0>32}",
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": emulator.url,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": f"sqlite:///{folder / 'parley.db'}",
        "BOT_RULES": str(folder / "rules.toml"),
    }
    return create_app(config.from_environment(environ), clock=lambda: NOW, boot_clock=lambda: 1_000.0)


def _recorded(name: str, **changes: str) -> RecordedRequest:
    return webhook_fixtures.with_fields(webhook_fixtures.load(name), {"DateCreated": webhook_date(NOW)}, **changes)


def post(app: Flask, request: RecordedRequest) -> None:
    """Post a request through the real URL, signed, and see that it is stored."""
    headers = webhook_fixtures.sign(request, ORIGIN, TOKEN)
    answer = app.test_client().open(request.target, method=request.method, headers=headers, data=request.body)
    assert answer.status_code == 204


def picture(arriving: CallPath, answered: CallPath) -> str:
    """Return both paths as README.md shows them: each package with its files, in the order of their first call."""
    return "\n".join([*_lines("arriving", arriving), "", *_lines("being answered", answered), ""])


def _lines(name: str, path: CallPath) -> list[str]:
    lines = [f"    {name}: {len(path.packages)} packages, {len(path.files)} files", ""]
    for package, names in path.packages.items():
        first, *others = textwrap.wrap(", ".join(names), 100)
        lines += [f"    {package:<15}{first}", *(INDENT + line for line in others)]
    return lines


def written(readme: str, drawn: str) -> str:
    """Return the README with this picture between its marks."""
    before, _, rest = readme.partition(BEGIN)
    return before + BEGIN + "\n" + drawn + "\n" + END + rest.partition(END)[2]


def main() -> None:
    """Measure and print both paths; write them into README.md when asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="draw the picture in README.md anew")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Emulator.start_set_up(receipt_delay=3_600) as emulator:
        paths = play(emulator, Path(folder))
    drawn = picture(*paths)
    print(drawn)
    for path, name in zip(paths, ("arriving", "being answered"), strict=True):  # comprehensions are calls before 3.12
        print(f"{name}: {sum(path.calls.values())} calls of {len(path.calls)} functions")
    if options.write:
        README.write_text(written(README.read_text(encoding="utf-8"), drawn), encoding="utf-8")


if __name__ == "__main__":
    main()
