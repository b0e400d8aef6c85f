"""`flask privacy`: erases what is known of one person."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import confirm, dry_run_option, yes_option
from app.cli.dev_environment import local_settings
from app.cli.output import database, explained, json_option, parley, show_json, show_table
from app.db.database import Database, DatabaseUnavailable
from app.inbox.reservations import PATIENCE_SECONDS
from app.receiver import rejections
from app.recordings.files import SUFFIX

if TYPE_CHECKING:
    from app.config import Settings
    from app.privacy.erasure import Erased
    from app.privacy.subject import Subject
    from app.rules.schema import BotSettings

ACTOR = "flask privacy erase"


@click.group("privacy")
def privacy_commands() -> None:
    """What people may ask of us: what is known of one, and to erase it."""


@privacy_commands.command("erase")
@click.argument("person", metavar="NUMBER|ADDRESS|IDENTITY")
@click.option(
    "--recordings",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("recordings"),
    show_default=True,
    help="Folder of `flask record`; files that name the person are listed, not deleted.",
)
@click.option("--no-rewrite", is_flag=True, help="Leave traces in the free space of an SQLite file, to block nobody.")
@dry_run_option
@yes_option
@json_option
@with_appcontext
def erase_command(person: str, recordings: Path, no_rewrite: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Erase texts, names and numbers of one person from every table; empty rows stay, so that the counts still hold.

    A number is that person on every channel; an address that is no number is found as the page shows it, with its
    channel or without. Conversations without another customer are emptied as a whole. Their opt-out stays, as a keyed
    hash of the address, until they write START. Twilio keeps its own copy: delete it there too. Nothing known: ends
    with 1.

    Example: flask privacy erase +15550100001 --dry-run
    """
    from app.privacy.erasure import Erased, erase
    from app.privacy.subject_search import find

    settings, subject = local_settings(parley()), subject_of(person)
    db, refused, hints = database(), settings.instance_folder / rejections.FILE, _recordings_of(recordings, subject)
    with explained():
        found = find(db, subject, settings.bot_agents)
        kept_refusals = rejections.forget(refused, _speaks_of(subject), dry_run=True)
        is_known = bool(found or kept_refusals or hints)
        if dry_run:
            _Report(Erased(found.counts, 0), kept_refusals, hints, dry_run=True).show(as_json)
            return must_be_known(is_known, subject)
        if found or kept_refusals:
            confirm(f"Erase {sum(found.counts.values())} rows for good?", yes)
        with _progress(sum(found.counts.values()), as_json) as shown:
            erased = erase(
                db,
                subject,
                settings.bot_agents,
                found,
                actor=ACTOR,
                wait=time.sleep,
                bot=_bot_of(settings),
                progress=shown.erased,
                waiting=shown.waits,
            )
    rejections.forget(refused, _speaks_of(subject))
    rewritten = None if no_rewrite or not db.is_sqlite else _rewrite(db)
    _Report(erased, kept_refusals, hints, rewritten=rewritten).show(as_json)
    if rewritten is False:
        sys.exit(1)
    return must_be_known(is_known, subject)


def subject_of(person: str) -> Subject:
    """Return whose data is meant; what names nobody is an error of usage."""
    from app.privacy.subject import NoSubject, Subject

    try:
        return Subject.of(person)
    except NoSubject as fault:
        raise click.UsageError(str(fault)) from fault


def must_be_known(is_known: bool, subject: Subject) -> None:
    """End the command with 1 where nothing is known of somebody: who asked has rather misspelled a name."""
    if is_known:
        return
    click.echo("Look at how the page writes the name: an address, or the identity of a chat user.", err=True)
    if subject.looks_like_a_number:
        click.echo("It was looked for as it stands; a phone number begins with + and the country's code.", err=True)
    sys.exit(1)


def _bot_of(settings: Settings) -> BotSettings | None:
    """Return what the rules file says of STOP and START; None, for the usual words, while it is faulty."""
    from app.runtime.from_settings import load_rules

    try:
        return load_rules(settings).bot
    except (ValueError, OSError):
        return None


