"""Processes that end between any two steps, in seeded schedules; `make torture` runs them."""
