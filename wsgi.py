"""What gunicorn and flask serve: `gunicorn wsgi:app`."""

import gc

gc.disable()  # nothing of what is imported is garbage; to look for some takes a tenth of a command's start

from app import create_app  # noqa: E402

app = create_app()
gc.enable()
