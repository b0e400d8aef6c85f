"""Sends one notification through Apprise: to a chat, a mailbox, a telephone. Loaded where such a target is used.

Apprise says yes or no, and there is no id by which a receiver could know a message again: what may have been sent is
uncertain. From its log is taken only that nothing can have left, or that the service refused it.
"""

from __future__ import annotations

import logging
import re
import threading

from app.notify.targets import NotifyTarget, Outcome

SECONDS = 10.0
NOT_INSTALLED = "Apprise is not installed; pip install apprise"
_NOTHING_LEFT = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|Connection refused|Name or service not known"
    r"|Temporary failure in name resolution|No route to host|Network is unreachable"
)
_REFUSED = re.compile(r"\berror[=:]\s?(4\d\d)\b")
_TRIED_AGAIN = ("408", "429")

apprise_log = logging.getLogger("apprise")


def send(target: NotifyTarget, title: str, text: str, *, seconds: float = SECONDS) -> Outcome:
    """Send it once; after `seconds` it is not waited for any more, and may arrive all the same."""
    try:
        attempt = _Attempt(target, title, text)
    except ImportError:
        return Outcome("again", NOT_INSTALLED)
    attempt.start()
    attempt.join(seconds)
    if attempt.is_alive():
        return Outcome("uncertain", f"no answer within {seconds:g} s; it may have been sent")
    return attempt.outcome


class _Attempt(threading.Thread):
    """One call of Apprise, in a thread of its own, since it has no time-out for all it does."""

    def __init__(self, target: NotifyTarget, title: str, text: str) -> None:
        import apprise

        super().__init__(name=f"apprise-{target.name}", daemon=True)
        self.outcome = Outcome("uncertain", "Apprise failed; it may have been sent")
        _keep_quiet()
        self._service = apprise.Apprise.instantiate(target.address)  # its own notify() would use threads of its own
        self._title, self._text = title, text

    def run(self) -> None:
        """Call Apprise and keep what came of it."""
        if self._service is None:
            self.outcome = Outcome("failed", "Apprise does not know this kind of address; see its documentation")
            return
        said = _Said(threading.get_ident())
        apprise_log.addHandler(said)
        try:
            was_sent = self._service.notify(body=self._text, title=self._title)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises: it may have been sent
            self.outcome = Outcome("uncertain", f"Apprise raised {type(error).__name__}; it may have been sent")
            return
        finally:
            apprise_log.removeHandler(said)
        self.outcome = Outcome("sent") if was_sent else said.outcome()


class _Said(logging.Handler):
    """What Apprise logs in one thread; read once and never shown: it may hold addresses."""

    def __init__(self, thread: int) -> None:
        super().__init__(logging.DEBUG)
        self._thread, self._lines = thread, ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line of our thread."""
        if record.thread == self._thread:
            self._lines += f"{record.getMessage()}\n"

    def outcome(self) -> Outcome:
        """Return what the lines prove, else that it is uncertain."""
        if _NOTHING_LEFT.search(self._lines):
            return Outcome("again", "the service cannot be reached; nothing was sent")
        if refused := _REFUSED.search(self._lines):
            reason = f"the service refused it with {refused[1]}"
            return Outcome("again" if refused[1] in _TRIED_AGAIN else "failed", reason)
        return Outcome("uncertain", "Apprise failed; it may have been sent")


def _keep_quiet() -> None:
    apprise_log.propagate = False  # its lines hold addresses, which are secrets
    apprise_log.setLevel(logging.DEBUG)
    if not apprise_log.handlers:
        apprise_log.addHandler(logging.NullHandler())
