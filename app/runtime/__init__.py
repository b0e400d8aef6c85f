"""What makes up a process: settings, database, worker, and how gunicorn serves it."""
