"""What notifications say: a title and a sentence for each kind of cause, unless the rules give a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.rules.templates import ReplyError, render_reply

MOST_LISTED = 20  # of those that are told together

_TITLES: Mapping[str, str] = {
    "rule": "A rule wants you to know",
    "hand_over": "A customer needs a human",
    "unanswered": "A customer is still waiting",
    "opt_out_wish": "A customer may want to opt out",
    "human_answer_failed": "An answer did not reach a customer",
    "dead_events": "An event could not be worked off",
    "storage_refusals": "Webhooks could not be stored",
    "rejected_signatures": "Many webhooks are refused",
    "webhook_drift": "The webhook of the account has changed",
    "outage": "Twilio fails",
    "test": "A test of Parley",
}


def payload_of(
    kind: str, reason: str, link: str, template: str, values: Mapping[str, object], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what is told: title, text, link and facts; the text by the template where there is one.

    `values` are what a template may name beside what, link and reason.
    """
    title = _TITLES[kind]
    told = {"title": title, "text": f"{title}: {reason}", "link": link, **facts}
    if template:
        try:
            told["text"] = render_reply(template, {**values, "what": title, "link": link, "reason": reason})
        except ReplyError as error:
            told["text"] += f" (the template failed: {error})"
    return told


def subject(payload: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the title on one line, with how many are told together; a line break would begin another header."""
    more = f" ({len(others) + 1} times)" if others else ""
    return "".join(char for char in " ".join(f"{payload['title']}{more}".split()) if char.isprintable())[:200]


def body(payload: Mapping[str, Any], others: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return what people read: each text with its link; of very many the first ones."""
    shown = [payload, *others][:MOST_LISTED]
    left = 1 + len(others) - len(shown)
    parts = ["\n".join(filter(None, [one["text"], one["link"]])) for one in shown]
    return "\n\n".join([*parts, f"and {left} more"] if left else parts)
