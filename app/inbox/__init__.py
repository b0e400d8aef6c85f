"""The durable queue of events and the workers that process it."""
