"""The durable queue of events, and who works it off."""
