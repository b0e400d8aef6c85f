"""Whole requests that nobody would send, at the WSGI app; `make fuzz` sends them for a time or up to a number."""
