"""Recorded webhooks: files, what is expected of them, and what is private in them."""
