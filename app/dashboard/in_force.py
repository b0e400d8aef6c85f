"""The rules as the page needs them: those of the worker in this process, else those of the file."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app

from app.dashboard.request_context import settings
from app.rules.facts import Policy
from app.rules.schema import Bot, Rules
from app.runtime.from_settings import load_rules
from app.runtime.process import Runtime


def rules_in_force() -> Rules:
    """Return the rules that messages are answered by. Raises RulesError, OSError."""
    parley: Runtime = current_app.extensions["parley"]
    return parley.rules.current() if parley.rules else load_rules(settings())


def pause_after_agent() -> timedelta:
    """Return for how long the bot is silent after a human has written; what is usual while the rules are faulty."""
    try:
        return rules_in_force().bot.pause_after_agent
    except (ValueError, OSError):
        return Bot().pause_after_agent


def policy() -> Policy:
    """Return who is who, as the worker sees it."""
    now = settings()
    return Policy(bot_author=now.bot_author, agents=now.bot_agents, max_reply_age=now.max_reply_age)
