"""The database: connections, locks, wake-ups, tables and their migrations."""

from typing import TYPE_CHECKING

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Find what a gunicorn.conf.py of an older checkout imports from here; see app/runtime/former_names.py."""
        if name not in ("Database", "DatabaseUnavailable"):
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        from app.db import database

        return getattr(database, name)
