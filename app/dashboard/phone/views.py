"""Views of the phone simulator, in the offline loop only: write as a customer, simulate failures.

It talks to the emulator over loopback, as a customer's phone and carrier would; what the bot made of it is read from
our own tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.dashboard.fragments import unless_known
from app.dashboard.phone import customers, screen
from app.dashboard.phone.customers import CHANNELS, OUR_NUMBER, PhoneCustomer
from app.dashboard.request_context import reading, settings
from app.monitoring.access import is_offline_loop
from app.twilio_api.errors import MEANINGS

if TYPE_CHECKING:
    from app.emulator.client import Emulator

LONGEST_TEXT = 1600
MEDIA = {
    "photo": ("Photo", {"content_type": "image/jpeg", "filename": "photo.jpg", "size": 214_000}),
    "voice": ("Voice message", {"content_type": "audio/ogg", "filename": "voice.ogg", "size": 48_000}),
    "document": ("Document", {"content_type": "application/pdf", "filename": "invoice.pdf", "size": 96_000}),
}
_CHANCES = (("0", "never"), ("0.5", "half of them"), ("1", "all of them"))
SWITCHES: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "duplicate": ("Webhooks come twice", _CHANCES),
    "reorder": ("Webhooks overtake each other", _CHANCES),
    "drop": ("Webhooks get lost", _CHANCES),
    "delay": ("Webhooks come later", (("0", "at once"), ("1", "after 1 s"), ("3", "after 3 s"), ("10", "after 10 s"))),
    "fail": (
        "Twilio’s API refuses",
        (
            ("", "nothing"),
            ("503:0.5", "half of all, for now (503)"),
            ("503:1", "all, for now (503)"),
            ("400:1", "all, for good (400)"),
        ),
    ),
}
_CODES = {"sms": (30003, 30004, 30005, 30006, 30007, 30008), "whatsapp": (63003, 63018, 63024)}


class EmulatorRefused(Exception):
    """The emulator refused, or does not answer; says why."""


def phone() -> ResponseReturnValue:
    """Show the phone of a customer, everybody one can be, and the switches."""
    with _emulator() as emulator:
        me = _me(request.args)
        everybody = _asked(lambda: customers.people(emulator.messages(), me))
        context = _screen(emulator, me)
    return render_template(
        "phone.html",
        **context,
        **_log(context["conversation_sid"]),
        people=everybody,
        switches=SWITCHES,
        channels=CHANNELS,
        media=MEDIA,
        fates=_fates(me),
        longest=LONGEST_TEXT,
    )


def phone_fragment() -> ResponseReturnValue:
    """Give the screen alone, or 304."""
    with _emulator() as emulator:
        return unless_known(render_template("phone_screen.html", **_screen(emulator, _me(request.args))))


def phone_log_fragment() -> ResponseReturnValue:
    """Give the log of what happened alone, or 304."""
    with _emulator() as emulator:
        me = _me(request.args)
        found = _asked(lambda: emulator.messages(participant=me.address))
    return unless_known(render_template("phone_log.html", **_log(_newest_conversation(found))))


def phone_write() -> ResponseReturnValue:
    """Let the customer write; who writes looks at the phone."""
    text = request.form.get("text", "").strip()[:LONGEST_TEXT]
    with _emulator() as emulator:
        me = _me(request.form)
        media = MEDIA.get(request.form.get("media", "")) if me.has_number else None
        if not text and not media:
            raise EmulatorRefused("there is nothing to send yet; write something")
        _asked(lambda: emulator.look(me.address))
        _asked(lambda: _write(emulator, me, text, [media[1]] if media else []))
        return _done(me)


def phone_look() -> ResponseReturnValue:
    """Let the customer look at the screen: what WhatsApp has delivered, or the chat shows, is read."""
    with _emulator() as emulator:
        me = _me(request.form)
        _asked(lambda: emulator.look(me.address))
        return _done(me)


def phone_faults() -> ResponseReturnValue:
    """Put the switches as they are on the form; faults that are not on it stay."""
    with _emulator() as emulator:
        me = _me(request.form)
        chosen = {name: request.form.get(name, "") for name in SWITCHES}
        wanted = {name: it for name, it in chosen.items() if it in dict(SWITCHES[name][1])}
        _asked(lambda: emulator.faults(**emulator.faults_in_force() | wanted))
        return _done(me)


def phone_carrier() -> ResponseReturnValue:
    """Decide what becomes of later messages to this phone."""
    with _emulator() as emulator:
        me = _me(request.form)
        fate = request.form.get("fate", "")
        if fate not in dict(_fates(me)):
            abort(400)
        wanted = {"error_code": int(fate)} if fate.isdigit() else {"status": fate or None}
        _asked(lambda: emulator.carrier(me.address, **wanted))
        return _done(me)


@contextmanager
def _emulator() -> Iterator[Emulator]:
    """Give the emulator; elsewhere than in the offline loop there is no such page."""
    if not is_offline_loop(settings()):
        abort(404)
    from app.emulator.client import Emulator  # brings `requests` along: only where there is a phone

    with Emulator(settings().api_base_url) as emulator:
        yield emulator


def _asked(question: Callable[[], Any]) -> Any:
    """Return the emulator's answer. Raises EmulatorRefused."""
    try:
        return question()
    except (RuntimeError, OSError) as error:
        raise EmulatorRefused(str(error) if isinstance(error, RuntimeError) else "the emulator is away") from error


