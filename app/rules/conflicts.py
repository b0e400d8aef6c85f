"""What one rule may not hold together, although each key by itself is right."""

from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 6  # of any, all and not inside each other
DEEDS = ("reply", "media", "template", "set_attributes", "hand_over", "pause", "add_participant", "close")

Conflict = tuple[str, str]  # the key and what to do


def conflicts(rule: dict[str, Any]) -> Iterator[Conflict]:
    """Yield each key of a rule, as TOML gave it, that contradicts another, and the next step."""
    deeds = [deed for deed in DEEDS if rule.get(deed, False) is not False]
    if rule.get("set_attributes") == {}:
        deeds.remove("set_attributes")
    if rule.get("stop") is True and deeds:
        yield "stop", f"keeps silent, but the rule also has {' and '.join(deeds)}; remove one or the other"
    if not deeds and rule.get("stop") is not True:
        yield "reply", 'is missing; add reply = "...", or an action such as hand_over = true'
    if rule.get("hand_over") is True and "pause" in deeds:
        yield "pause", "contradicts hand_over, which pauses until somebody resumes the bot; remove one of them"
    if isinstance(rule.get("set_attributes"), dict) and "parley" in rule["set_attributes"]:
        yield "set_attributes.parley", "belongs to the bot; write hand_over = true or pause to switch it off"
    yield from _participant(rule.get("add_participant"))
    if _depth(rule.get("when")) > MAX_DEPTH:
        yield "when", f"has any, all and not more than {MAX_DEPTH} deep; make it simpler"


def _participant(added: Any) -> Iterator[Conflict]:
    if not isinstance(added, dict):
        return
    if ("identity" in added) == ("address" in added):
        yield "add_participant", "needs either an identity, or an address and a proxy_address"
    elif ("address" in added) != ("proxy_address" in added):
        yield "add_participant", "needs both the address and our own number that it talks to, proxy_address"


def _depth(when: Any) -> int:
    if isinstance(when, list):
        return max(map(_depth, when), default=0)
    if not isinstance(when, dict):
        return 0
    return 1 + max((_depth(when.get(key)) for key in ("any", "all", "not")), default=0)
