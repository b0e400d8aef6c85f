"""Whole stories: scenarios, exactly once, crashes."""
