"""Fetches what Twilio failed to deliver."""