def _speaks_of(subject: Subject) -> Callable[[str], bool]:
    return lambda line: subject.is_in(line) or f'"{subject.text}"' in line


def _recordings_of(folder: Path, subject: Subject) -> list[str]:
    """Return the recorded webhooks that name the person; there should be none, recordings have stand-ins."""
    from app.recordings.files import Unreadable, form_of, read

    found = []
    for path in sorted(folder.glob(f"**/*{SUFFIX}")):
        try:
            values = [value for _, value in form_of(read(path))]
        except Unreadable:
            continue
        if any(subject.is_name(value) or subject.is_in(value) for value in values):
            found.append(str(path))
    return found


class _Progress:
    """Two bars, one after the other: how long we wait for workers, if we do, and how many rows are erased."""

    def __init__(self, rows: int, hidden: bool, bars: ExitStack) -> None:
        self._rows, self._hidden, self._bars = rows, hidden, bars
        self._waiting: Any = None
        self._erasing: Any = None

    def waits(self, lanes: int, seconds: float) -> None:
        """Show for how long we have waited until what is being worked on in their conversations has ended."""
        if self._waiting is None:
            self._waiting = self._bar(int(PATIENCE_SECONDS), f"Waiting for what is being sent ({lanes})")
        self._waiting.update(min(int(seconds), int(PATIENCE_SECONDS)) - self._waiting.pos)

    def erased(self, _table: str, count: int) -> None:
        """Show that so many rows more are erased."""
        if self._erasing is None:
            self._bars.close()
            self._erasing = self._bar(self._rows, "Erasing")
        self._erasing.update(count)

    def _bar(self, length: int, label: str) -> Any:
        bar: Any = click.progressbar(length=length, label=label, file=sys.stderr, hidden=self._hidden)
        return self._bars.enter_context(bar)


@contextmanager
def _progress(rows: int, as_json: bool) -> Iterator[_Progress]:
    with ExitStack() as bars:
        yield _Progress(rows, as_json, bars)


def _rewrite(db: Database) -> bool:
    """Return whether the file was rewritten, so that its free space tells nothing either."""
    try:
        return db.scrub()
    except DatabaseUnavailable as unavailable:
        click.echo(f"{unavailable}; the rows are erased, but their traces are still in the file.", err=True)
        return False


@dataclass(frozen=True, slots=True)
class _Report:
    """What an erasure came to, or would; `rewritten` is None where the file is not rewritten."""

    erased: Erased
    refused: int
    recordings: list[str]
    dry_run: bool = False
    rewritten: bool | None = None

    def show(self, as_json: bool) -> None:
        """Print it, for people or as JSON."""
        if as_json:
            return show_json(self._document())
        shown = [{"table": name, "rows": count} for name, count in sorted(self.erased.rows.items())]
        show_table(shown, ["table", "rows"], empty="Nothing is known of this person.")
        for line in self._lines():
            click.echo(line)
        return None

    def _document(self) -> dict[str, object]:
        return {
            "dry_run": self.dry_run,
            "rows": self.erased.rows,
            "opt_outs_kept": self.erased.opt_outs,
            "unfinished": self.erased.unfinished,
            "refusals": self.refused,
            "recordings": self.recordings,
            "rewritten": self.rewritten,
        }

    def _lines(self) -> Iterator[str]:
        if self.erased.unfinished:
            yield (
                f"{self.erased.unfinished} of what was being worked on there did not come to an end (its worker is "
                "frozen, killed or slow); it can send nothing more."
            )
        if self.erased.opt_outs:
            yield "1 opt-out stays, as a keyed hash of the address: nobody is answered against their will."
        if self.refused:
            yield f"{self.refused} refused requests {'name' if self.dry_run else 'named'} this person."
        yield from (f"{path} names this person; delete it." for path in self.recordings)
        if self.dry_run:
            if self.erased.rows or self.refused:
                yield "Nothing was erased; without --dry-run it is."
            return
        if self.rewritten is False:
            yield "Stop what uses the database for long, then run the same command again to rewrite the file."
        if self.erased.rows:
            yield "Backups and Twilio itself keep their own: `flask conversations delete` deletes a conversation there."
