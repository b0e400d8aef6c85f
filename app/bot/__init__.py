"""Handlers: what the bot does on each kind of event, and how a message becomes a reply."""
