"""What a rules file may say of notifications: which causes are told to which targets, and in which words."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.rules.templates import REPLY_VARIABLES, checked_reply
from app.rules.values import one_or_more

# What the words of every notification may name; those about a message know what a reply knows, too.
NOTICE_VARIABLES = frozenset({"what", "link", "reason"})
OF_MESSAGES = REPLY_VARIABLES | NOTICE_VARIABLES | {"rule", "conversation_sid"}
OF_ANSWERS = NOTICE_VARIABLES | {"conversation_sid", "agent"}
OF_COUNTS = NOTICE_VARIABLES | {"count"}


def _name(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", value):
        raise ValueError("is not the name of a target; write letters, digits, - and _, as in BOT_NOTIFY")
    return value


TargetNames = Annotated[
    tuple[Annotated[str, BeforeValidator(_name)], ...], Field(min_length=1), BeforeValidator(one_or_more)
]


class Notice(BaseModel):
    """To whom something is told, by the names of targets in BOT_NOTIFY, and the template of its words; "": ours."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    to: TargetNames
    text: str = ""


def _notice(value: Any) -> Any:
    return {"to": value} if isinstance(value, str | list) else value


def _with_words_of(names: frozenset[str]) -> Any:
    def checked(value: Any) -> Any:
        found = _notice(value)
        if isinstance(found, dict) and "text" in found:
            checked_reply(found["text"], names=names)
        return found

    return Annotated[Notice | None, BeforeValidator(checked)]


NoticeOfMessage = _with_words_of(OF_MESSAGES)
_NoticeOfAnswer = _with_words_of(OF_ANSWERS)
_NoticeOfCount = _with_words_of(OF_COUNTS)
_Notice = _with_words_of(NOTICE_VARIABLES)


class Notify(BaseModel):
    """`[notify]`: what is told, beside what single rules say; a cause that is not named here is told to nobody."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    hand_over: NoticeOfMessage = None  # type: ignore[valid-type]
    unanswered: NoticeOfMessage = None  # type: ignore[valid-type]
    opt_out_wish: NoticeOfMessage = None  # type: ignore[valid-type]
    human_answer_failed: _NoticeOfAnswer = None  # type: ignore[valid-type]
    dead_events: _Notice = None  # type: ignore[valid-type]
    storage_refusals: _NoticeOfCount = None  # type: ignore[valid-type]
    rejected_signatures: _NoticeOfCount = None  # type: ignore[valid-type]
    webhook_drift: _Notice = None  # type: ignore[valid-type]
    outage: _Notice = None  # type: ignore[valid-type]

    def of(self, kind: str) -> Notice | None:
        """Return who is told of a kind of cause, or None."""
        found: Notice | None = getattr(self, kind)
        return found

    @property
    def asked(self) -> Mapping[str, Notice]:
        """Return who is told of which causes."""
        return {kind: found for kind in type(self).model_fields if (found := self.of(kind)) is not None}


NOTHING = Notify()
CAUSES = tuple(Notify.model_fields)