def emulator_refused(error: EmulatorRefused) -> ResponseReturnValue:
    """Say why there is no phone, or why nothing was done."""
    if request.method == "GET":
        text = f"{error}. `flask dev` runs it together with this app."
        return render_template("problem.html", title="The emulator does not answer", text=text), 502
    if _is_script():
        return str(error), 409
    flash(str(error), "error")
    return redirect(url_for("page.phone", who=request.form.get("who", "")), 303)


def _done(me: PhoneCustomer) -> ResponseReturnValue:
    return ("", 204) if _is_script() else redirect(url_for("page.phone", who=me.key), 303)


def _is_script() -> bool:
    return request.headers.get("X-Requested-With") == "parley"


def _me(given: Mapping[str, str]) -> PhoneCustomer:
    """Return whose phone it is: `who`, or `channel` and `name` of somebody new."""
    author = settings().bot_author
    try:
        if "name" in given:
            return customers.customer(given.get("channel", ""), given["name"], bot_author=author)
        return customers.of_key(given.get("who", ""), bot_author=author)
    except ValueError as error:
        if request.method == "GET" and "name" in given:
            flash(f"{error}.", "error")
            return customers.CAST[0]
        abort(400, str(error))


def _write(emulator: Emulator, me: PhoneCustomer, text: str, media: list[dict[str, Any]]) -> None:
    if me.has_number:
        emulator.inbound(text or None, sender=me.name, to=OUR_NUMBER, channel=me.channel, media=media)
    else:
        emulator.chat("", me.name, text)


def _screen(emulator: Emulator, me: PhoneCustomer) -> dict[str, Any]:
    found = _asked(lambda: emulator.messages(participant=me.address))
    end, faults = _asked(emulator.carriers).get(me.address, {}), _asked(emulator.faults_in_force)
    fate = str(end.get("error_code") or end.get("status") or "")
    with reading() as (tx, _):
        shown = screen.bubbles(tx, me, found)
    return {
        "me": me,
        "our_number": OUR_NUMBER,
        "bubbles": shown,
        "unseen": "" if fate == "delivered" else screen.unseen(me, shown),
        "fate": fate,
        "fate_label": dict(_fates(me)).get(fate, fate) if fate else "",
        "chosen": (chosen := {name: _chosen(faults[name]) for name in SWITCHES}),
        "on": [
            (title, dict(ways).get(chosen[name], chosen[name]))
            for name, (title, ways) in SWITCHES.items()
            if chosen[name] not in ("", "0")
        ],
        "conversation_sid": _newest_conversation(found),
    }


def _log(conversation_sid: str) -> dict[str, Any]:
    if not conversation_sid:
        return {"lines": []}
    with reading() as (tx, now):
        return {"lines": screen.log_lines(tx, now, conversation_sid)}


def _newest_conversation(found: list[dict[str, Any]]) -> str:
    return str(found[-1]["conversation_sid"]) if found else ""


def _fates(me: PhoneCustomer) -> list[tuple[str, str]]:
    """Return what can become of messages to this phone, each with its name on the form."""
    if not me.has_number:
        return []
    ordinary = ("", "arrive, and are read when you look" if me.channel == "whatsapp" else "arrive")
    away = [("delivered", "arrive, but nobody looks")] if me.channel == "whatsapp" else []
    lost = [(str(code), f"fail: {code}, {MEANINGS[code].partition(';')[0]}") for code in _CODES[me.channel]]
    return [ordinary, *away, ("sent", "stay on their way"), *lost]


def _chosen(value: float | str) -> str:
    """Return the name on the form of how a switch stands."""
    return value if isinstance(value, str) else f"{value:g}"
