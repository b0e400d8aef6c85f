"""The page about responders: its examples run as they stand there, the one with a language model over real HTTP."""

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.config import PROJECT
from app.responder import Context, Message

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite")]

PAGE = (PROJECT / "docs" / "responders.md").read_text()
CODES = re.findall(r"\| `([a-z ]+)`(?:,[^|]*)? \|$", PAGE, re.MULTILINE)


@pytest.fixture
def example(tmp_path):
    """A folder with the files of the page."""
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        path = tmp_path / re.match(r"# (\S+)\n", block)[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(block)
    return tmp_path


@pytest.fixture
def model():
    """A server of a language model that always answers the same; gives its address and the requests it got."""
    requests = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append((self.path, self.headers["Authorization"], body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"choices": [{"message": {"content": "At ten, tomorrow.\n"}}]}).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", requests
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def environ(environ, example, model, monkeypatch):
    monkeypatch.syspath_prepend(example)
    monkeypatch.delitem(sys.modules, "support_model", raising=False)
    for name, value in {"MODEL_URL": model[0], "MODEL_KEY": "key", "MODEL_NAME": "small"}.items():
        monkeypatch.setenv(name, value)
    return environ | {"BOT_RESPONDER": "support_model:answer"}


def test_the_tests_of_the_page_pass_as_they_stand_there(example):
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "rules_tests",
            "-o",
            f"pythonpath={PROJECT} {example}",
        ],
        cwd=example,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "5 passed" in result.stdout


def test_a_language_model_answers_a_customer(bot, model):
    bot.rules('[[rule]]\nname = "hours"\nwhen = { keywords = ["open"] }\nreply = "From 9 to 5."')
    bot.customer("+15550100001").says("When is my bike ready?")
    (path, key, body), *more = model[1]

    assert bot.replies() == ["At ten, tomorrow."]
    assert (path, key, body["model"], more) == ("/v1/chat/completions", "Bearer key", "small", [])
    assert [one["role"] for one in body["messages"]] == ["system", "user"]
    assert "+15550100001" not in json.dumps(body)


@pytest.mark.parametrize("field", sorted({*Message.__dataclass_fields__, *Context.__dataclass_fields__}))
def test_the_page_names_every_field(field):
    assert f"`{field}`" in PAGE


@pytest.mark.parametrize("code", CODES)
def test_the_page_names_only_codes_that_there_are(code):
    assert f'"{code}"' in (PROJECT / "app" / "bot" / "ask_responder.py").read_text()
