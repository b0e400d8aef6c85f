"""Fixtures for tests of `flask trigger`: the command at the emulator, and a webhook of our own to post to."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from werkzeug.serving import make_server

from app import config, create_app
from app.emulator.client import Emulator

ROUTE = "/conversations/webhook"


@pytest.fixture
def trigger(app: Flask, webhooks_arrive: None, emulator: Emulator) -> Callable[..., Result]:
    """Run `flask trigger` against the emulator, and return its exit code and the result."""

    def run(*arguments: str, **more: Any) -> Result:
        named = [] if more else ["--emulator", emulator.url]
        return app.test_cli_runner().invoke(args=["trigger", *arguments, *named], **more)

    return run


@pytest.fixture
def own_url(environ: dict[str, str], free_port: Callable[[], int]) -> Iterator[str]:
    """The webhook of an app that is known by the address it listens on; its settings are in `environ`."""
    environ["PUBLIC_URL"] = f"http://127.0.0.1:{free_port()}"
    application = create_app(config.from_environment(environ))
    server = make_server("127.0.0.1", int(environ["PUBLIC_URL"].rpartition(":")[2]), application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield environ["PUBLIC_URL"] + ROUTE
    server.shutdown()
    thread.join()
    server.server_close()
    application.extensions["parley"].db.close()
