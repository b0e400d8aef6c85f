"""The database: connections, locks, wake-ups, tables and their migrations."""
