"""Parley: a webhook receiver with auto-responder for Twilio Conversations (classic)."""
