"""An offline Twilio Conversations (classic v1) on loopback: REST, signed webhooks, receipts, faults.

It shares no code with the rest of the app, so that one mistake cannot hide in both.
"""

from flask import Flask

from app.emulator.account import EmulatedAccount
from app.emulator.control_api import add_control_api
from app.emulator.conversations import run_timers
from app.emulator.options import Options
from app.emulator.rest.api import add_rest_api


def create_emulator(options: Options | None = None) -> Flask:
    """Return the emulator as a Flask app; its threads start at once and end with the process."""
    account = EmulatedAccount(options or Options())
    account.timers.append(lambda: run_timers(account))
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = None
    add_rest_api(app, account)
    add_control_api(app, account)
    return app
