"""How gunicorn serves Parley: as app/runtime/gunicorn.py says. Write what you want otherwise below.

Every value can also be overridden on gunicorn's command line. Settings of Parley: see .env.example.
"""

from app import config as parley_config
from app.runtime.gunicorn import *  # noqa: F403 - its names are gunicorn's settings

wsgi_app = "wsgi:app"
workers = parley_config.from_environment().web_concurrency  # read again when gunicorn is told to reload (SIGHUP)
