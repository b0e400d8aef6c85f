"""`flask dev` and what it starts."""
