"""Remembers on disk what the global webhook was before `flask dev --live`, and puts it back; also after a crash."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from app.common import private_files
from app.operations.account import Account
from app.operations.webhooks import Webhook, fetch, in_words, put

FILE = "live.json"


@dataclass(frozen=True)
class Memory:
    """Whose webhook we changed, from what, to what."""

    account_sid: str
    former: Webhook
    ours: Webhook


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep others from changing the webhook at the same time; raises ClickException when one does already."""
    private_files.make_folder(folder)
    lock = os.open(folder / "live.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise click.ClickException("another `flask dev --live` is running here; end it first") from error
    finally:
        os.close(lock)


def remember(folder: Path, memory: Memory) -> None:
    """Write it down for good, before anything is changed. Only its owner may read it: a URL can hold a password."""
    draft = folder / f"{FILE}.draft"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(memory), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / FILE)


def recall(folder: Path) -> Memory | None:
    """Return what an earlier run left, or None. Raises ClickException for a file that cannot be understood."""
    path = folder / FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Memory(str(said["account_sid"]), _webhook(said["former"]), _webhook(said["ours"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.ClickException(
            f"{path} cannot be read; look at the global webhook in the Twilio console, then delete the file"
        ) from error


def restore(folder: Path, memory: Memory, account: Account) -> str:
    """Put the former webhook back, unless somebody else has changed it; return what was done. Raises SendError."""
    now = fetch(account)
    if now == memory.former:
        said = f"The global webhook is as it was: {in_words(memory.former)}."
    elif now == memory.ours:
        put(account, memory.former)
        said = f"Restored the global webhook: {in_words(memory.former)}."
    else:
        said = (
            f"Somebody has changed the global webhook meanwhile, to {in_words(now)}; it is left so. "
            f"Before `flask dev --live` it was {in_words(memory.former)}."
        )
    (folder / FILE).unlink(missing_ok=True)
    return said


def _webhook(said: dict[str, object]) -> Webhook:
    filters = said["filters"]
    names = {name: str(said[name]) for name in ("method", "pre_webhook_url", "post_webhook_url", "target")}
    return Webhook(**names, filters=tuple(str(name) for name in filters) if isinstance(filters, list) else ())
