"""`flask trigger`: events at will."""
