"""Outgoing notifications: people and programs are told what happened, by targets that BOT_NOTIFY names."""
