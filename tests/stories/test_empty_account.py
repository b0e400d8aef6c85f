"""An empty account, as strict as Twilio's, answers its first customer after the commands that a real one needs."""

import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from werkzeug.serving import make_server

from app.emulator.client import Emulator

NUMBER = "+15550100099"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator.start(receipt_delay=0.01) as emulator:
        yield emulator


@pytest.fixture
def environ(environ: dict[str, str], free_port: Callable[[], int]) -> dict[str, str]:
    return environ | {"PUBLIC_URL": f"http://127.0.0.1:{free_port()}"}


@pytest.fixture
def serving(app: Flask, environ: dict[str, str]) -> Iterator[str]:
    """Listen at the public URL; nobody has told the account of it."""
    public_url = environ["PUBLIC_URL"]
    server = make_server("127.0.0.1", int(public_url.rpartition(":")[2]), app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield public_url
    server.shutdown()
    thread.join()
    server.server_close()


def test_two_commands_set_an_empty_account_up(serving, emulator, flask_command, settle):
    with pytest.raises(RuntimeError, match="autocreation is off"):
        emulator.inbound("Where is my order?", to=NUMBER)
    flask_command("addresses", "create", "--address", NUMBER, "--enabled")
    unheard = emulator.inbound("Where is my order?", to=NUMBER)
    settle()
    silent = emulator.webhooks()
    flask_command("webhooks", "point", serving, "--yes")
    heard = emulator.inbound("My order, please?", to=NUMBER)
    settle()

    assert silent == []
    assert emulator.replies() == ["Please send your order number."]
    assert heard["conversation_sid"] == unheard["conversation_sid"]
