"""When the page is loaded: with a web process, and only then with a command."""

import re
import subprocess
import sys

import pytest

from tests.support.running_service import ROOT

WHAT_IS_LOADED = "import sys, wsgi; print('app.dashboard.conversations' in sys.modules, 'flask_login' in sys.modules)"


def run(environ, *command):
    finished = subprocess.run(
        [sys.executable, *command], env=environ, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return finished.stdout


@pytest.fixture
def environ(environ):
    return environ | {"FLASK_SKIP_DOTENV": "1", "PATH": ""}


def test_a_web_process_has_it_from_the_start(environ):
    assert run(environ, "-c", WHAT_IS_LOADED) == "True True\n"


def test_without_a_page_nothing_of_it_is_loaded(environ):
    real = environ | {"BOT_ADMIN_PASSWORD": "", "TWILIO_API_BASE_URL": ""}

    assert run(real, "-c", WHAT_IS_LOADED) == "False False\n"


def test_a_command_that_answers_requests_adds_it_then(app, environ):
    script = (
        "import click, sys, wsgi\n"
        "@click.command()\n"
        "def serving():\n"
        "    from app import create_app\n"
        "    app = create_app()\n"
        "    before = 'page' in app.blueprints\n"
        "    print(before, app.test_client().get('/').status_code, app.test_client().get('/').status_code)\n"
        "serving()\n"
    )

    assert run(environ, "-c", script) == "False 302 302\n"


def test_the_page_looks_for_news_at_least_every_two_seconds():
    script = (ROOT / "app" / "dashboard" / "static" / "parley.js").read_text(encoding="utf-8")

    assert int(re.search(r"const PAUSE_MS = (\d+);", script)[1]) <= 2000
