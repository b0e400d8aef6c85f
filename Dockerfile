# Parley in a container: gunicorn by default; `flask worker` and `flask db upgrade` with the same image (compose.yaml).
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PORT=8000

WORKDIR /srv/parley
COPY requirements.txt requirements.lock ./
RUN pip install --no-cache-dir --only-binary=:all: -r requirements.txt -c requirements.lock

COPY wsgi.py gunicorn.conf.py rules.toml ./
COPY app app
# Compiled once, here: who runs it cannot write. It owns nothing but the folder that an SQLite database would lie in.
RUN python -m compileall -q app && useradd --system --no-create-home --uid 10001 parley \
  && mkdir instance && chown parley instance
USER 10001

EXPOSE 8000
VOLUME /srv/parley/instance
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=2)"]
CMD ["gunicorn", "wsgi:app"]
