"""Measures what Parley promises against yardsticks in the same run; nothing here runs in production."""
