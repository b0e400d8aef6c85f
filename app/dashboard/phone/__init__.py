"""The phone of the offline loop."""
