"""Everything that knows Twilio's Conversations API (classic, v1)."""
