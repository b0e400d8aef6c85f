"""Deletion of data, by age and by person, and export of a person's data."""
