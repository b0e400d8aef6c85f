"""What is deleted: by age, and by person."""
